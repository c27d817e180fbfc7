// The Java side of a thread: its environment, local references, and exceptions that callbacks end with.
#pragma once

#include <jni.h>

#include <string>

namespace coevoer_jni {

void set_vm(JavaVM* vm);

// This thread's environment. A thread of ours is attached the first time and detached when it ends. nullptr: the VM
// takes no more threads.
JNIEnv* env();

// Local references made in a callback are freed at its end: on a thread of ours nothing else would free them.
class LocalFrame {
 public:
  LocalFrame(JNIEnv* env, jint references) : env_(env), open_(env->PushLocalFrame(references) == 0) {
    if (!open_) env->ExceptionClear();
  }
  ~LocalFrame() {
    if (open_) env_->PopLocalFrame(nullptr);
  }
  LocalFrame(const LocalFrame&) = delete;
  LocalFrame& operator=(const LocalFrame&) = delete;
  explicit operator bool() const { return open_; }

 private:
  JNIEnv* env_;
  bool open_;
};

// A reference that any thread may use and drop.
class Global {
 public:
  Global() = default;
  Global(JNIEnv* env, jobject object) : object_(object ? env->NewGlobalRef(object) : nullptr) {}
  Global(Global&& other) noexcept : object_(other.object_) { other.object_ = nullptr; }
  Global(const Global&) = delete;
  Global& operator=(const Global&) = delete;
  ~Global();
  jobject get() const { return object_; }

 private:
  jobject object_ = nullptr;
};

// UTF-8 to and from Java; JNI's own strings are another encoding. Empty or nullptr, with an exception pending, where
// there is no memory.
jbyteArray to_java(JNIEnv* env, const char* text);
std::string from_java(JNIEnv* env, jbyteArray bytes);

// A callback's exception waits here, off JNI's books, until the call of the engine that it happened in has returned.
void keep_exception(JNIEnv* env);
jthrowable take_exception(JNIEnv* env);  // a local reference, or nullptr
void forget_exception(JNIEnv* env);

}  // namespace coevoer_jni
