"""Files that appear whole or not at all, with the same bytes for the same contents."""

import contextlib
import errno
import hashlib
import io
import json
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfcil.errors import UserError


@contextlib.contextmanager
def write_atomically(path: str | Path, goes_on: bool = False) -> Iterator[Path]:
    """Yields a temporary path beside `path` and renames it over `path` when the block succeeds.

    Args:
        path: the file or folder to write. Its parent is created where it is missing.
        goes_on: whether what a block has written stays when it fails, for the next one.

    Yields:
        A path with the same suffix in the same folder; the block writes a file or folder there.

    Raises:
        UserError: there is no room or no right to write; an old file at `path` stays as it was.
    """
    path = Path(path)
    # The suffix stays last: NumPy and Keras choose their format by it.
    aside = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not goes_on:
            _remove(aside)
        yield aside
        _flush(aside)
        if aside.is_dir():
            _remove(path)
        os.replace(aside, path)
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        raise UserError(
            f"Expected to be able to write there ({error}). Received: path={path}"
        ) from None
    finally:
        if not goes_on:
            with contextlib.suppress(OSError):
                _remove(aside)


# No room, no right, or another file at that path.
_CANNOT_WRITE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG),
}


def _flush(path: Path) -> None:
    """Waits until a file, or all files of a folder, are on the disk."""
    for file in [path] if path.is_file() else filter(Path.is_file, path.rglob("*")):
        with file.open("rb") as written:
            os.fsync(written.fileno())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: str | Path, value) -> None:
    """Writes `value` as JSON, one key and one row of numbers per line."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    # JSON strings have no raw line breaks, so this joins the lines of rows of numbers only.
    text = re.sub(r"\[[\s\d.,eE+-]+\]", lambda row: re.sub(r"\s*\n\s*", " ", row[0]), text)
    with write_atomically(path) as aside:
        aside.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | Path):
    """Reads a JSON file; a missing or damaged one is a `UserError` that names it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"Expected a readable JSON file ({error}). Received: path={path}") from None


def write_zip(path: str | Path, members: dict) -> None:
    """Writes an uncompressed zip archive whose bytes depend on names and contents alone.

    Args:
        path: the archive.
        members: from name to contents, a list of bytes or contiguous arrays.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name, parts in members.items():
            # A new ZipInfo has the date 1980-01-01; with the size known beforehand, all versions of
            # Python write the same header.
            about = zipfile.ZipInfo(name)
            about.file_size = sum(memoryview(part).nbytes for part in parts)
            with archive.open(about, "w") as member:
                for part in parts:
                    member.write(part)


def save_npz(path: str | Path, **arrays: np.ndarray) -> None:
    """Writes arrays to an uncompressed npz without pickles; equal arrays give equal bytes."""
    members = {}
    for name, array in arrays.items():
        array = np.asarray(array, order="C")
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, np.lib.format.header_data_from_array_1_0(array)
        )
        # A view, not a copy: an exemplar memory may have gigabytes.
        members[f"{name}.npy"] = [header.getvalue(), array.reshape(-1).view(np.uint8).data]
    with write_atomically(path) as aside:
        write_zip(aside, members)


def load_npz(path: str | Path, *keys: str) -> list[np.ndarray]:
    """Reads the named arrays of an npz; a missing or damaged one is a `UserError` that names it."""
    # np.load leaves a damaged file open if it opened the file itself.
    with (
        _readable(path, *keys),
        open(path, "rb") as file,
        np.load(file, allow_pickle=False) as stored,
    ):
        return [stored[key] for key in keys]


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Reads all arrays of an npz by their names; a missing or damaged one is a `UserError`."""
    with _readable(path), open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
        return dict(stored)


def map_npz(path: str | Path, key: str) -> np.ndarray:
    """Maps an array of an npz that `save_npz` wrote, after a check of all checksums.

    Returns:
        A memory map, of which only the accessed bytes are read; an array where it would be empty.

    Raises:
        UserError: the file is missing, damaged or compressed.
    """
    with _readable(path, key):
        with zipfile.ZipFile(path) as archive:
            member, damaged = archive.getinfo(f"{key}.npy"), archive.testzip()
        if damaged or member.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{damaged} has another checksum" if damaged else "it is compressed")
        with open(path, "rb") as file:
            file.seek(member.header_offset + 26)
            lengths = (int.from_bytes(file.read(2), "little") for _ in range(2))
            file.seek(sum(lengths), os.SEEK_CUR)
            np.lib.format.read_magic(file)
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            offset = file.tell()
        if dtype.hasobject:
            raise ValueError("it holds Python objects")
        if 0 in shape:
            return np.zeros(shape, dtype)
        return np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")


@contextlib.contextmanager
def _readable(path, *keys):
    """Turns every error of a missing or damaged npz into a `UserError`."""
    try:
        yield
    except _DAMAGED as error:
        named = ", ".join(keys) or "it was written with"
        raise UserError(
            f"Expected a readable npz file with the arrays {named} ({error}). Received: path={path}"
        ) from None


# A damaged archive raises any of these, depending on which byte is wrong.
_DAMAGED = (
    *(OSError, ValueError, TypeError, KeyError, EOFError, RuntimeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error),
)


def file_digest(path: str | Path) -> str:
    """Computes the SHA-256 of a file's bytes, as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(*arrays: np.ndarray) -> str:
    """Computes the SHA-256 of the shapes, dtypes and bytes of arrays, as hexadecimal digits."""
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()
