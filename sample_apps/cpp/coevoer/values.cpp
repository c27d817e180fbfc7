#include "coevoer/values.hpp"

namespace coevoer {
namespace {

std::vector<double> flat(const std::vector<Mat3>& rotations) {
  std::vector<double> values;
  for (const Mat3& r : rotations)
    for (Eigen::Index i = 0; i < 9; ++i) values.push_back(r(i / 3, i % 3));
  return values;
}

template <class Point>
std::vector<double> flat(const std::vector<Point>& points) {
  std::vector<double> values;
  for (const Point& p : points) values.insert(values.end(), p.begin(), p.end());
  return values;
}

std::vector<double> flat(const Eigen::VectorXd& vector) { return {vector.begin(), vector.end()}; }

}  // namespace

std::vector<double> values_of(const Person& person, std::string_view name) {
  const Parameters& p = person.parameters;
  if (name == "global_orient") return flat(std::vector<Mat3>{p.global_orient});
  if (name == "body_pose") return flat(p.body_pose);
  if (name == "left_hand_pose") return flat(p.left_hand_pose);
  if (name == "right_hand_pose") return flat(p.right_hand_pose);
  if (name == "jaw_pose") return flat(std::vector<Mat3>{p.jaw_pose});
  if (name == "betas") return flat(p.betas);
  if (name == "expression") return flat(p.expression);
  if (name == "translation") return flat(std::vector<Vec3>{person.translation});
  if (name == "camera")
    return {person.camera.focal_px, person.camera.principal_point_px.x(), person.camera.principal_point_px.y()};
  if (name == "joints_cam") return flat(person.joints_cam);
  if (name == "joints_px") return flat(person.joints_px);
  if (name == "visibility") return person.visibility;
  std::vector<double> boxes;
  if (name == "part_boxes_px")
    for (const Box& b : person.part_boxes_px) boxes.insert(boxes.end(), {b.x1, b.y1, b.x2, b.y2});
  return boxes;
}

std::size_t row_size(std::string_view name) {
  if (name.ends_with("_pose") || name == "global_orient") return 9;
  if (name == "joints_cam") return 3;
  if (name == "joints_px") return 2;
  return name == "part_boxes_px" ? 4 : 0;
}

}  // namespace coevoer
