"""The convolutional trunk that feeds the hybrid ViT, and its pretrained weights.

In: image (B, 3, H, W), RGB in [0, 1], H and W multiples of 32. Out: feature maps at strides 4, 8, 16 and 32.

Source: the encoder of BlazePose GHUM full (Bazarevsky et al. 2020, arXiv:2006.10204), a MobileNetV2 with 48-channel
laterals, from whose sum its keypoint heatmaps are computed. The published network starts from ViTPose's weights, which
may not be redistributed freely; these may (Apache-2.0), and they were also trained to find people's joints in
photographs. `derive/trunk.py` extracts them from MediaPipe's wheel.
"""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

LATERAL_CHANNELS = 48
_FILE = Path(__file__).parent.parent / "weights" / "blazepose-trunk.safetensors"

# (expanded channels, kernel, stride, channels out) of each inverted residual; one tuple per stride.
_STAGES = (
    ((64, 3, 2, 24), (144, 3, 1, 24)),  # stride 4
    ((144, 5, 2, 32), (192, 5, 1, 32)),  # stride 8
    ((192, 3, 2, 64), (384, 3, 1, 64), (384, 3, 1, 64), (384, 5, 1, 88), (528, 5, 1, 88), (528, 5, 1, 88)),  # 16
    ((528, 5, 2, 144), (864, 5, 1, 144), (864, 5, 1, 144), (864, 5, 1, 144)),  # stride 32
)
TOP_CHANNELS = 864


class _Conv(nn.Sequential):
    """Convolution that keeps the size (divided by its stride), followed by ReLU6 if `relu`."""

    def __init__(self, c_in: int, c_out: int, kernel: int = 1, stride: int = 1, groups: int = 1, relu: bool = True):
        conv = nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, groups=groups)
        super().__init__(conv, *([nn.ReLU6()] if relu else []))


class _InvertedResidual(nn.Module):
    """Expand, convolve each channel, project (Sandler et al. 2018); batch norms are folded."""

    def __init__(self, c_in: int, expanded: int, kernel: int, stride: int, c_out: int) -> None:
        super().__init__()
        self.expand = _Conv(c_in, expanded)
        self.depthwise = _Conv(expanded, expanded, kernel, stride, groups=expanded)
        self.project = _Conv(expanded, c_out, relu=False)
        self.residual = c_in == c_out and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y  # type: ignore[no-any-return]


class Trunk(nn.Module):
    """MobileNetV2 with a lateral at each stride."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_Conv(3, 24, 3, 2), _Conv(24, 24, 3, groups=24), _Conv(24, 16, relu=False))
        self.stages, self.laterals = nn.ModuleList(), nn.ModuleList()
        c_in = 16
        for blocks in _STAGES:
            stage = nn.Sequential()
            for expanded, kernel, stride, c_out in blocks:
                stage.append(_InvertedResidual(c_in, expanded, kernel, stride, c_out))
                c_in = c_out
            self.stages.append(stage)
        self.top = nn.Sequential(_Conv(c_in, TOP_CHANNELS), _Conv(TOP_CHANNELS, TOP_CHANNELS, 3, groups=TOP_CHANNELS))
        for c in (*(stage[-1][-1] for stage in _STAGES[:-1]), TOP_CHANNELS):
            self.laterals.append(nn.Sequential(_Conv(c, c, 3, groups=c), _Conv(c, LATERAL_CHANNELS)))

    def forward(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        """Laterals (B, 48, H / s, W / s) at strides s of 4, 8, 16 and 32, and the top (B, 864, H / 32, W / 32)."""
        x, laterals = self.stem(image), []
        for stage, lateral in zip(self.stages[:-1], self.laterals[:-1], strict=True):
            x = stage(x)
            laterals.append(lateral(x))
        top = self.top(self.stages[-1](x))
        return [*laterals, self.laterals[-1](top)], top


def load_pretrained(trunk: Trunk) -> None:
    """Load BlazePose's weights in float32."""
    trunk.load_state_dict({key: value.float() for key, value in load_file(_FILE).items()}, strict=True)
