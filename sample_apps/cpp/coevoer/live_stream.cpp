#include "coevoer/live_stream.hpp"

#include <cmath>
#include <cstring>
#include <new>
#include <sstream>
#include <utility>

namespace coevoer {

LiveStream::LiveStream(Process process, Listener listener)
    : process_(std::move(process)), listener_(std::move(listener)), thread_([this] { work(); }) {}

LiveStream::~LiveStream() { close(); }

void LiveStream::push(const Frame& frame, double timestamp_ms, double least_interval_ms) {
  check_frame(frame);
  const std::lock_guard lock(mutex_);
  if (closing_) throw Error(ErrorKind::usage, "The live stream is closed; open another.");
  if (!std::isfinite(timestamp_ms) || (last_ms_ && timestamp_ms <= *last_ms_)) {
    std::ostringstream text;
    text << "The frame's timestamp is " << timestamp_ms << " ms";
    if (!std::isfinite(timestamp_ms))
      throw Error(ErrorKind::usage, text.str() + "; give a finite number of milliseconds.");
    text << ", the last one was " << *last_ms_ << " ms; timestamps must increase. Leave the frame out.";
    throw Error(ErrorKind::usage, text.str());
  }
  RateLimit rate = rate_;
  if (!rate.admits(timestamp_ms, least_interval_ms)) {
    last_ms_ = timestamp_ms;
    ++dropped_;
    return;
  }
  Waiting next{std::exchange(spare_, {}), frame, timestamp_ms, dropped_};
  const std::size_t row = frame.channels() * static_cast<std::size_t>(frame.size.width);
  try {
    next.pixels.resize(row * static_cast<std::size_t>(frame.size.height));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::memory, "There is not enough memory to keep a frame; free some, or lower the resolution.");
  }
  for (std::size_t y = 0; y < static_cast<std::size_t>(frame.size.height); ++y)
    std::memcpy(next.pixels.data() + y * row, frame.pixels + y * frame.stride(), row);
  next.frame.pixels = next.pixels.data();
  next.frame.stride_bytes = row;
  if (waiting_) {
    next.dropped += 1 + waiting_->dropped;
    spare_ = std::move(waiting_->pixels);
  }
  last_ms_ = timestamp_ms;
  rate_ = rate;
  dropped_ = 0;
  waiting_ = std::move(next);
  changed_.notify_one();
}

void LiveStream::close() {
  if (std::this_thread::get_id() == thread_.get_id())
    throw Error(ErrorKind::usage, "The listener called close(); call it on another thread.");
  const std::lock_guard one_at_a_time(closing_mutex_);
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void LiveStream::work() {
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ || closing_; });
    if (!waiting_) return;
    Waiting current = std::move(*waiting_);
    waiting_.reset();
    lock.unlock();
    deliver(current);
    lock.lock();
    spare_ = std::move(current.pixels);
  }
}

void LiveStream::deliver(const Waiting& waiting) const {
  try {
    EstimatorResult result = process_(waiting.frame, waiting.timestamp_ms);
    result.dropped = waiting.dropped;
    listener_.result(result);
  } catch (const Error& error) {
    listener_.error(error);
  } catch (const std::bad_alloc&) {
    listener_.error(Error(ErrorKind::memory, "There is not enough memory for this frame; free some."));
  } catch (const std::exception& error) {
    listener_.error(
        Error(ErrorKind::network, std::string("This frame failed (") + error.what() + "); the stream goes on."));
  }
}

}  // namespace coevoer
