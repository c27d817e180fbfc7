// The Java side of a thread: its environment, local references, and exceptions thrown by callbacks.
#pragma once

#include <jni.h>

#include <string>

namespace coevoer_jni {

void set_vm(JavaVM* vm);

// This thread's environment. A thread of ours is attached the first time and detached when it ends. nullptr: the VM
// accepts no more threads.
JNIEnv* env();

// Frees the local references made in a callback at its end: on a thread of ours nothing else would free them.
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

// Convert UTF-8 to and from Java, because JNI's own strings use another encoding. They return an empty string or nullptr,
// with an exception pending, when there is not enough memory.
jbyteArray to_java(JNIEnv* env, const char* text);
std::string from_java(JNIEnv* env, jbyteArray bytes);

// Holds a callback's exception, no longer pending in JNI, until the engine call in which it was thrown has returned.
void keep_exception(JNIEnv* env);
jthrowable take_exception(JNIEnv* env);  // a local reference, or nullptr
void forget_exception(JNIEnv* env);

}  // namespace coevoer_jni
