"""Write the sample clip of this app and its truth: one synthetic person who gestures at the distance of a desk.

In: two seeds. Out: `public/sample.webm` (640 x 480, VP9) and `tests/data/sample_truth.safetensors`: parameters,
translation and silhouette of a few of its frames, in the clip's own pinhole camera. Needs the package and PyAV:

    pip install -e '../..' av && python derive_sample_clip.py

The package renders 256 x 192 pictures, so each frame is rendered in tiles, each in front of a dark and a light wall.
The difference shows which share of a pixel the person covers. The person is then laid over one defocused room.
"""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor
from torch.nn import functional as F

from coevoer_edge import contract
from coevoer_edge.body.layer import PELVIS, BodyLayer, SmplxBatch, all_coefficients, all_rotations
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.data.synthetic.background import paint_backgrounds
from coevoer_edge.data.synthetic.gestures import Motion
from coevoer_edge.data.synthetic.look import Look, draw_look
from coevoer_edge.data.synthetic.picture import Painter

HERE = Path(__file__).parent
CLIP = HERE / "public" / "sample.webm"
TRUTH = HERE / "tests" / "data" / "sample_truth.safetensors"

MOTION_SEED, LOOK_SEED = 31, 108  # hands stay in the picture; plain clothes and a plain room
WIDTH_PX, HEIGHT_PX, FPS, SECONDS = 640, 480, 24, 6
FOCAL_PX = 620.0
PELVIS_M = np.array((0.0, 0.42, 1.8))  # in the camera frame: x right, y down, z into the scene
TRUTH_FRAMES = (12, 60, 108)
MASK_STEP = 4  # the silhouette has one sample in this many pixels
MAX_BYTES = 300_000
QUALITY = "36"  # VP9's constant quality: larger is smaller

_TILE_W, _TILE_H = contract.IMAGE_WIDTH_PX, contract.IMAGE_HEIGHT_PX
_WALLS = (0.1, 0.6)  # below the painter's highlights, which are not linear


