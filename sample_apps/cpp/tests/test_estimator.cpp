// The estimator with fake networks: modes, misuse, empty frames, failing networks, low memory, heat.
#include <doctest/doctest.h>

#include <cmath>
#include <new>

#include "bundles.hpp"
#include "coevoer/estimator.hpp"
#include "coevoer/tracker.hpp"
#include "people.hpp"

using namespace coevoer;

namespace {

EstimatorOptions options(RunningMode mode, NetworkLoader loader = sees_bright()) {
  EstimatorOptions o;
  o.engine.bundle = bundle_folder();
  o.engine.loader = std::move(loader);
  o.mode = mode;
  if (mode == RunningMode::live_stream) o.listener = {[](const EstimatorResult&) {}, [](const Error&) {}};
  return o;
}

}  // namespace

TEST_CASE("estimator: an image with a person, and an image without") {
  Estimator estimator(options(RunningMode::image));
  const EstimatorResult seen = estimator.detect(somebody(640, 480).frame());
  REQUIRE(seen.person);
  CHECK(seen.person->joints_px.size() == estimator.manifest().joint_names.size());
  CHECK(seen.crop.width < Crop::whole_frame({640, 480}, estimator.manifest().view).width);  // the second look
  std::vector<float> vertices;
  estimator.mesh(*seen.person, vertices);
  CHECK(vertices.size() == 3 * estimator.body().num_vertices());
  const EstimatorResult dark = estimator.detect(nobody(640, 480).frame());
  CHECK(dark.person_visibility == doctest::Approx(0.1));  // the last look is reported; the caller judges
  CHECK(dark.person);
  // Image mode has no state: the same image gives the same person.
  CHECK(estimator.detect(somebody(640, 480).frame()).person->joints_px[0] == seen.person->joints_px[0]);
}

TEST_CASE("estimator: the mesh surrounds its joints, in the camera frame") {
  Estimator estimator(options(RunningMode::image));
  const EstimatorResult seen = estimator.detect(somebody(640, 480).frame());
  std::vector<float> vertices;
  estimator.mesh(*seen.person, vertices);
  for (const Vec3& joint : seen.person->joints_cam) {
    double nearest = 1e9;
    for (std::size_t i = 0; i < vertices.size(); i += 3)
      nearest = std::min(nearest, (Vec3(vertices[i], vertices[i + 1], vertices[i + 2]) - joint).norm());
    CHECK(nearest < 0.2);  // m: no joint is further than that below the skin
  }
}

TEST_CASE("estimator: a stream finds, loses and finds again") {
  Estimator estimator(options(RunningMode::video));
  double t = 0;
  const Grey dark = nobody(640, 480), bright = somebody(640, 480);
  const auto show = [&](bool there) { return estimator.detect_for_video((there ? bright : dark).frame(), t += 50); };
  CHECK(show(false).state == State::searching);
  CHECK_FALSE(show(false).person);
  const EstimatorResult found = show(true);
  CHECK(found.state == State::tracking);
  REQUIRE(found.person);
  CHECK(found.person->camera.focal_px == frame_camera({640, 480}, estimator.manifest().view).focal_px);
  const EstimatorResult covered = show(false);
  CHECK_FALSE(covered.person);
  CHECK(covered.state == State::tracking);  // missed, not yet lost
  for (int i = 0; i < 7; ++i) show(false);
  CHECK(show(false).state == State::searching);
  CHECK(show(true).person);
}

TEST_CASE("estimator: a timestamp that does not increase is refused, and does not affect the stream") {
  Estimator one(options(RunningMode::video)), other(options(RunningMode::video));
  for (int i = 0; i < 5; ++i) {
    const EstimatorResult a = one.detect_for_video(somebody(640, 480).frame(), 33 * i);
    const EstimatorResult b = other.detect_for_video(somebody(640, 480).frame(), 33 * i);
    CHECK(contains(error_of(ErrorKind::usage, [&] { one.detect_for_video(somebody(640, 480).frame(), 33 * i); }),
                   "timestamps must increase"));
    REQUIRE(a.person);
    CHECK(a.person->translation == b.person->translation);
    CHECK(a.crop.x0 == b.crop.x0);
  }
}

