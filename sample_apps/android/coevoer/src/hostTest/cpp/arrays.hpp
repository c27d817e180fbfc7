// Java arrays to vectors and back, for tests.
#pragma once

#include <jni.h>

#include <string>
#include <vector>

inline std::string text(JNIEnv* env, jstring string) {
  const char* chars = env->GetStringUTFChars(string, nullptr);
  std::string copy = chars;
  env->ReleaseStringUTFChars(string, chars);
  return copy;
}

inline std::vector<double> doubles(JNIEnv* env, jdoubleArray array) {
  std::vector<double> all(static_cast<std::size_t>(env->GetArrayLength(array)));
  env->GetDoubleArrayRegion(array, 0, static_cast<jsize>(all.size()), all.data());
  return all;
}

inline std::vector<float> floats(JNIEnv* env, jfloatArray array) {
  std::vector<float> all(static_cast<std::size_t>(env->GetArrayLength(array)));
  env->GetFloatArrayRegion(array, 0, static_cast<jsize>(all.size()), all.data());
  return all;
}

inline std::vector<std::int64_t> longs(JNIEnv* env, jlongArray array) {
  std::vector<jlong> all(static_cast<std::size_t>(env->GetArrayLength(array)));
  env->GetLongArrayRegion(array, 0, static_cast<jsize>(all.size()), all.data());
  return {all.begin(), all.end()};
}

inline jdoubleArray to_java(JNIEnv* env, const std::vector<double>& values) {
  jdoubleArray array = env->NewDoubleArray(static_cast<jsize>(values.size()));
  env->SetDoubleArrayRegion(array, 0, static_cast<jsize>(values.size()), values.data());
  return array;
}

inline jfloatArray to_java(JNIEnv* env, const std::vector<float>& values) {
  jfloatArray array = env->NewFloatArray(static_cast<jsize>(values.size()));
  env->SetFloatArrayRegion(array, 0, static_cast<jsize>(values.size()), values.data());
  return array;
}

// Runs a call and turns a C++ exception into a RuntimeException with the same message.
template <class Call>
void guarded(JNIEnv* env, const Call& call) {
  try {
    call();
  } catch (const std::exception& error) {
    env->ThrowNew(env->FindClass("java/lang/RuntimeException"), error.what());
  }
}
