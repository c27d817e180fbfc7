// What the library does when the device is hot or low on memory: first a lower rate, then the smaller model.
#pragma once

#include <optional>

namespace coevoer {

// The names of iOS. They stand for Android's none and light; moderate; severe; critical and above.
enum class Thermal { nominal = 0, fair = 1, serious = 2, critical = 3 };

struct Demand {
  double least_interval_ms;  // between frames of a live stream; 0: every frame
  bool smaller_model;        // where the app has one
};

// nominal: every frame. fair: 15 a second. serious: 15 a second and the smaller model. critical: 5 a second and the
// smaller model. Low memory: the smaller model. All intervals are far below max_gap_ms, so that the person is not lost.
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

// Admits frames at a limited rate, by their own timestamps.
class RateLimit {
 public:
  // Whether this frame is processed.
  bool admits(double timestamp_ms, double least_interval_ms) {
    if (last_ms_ && timestamp_ms - *last_ms_ < least_interval_ms - kJitterMs) return false;
    last_ms_ = timestamp_ms;
    return true;
  }

 private:
  static constexpr double kJitterMs = 5;  // of a camera, so that 15 of 30 frames a second do not become 10
  std::optional<double> last_ms_;
};

}  // namespace coevoer
