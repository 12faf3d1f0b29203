"""Classifies image files of any size with a trained model."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path

import numpy as np

from tfcil.classifier import num_classes, open_classifier
from tfcil.classifier.fused_batch_norm import fuse_batch_norm
from tfcil.data.folder import EXTENSIONS, images_below
from tfcil.data.images import read_image
from tfcil.data.pictures import resize
from tfcil.data.threads import map_in_order
from tfcil.errors import UserError
from tfcil.files import read_json

RESIZE = ("stretch", "crop")
BATCH_SIZE = 32


@dataclass(frozen=True)
class Classifier:
    """A trained model with the names of its classes.

    Args:
        model: a `keras.Model` from raw images of one size to logits.
        names: of the classes, in the order of the logits.
        resize: how images come to that size, as in training: `"stretch"` or `"crop"`.
    """

    model: object
    names: tuple[str, ...]
    resize: str = "stretch"

    @classmethod
    def open(cls, path) -> "Classifier":
        """Opens models/TASK.keras with models/TASK.json; without names, classes are numbers.

        Raises:
            UserError: tfcil did not train the model, or the names are not those of its classes.
        """
        path = Path(path)
        model = open_classifier(path)
        shape = getattr(model.input, "shape", (None,))
        if not num_classes(model) or None in shape[1:] or shape[-1] not in (1, 3):
            raise UserError(
                "Expected a classifier that tfcil trained: images of one size, grey or colour, in "
                f"and a logit for each class out. Received: path={path}"
            )
        described = path.with_suffix(".json")
        if not described.exists():
            return cls(model, tuple(str(number) for number in range(num_classes(model))))
        names, how = _read_names(described, num_classes(model))
        if how == "crop" and shape[1] != shape[2]:
            raise UserError(
                f"{described}: resize=crop makes square images, expected stretch for this model. "
                f"Received: images={shape[1]} x {shape[2]}"
            )
        return cls(model, names, how)

    def read(self, path) -> np.ndarray:
        """Reads an image file in the shape of the model's images, uint8."""
        return fitted(read_image(path), self.model.input.shape[1:], self.resize)

    def probabilities(self, images, batch_size=BATCH_SIZE) -> np.ndarray:
        """Computes the softmax of the logits, (n, classes) float64.

        Args:
            images: list of n images, as `read` returns them; `batch_size` at most.
            batch_size: a smaller batch is padded to this size, so that TensorFlow traces once.
        """
        if not images:
            return np.empty((0, len(self.names)))
        padding = np.zeros((batch_size - len(images), *images[0].shape), "uint8")
        logits = self._compiled.predict_on_batch(np.concatenate([images, padding]))[: len(images)]
        shares = np.exp(np.float64(logits) - logits.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    @cached_property
    def _compiled(self):
        model = fuse_batch_norm(self.model)
        model.compile(jit_compile=False)
        return model


def fitted(image, shape, how) -> np.ndarray:
    """Converts an image, (height, width, 3) uint8, to the shape of a model's images.

    `how` is `"stretch"`, or `"crop"` for square shapes; see `tfcil.data.pictures.resize`.
    """
    from PIL import Image

    height, width, channels = shape
    if channels == 1:
        image = np.asarray(Image.fromarray(image).convert("L"))[..., None]
    if how == "stretch" and image.shape[:2] == (height, width):
        return image
    if height == width:
        return resize(image, height, how)
    picture = Image.fromarray(image[..., 0] if channels == 1 else image)
    picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture).reshape(shape)


def predictions(classifier, paths, top=5) -> Iterator[dict]:
    """Classifies image files and all images in folders; only a few are in memory.

    Args:
        classifier: a `Classifier`.
        paths: of files and folders.
        top: how many classes to return, the most probable first.

    Returns:
        Iterator, in the order of `paths`: for each image `{"path": ..., "predictions": [{"class":
        ..., "probability": ...}, ...]}`; `{"path": ..., "error": ...}` for one that cannot be read
        and for a path without images.

    Raises:
        UserError: `top` is below 1.
    """
    if top < 1:
        raise UserError(f"--top: expected 1 or more. Received: top={top}")
    return _answers(classifier, list(chain.from_iterable(map(image_files, paths))), top)


def image_files(path) -> list[Path]:
    """Lists the images in a folder and its folders, sorted; without any, the path itself."""
    path = Path(path)
    return sorted(map(Path, images_below(path)), key=Path.as_posix) or [path]


def _answers(classifier, files, top):
    def read(path):
        try:
            return path, _read(classifier, path)
        except UserError as error:
            return path, error

    size = min(len(files), BATCH_SIZE)
    read_ahead = map_in_order(read, files)
    while batch := list(islice(read_ahead, size)):
        images = [image for _, image in batch if not isinstance(image, UserError)]
        probabilities = iter(classifier.probabilities(images, size))
        for path, image in batch:
            if isinstance(image, UserError):
                yield {"path": str(path), "error": str(image)}
            else:
                ranked = _ranked(classifier.names, next(probabilities), top)
                yield {"path": str(path), "predictions": ranked}


def _ranked(names, probabilities, top):
    best = np.argsort(-probabilities, kind="stable")[:top]
    return [{"class": names[k], "probability": round(float(probabilities[k]), 6)} for k in best]


def _read(classifier, path):
    if path.is_dir():
        raise UserError(f"Expected images ({', '.join(EXTENSIONS)}). Received: folder={path}")
    if not path.is_file():
        raise UserError(f"Expected an image file or a folder. Received: path={path}")
    return classifier.read(path)


def _read_names(path, number):
    described = read_json(path)
    described = described if isinstance(described, dict) else {}
    names, how = described.get("classes"), described.get("resize", "stretch")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"Expected the names of the classes in it. Received: path={path}")
    if len(names) != number:
        raise UserError(
            f"Expected a name for each of the model's {number} classes. "
            f"Received: {len(names)} in {path}"
        )
    if how not in RESIZE:
        raise UserError(f"{path}: expected one of {', '.join(RESIZE)}. Received: resize={how!r}")
    return tuple(names), how
