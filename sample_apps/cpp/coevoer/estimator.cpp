#include "coevoer/estimator.hpp"

#include <array>
#include <string>

namespace coevoer {
namespace {

constexpr std::array<const char*, 3> kModes = {"image", "video", "live stream"};

}  // namespace

Estimator::Estimator(EstimatorOptions options) : mode_(options.mode) {
  const bool listens = options.listener.result && options.listener.error;
  if (mode_ == RunningMode::live_stream && !listens)
    throw Error(ErrorKind::usage, "The live stream has no listener; give one for results and one for errors.");
  if (mode_ != RunningMode::live_stream && (options.listener.result || options.listener.error))
    throw Error(ErrorKind::usage, std::string("A listener is for the live stream, but the mode is ") +
                                      kModes[static_cast<std::size_t>(mode_)] + "; give none.");
  engine_ = std::make_unique<Engine>(std::move(options.engine));
  manifest_ = engine_->manifest();
  body_ = engine_->body();
  if (mode_ != RunningMode::live_stream) return;
  const auto process = [this](const Frame& frame, double timestamp_ms) {
    engine_->use_smaller(demand(thermal_, low_memory_).smaller_model);
    return engine_->video(frame, timestamp_ms);
  };
  stream_ = std::make_unique<LiveStream>(process, std::move(options.listener));
}

Estimator::~Estimator() { close(); }

EstimatorResult Estimator::detect(const Frame& frame) {
  const std::lock_guard lock(mutex_);
  require(RunningMode::image, "detect");
  engine_->use_smaller(demand(thermal_, low_memory_).smaller_model);
  return engine_->image(frame);
}

EstimatorResult Estimator::detect_for_video(const Frame& frame, double timestamp_ms) {
  const std::lock_guard lock(mutex_);
  require(RunningMode::video, "detect_for_video");
  engine_->use_smaller(demand(thermal_, low_memory_).smaller_model);
  return engine_->video(frame, timestamp_ms);
}

void Estimator::detect_async(const Frame& frame, double timestamp_ms) {
  if (mode_ != RunningMode::live_stream) require(RunningMode::live_stream, "detect_async");
  stream_->push(frame, timestamp_ms, demand(thermal_, low_memory_).least_interval_ms);
}

void Estimator::set_pressure(Thermal thermal, bool low_memory) {
  thermal_ = thermal;
  low_memory_ = low_memory;
}

void Estimator::mesh(const Person& person, std::vector<float>& vertices) const {
  body_->vertices(person.parameters, person.translation, vertices);
}

void Estimator::close() {
  if (stream_) stream_->close();  // before the lock, because its last frames are still being processed
  const std::lock_guard lock(mutex_);
  engine_.reset();
}

void Estimator::require(RunningMode mode, const char* call) const {
  if (mode != mode_)
    throw Error(ErrorKind::usage, "The call " + std::string(call) + "() is for mode " +
                                      kModes[static_cast<std::size_t>(mode)] + "; this estimator was opened for mode " +
                                      kModes[static_cast<std::size_t>(mode_)] + ".");
  if (!engine_)
    throw Error(ErrorKind::usage, "The call " + std::string(call) + "() came after close(); open another estimator.");
}

}  // namespace coevoer
