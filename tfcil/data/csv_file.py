"""A CSV file of images, with the columns path, label and perhaps split."""

import csv
import os
from pathlib import Path

from tfcil.data.listing import ImageFile, Listing, name_problem, one_line
from tfcil.errors import UserError

_COLUMNS = ("path", "label", "split")


def list_csv(file) -> Listing:
    """Lists the images of a CSV file; opens none of them.

    Args:
        file: in UTF-8, with the columns `path`, absolute or relative to the folder of the CSV file;
            `label`, the name of the class; and optionally `split`: train, test or nothing. Other
            columns are ignored.

    Raises:
        UserError: names the file and the line with the mistake.
    """
    file = Path(file)
    try:
        # With or without the mark that spreadsheets put at the beginning.
        with file.open(encoding="utf-8-sig", newline="") as text:
            files = list(_rows(file, csv.reader(text, strict=True, skipinitialspace=True)))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"dataset.path: expected a CSV file in UTF-8 that can be read ({reason}). "
            f"Received: dataset.path={one_line(file)}"
        ) from None
    if not files:
        raise UserError(
            "dataset.path: expected at least one image below the header of the CSV file. "
            f"Received: dataset.path={one_line(file)}"
        )
    return Listing(
        tuple(sorted({one.class_name for one in files})),
        sorted(files, key=lambda one: (one.class_name, one.path)),
    )


def _rows(file, reader):
    """Yields the images in the order of the lines."""
    line_of = {}
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if any(header.count(name) != 1 for name in _COLUMNS[:2]) or header.count("split") > 1:
            raise _wrong(file, 1, "expected a header with path, label and perhaps split", header)
        for row in reader:
            if not any(map(str.strip, row)):
                continue
            if len(row) != len(header):
                problem = f"expected {len(header)} fields, as the header has"
                raise _wrong(file, reader.line_num, problem, row)
            image = _image(file, reader.line_num, dict(zip(header, row, strict=True)))
            first = line_of.setdefault(os.path.normpath(image.path), reader.line_num)
            if first != reader.line_num:
                problem = f"expected each file once, it is in line {first} already"
                raise _wrong(file, reader.line_num, problem, row)
            yield image
    except csv.Error as error:
        raise _wrong(file, reader.line_num, f"expected comma-separated values ({error})") from None


def _image(file, line, row) -> ImageFile:
    path, label, split = (row.get(name, "").strip() for name in _COLUMNS)
    if not path:
        raise _wrong(file, line, "expected the path of an image", row.values())
    if problem := name_problem(label):
        raise _wrong(file, line, f"expected a label, the name of a class; it {problem}", [label])
    if split not in ("train", "test", ""):
        raise _wrong(file, line, "expected split to be train, test or nothing", [split])
    whole = os.path.join(file.parent, path)  # an absolute path stays as it is
    return ImageFile(whole, label, split or None, f"{one_line(path)} (line {line})")


def _wrong(file, line, problem, received=()) -> UserError:
    shown = one_line(",".join(received))
    return UserError(
        f"dataset.path: {one_line(file)}, line {line}: {problem}. Received: {shown:.80}"
    )
