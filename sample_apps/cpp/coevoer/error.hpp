// The four kinds of errors. Every message says what was given, what is valid and what to do.
#pragma once

#include <stdexcept>
#include <string>

namespace coevoer {

enum class ErrorKind {
  usage = 1,    // a call that is not valid: wrong mode, closed, bad frame, a timestamp that does not increase
  bundle = 2,   // the bundle is missing or altered, or has another contract
  network = 3,  // the outputs break the contract (missing, of another shape, not finite), or the runtime fails
  memory = 4,   // not enough memory; everything loaded before is still usable, and the call may be tried again
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace coevoer
