"""A folder of images: FOLDER/train/CLASS/IMAGE and FOLDER/test/CLASS/IMAGE, or FOLDER/CLASS/IMAGE.

Links to files are followed, links to folders are not: they may lead in circles.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from tfcil.data.listing import ImageFile, Listing, one_line
from tfcil.errors import UserError

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
_TEST_SPLITS = ("test", "val", "validation")


def images_below(folder, on_error=None) -> Iterator[str]:
    """Yields the paths of image files in a folder and its folders, without hidden ones.

    Names decide, in the order of the file system. `on_error` is called with the `OSError` of a
    folder that cannot be read; `None` skips such a folder.
    """
    for inside, folders, names in os.walk(folder, onerror=on_error):
        folders[:] = [name for name in folders if name[0] != "."]
        for name in names:
            if name[0] != "." and name.lower().endswith(EXTENSIONS):
                yield os.path.join(inside, name)


def list_folder(folder, train_split="train", test_split="test") -> Listing:
    """Lists the images of each class, also those in folders of a class's folder.

    `folder/train_split` and `folder/test_split` hold the folders of the classes. Without a folder
    `train` they lie in `folder` itself; without a folder `test` it is `val` or `validation`, and
    without any of them no image has a split.

    Raises:
        UserError: there is no such folder, or no class in it.
    """
    folder = Path(folder)
    classes, files = set(), []
    for name, split in _splits(folder, train_split, test_split).items():
        for class_name in _folders(folder / name):
            classes.add(class_name)
            for path in images_below(folder / name / class_name, _refuse):
                shown = one_line(Path(path).relative_to(folder).as_posix())
                files.append(ImageFile(path, class_name, split, shown))
    return Listing(
        tuple(sorted(classes)), sorted(files, key=lambda file: (file.class_name, file.shown))
    )


def _splits(folder, train_split, test_split) -> dict[str, str | None]:
    """Returns the folders that hold the folders of classes, and the split of each."""
    names = _folders(folder)
    test_names = _TEST_SPLITS if test_split == "test" else (test_split,)
    test = next((name for name in test_names if name in names), None)
    if train_split in names and _folders(folder / train_split):
        if test is None and test_split == "test":
            return {train_split: None}
        if test is None or not _folders(folder / test):
            raise _missing(folder, "test_split", test or test_split)
        return {train_split: "train", test: "test"}
    ends_here = train_split == "train" and set(names) - {"train", *_TEST_SPLITS}
    if not ends_here or (test and _folders(folder / test)):
        raise _missing(folder, "train_split", train_split)
    return {"": None}


def _missing(folder, key, name) -> UserError:
    return UserError(
        f"dataset.path: expected a folder of images for each class in {one_line(folder / name)} "
        f"(dataset.{key}), or for the default splits in the folder itself. "
        f"Received: dataset.path={one_line(folder)}"
    )


def _folders(folder) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name
                for entry in entries
                if entry.name[0] != "." and entry.is_dir(follow_symlinks=False)
            )
    except OSError as error:
        _refuse(error)


def _refuse(error):
    raise UserError(
        f"dataset.path: expected a folder that can be read ({error.strerror}). "
        f"Received: folder={one_line(error.filename)}"
    ) from None
