// A network that runs in Java (NetworkHost in Network.kt), for the engine's loader callback.
#pragma once

#include <jni.h>

#include "coevoer/coevoer.h"
#include "jvm.hpp"

namespace coevoer_jni {

class JavaLoader {
 public:
  JavaLoader(JNIEnv* env, jobject host) : host_(env, host) {}

  // The loader in coevoer_options. Its context is the JavaLoader, which outlives the estimator.
  static std::int32_t load(void* loader, const char* artifact, coevoer_network* network);

 private:
  Global host_;  // a NetworkHost
};

}  // namespace coevoer_jni
