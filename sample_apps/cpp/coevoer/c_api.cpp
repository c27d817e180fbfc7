#include <algorithm>
#include <exception>
#include <new>
#include <string>

#include "coevoer/coevoer.h"
#include "coevoer/estimator.hpp"
#include "coevoer/values.hpp"

struct coevoer_estimator {
  explicit coevoer_estimator(coevoer::EstimatorOptions options) : estimator(std::move(options)) {}
  coevoer::Estimator estimator;
};

struct coevoer_result {
  coevoer::EstimatorResult result;
};

namespace coevoer {
#ifndef COEVOER_WITH_EXECUTORCH
std::unique_ptr<Network> load_executorch(const Bundle&) {
  throw Error(ErrorKind::usage,
              "This library was built without ExecuTorch; give a loader, or build it with "
              "-DCOEVOER_EXECUTORCH=ON.");
}
#endif
namespace {

thread_local std::string last_error;

coevoer_status failed(const Error& error) {
  last_error = error.what();
  return static_cast<coevoer_status>(error.kind());
}

// Runs a call and turns its exceptions into statuses.
template <class Call>
coevoer_status guarded(const Call& call) noexcept {
  try {
    last_error.clear();
    call();
    return COEVOER_OK;
  } catch (const Error& error) {
    return failed(error);
  } catch (const std::bad_alloc&) {
    return failed(Error(ErrorKind::memory, "There is not enough memory; free some and call again."));
  } catch (const std::exception& error) {
    return failed(Error(ErrorKind::usage, error.what()));
  }
}

template <class Pointer>
Pointer given(Pointer pointer, const char* what) {
  if (pointer == nullptr) throw Error(ErrorKind::usage, std::string(what) + " is NULL; give one.");
  return pointer;
}

// A network that the caller provides.
class ForeignNetwork final : public Network {
 public:
  ForeignNetwork(const Bundle& bundle, coevoer_loader loader, void* context) : specs_(bundle.manifest.outputs) {
    const std::string artifact = bundle.artifact().string();
    if (loader(context, artifact.c_str(), &network_) != 0 || network_.run == nullptr)
      throw Error(ErrorKind::bundle, "The app's runtime cannot load " + artifact + "; export the bundle again.");
  }
  ForeignNetwork(const ForeignNetwork&) = delete;
  ForeignNetwork& operator=(const ForeignNetwork&) = delete;
  ~ForeignNetwork() override {
    if (network_.release != nullptr) network_.release(network_.context);
  }

  Outputs run(const std::vector<float>& image) override {
    Outputs outputs;
    std::vector<float*> pointers;
    for (const auto& spec : specs_) {
      std::size_t count = 1;
      for (const std::int64_t size : spec.shape) count *= static_cast<std::size_t>(size);
      Tensor& tensor = outputs[spec.name] = {spec.shape, std::vector<float>(count)};
      pointers.push_back(tensor.values.data());
    }
    if (const std::int32_t code = network_.run(network_.context, image.data(), pointers.data()); code != 0)
      throw Error(ErrorKind::network, "The app's runtime failed with code " + std::to_string(code) + "; see its log.");
    return outputs;
  }

 private:
  std::vector<OutputSpec> specs_;
  coevoer_network network_{};
};

EstimatorOptions options_of(const coevoer_options& o) {
  EstimatorOptions options;
  options.engine.bundle = given(o.bundle, "The bundle's folder");
  if (o.smaller_bundle != nullptr) options.engine.smaller_bundle = o.smaller_bundle;
  if (o.mode < COEVOER_IMAGE || o.mode > COEVOER_LIVE_STREAM)
    throw Error(ErrorKind::usage,
                "The mode is " + std::to_string(o.mode) + "; give image 0, video 1 or live stream 2.");
  options.mode = static_cast<RunningMode>(o.mode);
  options.engine.smooth = o.raw == 0;
  options.engine.loader = load_executorch;
  if (o.loader != nullptr)
    options.engine.loader = [loader = o.loader, context = o.loader_context](const Bundle& bundle) {
      return std::make_unique<ForeignNetwork>(bundle, loader, context);
    };
  if (o.listener == nullptr) return options;
  const auto call = [listener = o.listener, context = o.listener_context](coevoer_status status, coevoer_result* result,
                                                                          const char* message) {
    listener(context, status, result, message);
  };
  options.listener.result = [call](const EstimatorResult& result) { call(COEVOER_OK, new coevoer_result{result}, ""); };
  options.listener.error = [call](const Error& error) {
    call(static_cast<coevoer_status>(error.kind()), nullptr, error.what());
  };
  return options;
}

Frame frame_of(const coevoer_frame* f) {
  given(f, "The frame");
  if (f->format < COEVOER_RGB || f->format > COEVOER_BGRA)
    throw Error(ErrorKind::usage, "The format is " + std::to_string(f->format) + "; give RGB 0, RGBA 1 or BGRA 2.");
  return {f->pixels, {f->width, f->height}, f->stride_bytes, static_cast<PixelFormat>(f->format)};
}

}  // namespace
}  // namespace coevoer

using coevoer::frame_of;
using coevoer::given;
using coevoer::guarded;

const char* coevoer_last_error(void) { return coevoer::last_error.c_str(); }

