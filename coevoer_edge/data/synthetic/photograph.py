"""Camera effects: blur, exposure, colour, haze, noise, low resolution, JPEG.

In: pictures (B, 3, 256, 192), roughly in [0, 1]. Out: pictures of the same shape, float in [0, 1].
"""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from coevoer_edge.data.synthetic.background import H, W, pixel_grid, stacked
from coevoer_edge.data.synthetic.kinds import KERNEL_PX
from coevoer_edge.data.synthetic.scene import CameraLook

_NOISE_BITS = 20  # the noise of every picture is read from one fixed table of 2**20 normal numbers
_NOISE_STEPS = (1, 3, 5, 7, 11, 13, 17, 19)

# JPEG, ISO/IEC 10918-1 Annex K: luminance and chrominance quantisation at quality 50.
_LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    *(17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99),
    *(47, 66, 99, 99, 99, 99, 99, 99),
    *(99,) * 32,
)
_RGB_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
_YCC_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def photograph(pictures: Tensor, cameras: Sequence[CameraLook], seeds: Sequence[int]) -> Tensor:
    """Apply the camera effects to pictures (B, 3, H, W); the result is in [0, 1]."""
    device = pictures.device
    pictures = _exposed(_blurred(pictures, cameras), cameras)
    for size in (2, 3, 4):
        chosen = [i for i, camera in enumerate(cameras) if camera.low_resolution == size]
        if chosen:
            small = F.interpolate(pictures[chosen], size=(H // size, W // size), mode="area")
            pictures[chosen] = F.interpolate(small, size=(H, W), mode="bilinear", align_corners=False)
    pictures = (pictures + _noise(pictures, cameras, seeds)).clamp(0, 1)
    chosen = [i for i, camera in enumerate(cameras) if camera.jpeg_quality < 100]
    if chosen:
        pictures[chosen] = jpeg(pictures[chosen], stacked([cameras[i].jpeg_quality for i in chosen], device))
    return pictures


def _blurred(pictures: Tensor, cameras: Sequence[CameraLook]) -> Tensor:
    centre = KERNEL_PX // 2
    chosen = [i for i, camera in enumerate(cameras) if camera.kernel[centre, centre] != 1]
    if chosen:
        kernels = stacked([cameras[i].kernel for i in chosen], pictures.device)[:, None]  # n 1 k k
        padded = F.pad(pictures[chosen], (centre,) * 4, mode="replicate").transpose(0, 1)  # 3 n H W
        blurred = F.conv2d(padded, kernels, groups=len(chosen))
        pictures = pictures.clone()
        pictures[chosen] = blurred.transpose(0, 1)
    return pictures


def _exposed(pictures: Tensor, cameras: Sequence[CameraLook]) -> Tensor:
    """Apply haze, exposure towards the target mean, white balance, vignette, saturation, tone and contrast."""
    device = pictures.device
    x, y = pixel_grid(device)
    square = ((x - W / 2) ** 2 + (y - H / 2) ** 2)[:, None] / (H / 2) ** 2
    vignette = stacked([camera.vignette for camera in cameras], device)[:, None, None, None]
    haze = stacked([camera.haze for camera in cameras], device)[:, :, None, None]
    pictures = pictures + (haze[:, 1:] - pictures) * haze[:, :1]
    # Means are computed one by one, so that the result does not depend on the batch.
    mean = torch.stack([picture.mean() for picture in pictures]).clamp(min=0.04)
    wanted, share, gamma = stacked([camera.exposure for camera in cameras], device).unbind(1)
    gain = (wanted / mean) ** share
    balance = stacked([camera.balance for camera in cameras], device) * gain[:, None]
    pictures = (pictures * balance[:, :, None, None] / (1 + vignette * square)).clamp(min=0)
    grey = (pictures * pictures.new_tensor(_RGB_TO_YCC[0])[:, None, None]).sum(1, keepdim=True)
    pictures = (
        grey + (pictures - grey) * stacked([camera.saturation for camera in cameras], device)[:, None, None, None]
    )
    power = pictures.clamp(1e-4, 4) ** gamma[:, None, None, None]
    curved = pictures.clamp(0, 1)
    curved = curved * curved * (3 - 2 * curved) * 0.7 + curved * 0.3
    held_out = stacked([float(camera.tone == "s_curve") for camera in cameras], device)[:, None, None, None]
    pictures = torch.where(held_out > 0, curved, power)
    contrast = stacked([camera.contrast for camera in cameras], device)[:, None, None, None]
    pictures = 0.45 + (pictures - 0.45) * contrast
    return torch.where(pictures > 0.85, 0.85 + 0.15 * torch.tanh((pictures - 0.85) / 0.15), pictures)  # soft shoulder


@cache
def _noise_table(device: torch.device) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(1 << _NOISE_BITS, generator=generator).to(device)


def _noise(pictures: Tensor, cameras: Sequence[CameraLook], seeds: Sequence[int]) -> Tensor:
    """Shot noise, which grows with the square root of the light, and read noise; held out: row noise and grain."""
    device = pictures.device
    table = _noise_table(device)
    step = torch.tensor([_NOISE_STEPS[seed % len(_NOISE_STEPS)] for seed in seeds], device=device)
    start = torch.tensor([seed >> 3 for seed in seeds], device=device)
    count = 3 * H * W
    index = (start[:, None] + step[:, None] * torch.arange(count, device=device)) & (len(table) - 1)
    normal = table[index].view(-1, 3, H, W)
    shot, read, coarse = stacked([camera.noise for camera in cameras], device)[:, :, None, None, None].unbind(1)
    noise = normal * (shot**2 * pictures.clamp(0, 1) + read**2).sqrt()
    chosen = [i for i, camera in enumerate(cameras) if camera.noise_kind == "row_and_coarse"]
    if chosen:
        grain = F.interpolate(normal[chosen, :1, : H // 2, : W // 2], size=(H, W), mode="bilinear", align_corners=False)
        noise[chosen] = read[chosen] * normal[chosen, :1] + coarse[chosen] * (2 * grain + normal[chosen, :1, :, :1])
    return noise


@cache
def _cosines(device: torch.device) -> Tensor:
    """The orthonormal DCT-II matrix, (8, 8)."""
    n = torch.arange(8, dtype=torch.float64)
    matrix = torch.cos((2 * n[None] + 1) * n[:, None] * torch.pi / 16) / 2
    matrix[0] /= 2**0.5
    return matrix.float().to(device)


def jpeg(pictures: Tensor, quality: Tensor) -> Tensor:
    """Encode and decode (B, 3, H, W) in [0, 1] as JPEG with 4:2:0 chrominance; `quality` (B,) is from 1 to 100."""
    device = pictures.device
    ycc = torch.einsum("bchw,dc->bdhw", pictures * 255 - 128, _matrix(_RGB_TO_YCC, device))
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)[:, None, None, None, None, None] / 100
    luminance = _quantized(ycc[:, :1], scale, _LUMINANCE)
    chrominance = _quantized(F.avg_pool2d(ycc[:, 1:], 2), scale, _CHROMINANCE)
    chrominance = F.interpolate(chrominance, size=pictures.shape[2:], mode="nearest")
    ycc = torch.cat((luminance, chrominance), 1)
    return ((torch.einsum("bchw,dc->bdhw", ycc, _matrix(_YCC_TO_RGB, device)) + 128) / 255).clamp(0, 1)


def _matrix(rows: tuple[tuple[float, ...], ...], device: torch.device) -> Tensor:
    return torch.tensor(rows, device=device)


def _quantized(planes: Tensor, scale: Tensor, table: tuple[int, ...]) -> Tensor:
    """Round the cosine coefficients of each 8 x 8 block of (B, C, h, w) to multiples of the scaled table."""
    B, C, h, w = planes.shape
    cosines = _cosines(planes.device)
    blocks = planes.reshape(B, C, h // 8, 8, w // 8, 8).transpose(3, 4)  # B C h/8 w/8 8 8
    step = (planes.new_tensor(table).view(8, 8) * scale).round().clamp(1, 255)
    coefficients = ((cosines @ blocks @ cosines.T) / step).round() * step
    return (cosines.T @ coefficients @ cosines).transpose(3, 4).reshape(B, C, h, w)
