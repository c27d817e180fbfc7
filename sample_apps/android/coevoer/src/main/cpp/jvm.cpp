#include "jvm.hpp"

#include <pthread.h>

#include <cstring>

namespace coevoer_jni {
namespace {

JavaVM* the_vm = nullptr;
pthread_key_t attached;
thread_local jobject waiting = nullptr;  // a global reference

void detach(void*) { the_vm->DetachCurrentThread(); }

}  // namespace

void set_vm(JavaVM* vm) {
  the_vm = vm;
  pthread_key_create(&attached, detach);
}

JNIEnv* env() {
  void* found = nullptr;
  if (the_vm->GetEnv(&found, JNI_VERSION_1_6) == JNI_OK) return static_cast<JNIEnv*>(found);
  JavaVMAttachArgs arguments{JNI_VERSION_1_6, const_cast<char*>("coevoer"), nullptr};
#ifdef __ANDROID__
  JNIEnv* env = nullptr;
  if (the_vm->AttachCurrentThreadAsDaemon(&env, &arguments) != JNI_OK) return nullptr;
#else
  if (the_vm->AttachCurrentThreadAsDaemon(&found, &arguments) != JNI_OK) return nullptr;
  JNIEnv* env = static_cast<JNIEnv*>(found);
#endif
  pthread_setspecific(attached, the_vm);
  return env;
}

Global::~Global() {
  if (object_ == nullptr) return;
  if (JNIEnv* e = env()) e->DeleteGlobalRef(object_);
}

jbyteArray to_java(JNIEnv* env, const char* text) {
  const auto length = static_cast<jsize>(std::strlen(text));
  jbyteArray bytes = env->NewByteArray(length);
  if (bytes != nullptr) env->SetByteArrayRegion(bytes, 0, length, reinterpret_cast<const jbyte*>(text));
  return bytes;
}

std::string from_java(JNIEnv* env, jbyteArray bytes) {
  std::string text(static_cast<std::size_t>(env->GetArrayLength(bytes)), '\0');
  env->GetByteArrayRegion(bytes, 0, static_cast<jsize>(text.size()), reinterpret_cast<jbyte*>(text.data()));
  return text;
}

void keep_exception(JNIEnv* env) {
  jthrowable thrown = env->ExceptionOccurred();
  if (thrown == nullptr) return;
  env->ExceptionClear();
  forget_exception(env);
  waiting = env->NewGlobalRef(thrown);
  env->DeleteLocalRef(thrown);
}

jthrowable take_exception(JNIEnv* env) {
  if (waiting == nullptr) return nullptr;
  const auto thrown = static_cast<jthrowable>(env->NewLocalRef(waiting));
  forget_exception(env);
  return thrown;
}

void forget_exception(JNIEnv* env) {
  if (waiting != nullptr) env->DeleteGlobalRef(waiting);
  waiting = nullptr;
}

}  // namespace coevoer_jni
