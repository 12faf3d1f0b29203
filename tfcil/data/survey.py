"""One look at every image file: which can be used, and which show the same as another."""

from tfcil.console import image_progress
from tfcil.data.images import UnusableImageError, check_image
from tfcil.data.splits import map_in_order


def survey(files):
    """Reads each file once, several at a time.

    Args:
        files: list of `ImageFile`.

    Returns:
        Two dictionaries, in the order of the files: the SHA-256 of the contents of each image, and
        of each file that is none the reason.
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
    """Finds the images that stand under several classes: each file, and which other it equals."""
    first, problems = {}, {}
    for file, digest in digests.items():
        other = first.setdefault(digest, file)
        if other.class_name != file.class_name:
            problems[file] = f"same image as {other.shown} of the class {other.class_name}"
    # What equals them in the first class is as doubtful.
    found = {digests[file]: file for file in problems}
    for file, digest in digests.items():
        if digest in found and file not in problems:
            other = found[digest]
            problems[file] = f"same image as {other.shown} of the class {other.class_name}"
    return problems


def of_both_splits(digests, test) -> dict:
    """Finds the training images that are test images as well.

    Args:
        digests: SHA-256 of each file.
        test: the files of the test split.

    Returns:
        The training files, and which test file each equals.
    """
    tested = {digests[file]: file for file in digests if file in test}
    return {
        file: f"same image as {tested[digest].shown} in the test split"
        for file, digest in digests.items()
        if file not in test and digest in tested
    }
