#include "network.hpp"

#include <cstring>
#include <memory>
#include <vector>

#include "classes.hpp"

namespace coevoer_jni {
namespace {

struct Buffer {
  void* address = nullptr;
  std::size_t bytes = 0;
};

// The memory of a direct buffer. The address is null for any other buffer.
Buffer memory_of(JNIEnv* env, jobject buffer) {
  if (buffer == nullptr) return {};
  return {env->GetDirectBufferAddress(buffer), static_cast<std::size_t>(env->GetDirectBufferCapacity(buffer))};
}

// A LoadedNetwork, which keeps the buffers alive.
class JavaNetwork {
 public:
  JavaNetwork(JNIEnv* env, jobject loaded) : loaded_(env, loaded) {
    image_ = memory_of(env, env->GetObjectField(loaded, classes.image));
    const auto outputs = static_cast<jobjectArray>(env->GetObjectField(loaded, classes.outputs));
    for (jsize i = 0; i < env->GetArrayLength(outputs); ++i) {
      jobject buffer = env->GetObjectArrayElement(outputs, i);
      outputs_.push_back(memory_of(env, buffer));
      env->DeleteLocalRef(buffer);
    }
  }

  bool usable() const {
    bool all = loaded_.get() != nullptr && image_.address != nullptr;
    for (const Buffer& output : outputs_) all = all && output.address != nullptr;
    return all;
  }

  static std::int32_t run(void* network, const float* image, float* const* outputs) {
    const auto& self = *static_cast<JavaNetwork*>(network);
    JNIEnv* e = env();
    if (e == nullptr) return 1;
    const LocalFrame frame(e, 8);
    if (!frame) return 1;
    std::memcpy(self.image_.address, image, self.image_.bytes);
    e->CallVoidMethod(self.loaded_.get(), classes.run);
    if (e->ExceptionCheck()) {
      keep_exception(e);
      return 1;
    }
    for (std::size_t i = 0; i < self.outputs_.size(); ++i)
      std::memcpy(outputs[i], self.outputs_[i].address, self.outputs_[i].bytes);
    return 0;
  }

  static void release(void* network) {
    const std::unique_ptr<JavaNetwork> self(static_cast<JavaNetwork*>(network));
    JNIEnv* e = env();
    if (e == nullptr) return;
    e->CallVoidMethod(self->loaded_.get(), classes.close);
    if (e->ExceptionCheck()) e->ExceptionDescribe(), e->ExceptionClear();  // the network is closed in any case
  }

 private:
  Global loaded_;
  Buffer image_;
  std::vector<Buffer> outputs_;
};

}  // namespace

std::int32_t JavaLoader::load(void* loader, const char* artifact, coevoer_network* network) {
  JNIEnv* e = env();
  if (e == nullptr) return 1;
  const LocalFrame frame(e, 16);
  if (!frame) return 1;
  jbyteArray path = to_java(e, artifact);
  jobject loaded =
      path ? e->CallObjectMethod(static_cast<JavaLoader*>(loader)->host_.get(), classes.load, path) : nullptr;
  if (e->ExceptionCheck() || loaded == nullptr) {
    keep_exception(e);
    return 1;
  }
  auto java = std::make_unique<JavaNetwork>(e, loaded);
  if (!java->usable()) return 1;
  *network = {java.release(), JavaNetwork::run, JavaNetwork::release};
  return 0;
}

}  // namespace coevoer_jni
