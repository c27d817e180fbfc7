// The Kotlin classes and methods that are called from here, looked up once (JNI_OnLoad).
#pragma once

#include <jni.h>

namespace coevoer_jni {

struct Classes {
  jclass native = nullptr;                            // global; Native
  jmethodID exception = nullptr;                      // Native.exception
  jmethodID on_result = nullptr, on_error = nullptr;  // StreamListener
  jmethodID load = nullptr;                           // NetworkHost
  jmethodID run = nullptr, close = nullptr;           // LoadedNetwork
  jfieldID image = nullptr, outputs = nullptr;
};

extern Classes classes;

}  // namespace coevoer_jni
