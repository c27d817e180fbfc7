"""Draw the default image set again: `python -m coevoer_edge.data.derive_default_set`, from a checkout.

In: the person (derive_person) and the background (derive_background), the renderer, tests/data/astronaut.jpg.
Out: `default_set/{calibration,golden}/*.jpg`, 256 x 192 px. Each image has its own seed, so one can be
drawn alone. scikit-image is needed to draw the set only, not to use it.
"""

import shutil
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from PIL import Image

from coevoer_edge.body.joints import BODY_JOINT_NAMES, JOINT_NAMES
from coevoer_edge.camera import Crop, PinholeCamera
from coevoer_edge.data.derive_background import H, Picture, W, blurred, draw_background, photographed
from coevoer_edge.data.derive_person import BODY, REGIONS, draw_colors, draw_pose, is_free, sphere
from coevoer_edge.data.folder import DEFAULT_COUNTS, DEFAULT_SET, Kind
from coevoer_edge.image import Pixels, extract_crop, load_image
from coevoer_edge.parameters import SmplxParameters
from coevoer_edge.render import Lights, interpolate, rasterize, shade, vertex_normals

SAMPLES = 2  # a side, per pixel
SEEDS: dict[Kind, int] = {"calibration": 1, "golden": 2}
PORTRAIT = Path(__file__).parents[2] / "tests" / "data" / "astronaut.jpg"
PORTRAIT_CROPS = (
    Crop.whole_frame(512, 512),
    Crop.around((60, 10, 390, 450), scale=1.0),  # head to chest
    Crop.around((160, 40, 290, 220)),  # the face
    Crop.around((190, 130, 500, 500), scale=1.0),  # off-centre, head cut
)
HEAD = JOINT_NAMES.index("head")
VIEWS = (("neck", 0.55, 0.9), ("spine3", 0.9, 1.2), ("spine2", 1.15, 1.7))  # at the centre; m seen from top to bottom


def draw_person(rng: Generator, background: Picture) -> Picture:
    """A person in front of the background."""
    model = BODY
    while not is_free(parameters := draw_pose(rng), body := model.pose(parameters)):
        pass
    faces, rest = model.faces.astype(np.int64), model.pose(SmplxParameters.rest()).vertices
    region = np.asarray(model.extras["region"])
    scalp = (region == REGIONS.index("scalp")).astype(np.float64)[:, None]
    normals = vertex_normals(torch.from_numpy(body.vertices)[None], torch.from_numpy(faces))[0].numpy()
    vertices = body.vertices + normals * scalp * rng.uniform(0.002, 0.018)
    if rng.random() < 0.4:  # long hair: an ellipsoid behind the head
        chain = [BODY_JOINT_NAMES.index(name) - 1 for name in ("spine1", "spine2", "spine3", "neck", "head")]
        world = np.linalg.multi_dot([parameters.global_orient[0], *parameters.body_pose[chain]])
        ball, ball_faces = sphere()
        radii = rng.uniform((0.085, 0.12, 0.065), (0.105, 0.18, 0.08))
        placed = ball * radii + (0, 0.155 - radii[1], -0.035)  # from the head joint
        vertices = np.concatenate((vertices, body.joints[HEAD] + placed @ world.T))
        faces = np.concatenate((faces, ball_faces + len(rest)))
        rest = np.concatenate((rest, np.tile(rest[scalp[:, 0] > 0].mean(0), (len(ball), 1))))
        region = np.concatenate((region, np.full(len(ball), REGIONS.index("scalp"))))
    anchor, low_m, high_m = VIEWS[rng.integers(len(VIEWS))]
    height_m, distance_m = rng.uniform(low_m, high_m), np.exp(rng.uniform(np.log(1.1), np.log(6)))
    away = rng.normal(0, 0.07, 2) if rng.random() < 0.75 else rng.normal(0, 0.2, 2)
    vertices = vertices - body.joints[JOINT_NAMES.index(anchor)] + (*(away * height_m), distance_m)
    camera = PinholeCamera(H * SAMPLES * distance_m / height_m, (W * SAMPLES / 2, H * SAMPLES / 2))
    points = np.concatenate((camera.project(vertices), vertices[:, 2:]), 1)
    mesh = torch.from_numpy(faces)
    fragments = rasterize(torch.from_numpy(points).float()[None], mesh, H * SAMPLES, W * SAMPLES, cull_backfaces=True)
    normal = vertex_normals(torch.from_numpy(vertices).float()[None], mesh)
    light = shade(fragments, mesh, normal, torch.ones_like(normal), draw_lights(rng))[0].numpy()
    shares = np.eye(len(REGIONS))[region]  # V 12
    place = interpolate(fragments, mesh, torch.from_numpy(np.concatenate((rest, shares), 1))[None])[0].numpy()
    person = light * draw_colors(rng, place[..., :3], place[..., 3:])
    layer = np.concatenate((person, fragments.mask[0, ..., None].numpy()), -1)
    layer = layer.reshape(H, SAMPLES, W, SAMPLES, 4).mean((1, 3))
    picture: Picture = background * (1 - layer[..., 3:]) + layer[..., :3]
    return picture


def draw_lights(rng: Generator) -> Lights:
    """Two lights, one of them before the person, and an even one; colours from candle to sky."""
    tint = 1 + rng.uniform(-0.25, 0.25, (3, 1)) * ((1.0, 0.1, -1.0),) + rng.normal(0, 0.04, (3, 3))
    towards = rng.normal(0, 1, (2, 3))
    towards[0] = (towards[0, 0], -abs(towards[0, 1]) * 0.7, -abs(towards[0, 2]) - 0.4)
    strength = rng.uniform((0.35, 0, 0.15), (0.85, 0.4, 0.5))[:, None]
    lit = torch.from_numpy(tint * strength).float()
    return Lights(torch.from_numpy(towards).float(), lit[:2], lit[2])


def draw_image(kind: Kind, index: int) -> Pixels:
    """One image of the set, (256, 192, 3)."""
    if kind == "golden" and index < len(PORTRAIT_CROPS):
        return extract_crop(load_image(PORTRAIT), PORTRAIT_CROPS[index])
    rng = np.random.default_rng((SEEDS[kind], index))
    picture = draw_background(rng)
    if rng.random() < 0.5:
        picture = blurred(picture, rng.uniform(0.5, 5))
    if index % 10 != 9:
        picture = draw_person(rng, picture)
    if rng.random() < 0.1:  # a desk or a screen before the person
        picture[int(rng.uniform(0.7, 0.92) * H) :, int(rng.uniform(-0.4, 0.4) * W) % W :] = rng.uniform(0, 1, 3)
    return photographed(rng, picture)


def main() -> None:
    """Write the whole set."""
    for kind, count in DEFAULT_COUNTS.items():
        folder = DEFAULT_SET / kind
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for index in range(count):
            image = Image.fromarray(draw_image(kind, index))
            image.save(folder / f"{index:03d}.jpg", quality=90, subsampling=0, optimize=True)
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{kind}: {count} images, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
