// The engine's stages one by one, for the cases of the conformance kit that test a single stage (Stages.kt).
#include <map>

#include "arrays.hpp"
#include "coevoer/body.hpp"
#include "coevoer/bundle.hpp"
#include "coevoer/network.hpp"
#include "coevoer/person.hpp"
#include "coevoer/resample.hpp"
#include "coevoer/smoother.hpp"
#include "coevoer/values.hpp"

using namespace coevoer;

namespace {

const Bundle& bundle_of(JNIEnv* env, jstring folder) {
  static std::map<std::string, Bundle> opened;
  const std::string name = text(env, folder);
  if (!opened.contains(name)) opened.emplace(name, Bundle::open(name));
  return opened.at(name);
}

Crop crop_of(JNIEnv* env, jdoubleArray array) {
  const auto c = doubles(env, array);
  return {c[0], c[1], c[2], c[3]};
}

std::vector<Mat3> rotations(const std::vector<double>& values, std::size_t frame, std::size_t frames) {
  const std::size_t size = values.size() / frames;
  std::vector<Mat3> all;
  for (std::size_t i = frame * size; i < (frame + 1) * size; i += 9)
    all.push_back(Eigen::Map<const Eigen::Matrix<double, 3, 3, Eigen::RowMajor>>(values.data() + i));
  return all;
}

Eigen::VectorXd part(const std::vector<double>& values, std::size_t frame, std::size_t frames) {
  const std::size_t size = values.size() / frames;
  return Eigen::Map<const Eigen::VectorXd>(values.data() + frame * size, static_cast<Eigen::Index>(size));
}

jobjectArray to_java(JNIEnv* env, const std::vector<std::vector<double>>& all) {
  env->EnsureLocalCapacity(64);
  jobjectArray array = env->NewObjectArray(static_cast<jsize>(all.size()), env->FindClass("[D"), nullptr);
  for (std::size_t i = 0; i < all.size(); ++i)
    env->SetObjectArrayElement(array, static_cast<jsize>(i), ::to_java(env, all[i]));
  return array;
}

// In the kit's order of parameters.
constexpr const char* kParameters[] = {"global_orient", "body_pose", "left_hand_pose", "right_hand_pose",
                                       "jaw_pose",      "betas",     "expression"};

}  // namespace

extern "C" {

JNIEXPORT jdoubleArray JNICALL Java_ai_coevoer_edge_Stages_crop(JNIEnv* env, jclass, jstring folder, jbyteArray pixels,
                                                                jint width, jint height, jdoubleArray crop) {
  jdoubleArray out = nullptr;
  guarded(env, [&] {
    std::vector<std::uint8_t> frame(static_cast<std::size_t>(env->GetArrayLength(pixels)));
    env->GetByteArrayRegion(pixels, 0, static_cast<jsize>(frame.size()), reinterpret_cast<jbyte*>(frame.data()));
    const auto tensor =
        extract_crop({frame.data(), {width, height}}, crop_of(env, crop), bundle_of(env, folder).manifest.view);
    out = ::to_java(env, std::vector<double>(tensor.begin(), tensor.end()));
  });
  return out;
}

// The seven parameters, translation under the crop's camera and the frame's, boxes, joints in the camera and in px.
JNIEXPORT jobjectArray JNICALL Java_ai_coevoer_edge_Stages_decode(JNIEnv* env, jclass, jstring folder,
                                                                  jobjectArray names, jobjectArray values,
                                                                  jobjectArray shapes, jdoubleArray crop, jint width,
                                                                  jint height) {
  jobjectArray out = nullptr;
  guarded(env, [&] {
    const Bundle& bundle = bundle_of(env, folder);
    const Manifest& manifest = bundle.manifest;
    Outputs outputs;
    env->EnsureLocalCapacity(64);
    for (jsize i = 0; i < env->GetArrayLength(names); ++i)
      outputs[text(env, static_cast<jstring>(env->GetObjectArrayElement(names, i)))] = {
          longs(env, static_cast<jlongArray>(env->GetObjectArrayElement(shapes, i))),
          floats(env, static_cast<jfloatArray>(env->GetObjectArrayElement(values, i)))};
    const Decoded decoded = decode(outputs, crop_of(env, crop), manifest);
    const Body body(Safetensors::open(bundle.body()), manifest);
    const Person person = embody(decoded, body, manifest);
    const Vec3 in_frame = convert_translation(decoded.translation, decoded.crop.camera(manifest.view),
                                              frame_camera({width, height}, manifest.view));
    std::vector<std::vector<double>> all;
    for (const char* name : kParameters) all.push_back(values_of(person, name));
    all.push_back(values_of(person, "translation"));
    all.push_back({in_frame.begin(), in_frame.end()});
    for (const char* name : {"part_boxes_px", "joints_cam", "joints_px"}) all.push_back(values_of(person, name));
    out = to_java(env, all);
  });
  return out;
}

// The seven parameters and the translation, smoothed; one after another, each of all frames.
JNIEXPORT jobjectArray JNICALL Java_ai_coevoer_edge_Stages_smooth(JNIEnv* env, jclass, jstring folder, jint width,
                                                                  jint height, jdoubleArray timestamps_ms,
                                                                  jobjectArray given) {
  jobjectArray out = nullptr;
  guarded(env, [&] {
    const Manifest& manifest = bundle_of(env, folder).manifest;
    const auto times = doubles(env, timestamps_ms);
    std::vector<std::vector<double>> in, all(8);
    for (jsize i = 0; i < 8; ++i)
      in.push_back(doubles(env, static_cast<jdoubleArray>(env->GetObjectArrayElement(given, i))));
    Smoother smoother(manifest.smoothing);
    for (std::size_t f = 0; f < times.size(); ++f) {
      const auto turns = [&](std::size_t i) { return rotations(in[i], f, times.size()); };
      Person person;
      person.parameters = {turns(0)[0],
                           turns(1),
                           turns(2),
                           turns(3),
                           turns(4)[0],
                           part(in[5], f, times.size()),
                           part(in[6], f, times.size())};
      person.translation = part(in[7], f, times.size());
      smoother(times[f], person.parameters, person.translation,
               frame_camera({width, height}, manifest.view).focal_px / height);
      for (std::size_t i = 0; i < 8; ++i) {
        const auto values = values_of(person, i < 7 ? kParameters[i] : "translation");
        all[i].insert(all[i].end(), values.begin(), values.end());
      }
    }
    out = to_java(env, all);
  });
  return out;
}

// The engine's own ExecuTorch on one image (3, H, W): what the network gave, in the manifest's order.
JNIEXPORT jobjectArray JNICALL Java_ai_coevoer_edge_Stages_network(JNIEnv* env, jclass, jstring folder,
                                                                   jfloatArray image) {
  jobjectArray out = nullptr;
  guarded(env, [&] {
    const Bundle& bundle = bundle_of(env, folder);
    static std::map<std::string, std::unique_ptr<Network>> loaded;
    auto& network = loaded[bundle.folder.string()];
    if (!network) network = load_executorch(bundle);
    const Outputs outputs = network->run(floats(env, image));
    env->EnsureLocalCapacity(64);
    out = env->NewObjectArray(static_cast<jsize>(bundle.manifest.outputs.size()), env->FindClass("[F"), nullptr);
    jsize i = 0;
    for (const auto& spec : bundle.manifest.outputs)
      env->SetObjectArrayElement(out, i++, ::to_java(env, outputs.at(spec.name).values));
  });
  return out;
}
}