def main() -> None:
    """Write both files."""
    torch.set_num_threads(1)
    body = BodyModel.open()
    painter, layer = Painter(body, torch.device("cpu")), BodyLayer(body)
    motion = Motion(np.random.default_rng(MOTION_SEED), SECONDS)
    look = _plain_camera(draw_look(np.random.default_rng(LOOK_SEED), "train"))
    room = _room(look)
    frames, truth = [], []
    for i in range(FPS * SECONDS):
        person = motion.at(i / FPS)
        vertices, translation = _posed(person, layer)
        color, cover = _painted(vertices, painter, look)
        picture = color + room * (1 - cover)
        frames.append((picture.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy())
        if i in TRUTH_FRAMES:
            truth.append((i, person, translation, cover[0] > 0.5))
    _write_clip(frames)
    _write_truth(truth)
    size = CLIP.stat().st_size
    print(f"{CLIP}: {len(frames)} frames, {size / 1000:.0f} kB; {TRUTH.stat().st_size / 1000:.0f} kB of truth")
    if size > MAX_BYTES:
        raise SystemExit(f"{CLIP} is larger than {MAX_BYTES} bytes; raise QUALITY.")


def _plain_camera(look: Look) -> Look:
    """The look without the camera's effects, which would differ from tile to tile, and without occluders."""
    kernel = np.zeros_like(look.camera.kernel)
    kernel[kernel.shape[0] // 2, kernel.shape[1] // 2] = 1
    camera = replace(
        look.camera,
        kernel=kernel,
        low_resolution=1,
        exposure=np.array((0.5, 0.0, 1.0)),
        balance=np.ones(3),
        contrast=1.0,
        saturation=1.0,
        haze=np.zeros(4),
        vignette=0.0,
        noise=np.zeros(3),
        tone="power",
        jpeg_quality=100,
    )
    return replace(look, camera=camera, occluder=replace(look.occluder, kind="none"))


def _room(look: Look) -> Tensor:
    """One of the package's rooms, out of focus, (3, H, W)."""
    background = replace(look.background, kind="room", blur=3)
    picture = paint_backgrounds([background], torch.device("cpu"))
    high = round(_TILE_W * HEIGHT_PX / WIDTH_PX)
    top = (_TILE_H - high) // 2
    part = picture[:, :, top : top + high]
    return 0.85 * F.interpolate(part, size=(HEIGHT_PX, WIDTH_PX), mode="bicubic", align_corners=False)[0].clamp(0, 1)


def _posed(person: SmplxParameters, layer: BodyLayer) -> tuple[Tensor, NDArray[np.float64]]:
    """Vertices (1, V, 3) in the camera frame, and the translation (3,) that moved them there."""
    tensors = SmplxBatch.of([person])
    with torch.no_grad():
        vertices, joints = layer(all_rotations(tensors), all_coefficients(tensors))
    translation = PELVIS_M - joints[0, PELVIS].numpy().astype(np.float64)
    return vertices + torch.from_numpy(translation).float(), translation


def _painted(vertices: Tensor, painter: Painter, look: Look) -> tuple[Tensor, Tensor]:
    """The person's premultiplied colour (3, H, W) and cover (1, H, W)."""
    color, cover = torch.zeros(3, HEIGHT_PX, WIDTH_PX), torch.zeros(1, HEIGHT_PX, WIDTH_PX)
    pixels = FOCAL_PX * vertices[0, :, :2] / vertices[0, :, 2:] + torch.tensor((WIDTH_PX / 2, HEIGHT_PX / 2))
    for top in range(0, HEIGHT_PX, _TILE_H):
        for left in range(0, WIDTH_PX, _TILE_W):
            corner = torch.tensor((float(left), float(top)))
            margin = 24  # px, hair and clothes
            inside = (pixels > corner - margin) & (pixels < corner + torch.tensor((_TILE_W, _TILE_H)) + margin)
            if not inside.all(1).any():
                continue
            principal = torch.tensor((WIDTH_PX / 2, HEIGHT_PX / 2)) - corner
            focal = torch.tensor((FOCAL_PX,))
            dark, light = (
                painter.paint(vertices, focal, principal[None], [_walled(look, wall)]).image[0] / 255 for wall in _WALLS
            )
            share = 1 - ((light - dark).mean(0, keepdim=True) / (_WALLS[1] - _WALLS[0])).clamp(0, 1)
            own = (dark - (1 - share) * _WALLS[0]).clamp(0, 1)
            high, wide = min(_TILE_H, HEIGHT_PX - top), min(_TILE_W, WIDTH_PX - left)
            color[:, top : top + high, left : left + wide] = own[:, :high, :wide]
            cover[:, top : top + high, left : left + wide] = share[:, :high, :wide]
    return color, cover


def _walled(look: Look, grey: float) -> Look:
    background = replace(look.background, kind="gradient", colors=np.full((4, 3), grey), blur=0)
    limbs = background.limbs.copy()
    limbs[:, 0] = 0.0
    return replace(look, background=replace(background, limbs=limbs))


def _write_clip(frames: list[NDArray[np.uint8]]) -> None:
    with av.open(str(CLIP), "w", options={"fflags": "+bitexact"}) as container:  # no random identifiers
        stream = container.add_stream("libvpx-vp9", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.options = {"crf": QUALITY, "b": "0", "cpu-used": "2", "threads": "1", "g": str(FPS * SECONDS)}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def _write_truth(truth: list[tuple[int, SmplxParameters, NDArray[np.float64], Tensor]]) -> None:
    people = [person for _, person, _, _ in truth]
    names = ("global_orient", "body_pose", "left_hand_pose", "right_hand_pose", "jaw_pose", "betas", "expression")
    tensors = {name: np.stack([getattr(person, name) for person in people]).astype(np.float32) for name in names}
    tensors["translation"] = np.stack([translation for _, _, translation, _ in truth])
    tensors["times_s"] = np.array([(i + 0.5) / FPS for i, _, _, _ in truth])  # the middle of each frame
    tensors["focal_px"] = np.array([FOCAL_PX])
    half = MASK_STEP // 2
    small = [mask[half::MASK_STEP, half::MASK_STEP].numpy() for _, _, _, mask in truth]
    tensors["silhouette"] = np.stack(small).astype(np.uint8)
    TRUTH.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, TRUTH)


if __name__ == "__main__":
    main()
