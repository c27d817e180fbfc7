// The complete pipeline, on the calling thread (docs/pipeline.md). In: a frame. Out: a result.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "coevoer/body.hpp"
#include "coevoer/bundle.hpp"
#include "coevoer/frame.hpp"
#include "coevoer/network.hpp"
#include "coevoer/person.hpp"
#include "coevoer/smoother.hpp"
#include "coevoer/tracker.hpp"

namespace coevoer {

struct Timings {
  double crop_ms = 0, network_ms = 0, decode_ms = 0;  // over all looks; decode includes tracking and smoothing
};

struct EstimatorResult {
  double timestamp_ms = 0;         // 0 for an image
  State state = State::searching;  // after the frame of a stream
  Size frame;
  Crop crop;                     // the last one that the network looked at
  std::optional<Person> person;  // of a stream: in the frame camera, smoothed; of an image: in the camera of its crop
  double person_visibility = 0;  // the network's output, whether the person is reported or not
  bool trained = false;          // false: the weights are random, and so is the person
  bool smaller_model = false;
  int dropped = 0;  // live stream: frames dropped since the last result
  Timings timings;
};

struct EngineOptions {
  std::filesystem::path bundle;
  std::optional<std::filesystem::path> smaller_bundle;  // for heat and low memory; the same body and contract
  NetworkLoader loader;
  bool smooth = true;
};

class Engine {
 public:
  // Opens and verifies the bundles, reads the body, loads the network. Raises Error(bundle) or Error(memory).
  explicit Engine(EngineOptions options);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Looks twice: at the whole frame, then at the crop that follows from the body seen there. If that body is not a
  // usable guide, the first look is the result. Does not affect streams.
  EstimatorResult image(const Frame& frame);

  // Looks at the next frame of the stream. Raises Error(usage) for a bad frame or a timestamp that does not increase,
  // and then nothing changes. Raises Error(network) if the network breaks its contract; the frame then counts as
  // neither seen nor missed.
  EstimatorResult video(const Frame& frame, double timestamp_ms);

  void start_stream();  // forgets the person and the last timestamp

  // Uses the smaller model, or the larger one, from the next frame on. The old one is freed before the new one is
  // loaded.
  void use_smaller(bool smaller) { wanted_smaller_ = smaller && smaller_.has_value(); }

  const Manifest& manifest() const { return bundle_.manifest; }
  std::shared_ptr<const Body> body() const { return body_; }

 private:
  Decoded run(const Frame& frame, const Crop& crop, Timings& timings);
  void load();
  EstimatorResult begin(const Frame& frame, const Crop& crop) const;

  EngineOptions options_;
  Bundle bundle_;
  std::optional<Bundle> smaller_;
  std::shared_ptr<const Body> body_;
  std::unique_ptr<Network> network_;
  bool wanted_smaller_ = false, has_smaller_ = false;
  Tracker tracker_;
  Smoother smoother_;
};

}  // namespace coevoer
