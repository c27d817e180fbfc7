// What a hot or crowded device asks for: first a lower rate, then the smaller model.
#pragma once

#include <optional>

namespace coevoer {

// iOS's words. On Android: none and light, moderate, severe, critical and above.
enum class Thermal { nominal = 0, fair = 1, serious = 2, critical = 3 };

struct Demand {
  double least_interval_ms;  // between frames of a live stream; 0: every frame
  bool smaller_model;        // where the app has one
};

// nominal: every frame. fair: 15 a second. serious: 15 a second and the smaller model. critical: 5 a second and the
// smaller model; far below the pipeline's max_gap_ms, so that the person is kept. Low memory: the smaller model.
constexpr Demand demand(Thermal thermal, bool low_memory) {
  switch (thermal) {
    case Thermal::nominal:
      return {0, low_memory};
    case Thermal::fair:
      return {1000.0 / 15, low_memory};
    case Thermal::serious:
      return {1000.0 / 15, true};
    case Thermal::critical:
      return {1000.0 / 5, true};
  }
  return {0, low_memory};
}

// Lets frames through at a rate, by their own timestamps.
class RateLimit {
 public:
  // Whether this frame is looked at.
  bool admits(double timestamp_ms, double least_interval_ms) {
    if (last_ms_ && timestamp_ms - *last_ms_ < least_interval_ms - kJitterMs) return false;
    last_ms_ = timestamp_ms;
    return true;
  }

 private:
  static constexpr double kJitterMs = 5;  // a camera's own, so that every second frame of 30 is not a third one
  std::optional<double> last_ms_;
};

}  // namespace coevoer
