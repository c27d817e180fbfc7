// ExecuTorch's C++ Module for HostRuntime.java.
#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

#include <stdexcept>

#include "arrays.hpp"

using executorch::extension::Module;

namespace {

Module* module_of(jlong handle) { return reinterpret_cast<Module*>(handle); }

void check(executorch::runtime::Error error, const std::string& what) {
  if (error != executorch::runtime::Error::Ok)
    throw std::runtime_error(what + ": " + executorch::runtime::to_string(error));
}

}  // namespace

extern "C" {

JNIEXPORT jlong JNICALL Java_org_pytorch_executorch_HostRuntime_load(JNIEnv* env, jclass, jstring path, jint mode) {
  Module* module = nullptr;
  guarded(env, [&] {
    auto made = std::make_unique<Module>(text(env, path), mode == 1 ? Module::LoadMode::Mmap : Module::LoadMode::File);
    check(made->load(), "load");
    module = made.release();
  });
  return reinterpret_cast<jlong>(module);
}

JNIEXPORT void JNICALL Java_org_pytorch_executorch_HostRuntime_loadMethod(JNIEnv* env, jclass, jlong handle,
                                                                          jstring method) {
  guarded(env, [&] { check(module_of(handle)->load_method(text(env, method)), "load method"); });
}

JNIEXPORT jobjectArray JNICALL Java_org_pytorch_executorch_HostRuntime_forward(JNIEnv* env, jclass, jlong handle,
                                                                               jobject input, jlongArray shape) {
  jobjectArray all = nullptr;
  guarded(env, [&] {
    const auto sizes = longs(env, shape);
    auto* data = static_cast<float*>(env->GetDirectBufferAddress(input));
    const auto tensor = executorch::extension::from_blob(data, {sizes.begin(), sizes.end()});
    const auto result = module_of(handle)->forward(*tensor);
    check(result.error(), "forward");
    env->EnsureLocalCapacity(64);
    all = env->NewObjectArray(static_cast<jsize>(2 * result->size()), env->FindClass("java/lang/Object"), nullptr);
    for (std::size_t i = 0; i < result->size(); ++i) {
      const auto output = (*result)[i].toTensor();
      const float* values = output.const_data_ptr<float>();
      const std::vector<jlong> dims(output.sizes().begin(), output.sizes().end());
      jlongArray java_dims = env->NewLongArray(static_cast<jsize>(dims.size()));
      env->SetLongArrayRegion(java_dims, 0, static_cast<jsize>(dims.size()), dims.data());
      env->SetObjectArrayElement(all, static_cast<jsize>(2 * i),
                                 to_java(env, std::vector<float>(values, values + output.numel())));
      env->SetObjectArrayElement(all, static_cast<jsize>(2 * i + 1), java_dims);
    }
  });
  return all;
}

JNIEXPORT void JNICALL Java_org_pytorch_executorch_HostRuntime_destroy(JNIEnv*, jclass, jlong handle) {
  delete module_of(handle);
}
}
