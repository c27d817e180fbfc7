// The library's front, in MediaPipe's form: images, video with timestamps, live stream with a listener.
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
  Listener listener = {};  // of a live stream, and only there
};

// Calls may come from any thread; they wait for each other.
class Estimator {
 public:
  // Raises Error(bundle), Error(memory), or Error(usage) for a listener that is missing or not called for.
  explicit Estimator(EstimatorOptions options);
  ~Estimator();

  // Each belongs to one mode and raises Error(usage) in another and after close(); see `Engine` and `LiveStream`.
  EstimatorResult detect(const Frame& frame);
  EstimatorResult detect_for_video(const Frame& frame, double timestamp_ms);
  void detect_async(const Frame& frame, double timestamp_ms);

  // What the device reports; obeyed from the next frame on. Rates are lowered in live streams, where frames may be left
  // out; models are changed in every mode, where the app gave a smaller one.
  void set_pressure(Thermal thermal, bool low_memory);

  // (V, 3) vertices in the camera frame, m; works after close() too.
  void mesh(const Person& person, std::vector<float>& vertices) const;

  const Manifest& manifest() const { return manifest_; }
  const Body& body() const { return *body_; }

  // Waits for a live stream's frames, then frees the network. Closing twice is harmless.
  void close();

 private:
  void require(RunningMode mode, const char* call) const;

  RunningMode mode_;
  std::unique_ptr<Engine> engine_;  // none: closed
  Manifest manifest_;
  std::shared_ptr<const Body> body_;
  std::atomic<Thermal> thermal_ = Thermal::nominal;
  std::atomic<bool> low_memory_ = false;
  mutable std::mutex mutex_;
  std::unique_ptr<LiveStream> stream_;
};

}  // namespace coevoer
