#include "coevoer/engine.hpp"

#include <chrono>
#include <new>

#include "coevoer/error.hpp"
#include "coevoer/resample.hpp"

namespace coevoer {
namespace {

// Adds the time from its construction to its destruction to a total.
class Stopwatch {
 public:
  explicit Stopwatch(double& total_ms) : total_ms_(total_ms), start_(std::chrono::steady_clock::now()) {}
  ~Stopwatch() {
    total_ms_ += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  double& total_ms_;
  std::chrono::steady_clock::time_point start_;
};

// Checks that one model can take over from the other in the middle of a stream.
void check_exchangeable(const Bundle& one, const Bundle& other) {
  const Manifest &a = one.manifest, &b = other.manifest;
  bool same = a.input_shape == b.input_shape && a.joint_names == b.joint_names &&
              a.outputs.size() == b.outputs.size() && one.digests.at(a.body_file) == other.digests.at(b.body_file);
  for (const auto& output : a.outputs) same = same && b.shape(output.name) == output.shape;
  if (!same)
    throw Error(ErrorKind::bundle, other.folder.string() + " has another input, body or outputs than " +
                                       one.folder.string() + "; export both with the same version.");
}

}  // namespace

Engine::Engine(EngineOptions options)
    : options_(std::move(options)),
      bundle_(Bundle::open(options_.bundle)),
      tracker_(bundle_.manifest),
      smoother_(bundle_.manifest.smoothing) {
  if (!options_.loader)
    throw Error(ErrorKind::usage, "There is no loader of networks; give load_executorch or your own.");
  if (options_.smaller_bundle) {
    smaller_ = Bundle::open(*options_.smaller_bundle);
    check_exchangeable(bundle_, *smaller_);
  }
  body_ = std::make_shared<const Body>(Safetensors::open(bundle_.body()), bundle_.manifest);
  load();
}

EstimatorResult Engine::image(const Frame& frame) {
  check_frame(frame);
  const View& view = manifest().view;
  EstimatorResult result = begin(frame, Crop::whole_frame(frame.size, view));
  std::optional<Person> person;
  for (int look = 0; look < 2; ++look) {
    const Decoded decoded = run(frame, result.crop, result.timings);
    const Stopwatch watch(result.timings.decode_ms);
    person = embody(decoded, *body_, manifest());
    if (look == 1) break;
    const auto crop = next_crop(*person, frame.size, manifest());
    if (!crop) break;
    result.crop = *crop;
  }
  result.person_visibility = person->person_visibility;
  result.person = std::move(person);
  result.smaller_model = has_smaller_;
  result.trained = (has_smaller_ ? *smaller_ : bundle_).manifest.trained;
  return result;
}

EstimatorResult Engine::video(const Frame& frame, double timestamp_ms) {
  check_frame(frame);
  const Manifest& m = manifest();
  EstimatorResult result = begin(frame, tracker_.look(timestamp_ms, frame.size));
  if (tracker_.state() == State::searching) smoother_.reset();
  result.timestamp_ms = timestamp_ms;
  const Decoded decoded = run(frame, result.crop, result.timings);
  const Stopwatch watch(result.timings.decode_ms);
  result.person_visibility = decoded.person_visibility;
  if (tracker_.judge(embody(decoded, *body_, m))) {
    const PinholeCamera camera = frame_camera(frame.size, m.view);
    Parameters parameters = decoded.parameters;
    Vec3 translation = convert_translation(decoded.translation, decoded.crop.camera(m.view), camera);
    if (options_.smooth) smoother_(timestamp_ms, parameters, translation, camera.focal_px / frame.size.height);
    result.person = embody(decoded, *body_, parameters, translation, camera);
  }
  result.state = tracker_.state();
  result.smaller_model = has_smaller_;
  result.trained = (has_smaller_ ? *smaller_ : bundle_).manifest.trained;
  return result;
}

void Engine::start_stream() {
  tracker_.reset();
  smoother_.reset();
}

EstimatorResult Engine::begin(const Frame& frame, const Crop& crop) const {
  EstimatorResult result;
  result.frame = frame.size;
  result.crop = crop;
  return result;
}

Decoded Engine::run(const Frame& frame, const Crop& crop, Timings& timings) {
  try {
    load();
    std::vector<float> tensor;
    Outputs outputs;
    {
      const Stopwatch watch(timings.crop_ms);
      tensor = to_tensor(extract_crop(frame, crop, manifest().view), manifest().view);
    }
    {
      const Stopwatch watch(timings.network_ms);
      outputs = network_->run(tensor);
    }
    const Stopwatch watch(timings.decode_ms);
    return decode(outputs, crop, manifest());
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::memory,
                "There is not enough memory for this frame; free some, lower the camera's resolution, or report low "
                "memory so that the smaller model is used.");
  }
}

void Engine::load() {
  if (network_ && wanted_smaller_ == has_smaller_) return;
  network_.reset();  // never have both in memory
  try {
    network_ = options_.loader(wanted_smaller_ ? *smaller_ : bundle_);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::memory, "There is not enough memory to load the network; free some and call again.");
  }
  has_smaller_ = wanted_smaller_;
}

}  // namespace coevoer