TEST_CASE("estimator: misuse is refused with a message") {
  const Grey grey(64, 48);
  Estimator image(options(RunningMode::image));
  CHECK(contains(error_of(ErrorKind::usage, [&] { image.detect_for_video(grey.frame(), 0); }),
                 "detect_for_video() is for mode video; this estimator was opened for mode image."));
  CHECK(contains(error_of(ErrorKind::usage, [&] { image.detect_async(grey.frame(), 0); }), "for mode live stream"));
  CHECK(contains(error_of(ErrorKind::usage, [&] { image.detect({}); }), "The frame is 0 x 0 px"));
  Estimator live(options(RunningMode::live_stream));
  CHECK(contains(error_of(ErrorKind::usage, [&] { live.detect(grey.frame()); }), "for mode image"));
  image.close();
  image.close();
  CHECK(contains(error_of(ErrorKind::usage, [&] { image.detect(grey.frame()); }), "after close()"));
  live.close();
  CHECK(contains(error_of(ErrorKind::usage, [&] { live.detect_async(grey.frame(), 0); }), "is closed"));

  auto deaf = options(RunningMode::live_stream);
  deaf.listener = {};
  CHECK(contains(error_of(ErrorKind::usage, [&] { Estimator it(deaf); }), "has no listener"));
  auto eager = options(RunningMode::video);
  eager.listener.result = [](const EstimatorResult&) {};
  CHECK(contains(error_of(ErrorKind::usage, [&] { Estimator it(eager); }), "A listener is for the live stream"));
  CHECK(
      contains(error_of(ErrorKind::usage, [&] { Estimator it(options(RunningMode::image, nullptr)); }), "no loader"));
}

TEST_CASE("estimator: outputs that break the contract are an error, never a person; then the stream continues") {
  int frame = 0;
  Estimator estimator(options(RunningMode::video, fake([&](const std::vector<float>& image) {
                                  Outputs outputs = see_bright(image);
                                  if (frame == 1) outputs.erase("betas");
                                  if (frame == 2) outputs["camera"].values[2] = NAN;
                                  if (frame == 3) outputs["body_pose"].shape[1] = 20;
                                  if (frame == 4) throw Error(ErrorKind::network, "the runtime failed");
                                  return outputs;
                                })));
  const char* words[] = {"", "returned no betas", "camera that are not finite", "body_pose (1, 20, 3, 3)", "failed"};
  for (; frame < 6; ++frame) {
    const auto show = [&] { return estimator.detect_for_video(somebody(64, 48).frame(), 40 * frame); };
    if (frame == 0 || frame == 5)
      CHECK(show().person);
    else
      CHECK(contains(error_of(ErrorKind::network, show), words[frame]));
  }
}

TEST_CASE("estimator: too little memory is an error after which the call can be tried again") {
  int loads = 0, runs = 0;
  const auto loader = [&](const Bundle&) -> std::unique_ptr<Network> {
    if (loads++ == 0) throw std::bad_alloc();
    return std::make_unique<FakeNetwork>([&](const std::vector<float>& image) {
      if (runs++ == 0) throw std::bad_alloc();
      return see_bright(image);
    });
  };
  CHECK(contains(error_of(ErrorKind::memory, [&] { Estimator it(options(RunningMode::image, loader)); }), "to load"));
  Estimator estimator(options(RunningMode::image, loader));
  CHECK(
      contains(error_of(ErrorKind::memory, [&] { estimator.detect(somebody(64, 48).frame()); }), "not enough memory"));
  CHECK(estimator.detect(somebody(64, 48).frame()).person);
}

