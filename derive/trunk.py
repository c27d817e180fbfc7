"""`python derive/trunk.py WHEEL`: extract the trunk's weights from MediaPipe's wheel and check them against it.

In: the wheel of mediapipe 0.10.21 (Apache-2.0; `pip download --no-deps mediapipe==0.10.21`). Out:
`blazepose-trunk.safetensors` in fp16, as in the wheel. Needs `pip install -e '.[derive]'` (tflite, ai-edge-litert).

The layer names in the file are not reliable. Its convolutions have a fixed order, and each must fit the shape of its
counterpart in `Trunk`. The decisive check is the last step: MediaPipe's own runtime and `Trunk` must give the same
keypoint heatmaps.
"""

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tflite
import torch
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from coevoer_edge.model.trunk import Trunk

_MODEL = "mediapipe/modules/pose_landmark/pose_landmark_full.tflite"
_HEATMAPS = "Identity_3"  # name of the output, (1, 64, 64, 39)
_TOLERANCE = 2e-2  # for logits up to about 30, fp16 against fp32


def convolutions(file: bytes) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Convolutions in the file's order and torch's layout: output tensor's number, weight (O, I, k, k), bias (O)."""
    model = tflite.Model.GetRootAsModel(file, 0)
    graph = model.Subgraphs(0)
    codes = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
    halves: dict[int, NDArray[Any]] = {}

    def name(operator: Any) -> str:
        code = model.OperatorCodes(operator.OpcodeIndex())
        return str(codes[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())])

    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        match name(operator):
            case "DEQUANTIZE":
                tensor = graph.Tensors(operator.Inputs(0))
                data = model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
                halves[operator.Outputs(0)] = np.frombuffer(data, np.float16).reshape(tensor.ShapeAsNumpy())
            case "CONV_2D":
                weight = halves[operator.Inputs(1)].transpose(0, 3, 1, 2)
                yield operator.Outputs(0), torch.tensor(weight), torch.tensor(halves[operator.Inputs(2)])
            case "DEPTHWISE_CONV_2D":
                weight = halves[operator.Inputs(1)].transpose(3, 0, 1, 2)
                yield operator.Outputs(0), torch.tensor(weight), torch.tensor(halves[operator.Inputs(2)])


def in_file_order(trunk: Trunk) -> list[nn.Conv2d]:
    """The trunk's convolutions in the file's order, where a lateral follows the expansion of the next stage."""

    def convs(module: nn.Module) -> list[nn.Conv2d]:
        return [m for m in module.modules() if isinstance(m, nn.Conv2d)]

    ordered = convs(trunk.stem)
    for i, stage in enumerate(trunk.stages):
        first, *rest = convs(stage)
        ordered += [first, *(convs(trunk.laterals[i - 1]) if i else ()), *rest]
    return [*ordered, *convs(trunk.top), *convs(trunk.laterals[-1])]


def fill(trunk: Trunk, layers: list[tuple[int, Tensor, Tensor]]) -> None:
    """Copy the weights, layer by layer.

    Raises:
        ValueError: a shape does not fit, so this is another file.
    """
    with torch.no_grad():
        for place, (_, weight, bias) in zip(in_file_order(trunk), layers, strict=True):
            if place.weight.shape != weight.shape:
                raise ValueError(
                    f"A weight has shape {tuple(weight.shape)}, but the trunk has {tuple(place.weight.shape)}; "
                    "give the wheel of mediapipe 0.10.21."
                )
            place.weight.copy_(weight)
            place.bias.copy_(bias)  # type: ignore[union-attr]


def heatmaps(trunk: Trunk, head: tuple[Tensor, Tensor], image: Tensor) -> Tensor:
    """Compute heatmaps as the file does: laterals, coarse to fine, each upsampled by two and added to the next."""
    laterals, _ = trunk(image)
    total = laterals[-1]
    for lateral in laterals[-2::-1]:
        total = lateral + F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=False)
    return F.conv2d(total, head[0].float(), head[1].float())


def expected(file: bytes, image: Tensor) -> Tensor:
    """MediaPipe's own heatmaps, (1, 39, 64, 64)."""
    interpreter = Interpreter(model_content=file)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image.permute(0, 2, 3, 1).numpy())
    interpreter.invoke()
    (output,) = (d for d in interpreter.get_output_details() if d["name"] == _HEATMAPS)
    return torch.from_numpy(interpreter.get_tensor(output["index"])).permute(0, 3, 1, 2)


def main(wheel: str) -> None:
    """Write the file, or raise an error if the check fails."""
    file = zipfile.ZipFile(wheel).read(_MODEL)
    layers = list(convolutions(file))
    trunk = Trunk().eval()
    # The mask branch has two convolutions (8 channels at stride 2) between the first stage's expansion and depthwise.
    places = len(in_file_order(trunk))
    mask_branch = [i for i, (_, w, _) in enumerate(layers[:10]) if w.shape in ((16, 1, 3, 3), (8, 16, 1, 1))]
    own = [layer for i, layer in enumerate(layers) if i not in mask_branch]
    fill(trunk, own[:places])
    head = next((w, b) for _, w, b in layers if w.shape == (39, 48, 1, 1))
    image = F.interpolate(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)), 256, mode="bicubic")
    with torch.no_grad():
        ours, theirs = heatmaps(trunk, head, image.clamp(0, 1)), expected(file, image.clamp(0, 1))
    error = float((ours - theirs).abs().max())
    if error > _TOLERANCE:
        raise ValueError(f"The heatmaps differ by {error:.3f}, more than {_TOLERANCE}.")
    target = Path(__file__).parents[1] / "coevoer_edge" / "weights" / "blazepose-trunk.safetensors"
    save_file({key: value.half().contiguous() for key, value in trunk.state_dict().items()}, target)
    largest = float(theirs.abs().max())
    print(f"Wrote {target} ({target.stat().st_size:,} bytes); heatmaps up to {largest:.1f} agree within {error:.4f}")


if __name__ == "__main__":
    main(sys.argv[1])
