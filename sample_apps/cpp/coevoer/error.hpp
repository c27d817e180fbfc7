// What can go wrong, in four kinds. Every message says what was given, what is valid and what to do.
#pragma once

#include <stdexcept>
#include <string>

namespace coevoer {

enum class ErrorKind {
  usage = 1,    // a call that cannot be answered: wrong mode, closed, bad frame, timestamps that do not grow
  bundle = 2,   // a bundle that is missing, altered or of another contract
  network = 3,  // outputs that break the contract: missing, of another shape, not finite; a runtime that fails
  memory = 4,   // not enough memory; what was loaded before is still usable, the call may be tried again
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace coevoer
