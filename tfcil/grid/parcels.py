"""Folders as values, for machines that share no disk."""

import os
import shutil
from pathlib import Path

from tfcil.files import write_atomically


def pack(folder, known=()) -> dict[Path, bytes | Path]:
    """Returns the files of a folder by their names in it.

    Args:
        folder: path of it.
        known: folders that whoever unpacks has at the same paths: a file that is a link to one of
            theirs is the path of that.

    Returns:
        Contents or path by relative path, without symbolic links.
    """
    links = {_inode(file): file for other in known for file in _files(other)}
    return {
        file.relative_to(folder): links.get(_inode(file)) or file.read_bytes()
        for file in _files(folder)
    }


def unpack(parcel, folder) -> None:
    """Writes what `pack` returned; the folder appears when everything is there."""
    with write_atomically(folder) as aside:
        for name, contents in parcel.items():
            target = aside / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(contents, bytes):
                target.write_bytes(contents)
            else:
                link(contents, target)


def link(source, target) -> None:
    """Makes a file a link to another, or a copy on file systems without links."""
    Path(target).unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _files(folder):
    found = sorted(Path(folder).rglob("*"))
    return [file for file in found if file.is_file() and not file.is_symlink()]


def _inode(file):
    facts = file.stat()
    return facts.st_dev, facts.st_ino
