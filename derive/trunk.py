"""`python derive/trunk.py WHEEL`: the trunk's weights from MediaPipe's wheel, checked against it.

In: mediapipe-0.10.21's wheel (Apache-2.0; `pip download --no-deps mediapipe==0.10.21`). Out:
`blazepose-trunk.safetensors`, fp16 as they are there. Needs `pip install -e '.[derive]'` (tflite, ai-edge-litert).

The file has no names for its layers that could be relied on; its convolutions stand in a fixed order, and each has to
fit the shape of its place in `Trunk`. What decides is the last step: MediaPipe's own runtime and `Trunk` have to
give the same keypoint heatmaps.
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
_TOLERANCE = 2e-2  # of logits up to about 30, in fp16 against fp32


def convolutions(file: bytes) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Output channel layout of torch, in the file's order: output tensor's number, weight (O, I, k, k), bias (O)."""
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
    """The trunk's convolutions as the file has them: a lateral comes behind the expansion of the next stage."""

    def convs(module: nn.Module) -> list[nn.Conv2d]:
        return [m for m in module.modules() if isinstance(m, nn.Conv2d)]

    ordered = convs(trunk.stem)
    for i, stage in enumerate(trunk.stages):
        first, *rest = convs(stage)
        ordered += [first, *(convs(trunk.laterals[i - 1]) if i else ()), *rest]
    return [*ordered, *convs(trunk.top), *convs(trunk.laterals[-1])]


def fill(trunk: Trunk, layers: list[tuple[int, Tensor, Tensor]]) -> None:
    """Copy weights place by place.

    Raises:
        ValueError: one does not fit, so this is another file.
    """
    with torch.no_grad():
        for place, (_, weight, bias) in zip(in_file_order(trunk), layers, strict=True):
            if place.weight.shape != weight.shape:
                raise ValueError(f"{tuple(weight.shape)} where the trunk has {tuple(place.weight.shape)}")
            place.weight.copy_(weight)
            place.bias.copy_(bias)  # type: ignore[union-attr]


def heatmaps(trunk: Trunk, head: tuple[Tensor, Tensor], image: Tensor) -> Tensor:
    """What the file reads its heatmaps from: laterals, coarse to fine, each doubled and added to the next."""
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
    """Write the file, or raise."""
    file = zipfile.ZipFile(wheel).read(_MODEL)
    layers = list(convolutions(file))
    trunk = Trunk().eval()
    # The mask branch's two (8 channels at stride 2) stand between the first stage's expansion and its depthwise.
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
        raise ValueError(f"heatmaps differ by {error:.3f}, limit {_TOLERANCE}")
    target = Path(__file__).parents[1] / "coevoer_edge" / "weights" / "blazepose-trunk.safetensors"
    save_file({key: value.half().contiguous() for key, value in trunk.state_dict().items()}, target)
    print(f"{target}: {target.stat().st_size:,} bytes; heatmaps within {error:.4f} of {float(theirs.abs().max()):.1f}")


if __name__ == "__main__":
    main(sys.argv[1])
