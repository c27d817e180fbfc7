"""Behind the person and after it: backgrounds and what a camera does, for the default image set.

In: a random generator; three photographs and three textures of scikit-image. Out: pictures (256, 192, 3) in [0, 1],
and `photographed`, which makes the uint8 image of one.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from coevoer_edge import contract
from coevoer_edge.image import Pixels

Array = NDArray[np.float64]
Picture = NDArray[np.float64]  # H W 3 in [0, 1]

H, W = contract.IMAGE_HEIGHT_PX, contract.IMAGE_WIDTH_PX
PHOTOGRAPHS = ("coffee", "chelsea", "rocket")  # CC0, CC0, public domain
TEXTURES = ("brick", "grass", "gravel")  # CC0, grey: they get a colour


def muted(rng: Generator, colors: Array) -> Array:
    """Take part of the saturation out: most things are not vivid."""
    result: Array = colors + (colors.mean(-1, keepdims=True) - colors) * rng.uniform(0, 0.9)
    return result


def resized(picture: Picture, method: Image.Resampling = Image.Resampling.BICUBIC) -> Picture:
    """Any size to 256 x 192."""
    channels = [Image.fromarray(picture[..., c].astype(np.float32)).resize((W, H), method) for c in range(3)]
    return np.stack([np.asarray(channel, np.float64) for channel in channels], -1).clip(0, 1)


def draw_background(rng: Generator) -> Picture:
    """A gradient, noise, pattern, room, texture or part of a photograph."""
    kind = rng.choice(("gradient", "noise", "pattern", "room", "texture", "photo"), p=(0.12, 0.1, 0.13, 0.25, 0.1, 0.3))
    a, b = muted(rng, rng.uniform(0, 1, (2, 3)))
    if kind == "gradient":
        return resized(muted(rng, rng.uniform(0, 1, (2, 2, 3))), Image.Resampling.BILINEAR)
    if kind == "noise":
        grids = [resized(muted(rng, rng.uniform(0, 1, (n * 4, n * 3, 3)))) for n in (1, 2, 5, 12)]
        weights = rng.dirichlet(np.ones(4))
        return sum((w * g for w, g in zip(weights, grids, strict=True)), np.zeros((H, W, 3)))
    if kind == "pattern":
        angle, size = rng.uniform(0, np.pi), rng.uniform(5, 40)
        u = (np.arange(W) * np.cos(angle) + np.arange(H)[:, None] * np.sin(angle)) // size % 2
        v = (np.arange(H)[:, None] * np.cos(angle) - np.arange(W) * np.sin(angle)) // size % 2
        mix = (u if rng.random() < 0.5 else (u + v) % 2)[..., None]
        picture: Picture = a + (b - a) * mix
        return picture
    if kind == "room":
        return draw_room(rng)
    import skimage.data  # only here: it is no dependency of the package

    if kind == "texture":
        grey = getattr(skimage.data, str(rng.choice(TEXTURES)))() / 255.0
        photo = a * 0.3 + (0.7 * b + 0.3) * grey[..., None]
    else:
        photo = getattr(skimage.data, str(rng.choice(PHOTOGRAPHS)))() / 255.0
    height = int(rng.uniform(0.4, 1) * photo.shape[0])
    top, left = rng.integers(photo.shape[0] - height + 1), rng.integers(photo.shape[1] - height * 3 // 4 + 1)
    cut = photo[top : top + height, left : left + height * 3 // 4, :: rng.choice((1, 1, 1, -1))]
    return resized(cut[:, :: rng.choice((1, -1))] ** rng.uniform(0.7, 1.4))


def draw_room(rng: Generator) -> Picture:
    """Wall, floor and things on them: boxes lit from above, windows, frames."""
    picture = Image.new("RGB", (W, H), tuple(rng.integers(60, 245, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    corner, floor = rng.uniform(-0.2, 1.2) * W, rng.uniform(0.55, 1.1) * H
    slope = rng.uniform(-0.4, 0.4) * H
    shades = [tuple(rng.integers(20, 240, 3).tolist()) for _ in range(2)]
    draw.rectangle([corner, -1, 2 * W, H], fill=shades[0])
    draw.polygon([(-W, floor + slope), (corner, floor), (2 * W, floor + slope), (2 * W, 2 * H), (-W, 2 * H)], shades[1])
    for _ in range(rng.integers(2, 9)):
        width, height = rng.uniform(10, 90, 2)
        x, y = rng.uniform(-20, W), rng.uniform(-20, H)
        color = rng.integers(0, 256, 3)
        draw.rectangle([x, y, x + width, y + height], tuple(color.tolist()), tuple((color // 2).tolist()), 2)
        for i in range(int(rng.integers(0, 4))):  # shelves, panes
            draw.line([x, y + height * (i + 1) / 4, x + width, y + height * (i + 1) / 4], tuple((color // 3).tolist()))
    return muted(rng, np.asarray(picture) / 255.0) * np.linspace(1, rng.uniform(0.6, 1), H)[:, None, None]


def blurred(picture: Picture, radius_px: float) -> Picture:
    """Gaussian blur."""
    image = Image.fromarray((picture.clip(0, 1) * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius_px))) / 255.0


def photographed(rng: Generator, picture: Picture) -> Pixels:
    """Blur, exposure, contrast, colour cast, grey, noise."""
    if rng.random() < 0.25:
        picture = blurred(picture, rng.uniform(0.5, 2.0))
    if rng.random() < 0.1:
        picture = np.repeat(picture.mean(-1, keepdims=True), 3, -1)
    kind = rng.random()
    low, high = (0.07, 0.16) if kind < 0.12 else (0.65, 0.85) if kind < 0.24 else (0.3, 0.55)
    gain = rng.uniform(low, high) / max(picture.mean(), 0.04)
    gain = gain if kind < 0.24 else gain**0.6  # a camera's own exposure, which does not make up for all
    picture = (picture * gain * rng.normal(1, 0.03, 3)).clip(0, None) ** rng.uniform(0.8, 1.2)
    if rng.random() < 0.15:  # haze
        picture = picture * rng.uniform(0.4, 0.8) + rng.uniform(0.05, 0.3)
    picture = picture + rng.normal(0, rng.gamma(1.0, 0.008), picture.shape)
    return (picture.clip(0, 1) * 255).round().astype(np.uint8)
