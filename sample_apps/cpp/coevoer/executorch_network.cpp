// The only file that depends on ExecuTorch.
#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

#include <string>

#include "coevoer/error.hpp"
#include "coevoer/network.hpp"

namespace coevoer {
namespace {

using executorch::aten::ScalarType;
using executorch::extension::Module;
using Failure = executorch::runtime::Error;

std::string text(Failure failure) { return std::string(executorch::runtime::to_string(failure)); }

bool no_memory(Failure failure) {
  return failure == Failure::MemoryAllocationFailed || failure == Failure::DelegateMemoryAllocationFailed ||
         failure == Failure::OutOfResources;
}

class ExecuTorchNetwork final : public Network {
 public:
  explicit ExecuTorchNetwork(const Bundle& bundle)
      : name_(bundle.artifact().string()),
        outputs_(bundle.manifest.outputs),
        module_(name_, Module::LoadMode::MmapUseMlockIgnoreErrors) {
    if (bundle.manifest.target != "executorch")
      throw Error(ErrorKind::bundle, "The bundle is for " + bundle.manifest.target +
                                         "; this app runs those of `coevoer-edge export --target executorch`.");
    if (const Failure failure = module_.load_forward(); failure != Failure::Ok)
      throw Error(no_memory(failure) ? ErrorKind::memory : ErrorKind::bundle,
                  "ExecuTorch cannot load " + name_ + " (" + text(failure) + "); export the bundle again.");
    check(bundle.manifest);
    for (const std::int64_t size : bundle.manifest.input_shape) input_.push_back(static_cast<int>(size));
  }

  Outputs run(const std::vector<float>& image) override {
    // The image is not written to; the runtime's types have no const.
    const auto input = executorch::extension::from_blob(const_cast<float*>(image.data()), input_, ScalarType::Float);
    const auto result = module_.forward(*input);
    if (!result.ok())
      throw Error(no_memory(result.error()) ? ErrorKind::memory : ErrorKind::network,
                  "ExecuTorch failed on " + name_ + " (" + text(result.error()) + "); see its log.");
    Outputs outputs;
    for (std::size_t i = 0; i < outputs_.size() && i < result->size(); ++i) {
      if (!(*result)[i].isTensor()) continue;
      const auto tensor = (*result)[i].toTensor();
      if (tensor.scalar_type() != ScalarType::Float) continue;
      const float* values = tensor.const_data_ptr<float>();
      outputs[outputs_[i].name] = {{tensor.sizes().begin(), tensor.sizes().end()}, {values, values + tensor.numel()}};
    }
    return outputs;
  }

 private:
  // Compares the file's own description with the manifest, before a tensor is read.
  void check(const Manifest& manifest) {
    const auto meta = module_.method_meta("forward");
    if (!meta.ok()) throw Error(ErrorKind::bundle, name_ + " does not describe its tensors; export the bundle again.");
    const auto compare = [&](const auto& info, const std::string& what, const Shape& expected) {
      const Shape shape = info.ok() ? Shape(info->sizes().begin(), info->sizes().end()) : Shape();
      if (!info.ok() || shape != expected || info->scalar_type() != ScalarType::Float)
        throw Error(ErrorKind::bundle, name_ + ": " + what + " is " + to_string(shape) +
                                           "; the manifest requires float32 " + to_string(expected) +
                                           ". Export the bundle again.");
    };
    if (meta->num_inputs() != 1 || meta->num_outputs() != manifest.outputs.size())
      throw Error(ErrorKind::bundle, name_ + " has " + std::to_string(meta->num_inputs()) + " inputs and " +
                                         std::to_string(meta->num_outputs()) +
                                         " outputs; the manifest requires 1 and " +
                                         std::to_string(manifest.outputs.size()) + ". Export the bundle again.");
    compare(meta->input_tensor_meta(0), "input " + manifest.input_name, manifest.input_shape);
    for (std::size_t i = 0; i < manifest.outputs.size(); ++i)
      compare(meta->output_tensor_meta(i), "output " + manifest.outputs[i].name, manifest.outputs[i].shape);
  }

  std::string name_;
  std::vector<OutputSpec> outputs_;
  std::vector<executorch::aten::SizesType> input_;
  Module module_;
};

}  // namespace

std::unique_ptr<Network> load_executorch(const Bundle& bundle) { return std::make_unique<ExecuTorchNetwork>(bundle); }

}  // namespace coevoer
