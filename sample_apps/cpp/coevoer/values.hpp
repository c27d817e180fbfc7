// A person's values by name, for the C interface and the JSON writer.
#pragma once

#include <string_view>
#include <vector>

#include "coevoer/person.hpp"

namespace coevoer {

// The names, in their order in files.
inline constexpr std::string_view kValueNames[] = {
    "global_orient", "body_pose", "left_hand_pose", "right_hand_pose", "jaw_pose",      "betas",     "expression",
    "translation",   "camera",    "joints_cam",     "joints_px",       "part_boxes_px", "visibility"};

// The values, row-major; camera is focal, principal point x, y in px. Empty for an unknown name.
std::vector<double> values_of(const Person& person, std::string_view name);

// The size of one row: 9 for rotations, 3, 4 or 2 for points and boxes, 0 where there are no rows.
std::size_t row_size(std::string_view name);

}  // namespace coevoer
