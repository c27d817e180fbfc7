// Frames and threads, without a network: which frames are dropped, in which order, on which thread. Nothing depends on
// the speed of the machine, because the worker waits for the test.
#include <doctest/doctest.h>

#include <future>
#include <limits>
#include <mutex>
#include <thread>

#include "bundles.hpp"
#include "coevoer/live_stream.hpp"
#include "people.hpp"

using namespace coevoer;

namespace {

// Lets the worker begin a frame and holds it there until the gate is opened.
class Gate {
 public:
  void enter() {
    std::unique_lock lock(mutex_);
    ++entered_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void wait_until_entered(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return entered_ >= count; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int entered_ = 0;
  bool open_ = false;
};

// The results and errors, and the threads that reported them.
struct Heard {
  std::mutex mutex;
  std::vector<EstimatorResult> results;
  std::vector<std::string> errors;
  std::vector<std::thread::id> threads;

  Listener listener() {
    return {[this](const EstimatorResult& result) {
              const std::lock_guard lock(mutex);
              results.push_back(result);
              threads.push_back(std::this_thread::get_id());
            },
            [this](const Error& error) {
              const std::lock_guard lock(mutex);
              errors.emplace_back(error.what());
              threads.push_back(std::this_thread::get_id());
            }};
  }
};

EstimatorResult echo(const Frame& frame, double timestamp_ms) {
  EstimatorResult result;
  result.timestamp_ms = timestamp_ms;
  result.frame = frame.size;
  result.person_visibility = frame.pixels[0];  // identifies the pixels
  return result;
}

}  // namespace

TEST_CASE("live stream: the newest frame is kept, the others are dropped and counted; close finishes both") {
  Gate gate;
  Heard heard;
  LiveStream stream(
      [&](const Frame& frame, double t) {
        gate.enter();
        return echo(frame, t);
      },
      heard.listener());
  for (int i = 0; i < 5; ++i) {
    const Grey grey(8 + i, 6, static_cast<std::uint8_t>(10 * i));  // gone after the call: pixels are copied
    stream.push(grey.frame(), 10 * i, 0);
    if (i == 0) gate.wait_until_entered(1);
  }
  gate.open();
  stream.close();
  REQUIRE(heard.results.size() == 2);
  CHECK(heard.results[0].timestamp_ms == 0);
  CHECK(heard.results[0].dropped == 0);
  CHECK(heard.results[1].timestamp_ms == 40);
  CHECK(heard.results[1].dropped == 3);
  CHECK(heard.results[1].person_visibility == 40);
  CHECK(heard.results[1].frame == Size{12, 6});
  CHECK(heard.threads[0] == heard.threads[1]);
  CHECK(heard.threads[0] != std::this_thread::get_id());
  stream.close();  // harmless
  CHECK(contains(error_of(ErrorKind::usage, [&] { stream.push(Grey(8, 6).frame(), 50, 0); }), "is closed"));
}

TEST_CASE("live stream: timestamps that do not increase and bad frames are refused, and nothing changes") {
  Heard heard;
  {
    LiveStream stream(echo, heard.listener());
    const Grey grey(8, 6);
    stream.push(grey.frame(), 100, 0);
    const auto refused = [&](double t) { return error_of(ErrorKind::usage, [&] { stream.push(grey.frame(), t, 0); }); };
    CHECK(contains(refused(100), "timestamp is 100 ms, the last one was 100 ms"));
    CHECK(contains(refused(90), "timestamp is 90 ms, the last one was 100 ms; timestamps must increase."));
    CHECK(contains(refused(std::numeric_limits<double>::quiet_NaN()), "timestamp is nan ms; give a finite number"));
    CHECK(error_of(ErrorKind::usage, [&] { stream.push({nullptr, {8, 6}}, 110, 0); }) != "");
    stream.push(grey.frame(), 101, 0);
  }
  REQUIRE(!heard.results.empty());
  CHECK(heard.results.back().timestamp_ms == 101);
}

TEST_CASE("live stream: a frame that fails is reported, and the stream goes on") {
  Heard heard;
  int calls = 0;
  Gate gate;
  LiveStream stream(
      [&](const Frame& frame, double t) {
        gate.enter();
        switch (calls++) {
          case 0:
            throw Error(ErrorKind::network, "not finite");
          case 1:
            throw std::bad_alloc();
          default:
            return echo(frame, t);
        }
      },
      heard.listener());
  gate.open();
  for (int i = 0; i < 3; ++i) {
    stream.push(Grey(8, 6).frame(), i, 0);
    gate.wait_until_entered(i + 1);
  }
  stream.close();
  REQUIRE(heard.errors.size() == 2);
  CHECK(heard.errors[0] == "not finite");
  CHECK(contains(heard.errors[1], "not enough memory"));
  CHECK(heard.results.size() == 1);
}

TEST_CASE("live stream: closing from the listener is refused, not a deadlock") {
  std::promise<std::string> said;
  LiveStream* self = nullptr;
  Gate gate;
  LiveStream stream(
      [&](const Frame& frame, double t) {
        gate.enter();
        return echo(frame, t);
      },
      {[&](const EstimatorResult&) { said.set_value(error_of(ErrorKind::usage, [&] { self->close(); })); },
       [](const Error&) {}});
  self = &stream;
  stream.push(Grey(8, 6).frame(), 0, 0);
  gate.open();
  CHECK(contains(said.get_future().get(), "The listener called close()"));
}

TEST_CASE("live stream: heat lowers the rate, measured by the frames' own timestamps") {
  const auto admitted = [](Thermal thermal, double camera_hz) {
    RateLimit limit;
    int count = 0;
    for (int i = 0; i < 300; ++i) {
      const double jitter = i % 3 - 1.0;
      count += limit.admits(1000 * i / camera_hz + jitter, demand(thermal, false).least_interval_ms);
    }
    return count / (300 / camera_hz);
  };
  CHECK(admitted(Thermal::nominal, 30) == doctest::Approx(30));
  CHECK(admitted(Thermal::fair, 30) == doctest::Approx(15).epsilon(0.02));
  CHECK(admitted(Thermal::serious, 60) == doctest::Approx(15).epsilon(0.07));
  CHECK(admitted(Thermal::critical, 30) == doctest::Approx(5).epsilon(0.02));
  CHECK(admitted(Thermal::critical, 2) == doctest::Approx(2));  // slow cameras are not slowed further
  CHECK_FALSE(demand(Thermal::fair, false).smaller_model);      // first the rate, then the model
  CHECK(demand(Thermal::serious, false).smaller_model);
  CHECK(demand(Thermal::nominal, true).smaller_model);
}

TEST_CASE("live stream: many producers and a closing thread") {
  Heard heard;
  LiveStream stream(echo, heard.listener());
  std::mutex order;
  double time = 0;
  std::vector<std::thread> producers;
  for (int p = 0; p < 4; ++p)
    producers.emplace_back([&] {
      const Grey grey(64, 48);
      for (int i = 0; i < 50; ++i) {
        const std::lock_guard lock(order);
        try {
          stream.push(grey.frame(), ++time, 0);
        } catch (const Error&) {
        }
      }
    });
  producers[0].join();
  std::thread closing([&] { stream.close(); });
  stream.close();
  closing.join();
  for (std::size_t p = 1; p < producers.size(); ++p) producers[p].join();
  const std::size_t before = heard.results.size();
  CHECK(before >= 1);
  for (std::size_t i = 1; i < before; ++i) CHECK(heard.results[i].timestamp_ms > heard.results[i - 1].timestamp_ms);
}
