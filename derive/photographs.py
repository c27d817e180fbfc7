"""Generate the background photographs again: `python -m derive.photographs`.

In: the sample images of scikit-image and scikit-learn (`pip install -e '.[derive]'`). Out: `photographs/*.jpg`, at most
640 px per side. Sources and licences, as stated in skimage/data/_fetchers.py and sklearn/datasets/images/README.txt:

    coffee    photograph by Rachel Michetti, CC0
    chelsea   photograph of a cat by Stefan van der Walt, CC0
    brick     CC0Textures, Bricks25, CC0
    grass     DeviantArt, grass texture, CC0 (see skimage.data.grass)
    gravel    CC0Textures, Gravel04, CC0
    rocket    photograph by SpaceX, released in the public domain
    hubble    Hubble deep field, NASA, public domain
    china     photograph by danielbuechele, CC BY 2.0, https://www.flickr.com/photos/danielbuechele/6061409035/
    flower    photograph by vultilion, CC BY 2.0, https://www.flickr.com/photos/vultilion/6056698931/
"""

from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).parents[1] / "coevoer_edge" / "data" / "synthetic" / "photographs"
SKIMAGE = {
    "coffee": "coffee",
    "chelsea": "chelsea",
    "brick": "brick",
    "grass": "grass",
    "gravel": "gravel",
    "rocket": "rocket",
    "hubble": "hubble_deep_field",
}
SKLEARN = ("china", "flower")
LONGEST_PX = 640


def main() -> None:
    """Write all photographs."""
    # Imported here because neither is a dependency of the package.
    import skimage.data
    from sklearn.datasets import load_sample_image

    FOLDER.mkdir(exist_ok=True)
    arrays = {name: getattr(skimage.data, function)() for name, function in SKIMAGE.items()}
    arrays |= {name: load_sample_image(f"{name}.jpg") for name in SKLEARN}
    for name, array in arrays.items():
        picture = Image.fromarray(np.asarray(array)).convert("RGB")
        picture.thumbnail((LONGEST_PX, LONGEST_PX), Image.Resampling.LANCZOS)
        picture.save(FOLDER / f"{name}.jpg", quality=82, optimize=True)
    print(f"{sum(path.stat().st_size for path in FOLDER.glob('*.jpg')) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
