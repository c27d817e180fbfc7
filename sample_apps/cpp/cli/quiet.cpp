#include "quiet.hpp"

#include <executorch/runtime/platform/platform.h>

#include <cstdio>

namespace {

void errors_only(et_timestamp_t, et_pal_log_level_t level, const char*, const char*, std::size_t, const char* message,
                 std::size_t) {
  if (level == kError || level == kFatal) std::fprintf(stderr, "ExecuTorch: %s\n", message);
}

}  // namespace

void quiet_executorch() {
  executorch::runtime::register_pal(executorch::runtime::PalImpl::create(errors_only, __FILE__));
}