TEST_CASE("estimator: pressure changes to the smaller model and back, with one model in memory, and keeps the person") {
  TemporaryBundle smaller;
  std::vector<std::string> loaded;
  int alive = 0, most = 0;
  struct Counted final : Network {
    int& alive;
    explicit Counted(int& count) : alive(count) { ++alive; }
    ~Counted() override { --alive; }
    Outputs run(const std::vector<float>& image) override { return see_bright(image); }
  };
  auto o = options(RunningMode::video, [&](const Bundle& bundle) -> std::unique_ptr<Network> {
    loaded.push_back(bundle.folder.string());
    auto network = std::make_unique<Counted>(alive);
    most = std::max(most, alive);
    return network;
  });
  o.engine.smaller_bundle = smaller.folder();
  Estimator estimator(o);
  int t = 0;
  const auto show = [&] { return estimator.detect_for_video(somebody(640, 480).frame(), t += 33); };
  CHECK_FALSE(show().smaller_model);
  estimator.set_pressure(Thermal::fair, false);
  CHECK_FALSE(show().smaller_model);
  estimator.set_pressure(Thermal::serious, false);
  const EstimatorResult small = show();
  CHECK(small.smaller_model);
  CHECK(small.state == State::tracking);
  CHECK(small.person);
  estimator.set_pressure(Thermal::nominal, true);
  CHECK(show().smaller_model);
  estimator.set_pressure(Thermal::nominal, false);
  CHECK_FALSE(show().smaller_model);
  CHECK(loaded == std::vector<std::string>{bundle_folder(), smaller.folder(), bundle_folder()});
  CHECK(most == 1);
}

TEST_CASE("estimator: without a smaller model pressure only lowers the rate; another body is not exchangeable") {
  Estimator alone(options(RunningMode::image));
  alone.set_pressure(Thermal::critical, true);
  CHECK_FALSE(alone.detect(somebody(64, 48).frame()).smaller_model);

  TemporaryBundle other;
  const auto& body = bundle_under_test().manifest.body_file;
  std::string bytes = other.read(body);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  other.write(body, bytes);
  other.sign();
  auto o = options(RunningMode::image);
  o.engine.smaller_bundle = other.folder();
  CHECK(contains(error_of(ErrorKind::bundle, [&] { Estimator it(o); }), "another input, body or outputs"));
}

TEST_CASE("estimator: live stream end to end") {
  std::mutex mutex;
  std::vector<EstimatorResult> results;
  auto o = options(RunningMode::live_stream);
  o.listener = {[&](const EstimatorResult& result) {
                  const std::lock_guard lock(mutex);
                  results.push_back(result);
                },
                [](const Error&) { CHECK(false); }};
  Estimator estimator(o);
  for (int i = 0; i < 30; ++i) estimator.detect_async(somebody(320, 240).frame(), 33.3 * i);
  estimator.close();
  REQUIRE(!results.empty());
  int seen = 0;
  for (const EstimatorResult& result : results) {
    CHECK(result.person);
    seen += 1 + result.dropped;
  }
  CHECK(seen == 30);
  CHECK(results.back().timestamp_ms == doctest::Approx(33.3 * 29));
}

TEST_CASE("the next crop requires the body's origin and its joints to be in front of the camera") {
  const Manifest& manifest = bundle_under_test().manifest;
  const auto seen = [&](double origin, double head) {
    Person person;
    person.translation = {0, 0, origin};
    for (std::size_t k = 0; k < manifest.joint_names.size(); ++k) {
      person.joints_cam.push_back({0, 0, manifest.joint_names[k] == "head" ? head : 1.0});
      person.joints_px.push_back({20.0 + static_cast<double>(k % 7) * 8, 20.0 + static_cast<double>(k % 5) * 12});
    }
    return next_crop(person, {100, 100}, manifest).has_value();
  };
  CHECK(seen(1, 1));
  for (const double depth : {0.0, -0.5, std::nan("")}) {
    CHECK_FALSE(seen(depth, 1));
    CHECK_FALSE(seen(1, depth));
  }
}
