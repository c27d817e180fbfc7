// The functions of Native.kt, on top of coevoer.h. No mistake on the Java side ends the process: Kotlin classes own the
// handles, buffers are checked here again, and no C++ exception leaves a function.
#include <jni.h>

#include <algorithm>
#include <array>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "classes.hpp"
#include "coevoer/coevoer.h"
#include "frames.hpp"
#include "jvm.hpp"
#include "network.hpp"

namespace coevoer_jni {

Classes classes;

namespace {

// The object behind a handle. The estimator is freed first, because its last frames still use the other members.
struct Session {
  std::unique_ptr<JavaLoader> loader;
  Global listener;
  coevoer_estimator* estimator = nullptr;

  Session(JNIEnv* env, jobject listener_object) : listener(env, listener_object) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() { coevoer_free(estimator); }
};

void throw_error(JNIEnv* env, coevoer_status status, const char* message) {
  jthrowable cause = take_exception(env);
  jbyteArray text = to_java(env, message);
  if (text == nullptr) return;  // out of memory; the exception is pending
  jobject thrown =
      env->CallStaticObjectMethod(classes.native, classes.exception, static_cast<jint>(status), text, cause);
  if (!env->ExceptionCheck()) env->Throw(static_cast<jthrowable>(thrown));
}

// Calls the engine and turns a status other than OK, or a C++ exception, into a Java exception.
template <class Call>
void guarded(JNIEnv* env, const Call& call) noexcept {
  try {
    forget_exception(env);
    if (const coevoer_status status = call(); status != COEVOER_OK && !env->ExceptionCheck())
      throw_error(env, status, coevoer_last_error());
  } catch (const std::bad_alloc&) {
    throw_error(env, COEVOER_MEMORY, "Not enough memory; free some and call again.");
  } catch (const std::exception& error) {
    throw_error(env, COEVOER_USAGE, error.what());
  }
}

coevoer_status refuse(JNIEnv* env, const char* message) {
  throw_error(env, COEVOER_USAGE, message);
  return COEVOER_USAGE;
}

void listen(void* listener, coevoer_status status, coevoer_result* result, const char* message) {
  JNIEnv* e = env();
  if (e == nullptr) return coevoer_result_free(result);
  const LocalFrame frame(e, 16);
  if (!frame) return coevoer_result_free(result);
  const auto object = static_cast<jobject>(listener);
  if (status == COEVOER_OK) {
    forget_exception(e);
    e->CallVoidMethod(object, classes.on_result, reinterpret_cast<jlong>(result));
  } else {
    jthrowable cause = take_exception(e);
    if (jbyteArray text = to_java(e, message))
      e->CallVoidMethod(object, classes.on_error, static_cast<jint>(status), text, cause);
  }
  if (e->ExceptionCheck()) e->ExceptionDescribe(), e->ExceptionClear();  // Kotlin has handled what the app threw
}

coevoer_estimator* estimator_of(jlong handle) { return reinterpret_cast<Session*>(handle)->estimator; }
coevoer_result* result_of(jlong handle) { return reinterpret_cast<coevoer_result*>(handle); }

// Native.kt: format, width, height, rotation, two strides of the first plane, two of the others, a position a plane.
bool picture_of(JNIEnv* env, jobjectArray planes, jintArray layout, Picture& picture) {
  std::array<jint, 11> n{};
  const jsize count = env->GetArrayLength(planes);
  if (count < 1 || count > 3 || env->GetArrayLength(layout) != 8 + count) return false;
  env->GetIntArrayRegion(layout, 0, 8 + count, n.data());
  if (n[0] < 0 || n[0] > 3 || count != (n[0] == 3 ? 3 : 1)) return false;
  picture = {static_cast<Format>(n[0]), n[1], n[2], n[3], {}};
  for (jsize i = 0; i < count; ++i) {
    jobject buffer = env->GetObjectArrayElement(planes, i);
    if (buffer == nullptr) return false;
    const auto* pixels = static_cast<const std::uint8_t*>(env->GetDirectBufferAddress(buffer));
    const jlong capacity = env->GetDirectBufferCapacity(buffer);
    env->DeleteLocalRef(buffer);
    const jint position = n[static_cast<std::size_t>(8 + i)];
    if (pixels == nullptr || position < 0 || position > capacity) return false;
    const std::size_t strides = i == 0 ? 4 : 6;
    picture.planes[i] = {pixels + position, static_cast<std::size_t>(capacity - position), n[strides], n[strides + 1]};
  }
  return fits(picture);
}

// Calls the engine with the frame; its pixels are valid during the call.
template <class Call>
void with_frame(JNIEnv* env, jobjectArray planes, jintArray layout, const Call& call) {
  guarded(env, [&] {
    Picture picture;
    if (!picture_of(env, planes, layout, picture)) return refuse(env, "The frame does not fit its buffers.");
    static thread_local std::vector<std::uint8_t> room;  // a camera's thread converts every frame into the same buffer
    const coevoer_frame frame = upright(picture, room);
    return call(frame);
  });
}

jlong JNICALL open(JNIEnv* env, jclass, jbyteArray bundle, jbyteArray smaller, jint mode, jboolean raw,
                   jobject listener, jobject loader) {
  std::unique_ptr<Session> session;
  guarded(env, [&] {
    session = std::make_unique<Session>(env, listener);
    const std::string folder = from_java(env, bundle), other = smaller ? from_java(env, smaller) : "";
    coevoer_options options = coevoer_default_options();
    options.bundle = folder.c_str();
    options.smaller_bundle = smaller ? other.c_str() : nullptr;
    options.mode = mode;
    options.raw = raw ? 1 : 0;
    if (listener) options.listener = listen, options.listener_context = session->listener.get();
    if (loader) {
      session->loader = std::make_unique<JavaLoader>(env, loader);
      options.loader = JavaLoader::load, options.loader_context = session->loader.get();
    }
    const coevoer_status status = coevoer_open(&options, &session->estimator);
    if (status != COEVOER_OK) {
      throw_error(env, status, coevoer_last_error());
      session.reset();
    }
    return status;
  });
  return reinterpret_cast<jlong>(env->ExceptionCheck() ? nullptr : session.release());
}

void JNICALL close(JNIEnv* env, jclass, jlong handle) {
  guarded(env, [&] { return coevoer_close(estimator_of(handle)); });
}

void JNICALL free_estimator(JNIEnv*, jclass, jlong handle) { delete reinterpret_cast<Session*>(handle); }

jlong JNICALL detect(JNIEnv* env, jclass, jlong handle, jobjectArray planes, jintArray layout) {
  coevoer_result* result = nullptr;
  with_frame(env, planes, layout,
             [&](const coevoer_frame& frame) { return coevoer_detect(estimator_of(handle), &frame, &result); });
  return reinterpret_cast<jlong>(result);
}

jlong JNICALL detect_for_video(JNIEnv* env, jclass, jlong handle, jobjectArray planes, jintArray layout, jdouble time) {
  coevoer_result* result = nullptr;
  with_frame(env, planes, layout, [&](const coevoer_frame& frame) {
    return coevoer_detect_for_video(estimator_of(handle), &frame, time, &result);
  });
  return reinterpret_cast<jlong>(result);
}

void JNICALL detect_async(JNIEnv* env, jclass, jlong handle, jobjectArray planes, jintArray layout, jdouble time) {
  with_frame(env, planes, layout,
             [&](const coevoer_frame& frame) { return coevoer_detect_async(estimator_of(handle), &frame, time); });
}

void JNICALL set_pressure(JNIEnv* env, jclass, jlong handle, jint thermal, jboolean low_memory) {
  guarded(env, [&] { return coevoer_set_pressure(estimator_of(handle), thermal, low_memory ? 1 : 0); });
}

jint JNICALL num_vertices(JNIEnv*, jclass, jlong handle) {
  return static_cast<jint>(coevoer_num_vertices(estimator_of(handle)));
}

jint JNICALL num_faces(JNIEnv*, jclass, jlong handle) {
  std::size_t count = 0;
  coevoer_faces(estimator_of(handle), &count);
  return static_cast<jint>(count);
}

void JNICALL faces(JNIEnv* env, jclass, jlong handle, jobject indices) {
  guarded(env, [&] {
    std::size_t count = 0;
    const std::int32_t* corners = coevoer_faces(estimator_of(handle), &count);
    auto* to = static_cast<std::int32_t*>(env->GetDirectBufferAddress(indices));
    if (to == nullptr || env->GetDirectBufferCapacity(indices) < static_cast<jlong>(3 * count))
      return refuse(env, "The faces do not fit the buffer.");
    std::copy(corners, corners + 3 * count, to);
    return COEVOER_OK;
  });
}

void JNICALL mesh(JNIEnv* env, jclass, jlong handle, jlong result, jobject vertices, jint position) {
  guarded(env, [&] {
    auto* to = static_cast<float*>(env->GetDirectBufferAddress(vertices));
    const jlong room = env->GetDirectBufferCapacity(vertices) - position;
    if (to == nullptr || position < 0 || room < 0) return refuse(env, "The mesh does not fit the buffer.");
    return coevoer_mesh(estimator_of(handle), result_of(result), to + position, static_cast<std::size_t>(room));
  });
}

jdoubleArray JNICALL head(JNIEnv* env, jclass, jlong handle) {
  const coevoer_result* r = result_of(handle);
  std::array<jdouble, 13> n{coevoer_result_timestamp_ms(r),
                            static_cast<jdouble>(coevoer_result_state(r)),
                            static_cast<jdouble>(coevoer_result_has_person(r)),
                            static_cast<jdouble>(coevoer_result_trained(r)),
                            static_cast<jdouble>(coevoer_result_smaller_model(r)),
                            static_cast<jdouble>(coevoer_result_dropped(r))};
  coevoer_result_crop(r, n.data() + 6);
  coevoer_result_timings_ms(r, n.data() + 10);
  jdoubleArray numbers = env->NewDoubleArray(static_cast<jsize>(n.size()));
  if (numbers) env->SetDoubleArrayRegion(numbers, 0, static_cast<jsize>(n.size()), n.data());
  return numbers;
}

jdoubleArray JNICALL values(JNIEnv* env, jclass, jlong handle, jstring name) {
  jdoubleArray numbers = nullptr;
  guarded(env, [&] {
    std::string key(static_cast<std::size_t>(env->GetStringUTFLength(name)), '\0');
    env->GetStringUTFRegion(name, 0, env->GetStringLength(name), key.data());
    std::vector<double> found(coevoer_result_values(result_of(handle), key.c_str(), nullptr, 0));
    coevoer_result_values(result_of(handle), key.c_str(), found.data(), found.size());
    numbers = env->NewDoubleArray(static_cast<jsize>(found.size()));
    if (numbers == nullptr) return COEVOER_MEMORY;
    env->SetDoubleArrayRegion(numbers, 0, static_cast<jsize>(found.size()), found.data());
    return COEVOER_OK;
  });
  return numbers;
}

void JNICALL free_result(JNIEnv*, jclass, jlong handle) { coevoer_result_free(result_of(handle)); }

#define PACKAGE "ai/coevoer/edge/"
#define FRAME "[Ljava/nio/ByteBuffer;[I"

template <class Function>
JNINativeMethod method(const char* name, const char* signature, Function* function) {
  return {const_cast<char*>(name), const_cast<char*>(signature), reinterpret_cast<void*>(function)};
}

bool register_natives(JNIEnv* env) {
  const JNINativeMethod methods[] = {
      method("open", "([B[BIZL" PACKAGE "StreamListener;L" PACKAGE "NetworkHost;)J", open),
      method("close", "(J)V", close),
      method("free", "(J)V", free_estimator),
      method("detect", "(J" FRAME ")J", detect),
      method("detectForVideo", "(J" FRAME "D)J", detect_for_video),
      method("detectAsync", "(J" FRAME "D)V", detect_async),
      method("setPressure", "(JIZ)V", set_pressure),
      method("numVertices", "(J)I", num_vertices),
      method("numFaces", "(J)I", num_faces),
      method("faces", "(JLjava/nio/IntBuffer;)V", faces),
      method("mesh", "(JJLjava/nio/FloatBuffer;I)V", mesh),
      method("head", "(J)[D", head),
      method("values", "(JLjava/lang/String;)[D", values),
      method("freeResult", "(J)V", free_result),
  };
  return env->RegisterNatives(classes.native, methods, static_cast<jint>(std::size(methods))) == JNI_OK;
}

bool find_classes(JNIEnv* env) {
  jclass native = env->FindClass(PACKAGE "Native"), listener = env->FindClass(PACKAGE "StreamListener"),
         host = env->FindClass(PACKAGE "NetworkHost"), loaded = env->FindClass(PACKAGE "LoadedNetwork");
  if (!native || !listener || !host || !loaded) return false;
  classes.native = static_cast<jclass>(env->NewGlobalRef(native));
  classes.exception = env->GetStaticMethodID(native, "exception", "(I[BLjava/lang/Throwable;)Ljava/lang/Throwable;");
  classes.on_result = env->GetMethodID(listener, "onResult", "(J)V");
  classes.on_error = env->GetMethodID(listener, "onError", "(I[BLjava/lang/Throwable;)V");
  classes.load = env->GetMethodID(host, "load", "([B)L" PACKAGE "LoadedNetwork;");
  classes.run = env->GetMethodID(loaded, "run", "()V");
  classes.close = env->GetMethodID(loaded, "close", "()V");
  classes.image = env->GetFieldID(loaded, "image", "Ljava/nio/ByteBuffer;");
  classes.outputs = env->GetFieldID(loaded, "outputs", "[Ljava/nio/ByteBuffer;");
  return !env->ExceptionCheck();
}

}  // namespace
}  // namespace coevoer_jni

extern "C" JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM* vm, void*) {
  void* env = nullptr;
  if (vm->GetEnv(&env, JNI_VERSION_1_6) != JNI_OK) return JNI_ERR;
  coevoer_jni::set_vm(vm);
  auto* e = static_cast<JNIEnv*>(env);
  return coevoer_jni::find_classes(e) && coevoer_jni::register_natives(e) ? JNI_VERSION_1_6 : JNI_ERR;
}
