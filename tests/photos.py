"""Colour photographs for tests: of Tiny ImageNet where it is at hand, otherwise drawn."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

STORED = Path(__file__).resolve().parents[2] / "shared/data/tiny_imagenet_100"


def photos(number):
    """Contents of JPEG files, of 64 x 64 pixels."""
    file = STORED / "tiny_imagenet_100_val.npz"
    if not file.exists():
        return [drawn(seed) for seed in range(number)]
    with np.load(file) as stored:
        jpeg, offset = stored["jpeg"], stored["offset"]
    # Each of another class: they are sorted by class.
    chosen = np.linspace(0, len(offset) - 2, number).astype(int)
    return [jpeg[offset[k] : offset[k + 1]].tobytes() for k in chosen]


def drawn(seed):
    """A picture of smooth blots of colour."""
    blots = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype="uint8")
    contents = io.BytesIO()
    Image.fromarray(blots).resize((64, 64), Image.Resampling.BICUBIC).save(contents, "jpeg")
    return contents.getvalue()


def pixels(contents, size=None):
    """The colours of an image file, (height, width, 3), brought to (width, height)."""
    picture = Image.open(io.BytesIO(contents)).convert("RGB")
    return np.asarray(picture.resize(size) if size else picture)
