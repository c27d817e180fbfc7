// Which crop to look at next, and whether what was seen there is the person (docs/pipeline.md, sections 1, 2 and 6).
// No pixels: the same answers on every platform.
#pragma once

#include <optional>
#include <vector>

#include "coevoer/geometry.hpp"
#include "coevoer/manifest.hpp"
#include "coevoer/person.hpp"

namespace coevoer {

enum class State { searching = 0, tracking = 1 };

// The crop that follows a body as the network saw it, or none where that body is no usable guide: a followed joint is
// not finite or not in front of the camera, too little of the box around them lies in the frame, or the crop is too
// small.
std::optional<Crop> next_crop(const Person& seen, Size frame, const Manifest& manifest);

// Follows one person through a stream: `look` before the network runs, `judge` after it. A frame that is looked at and
// never judged (its network failed) counts as neither seen nor missed.
class Tracker {
 public:
  explicit Tracker(const Manifest& manifest) : manifest_(&manifest) {}

  State state() const { return state_; }
  void reset();  // begin another stream

  // Raises Error(usage), and nothing changes, for a timestamp that is not finite or not after the last one.
  void check_time(double timestamp_ms) const;

  // The crop of the next frame. Raises as `check_time`.
  Crop look(double timestamp_ms, Size frame);

  // Whether the body seen in the crop that `look` gave is the person; the state follows from it. `seen` is as the
  // network sees it: in the camera of the crop, not smoothed.
  bool judge(const Person& seen);

 private:
  // An accepted person as far as they are told from another: where, how large, in which posture.
  struct Sight {
    double timestamp_ms;
    Vec2 middle_px;               // between pelvis and neck
    double length_px;             // of the torso, if it were turned upright in the image
    std::vector<Vec3> posture_m;  // the body's followed joints from the pelvis, camera axes
  };
  void search();
  void follow(const Crop& guide, Sight sight);
  Sight sight(const Person& seen) const;
  bool may_be(const Sight& now, const Sight& before) const;
  Vec2 moved_px() const;  // since the last sight, by the velocity that the person had

  const Manifest* manifest_;
  State state_ = State::searching;
  std::optional<double> last_ms_;
  Size size_;
  std::optional<Crop> guide_;  // the crop that the last accepted sight gave, before it moves on
  std::optional<Sight> sight_;
  Vec2 velocity_px_s_ = Vec2::Zero();
  std::size_t tried_ = 0;
};

}  // namespace coevoer
