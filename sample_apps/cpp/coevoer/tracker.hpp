// Decides which crop to look at next, and whether the body seen there is the person (docs/pipeline.md, sections 1, 2
// and 6). It needs no pixels, so that the answers are the same on every platform.
#pragma once

#include <optional>
#include <vector>

#include "coevoer/geometry.hpp"
#include "coevoer/manifest.hpp"
#include "coevoer/person.hpp"

namespace coevoer {

enum class State { searching = 0, tracking = 1 };

// The crop that follows from a body as the network saw it, or none if that body is not a usable guide: a followed joint
// is not finite or not in front of the camera, too little of the box around them is in the frame, or the crop is too
// small.
std::optional<Crop> next_crop(const Person& seen, Size frame, const Manifest& manifest);

// Follows one person through a stream: `look` before the network runs, `judge` after it. A frame that is looked at and
// never judged (its network failed) counts as neither seen nor missed.
class Tracker {
 public:
  explicit Tracker(const Manifest& manifest) : manifest_(&manifest) {}

  State state() const { return state_; }
  void reset();  // starts another stream

  // Raises Error(usage), and changes nothing, for a timestamp that is not finite or does not increase.
  void check_time(double timestamp_ms) const;

  // The crop of the next frame. Raises as `check_time`.
  Crop look(double timestamp_ms, Size frame);

  // Decides whether the body seen in the crop that `look` returned is the person, and updates the state. `seen` is as
  // the network sees it: in the camera of the crop, not smoothed.
  bool judge(const Person& seen);

 private:
  // The position, size and posture of an accepted person, to distinguish them from another person.
  struct Sight {
    double timestamp_ms;
    Vec2 middle_px;               // between pelvis and neck
    double length_px;             // of the torso, if it were turned upright in the image
    std::vector<Vec3> posture_m;  // the body's followed joints relative to the pelvis, in camera axes
  };
  void search();
  void follow(const Crop& guide, Sight sight);
  Sight sight(const Person& seen) const;
  bool may_be(const Sight& now, const Sight& before) const;
  Vec2 moved_px() const;  // predicted since the last sight, from the person's velocity then

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
