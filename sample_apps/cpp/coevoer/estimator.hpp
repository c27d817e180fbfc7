// The library's main class, in MediaPipe's form: images, video with timestamps, live stream with a listener.
//
//   Estimator estimator({.engine = {.bundle = "artifacts/coevoer-t-...", .loader = load_executorch},
//                          .mode = RunningMode::video});
//   const EstimatorResult result = estimator.detect_for_video({pixels, {1280, 720}}, timestamp_ms);
//   if (result.person) estimator.mesh(*result.person, vertices);
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "coevoer/engine.hpp"
#include "coevoer/live_stream.hpp"
#include "coevoer/pressure.hpp"

namespace coevoer {

enum class RunningMode { image = 0, video = 1, live_stream = 2 };

struct EstimatorOptions {
  EngineOptions engine;
  RunningMode mode = RunningMode::image;
  Listener listener = {};  // for a live stream only
};

// Calls may come from any thread and wait for each other.
class Estimator {
 public:
  // Raises Error(bundle), Error(memory), or Error(usage) for a listener that is missing or not allowed in the mode.
  explicit Estimator(EstimatorOptions options);
  ~Estimator();

  // Each call belongs to one mode. It raises Error(usage) in another mode and after close(); see `Engine`,
  // `LiveStream`.
  EstimatorResult detect(const Frame& frame);
  EstimatorResult detect_for_video(const Frame& frame, double timestamp_ms);
  void detect_async(const Frame& frame, double timestamp_ms);

  // Reports the state of the device, which takes effect from the next frame on. The rate is lowered only in live
  // streams, where frames may be dropped; the model is changed in every mode, if the app gave a smaller one.
  void set_pressure(Thermal thermal, bool low_memory);

  // Writes (V, 3) vertices in the camera frame, m. It also works after close().
  void mesh(const Person& person, std::vector<float>& vertices) const;

  const Manifest& manifest() const { return manifest_; }
  const Body& body() const { return *body_; }

  // Waits for a live stream's frames, then frees the network. Closing twice is harmless.
  void close();

 private:
  void require(RunningMode mode, const char* call) const;

  RunningMode mode_;
  std::unique_ptr<Engine> engine_;  // null after close()
  Manifest manifest_;
  std::shared_ptr<const Body> body_;
  std::atomic<Thermal> thermal_ = Thermal::nominal;
  std::atomic<bool> low_memory_ = false;
  mutable std::mutex mutex_;
  std::unique_ptr<LiveStream> stream_;
};

}  // namespace coevoer
