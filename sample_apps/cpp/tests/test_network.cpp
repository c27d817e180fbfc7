// The real network in ExecuTorch: golden images, and artifacts that do not match the manifest.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>

#include "bundles.hpp"
#include "coevoer/estimator.hpp"
#include "coevoer/resample.hpp"
#include "coevoer/safetensors.hpp"
#include "people.hpp"

using namespace coevoer;

namespace {

// The logarithm of the root mean square of each image's difference, as mean over the images.
double log_error(const std::vector<double>& a, const std::vector<double>& b, std::size_t images) {
  const std::size_t size = a.size() / images;
  double logs = 0;
  for (std::size_t n = 0; n < images; ++n) {
    double sum = 0;
    for (std::size_t i = n * size; i < (n + 1) * size; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
    logs += std::log(sum / static_cast<double>(size)) / 2;
  }
  return logs / static_cast<double>(images);
}

std::string artifact_refused(const std::string& bytes) {
  TemporaryBundle copy;
  copy.write(bundle_under_test().manifest.artifact, bytes);
  copy.sign();
  return error_of(ErrorKind::bundle, [&] { load_executorch(Bundle::open(copy.folder())); });
}

std::string artifact() {
  std::ifstream file(bundle_under_test().artifact(), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

// docs/pipeline.md, section 9.
TEST_CASE("network: on the golden images as close to float as the manifest requires") {
  const char* path = std::getenv("COEVOER_GOLDEN");
  REQUIRE_MESSAGE(path != nullptr,
                  "Set COEVOER_GOLDEN to the output of tools/golden_to_safetensors.py, as build.sh does.");
  const Safetensors golden = Safetensors::open(path);
  const Bundle& bundle = bundle_under_test();
  const auto network = load_executorch(bundle);
  const auto images = golden.get<std::uint8_t>("image", {-1, -1, -1, 3});
  const auto count = static_cast<std::size_t>(golden.shape("image")[0]);
  const std::size_t size = images.size() / count;
  std::map<std::string, std::vector<double>> given;
  for (std::size_t n = 0; n < count; ++n) {
    const std::vector<std::uint8_t> image(images.begin() + static_cast<std::ptrdiff_t>(n * size),
                                          images.begin() + static_cast<std::ptrdiff_t>((n + 1) * size));
    const Outputs outputs = network->run(to_tensor(image, bundle.manifest.view));
    check_outputs(outputs, bundle.manifest);
    for (const auto& [name, tensor] : outputs)
      given[name].insert(given[name].end(), tensor.values.begin(), tensor.values.end());
  }
  double together = 0;
  for (const auto& [name, values] : given) {
    const auto exact = golden.numbers("float_" + name);
    const double error = log_error(values, exact, count);
    const double ratio = error - log_error(golden.numbers("quantized_" + name), exact, count);
    std::cout << "  " << name << ": error " << std::exp(error) << ", ratio " << std::exp(ratio) << "\n";
    together += ratio / static_cast<double>(given.size());
  }
  std::cout << "  together: ratio " << std::exp(together) << "\n";
  CHECK(std::exp(together) <= std::stod(golden.metadata().at("max_self_check_ratio")));
}

TEST_CASE("network: the same image gives the same bits, also from another instance") {
  const std::vector<float> image(3 * 256 * 192, 0.4f);
  const auto network = load_executorch(bundle_under_test()), other = load_executorch(bundle_under_test());
  const Outputs first = network->run(image), again = network->run(image), elsewhere = other->run(image);
  for (const auto& [name, tensor] : first) {
    CHECK(tensor.values == again.find(name)->second.values);
    CHECK(tensor.values == elsewhere.find(name)->second.values);
  }
}

TEST_CASE("network: an artifact that is damaged or cut short is refused though its digest is right") {
  CHECK(contains(artifact_refused("no network"), "ExecuTorch cannot load"));
  CHECK(contains(artifact_refused(""), "ExecuTorch cannot load"));
  const std::string whole = artifact();
  for (const std::size_t length : {std::size_t{8}, std::size_t{4096}, whole.size() / 2})
    CHECK(contains(artifact_refused(whole.substr(0, length)), "ExecuTorch cannot load"));
}

TEST_CASE("network: another target, and an artifact with other tensors than the manifest's, are refused") {
  TemporaryBundle copy;
  copy.write(bundle_under_test().manifest.artifact, artifact());
  copy.edit_manifest("\"target\": \"executorch\"", "\"target\": \"onnx\"");
  const auto refused = [&] {
    return error_of(ErrorKind::bundle, [&] { load_executorch(Bundle::open(copy.folder())); });
  };
  CHECK(contains(refused(), "The bundle is for onnx"));
  copy.edit_manifest("\"target\": \"onnx\"", "\"target\": \"executorch\"");
  Bundle bundle = Bundle::open(copy.folder());
  bundle.manifest.outputs[5].shape = {1, 16};
  CHECK(contains(error_of(ErrorKind::bundle, [&] { load_executorch(bundle); }), "output betas is (1, 10)"));
  bundle = Bundle::open(copy.folder());
  bundle.manifest.outputs.pop_back();
  CHECK(contains(error_of(ErrorKind::bundle, [&] { load_executorch(bundle); }),
                 "10 outputs; the manifest requires 1 and 9"));
}

TEST_CASE("network: a stream and a live stream run through it") {
  const Grey grey(640, 480);
  EstimatorOptions options;
  options.engine = {bundle_folder(), {}, load_executorch, true};
  options.mode = RunningMode::video;
  Estimator video(options);
  for (int i = 0; i < 3; ++i) {
    const EstimatorResult result = video.detect_for_video(grey.frame(), 33 * i);
    CHECK(std::isfinite(result.person_visibility));
    CHECK(result.trained == video.manifest().trained);
  }
  std::atomic<int> heard = 0;
  options.mode = RunningMode::live_stream;
  options.listener = {[&](const EstimatorResult&) { ++heard; }, [](const Error& error) { FAIL(error.what()); }};
  Estimator live(options);
  for (int i = 0; i < 3; ++i) live.detect_async(grey.frame(), 33 * i);
  live.close();
  CHECK(heard >= 1);
}
