// The C interface, as JNI and Swift use it, with a network that the caller provides.
#include <doctest/doctest.h>

#include <mutex>
#include <vector>

#include "bundles.hpp"
#include "coevoer/coevoer.h"
#include "people.hpp"

namespace {

// An app whose network sees a person, unless its fields are changed.
struct App {
  int alive = 0;
  bool fails = false;
  double visibility = 0.9;
};

int32_t run(void* context, const float*, float* const* outputs) {
  const App& app = *static_cast<App*>(context);
  if (app.fails) return 7;
  const auto& manifest = bundle_under_test().manifest;
  const auto person = standing(manifest, app.visibility);
  for (std::size_t i = 0; i < manifest.outputs.size(); ++i) {
    const auto& values = person.find(manifest.outputs[i].name)->second.values;
    std::copy(values.begin(), values.end(), outputs[i]);
  }
  return 0;
}

void release(void* context) { --static_cast<App*>(context)->alive; }

int32_t load(void* context, const char*, coevoer_network* network) {
  ++static_cast<App*>(context)->alive;
  *network = {context, run, release};
  return 0;
}

struct Opened {
  App app;
  std::string folder = bundle_folder().string();
  coevoer_options options = coevoer_default_options();
  coevoer_estimator* estimator = nullptr;

  explicit Opened(coevoer_mode mode, coevoer_listener listener = nullptr, void* context = nullptr) {
    options.bundle = folder.c_str();
    options.mode = mode;
    options.loader = load;
    options.loader_context = &app;
    options.listener = listener;
    options.listener_context = context;
    REQUIRE(coevoer_open(&options, &estimator) == COEVOER_OK);
  }
  ~Opened() {
    coevoer_free(estimator);
    CHECK(app.alive == 0);  // every network was released
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
};

coevoer_frame frame_of(const Grey& grey) {
  return {grey.pixels.data(), grey.size.width, grey.size.height, 0, COEVOER_RGB};
}

}  // namespace

TEST_CASE("C: the values of a person, and the mesh") {
  Opened opened(COEVOER_IMAGE);
  const Grey grey(640, 480);
  const coevoer_frame frame = frame_of(grey);
  coevoer_result* result = nullptr;
  REQUIRE(coevoer_detect(opened.estimator, &frame, &result) == COEVOER_OK);
  REQUIRE(coevoer_result_has_person(result));
  const std::size_t joints = coevoer_num_joints(opened.estimator);
  std::vector<double> values(3 * joints);
  CHECK(coevoer_result_values(result, "joints_cam", values.data(), values.size()) == 3 * joints);
  CHECK(values[2] > 1);  // in front of the camera
  CHECK(coevoer_result_values(result, "body_pose", nullptr, 0) == 21 * 9);
  CHECK(coevoer_result_values(result, "camera", values.data(), values.size()) == 3);
  CHECK(coevoer_result_values(result, "nothing", values.data(), values.size()) == 0);
  CHECK(std::string(coevoer_joint_name(opened.estimator, 0)) == "pelvis");
  CHECK(coevoer_joint_name(opened.estimator, joints) == nullptr);

  const std::size_t vertices = coevoer_num_vertices(opened.estimator);
  std::vector<float> mesh(3 * vertices);
  CHECK(coevoer_mesh(opened.estimator, result, mesh.data(), mesh.size()) == COEVOER_OK);
  CHECK(coevoer_mesh(opened.estimator, result, mesh.data(), mesh.size() - 1) == COEVOER_USAGE);
  CHECK(contains(coevoer_last_error(), "the mesh needs " + std::to_string(mesh.size()) + "."));
  std::size_t faces = 0;
  const int32_t* corners = coevoer_faces(opened.estimator, &faces);
  for (std::size_t i = 0; i < 3 * faces; ++i) REQUIRE(static_cast<std::size_t>(corners[i]) < vertices);
  double numbers[4];
  coevoer_result_crop(result, numbers);
  CHECK(numbers[2] / numbers[3] == doctest::Approx(0.75));
  coevoer_result_free(result);
}

TEST_CASE("C: a frame without a person is a result; misuse and failures are statuses with messages") {
  Opened opened(COEVOER_VIDEO);
  const Grey grey(640, 480);
  coevoer_frame frame = frame_of(grey);
  coevoer_result* result = nullptr;
  opened.app.visibility = 0.1;
  REQUIRE(coevoer_detect_for_video(opened.estimator, &frame, 0, &result) == COEVOER_OK);
  CHECK_FALSE(coevoer_result_has_person(result));
  CHECK(coevoer_result_values(result, "betas", nullptr, 0) == 0);
  std::vector<float> mesh(3 * coevoer_num_vertices(opened.estimator));
  CHECK(coevoer_mesh(opened.estimator, result, mesh.data(), mesh.size()) == COEVOER_USAGE);
  coevoer_result_free(result);

  CHECK(coevoer_detect_for_video(opened.estimator, &frame, 0, &result) == COEVOER_USAGE);
  CHECK(result == nullptr);
  CHECK(contains(coevoer_last_error(), "timestamps must increase"));
  CHECK(coevoer_detect(opened.estimator, &frame, &result) == COEVOER_USAGE);
  CHECK(coevoer_detect_for_video(opened.estimator, nullptr, 10, &result) == COEVOER_USAGE);
  CHECK(coevoer_detect_for_video(nullptr, &frame, 10, &result) == COEVOER_USAGE);
  CHECK(coevoer_set_pressure(opened.estimator, 9, 0) == COEVOER_USAGE);
  frame.format = 5;
  CHECK(coevoer_detect_for_video(opened.estimator, &frame, 10, &result) == COEVOER_USAGE);
  frame.format = COEVOER_RGB;
  opened.app.fails = true;
  CHECK(coevoer_detect_for_video(opened.estimator, &frame, 20, &result) == COEVOER_NETWORK);
  CHECK(contains(coevoer_last_error(), "failed with code 7"));
  CHECK(coevoer_close(opened.estimator) == COEVOER_OK);
  CHECK(coevoer_detect_for_video(opened.estimator, &frame, 30, &result) == COEVOER_USAGE);
}

TEST_CASE("C: a bundle that cannot be opened is an error with a message") {
  coevoer_options options = coevoer_default_options();
  coevoer_estimator* estimator = nullptr;
  CHECK(coevoer_open(&options, &estimator) == COEVOER_USAGE);
  options.bundle = "/nowhere";
  CHECK(coevoer_open(&options, &estimator) == COEVOER_BUNDLE);
  CHECK(contains(coevoer_last_error(), "no bundle folder /nowhere"));
  const std::string folder = bundle_folder().string();
  options.bundle = folder.c_str();
  options.loader = [](void*, const char*, coevoer_network*) -> int32_t { return 1; };
  CHECK(coevoer_open(&options, &estimator) == COEVOER_BUNDLE);
  CHECK(contains(coevoer_last_error(), "The app's runtime cannot load"));
  options.mode = 4;
  CHECK(coevoer_open(&options, &estimator) == COEVOER_USAGE);
  CHECK(estimator == nullptr);
  coevoer_free(nullptr);
}

TEST_CASE("C: the results of a live stream belong to the listener") {
  struct Heard {
    std::mutex mutex;
    int results = 0, errors = 0;
  } heard;
  const coevoer_listener listener = [](void* context, coevoer_status status, coevoer_result* result, const char*) {
    Heard& h = *static_cast<Heard*>(context);
    const std::lock_guard lock(h.mutex);
    ++(status == COEVOER_OK ? h.results : h.errors);
    coevoer_result_free(result);
  };
  Opened opened(COEVOER_LIVE_STREAM, listener, &heard);
  const Grey grey(320, 240);
  const coevoer_frame frame = frame_of(grey);
  for (int i = 0; i < 10; ++i) CHECK(coevoer_detect_async(opened.estimator, &frame, 33 * i) == COEVOER_OK);
  CHECK(coevoer_detect_async(opened.estimator, &frame, 0) == COEVOER_USAGE);
  CHECK(coevoer_close(opened.estimator) == COEVOER_OK);
  CHECK(heard.results >= 1);
  CHECK(heard.errors == 0);
}
