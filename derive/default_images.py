"""Generate the default image set again: `python -m derive.default_images`, from a checkout.

In: synthetic people with two seeds of their own, tests/data/astronaut.jpg. Out:
`default_set/{calibration,golden}/*.jpg`, 256 x 192 px. The golden images also include held-out looks and a photograph;
the calibration images have only looks of training.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from coevoer_edge.data.folder import DEFAULT_COUNTS, DEFAULT_SET, SetKind
from coevoer_edge.data.synthetic.people import SyntheticPeople
from coevoer_edge.pipeline.camera import Crop
from coevoer_edge.pipeline.image import Pixels, extract_crop, load_image

SEEDS: dict[SetKind, int] = {"calibration": 2, "golden": 3}
"""These differ from the seeds of the test split and of training (`data.sources`)."""

HELD_OUT = 32
"""Number of golden images, at the end, with looks that are not used in training."""

PORTRAIT = Path(__file__).parents[1] / "tests" / "data" / "astronaut.jpg"
PORTRAIT_CROPS = (
    Crop.whole_frame(512, 512),
    Crop.around((60, 10, 390, 450), scale=1.0),  # head to chest
    Crop.around((160, 40, 290, 220)),  # the face
    Crop.around((190, 130, 500, 500), scale=1.0),  # off-centre, head cut
)


def draw_images(kind: SetKind) -> Iterator[Pixels]:
    """Render the set's images in order, each (256, 192, 3)."""
    count = DEFAULT_COUNTS[kind]
    if kind == "golden":
        portrait = load_image(PORTRAIT)
        yield from (extract_crop(portrait, crop) for crop in PORTRAIT_CROPS)
        count -= len(PORTRAIT_CROPS) + HELD_OUT
    yield from _drawn(SyntheticPeople(SEEDS[kind]), count)
    if kind == "golden":
        yield from _drawn(SyntheticPeople(SEEDS[kind], "held_out"), HELD_OUT)


def _drawn(people: SyntheticPeople, count: int) -> Iterator[Pixels]:
    for index in range(count):
        yield people.batch([index]).image[0].permute(1, 2, 0).contiguous().numpy()


def main() -> None:
    """Write the whole set."""
    for kind in DEFAULT_COUNTS:
        folder = DEFAULT_SET / kind
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for index, pixels in enumerate(draw_images(kind)):
            Image.fromarray(pixels).save(folder / f"{index:03d}.jpg", quality=90, subsampling=0, optimize=True)
        files = list(folder.iterdir())
        print(f"{kind}: {len(files)} images, {sum(path.stat().st_size for path in files) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
