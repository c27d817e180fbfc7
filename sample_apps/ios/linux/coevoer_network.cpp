// The ExecuTorch network of the C++ library, and nothing else of it, behind coevoer_network.h.
#include "coevoer_network.h"

#include <algorithm>
#include <new>
#include <string>
#include <vector>

#include "coevoer/bundle.hpp"
#include "coevoer/error.hpp"
#include "coevoer/network.hpp"

struct coevoer_network_handle {
  coevoer::Bundle bundle;
  std::unique_ptr<coevoer::Network> network;
};

namespace {

thread_local std::string last_error;

template <class Work>
int32_t guarded(const Work& work) {
  try {
    work();
    return 0;
  } catch (const coevoer::Error& error) {
    last_error = error.what();
    return static_cast<int32_t>(error.kind());
  } catch (const std::bad_alloc&) {
    last_error = "Not enough memory; free some and call again.";
    return static_cast<int32_t>(coevoer::ErrorKind::memory);
  } catch (const std::exception& error) {
    last_error = error.what();
    return static_cast<int32_t>(coevoer::ErrorKind::network);
  }
}

}  // namespace

int32_t coevoer_network_open(const char* bundle, coevoer_network_handle** network) {
  return guarded([&] {
    auto opened = coevoer::Bundle::open(bundle);
    auto loaded = coevoer::load_executorch(opened);
    *network = new coevoer_network_handle{std::move(opened), std::move(loaded)};
  });
}

int32_t coevoer_network_run(coevoer_network_handle* network, const float* image, float* const* outputs) {
  return guarded([&] {
    const auto& manifest = network->bundle.manifest;
    const auto floats = static_cast<std::size_t>(3 * manifest.view.input.width * manifest.view.input.height);
    const coevoer::Outputs given = network->network->run({image, image + floats});
    coevoer::check_outputs(given, manifest);
    for (std::size_t i = 0; i < manifest.outputs.size(); ++i) {
      const auto& values = given.find(manifest.outputs[i].name)->second.values;
      std::copy(values.begin(), values.end(), outputs[i]);
    }
  });
}

void coevoer_network_free(coevoer_network_handle* network) { delete network; }

const char* coevoer_network_error(void) { return last_error.c_str(); }
