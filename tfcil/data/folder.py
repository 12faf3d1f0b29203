"""A folder of images as a data set: FOLDER/train/CLASS/IMAGE and FOLDER/test/CLASS/IMAGE."""

import importlib.util
from pathlib import Path

import numpy as np

from tfcil.data.images import read_image
from tfcil.data.splits import Dataset, Split
from tfcil.errors import UserError

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")


def open_folder(folder, train_split="train", test_split="test") -> Dataset:
    """Opens a folder of images; only the names of the files are read at once.

    A class may have folders in its folder. Labels and images follow the sorted names. Hidden files
    and files that are no images by their name are left out.

    Args:
        folder: the folder.
        train_split: name of the folder in it to learn from.
        test_split: likewise to evaluate on; where there is no folder `test`, `val` or `validation`
            takes its place.

    Raises:
        UserError: where a folder or a class is missing, or a class has no image.
    """
    if importlib.util.find_spec("PIL") is None:
        raise UserError(
            "dataset.name: image_folder needs Pillow: pip install pillow. "
            "Received: dataset.name=image_folder"
        )
    folder = Path(folder)
    others = ("val", "validation") if test_split == "test" else ()
    train = _classes(_find(folder, "train_split", train_split))
    test = _classes(_find(folder, "test_split", test_split, *others))
    for name in sorted(train.keys() ^ test.keys()):
        here, there = (train_split, test_split) if name in train else (test_split, train_split)
        raise UserError(
            f"dataset.path: expected each class in both splits, {name} is in {here} and not in "
            f"{there}. Received: dataset.path={folder}"
        )
    return Dataset(_split(train), _split(test), tuple(train))


def _find(folder, key, *names) -> Path:
    for name in names:
        if (folder / name).is_dir():
            return folder / name
    raise UserError(
        f"dataset.path: expected the folder {folder / names[0]} (dataset.{key}), with a folder of "
        f"images for each class. Received: dataset.path={folder}"
    )


def _classes(folder) -> dict[str, list[Path]]:
    """The image files of each class, all sorted by name."""
    paths = (path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    classes = {path.name: _images(path) for path in sorted(paths, key=lambda path: path.name)}
    empty = [name for name, files in classes.items() if not files]
    if empty or not classes:
        raise UserError(
            f"dataset.path: expected a folder for each class, with images in it "
            f"({', '.join(EXTENSIONS)}). Received: folder={folder.joinpath(*empty[:1])}"
        )
    return classes


def _images(folder) -> list[Path]:
    names = (path.relative_to(folder) for path in folder.rglob("*"))
    chosen = (
        name
        for name in names
        if name.suffix.lower() in EXTENSIONS and not any(part[0] == "." for part in name.parts)
    )
    return [folder / name for name in sorted(chosen, key=Path.as_posix)]


def _split(classes) -> Split:
    files = np.array([str(file) for files in classes.values() for file in files], object)
    labels = np.repeat(np.arange(len(classes)), [len(files) for files in classes.values()])
    return Split(labels, files.__getitem__, read_image)
