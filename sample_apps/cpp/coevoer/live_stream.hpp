// Processes frames on one thread as they come. While a frame is processed, only the newest arrival is kept.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "coevoer/engine.hpp"
#include "coevoer/error.hpp"
#include "coevoer/pressure.hpp"

namespace coevoer {

// Called on the stream's own thread, one call at a time, with a result or with the error of a frame. It must not throw
// and must not close the stream.
struct Listener {
  std::function<void(const EstimatorResult&)> result;
  std::function<void(const Error&)> error;
};

class LiveStream {
 public:
  using Process = std::function<EstimatorResult(const Frame&, double timestamp_ms)>;

  LiveStream(Process process, Listener listener);
  ~LiveStream();
  LiveStream(const LiveStream&) = delete;
  LiveStream& operator=(const LiveStream&) = delete;

  // Copies the pixels and returns at once. A frame that is still waiting is dropped, as is a frame that comes before
  // `least_interval_ms` has passed since the last accepted one. Raises Error(usage), and changes nothing, for a bad
  // frame, a timestamp that does not increase, or a closed stream.
  void push(const Frame& frame, double timestamp_ms, double least_interval_ms);

  // Finishes the frame in progress and the one that is waiting; no listener is called after it has returned. Closing
  // twice is harmless. Raises Error(usage) on the listener's thread, which would wait for itself.
  void close();

 private:
  struct Waiting {
    std::vector<std::uint8_t> pixels;  // without gaps between rows
    Frame frame;                       // of `pixels`
    double timestamp_ms = 0;
    int dropped = 0;  // before it
  };
  void work();
  void deliver(const Waiting& waiting) const;

  Process process_;
  Listener listener_;
  std::mutex mutex_, closing_mutex_;
  std::condition_variable changed_;
  std::optional<Waiting> waiting_;
  std::vector<std::uint8_t> spare_;  // a buffer to reuse
  std::optional<double> last_ms_;
  RateLimit rate_;
  int dropped_ = 0;
  bool closing_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace coevoer
