"""A data set of your images, in a folder or listed in a CSV file."""

import itertools
import os
from collections import Counter
from pathlib import Path

import numpy as np

from tfcil.console import image_progress
from tfcil.data.classes import choose
from tfcil.data.csv_file import list_csv
from tfcil.data.folder import EXTENSIONS, list_folder
from tfcil.data.held_out import held_out
from tfcil.data.images import UnusableImageError, check_image
from tfcil.data.listing import check_class_names, one_line
from tfcil.data.splits import OpenDataset, Split
from tfcil.data.threads import map_in_order
from tfcil.errors import UserError


def open_own_images(params, used, read) -> OpenDataset:
    """Opens a data set of files, and reads each file once to check it.

    Args:
        params: the section `dataset` of params.yaml, whose name is `folder`.
        used: function from the names of all classes to the classes that are used, whose files are
            read; `None`: all.
        read: function from the path of a file to its image.

    Raises:
        UserError: something is missing, an image cannot be used and `on_bad_image` is `error`, or a
            class has no image to train or to evaluate on.
    """
    names, files = _list(params)
    wanted = set(names if used is None else used(names))
    files = [file for file in files if file.class_name in wanted]
    # Before any image is read, which may take hours.
    _check_sides(files, wanted, lambda file: file.split, params)
    digests, problems = _survey(files)
    problems |= _of_two_classes(digests)
    digests = _usable(digests, problems, params)
    test = _test_files(digests, params.test_fraction)
    problems |= _of_both_splits(digests, test)
    digests = _usable(digests, problems, params)
    _check_sides(digests, wanted, lambda file: "test" if file in test else "train", params)
    label_of = {name: label for label, name in enumerate(names)}
    return OpenDataset(
        _split([file for file in digests if file not in test], label_of, read),
        _split([file for file in digests if file in test], label_of, read),
        names,
        tuple((file.path, file.class_name, problems[file]) for file in files if file in problems),
    )


def own_class_names(params) -> tuple[str, ...]:
    """Returns the names of the classes of a folder or a CSV file; opens no image."""
    return _list(params)[0]


def check_apart(params, outputs) -> None:
    """Refuses images that lie among the results of a run, which it replaces; follows links.

    Args:
        params: the section `dataset` of params.yaml.
        outputs: paths of the folders that a run replaces.

    Raises:
        UserError: one of the folders holds `dataset.path` or a file listed there, or lies in
            `dataset.path`.
    """
    if params.name != "folder":
        return
    output_at = {place: output for output in outputs for place in _places(output)}
    source = Path(params.path).expanduser()
    for place, output in output_at.items():
        if _places(source) & {*place.parents}:
            raise _among(source, output, params)
    for path in itertools.chain([source], (file.path for file in _list(params)[1])):
        for place in _places(path):
            if found := output_at.keys() & {place, *place.parents}:
                raise _among(path, output_at[found.pop()], params)


def _places(path) -> set[Path]:
    """Returns where a path lies, with its links as they are, and with all of them followed."""
    return {Path(os.path.abspath(path)), Path(os.path.realpath(path))}


def _among(path, output, params) -> UserError:
    return UserError(
        f"dataset.path: expected images apart from {one_line(output)}, which a run replaces; "
        f"{one_line(path)} is not. Move the images, such as to data/raw. "
        f"Received: dataset.path={one_line(params.path)}"
    )


def _list(params):
    """Returns the names of the classes, and all files."""
    source = Path(params.path).expanduser()
    if source.suffix.lower() == ".csv" and not source.is_dir():
        listing = list_csv(source)
    else:
        listing = list_folder(source, params.train_split, params.test_split)
    names = choose(listing.class_names, params.classes)
    check_class_names(names, params.path)
    return names, listing.files


def _check_sides(files, wanted, side_of, params) -> None:
    """Refuses a class that has no training or no test images, and none that may become some."""
    sides = Counter((file.class_name, side_of(file)) for file in files)
    given = {file.class_name for file in files if file.split}
    for name in sorted(wanted):
        train, test, anywhere = (sides[name, side] for side in ("train", "test", None))
        images = train + test + anywhere
        if (train and test) or (anywhere and images > 1):
            continue
        if not images:
            problem = f"images of every class ({', '.join(EXTENSIONS)}), {name} has none to use"
        elif name in given:
            here, there = ("train", "test") if train else ("test", "train")
            problem = f"each class in both splits, {name} is in {here} and not in {there}"
        else:
            problem = (
                f"two different images of each class at least, one of them to evaluate on; {name} "
                "has one"
            )
        raise UserError(
            f"dataset.path: expected {problem}. Received: dataset.path={one_line(params.path)}"
        )


def _survey(files):
    """Reads each file once; returns the digests of the images, and why others cannot be used."""

    def outcome_of(file):
        try:
            return check_image(file.path)
        except UnusableImageError as problem:
            return str(problem)

    digests, problems = {}, {}
    with image_progress("checking", len(files)) as step:
        for file, outcome in zip(files, map_in_order(outcome_of, files), strict=True):
            (problems if isinstance(outcome, str) else digests)[file] = outcome
            step()
    return digests, problems


def _of_two_classes(digests) -> dict:
    """Finds equal images in several classes: each file, and a text that names an equal one."""
    first, problems = {}, {}
    for file, digest in digests.items():
        other = first.setdefault(digest, file)
        if other.class_name != file.class_name:
            problems[file] = f"same image as {other.shown} of the class {other.class_name}"
    # Their equals in the first class may be the wrong ones.
    found = {digests[file]: file for file in problems}
    for file, digest in digests.items():
        if digest in found and file not in problems:
            other = found[digest]
            problems[file] = f"same image as {other.shown} of the class {other.class_name}"
    return problems


def _of_both_splits(digests, test) -> dict:
    """Finds training images that are test images, too: each file, and a text that names one."""
    tested = {digests[file]: file for file in digests if file in test}
    return {
        file: f"same image as {tested[digest].shown} in the test split"
        for file, digest in digests.items()
        if file not in test and digest in tested
    }


def _usable(digests, problems, params) -> dict:
    """Returns the images without problems; raises the problems where they are errors."""
    if problems and params.on_bad_image == "error":
        named = [
            f"{file.shown} of the class {file.class_name} ({problem})"
            for file, problem in itertools.islice(problems.items(), 5)
        ]
        if len(problems) > len(named):
            named.append(f"and {len(problems) - len(named)} more")
        raise UserError(
            f"dataset.on_bad_image: expected images that can all be used, {len(problems)} cannot: "
            f"{'; '.join(named)}. `skip` leaves them out. "
            f"Received: dataset.path={one_line(params.path)}, dataset.on_bad_image=error"
        )
    return {file: digest for file, digest in digests.items() if file not in problems}


def _test_files(digests, fraction) -> set:
    """Returns the files of the test split, and those without a split that are held out."""
    test = set()
    for _, of_class in itertools.groupby(digests, lambda file: file.class_name):
        files = list(of_class)
        # Equal images come to the same side.
        side_of = {digests[file]: file.split for file in files if file.split}
        free = [file for file in files if digests[file] not in side_of]
        sides = set(side_of.values())
        held = held_out([digests[one] for one in free], fraction, "train" in sides, "test" in sides)
        test.update(itertools.compress(free, held))
        test.update(file for file in files if (file.split or side_of.get(digests[file])) == "test")
    return test


def _split(files, label_of, read) -> Split:
    paths = np.array([file.path for file in files], object)
    labels = np.array([label_of[file.class_name] for file in files], np.int64)
    return Split(labels, paths.__getitem__, read)
