#include "coevoer/tracker.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "coevoer/error.hpp"
#include "coevoer/smoother.hpp"

namespace coevoer {

std::optional<Crop> next_crop(const Person& seen, Size frame, const Manifest& manifest) {
  if (!(seen.translation.z() > 0)) return std::nullopt;
  Box box{INFINITY, INFINITY, -INFINITY, -INFINITY};
  for (const std::size_t k : manifest.next_crop_joints) {
    const Vec2& p = seen.joints_px[k];
    if (!p.allFinite() || !(seen.joints_cam[k].z() > 0)) return std::nullopt;
    box = {std::min(box.x1, p.x()), std::min(box.y1, p.y()), std::max(box.x2, p.x()), std::max(box.y2, p.y())};
  }
  const Box inside{std::max(box.x1, 0.0), std::max(box.y1, 0.0), std::min<double>(box.x2, frame.width),
                   std::min<double>(box.y2, frame.height)};
  if (inside.x1 >= inside.x2 || inside.y1 >= inside.y2) return std::nullopt;
  const double overlap = (inside.x2 - inside.x1) / (box.x2 - box.x1) * ((inside.y2 - inside.y1) / (box.y2 - box.y1));
  if (overlap < manifest.tracking.smallest_overlap) return std::nullopt;
  const Crop crop = Crop::around(inside, manifest.next_crop_scale, manifest.view);
  const double whole = Crop::whole_frame(frame, manifest.view).width;
  if (crop.width < manifest.tracking.smallest_crop * whole) return std::nullopt;
  return crop;
}

void Tracker::reset() {
  last_ms_.reset();
  size_ = {};
  search();
}

void Tracker::check_time(double timestamp_ms) const {
  std::ostringstream text;
  text << "The frame's timestamp is " << timestamp_ms << " ms";
  if (!std::isfinite(timestamp_ms))
    throw Error(ErrorKind::usage, text.str() + "; give a finite number of milliseconds.");
  if (last_ms_ && timestamp_ms <= *last_ms_) {
    text << ", the last one was " << *last_ms_ << " ms; timestamps must increase. Leave the frame out, or begin "
         << "another stream.";
    throw Error(ErrorKind::usage, text.str());
  }
}

Crop Tracker::look(double timestamp_ms, Size frame) {
  check_time(timestamp_ms);
  const bool gap = last_ms_ && timestamp_ms - *last_ms_ > manifest_->tracking.max_gap_ms;
  if (gap || size_ != frame) search();
  last_ms_ = timestamp_ms;
  size_ = frame;
  if (guide_) {
    const Vec2 moved = moved_px();
    return {guide_->x0 + moved.x(), guide_->y0 + moved.y(), guide_->width, guide_->height};
  }
  const auto crops = search_crops(frame, manifest_->tracking.tile_step, manifest_->view);
  return crops[tried_ % crops.size()];
}

bool Tracker::judge(const Person& seen) {
  if (!last_ms_) throw Error(ErrorKind::usage, "Call look() before judge().");
  const TrackingRules& rules = manifest_->tracking;
  const double least = state_ == State::tracking ? rules.keep_visibility : rules.acquire_visibility;
  if (seen.person_visibility >= least) {
    if (const auto crop = next_crop(seen, size_, *manifest_)) {
      Sight now = sight(seen);
      if (!sight_ || may_be(now, *sight_)) {
        follow(*crop, std::move(now));
        return true;
      }
    }
  }
  if (!sight_)
    ++tried_;
  else if (*last_ms_ - sight_->timestamp_ms > rules.max_missed_ms)
    search();
  return false;
}

void Tracker::search() {
  state_ = State::searching;
  guide_.reset();
  sight_.reset();
  velocity_px_s_.setZero();
  tried_ = 0;
}

void Tracker::follow(const Crop& guide, Sight now) {
  if (sight_) {
    const double dt = (now.timestamp_ms - sight_->timestamp_ms) / 1000;
    const Vec2 velocity = (now.middle_px - sight_->middle_px) / dt;
    velocity_px_s_ += share_of_step(manifest_->tracking.motion_hz, dt) * (velocity - velocity_px_s_);
  }
  state_ = State::tracking;
  guide_ = guide;
  sight_ = std::move(now);
}

Tracker::Sight Tracker::sight(const Person& seen) const {
  const std::size_t pelvis = manifest_->joint("pelvis"), neck = manifest_->joint("neck");
  const Vec3 &low = seen.joints_cam[pelvis], &high = seen.joints_cam[neck];
  const double depth = (low.z() + high.z()) / 2;
  Sight now{*last_ms_,
            (seen.joints_px[pelvis] + seen.joints_px[neck]) / 2,
            (high - low).norm() * seen.camera.focal_px / depth,
            {}};
  for (const std::size_t k : manifest_->posture_joints) now.posture_m.push_back(seen.joints_cam[k] - low);
  return now;
}

bool Tracker::may_be(const Sight& now, const Sight& before) const {
  const TrackingRules& r = manifest_->tracking;
  const double dt = (now.timestamp_ms - before.timestamp_ms) / 1000;
  const double away = (now.middle_px - (before.middle_px + moved_px())).norm();
  const double grown = std::abs(std::log(now.length_px / before.length_px));
  double changed = 0;
  for (std::size_t i = 0; i < now.posture_m.size(); ++i) changed += (now.posture_m[i] - before.posture_m[i]).norm();
  changed /= static_cast<double>(now.posture_m.size());
  return away <= (r.same_person_slack + r.same_person_speed * dt) * std::max(now.length_px, before.length_px) &&
         grown <= r.same_person_growth + r.same_person_growth_speed * dt &&
         changed <= r.same_person_posture_m + r.same_person_posture_m_s * dt;
}

Vec2 Tracker::moved_px() const {
  if (!sight_) return Vec2::Zero();
  const double since_ms = std::min(*last_ms_ - sight_->timestamp_ms, manifest_->tracking.max_missed_ms);
  return velocity_px_s_ * since_ms / 1000;
}

}  // namespace coevoer
