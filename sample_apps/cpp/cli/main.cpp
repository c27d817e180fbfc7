// `coevoer`. In: images. Out: SMPL-X parameters, meshes and times. The exit code is 2 for usage, 1 for other failures.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>

#include "arguments.hpp"
#include "coevoer/estimator.hpp"
#include "picture.hpp"
#include "quiet.hpp"
#include "writers.hpp"

namespace {

using coevoer::Estimator;
using coevoer::EstimatorResult;

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

double timed_mesh(const Estimator& estimator, const EstimatorResult& result, std::vector<float>& vertices) {
  if (!result.person) return 0;
  const auto start = std::chrono::steady_clock::now();
  estimator.mesh(*result.person, vertices);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// Looks at one image `repeat` times and gives the medians of the times.
EstimatorResult look(Estimator& estimator, const Picture& picture, int repeat, std::vector<float>& vertices, double& mesh_ms) {
  std::vector<double> crop, network, decode, mesh;
  EstimatorResult result;
  for (int i = 0; i < repeat; ++i) {
    result = estimator.detect(picture.frame());
    mesh.push_back(timed_mesh(estimator, result, vertices));
    crop.push_back(result.timings.crop_ms);
    network.push_back(result.timings.network_ms);
    decode.push_back(result.timings.decode_ms);
  }
  result.timings = {median(crop), median(network), median(decode)};
  mesh_ms = median(mesh);
  return result;
}

void run(const Arguments& a) {
  coevoer::EstimatorOptions options;
  options.engine.bundle = a.bundle;
  options.engine.loader = coevoer::load_executorch;
  options.engine.smooth = !a.raw;
  options.engine.smaller_bundle = a.smaller;
  options.mode = a.fps ? coevoer::RunningMode::video : coevoer::RunningMode::image;
  Estimator estimator(std::move(options));
  if (a.smaller) estimator.set_pressure(coevoer::Thermal::nominal, true);
  if (a.output_dir) std::filesystem::create_directories(*a.output_dir);

  std::vector<float> vertices;
  for (std::size_t i = 0; i < a.images.size(); ++i) {
    const Picture picture = read_picture(a.images[i]);
    EstimatorResult result;
    double mesh_ms = 0;
    if (a.fps) {
      result = estimator.detect_for_video(picture.frame(), 1000.0 * static_cast<double>(i) / *a.fps);
      mesh_ms = timed_mesh(estimator, result, vertices);
    } else {
      result = look(estimator, picture, a.repeat, vertices, mesh_ms);
    }
    std::printf("%s: %s (visibility %.2f)%s; crop %.2f ms, network %.2f ms, decode %.2f ms, mesh %.2f ms\n",
                a.images[i].c_str(), result.person ? "person" : "no person", result.person_visibility,
                result.trained ? "" : ", untrained weights: the numbers are random", result.timings.crop_ms,
                result.timings.network_ms, result.timings.decode_ms, mesh_ms);
    if (!a.output_dir) continue;
    const auto json = *a.output_dir / (a.images[i].stem().string() + ".json");
    write_file(json, to_json(result, mesh_ms, a.images[i].string(), estimator.manifest()));
    std::printf("  %s\n", json.c_str());
    if (!result.person) continue;
    const auto obj = *a.output_dir / (a.images[i].stem().string() + ".obj");
    write_file(obj, to_obj(vertices, estimator.body().faces(), estimator.manifest()));
    std::printf("  %s\n", obj.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto arguments = Arguments::parse({argv + 1, argv + argc});
    if (arguments.help) {
      std::cout << kUsage;
      return 0;
    }
    quiet_executorch();
    run(arguments);
    return 0;
  } catch (const coevoer::Error& error) {
    std::cerr << "coevoer: " << error.what() << "\n";
    return error.kind() == coevoer::ErrorKind::usage ? 2 : 1;
  } catch (const std::exception& error) {
    std::cerr << "coevoer: " << error.what() << "\n";
    return 1;
  }
}
