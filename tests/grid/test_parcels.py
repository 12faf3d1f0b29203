"""A folder is the same on another machine, and links to files of known ones do not travel."""

import os
from pathlib import Path

import pytest

from tfcil.errors import UserError
from tfcil.grid.parcels import pack, unpack


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, contents in {"data/a.npz": b"images", "run/models/00.keras": b"model"}.items():
        Path(name).parent.mkdir(parents=True)
        Path(name).write_bytes(contents)
    os.link("data/a.npz", "run/a.npz")
    Path("run/cache").symlink_to("/")


def test_files_come_back_by_their_contents():
    unpack(pack(Path("run")), "other/run")
    found = {str(path): path.read_bytes() for path in Path("other").rglob("*") if path.is_file()}
    assert found == {"other/run/a.npz": b"images", "other/run/models/00.keras": b"model"}
    assert not Path("other/run/a.npz").samefile("data/a.npz")


def test_links_to_a_known_folder_do_not_travel():
    parcel = pack(Path("run"), known=[Path("data")])
    assert parcel == {Path("a.npz"): Path("data/a.npz"), Path("models/00.keras"): b"model"}
    unpack(parcel, "other")
    assert Path("other/a.npz").samefile("data/a.npz")


def test_a_folder_that_cannot_be_written_is_told():
    Path("other").write_bytes(b"a file")
    with pytest.raises(UserError, match="Expected to be able to write there"):
        unpack(pack(Path("run")), Path("other") / "run")
    assert Path("other").read_bytes() == b"a file"
