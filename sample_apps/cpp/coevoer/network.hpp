// The interface of networks: ExecuTorch on a device, another runtime through the C API, a fake in tests.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "coevoer/bundle.hpp"
#include "coevoer/person.hpp"

namespace coevoer {

class Network {
 public:
  virtual ~Network() = default;
  // Runs on one crop, (3, H, W) float RGB in [0, 1]. Raises Error(network) or Error(memory).
  virtual Outputs run(const std::vector<float>& image) = 0;
};

// Loads the network of a bundle. Raises Error(bundle) or Error(memory).
using NetworkLoader = std::function<std::unique_ptr<Network>(const Bundle&)>;

// Loads the artifact into ExecuTorch with XNNPACK. Raises Error(bundle) for a bundle of another target, an artifact
// that cannot be loaded, or an artifact whose inputs and outputs are not the manifest's.
std::unique_ptr<Network> load_executorch(const Bundle& bundle);

}  // namespace coevoer