coevoer_options coevoer_default_options(void) {
  return {};
}

coevoer_status coevoer_open(const coevoer_options* options, coevoer_estimator** estimator) {
  return guarded([&] {
    *given(estimator, "The pointer to the estimator") = nullptr;
    *estimator = new coevoer_estimator(coevoer::options_of(*given(options, "The pointer to the options")));
  });
}

coevoer_status coevoer_detect(coevoer_estimator* l, const coevoer_frame* frame, coevoer_result** result) {
  return guarded([&] {
    *given(result, "The pointer to the result") = nullptr;
    *result = new coevoer_result{given(l, "The estimator")->estimator.detect(frame_of(frame))};
  });
}

coevoer_status coevoer_detect_for_video(coevoer_estimator* l, const coevoer_frame* frame, double timestamp_ms,
                                        coevoer_result** result) {
  return guarded([&] {
    *given(result, "The pointer to the result") = nullptr;
    auto& estimator = given(l, "The estimator")->estimator;
    *result = new coevoer_result{estimator.detect_for_video(frame_of(frame), timestamp_ms)};
  });
}

coevoer_status coevoer_detect_async(coevoer_estimator* l, const coevoer_frame* frame, double timestamp_ms) {
  return guarded([&] { given(l, "The estimator")->estimator.detect_async(frame_of(frame), timestamp_ms); });
}

coevoer_status coevoer_set_pressure(coevoer_estimator* l, int32_t thermal, int32_t low_memory) {
  return guarded([&] {
    if (thermal < COEVOER_NOMINAL || thermal > COEVOER_CRITICAL)
      throw coevoer::Error(coevoer::ErrorKind::usage,
                           "The thermal state is " + std::to_string(thermal) + "; give 0 (nominal) to 3 (critical).");
    given(l, "The estimator")->estimator.set_pressure(static_cast<coevoer::Thermal>(thermal), low_memory != 0);
  });
}

coevoer_status coevoer_close(coevoer_estimator* l) {
  return guarded([&] { given(l, "The estimator")->estimator.close(); });
}

void coevoer_free(coevoer_estimator* l) { delete l; }

double coevoer_result_timestamp_ms(const coevoer_result* r) { return r->result.timestamp_ms; }
coevoer_state coevoer_result_state(const coevoer_result* r) { return static_cast<coevoer_state>(r->result.state); }
int32_t coevoer_result_has_person(const coevoer_result* r) { return r->result.person ? 1 : 0; }
int32_t coevoer_result_trained(const coevoer_result* r) { return r->result.trained ? 1 : 0; }
int32_t coevoer_result_smaller_model(const coevoer_result* r) { return r->result.smaller_model ? 1 : 0; }
int32_t coevoer_result_dropped(const coevoer_result* r) { return r->result.dropped; }

void coevoer_result_crop(const coevoer_result* r, double crop[4]) {
  const coevoer::Crop& c = r->result.crop;
  crop[0] = c.x0, crop[1] = c.y0, crop[2] = c.width, crop[3] = c.height;
}

void coevoer_result_timings_ms(const coevoer_result* r, double ms[3]) {
  const coevoer::Timings& t = r->result.timings;
  ms[0] = t.crop_ms, ms[1] = t.network_ms, ms[2] = t.decode_ms;
}

void coevoer_result_free(coevoer_result* r) { delete r; }

size_t coevoer_result_values(const coevoer_result* r, const char* name, double* values, size_t capacity) {
  if (r == nullptr || name == nullptr || !r->result.person) return 0;
  const auto found = coevoer::values_of(*r->result.person, name);
  if (values != nullptr && capacity >= found.size()) std::copy(found.begin(), found.end(), values);
  return found.size();
}

size_t coevoer_num_joints(const coevoer_estimator* l) { return l->estimator.manifest().joint_names.size(); }

const char* coevoer_joint_name(const coevoer_estimator* l, size_t joint) {
  const auto& names = l->estimator.manifest().joint_names;
  return joint < names.size() ? names[joint].c_str() : nullptr;
}

size_t coevoer_num_vertices(const coevoer_estimator* l) { return l->estimator.body().num_vertices(); }

const int32_t* coevoer_faces(const coevoer_estimator* l, size_t* num_faces) {
  const auto& faces = l->estimator.body().faces();
  if (num_faces != nullptr) *num_faces = faces.size() / 3;
  return faces.data();
}

coevoer_status coevoer_mesh(const coevoer_estimator* l, const coevoer_result* r, float* vertices, size_t capacity) {
  return guarded([&] {
    const auto& estimator = given(l, "The estimator")->estimator;
    if (!given(r, "The result")->result.person)
      throw coevoer::Error(coevoer::ErrorKind::usage,
                           "The result has no person; call coevoer_result_has_person first.");
    const std::size_t count = 3 * estimator.body().num_vertices();
    if (vertices == nullptr || capacity < count)
      throw coevoer::Error(coevoer::ErrorKind::usage, "The buffer has room for " +
                                                          std::to_string(vertices ? capacity : 0) +
                                                          " floats; the mesh needs " + std::to_string(count) + ".");
    std::vector<float> mesh;
    estimator.mesh(*r->result.person, mesh);
    std::copy(mesh.begin(), mesh.end(), vertices);
  });
}
