"""Checks every image file: can it be used, and is it equal to another?"""

from tfcil.console import image_progress
from tfcil.data.images import UnusableImageError, check_image
from tfcil.data.splits import map_in_order


def survey(files):
    """Reads each `ImageFile` once, several at a time.

    Returns:
        Two dictionaries in the order of the files: the SHA-256 of each image file, and for the
        others why they cannot be used.
    """
    digests, problems = {}, {}
    with image_progress("checking", len(files)) as step:
        for file, outcome in zip(files, map_in_order(_outcome, files), strict=True):
            (problems if isinstance(outcome, str) else digests)[file] = outcome
            step()
    return digests, problems


def _outcome(file):
    try:
        return check_image(file.path)
    except UnusableImageError as problem:
        return str(problem)


def of_two_classes(digests) -> dict:
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


def of_both_splits(digests, test) -> dict:
    """Finds training images that are test images, too: each file, and a text that names one."""
    tested = {digests[file]: file for file in digests if file in test}
    return {
        file: f"same image as {tested[digest].shown} in the test split"
        for file, digest in digests.items()
        if file not in test and digest in tested
    }
