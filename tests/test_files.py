"""Files appear whole or not at all, and equal contents have equal bytes."""

import os
import time

import numpy as np
import pytest

from tfcil.errors import UserError
from tfcil.files import digest, load_npz, read_json, save_npz, write_atomically, write_json


def test_failed_write_leaves_the_old_file_and_nothing_aside(tmp_path):
    path = tmp_path / "out" / "a.txt"
    with write_atomically(path) as aside:
        aside.write_text("first")

    def fail():
        with write_atomically(path) as aside:
            aside.write_text("half of the sec")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "first"
    assert os.listdir(path.parent) == ["a.txt"]


def test_folder_is_replaced_as_a_whole(tmp_path):
    for name in ("old", "new"):
        with write_atomically(tmp_path / "folder") as aside:
            aside.mkdir()
            (aside / name).write_text(name)
    assert os.listdir(tmp_path / "folder") == ["new"]
    assert os.listdir(tmp_path) == ["folder"]


def test_npz_bytes_do_not_depend_on_the_time(tmp_path):
    arrays = {"a": np.arange(6).reshape(2, 3), "b": np.zeros(0, "float32")}
    save_npz(tmp_path / "1.npz", **arrays)
    time.sleep(2.1)  # zip archives count time in steps of two seconds
    save_npz(tmp_path / "2.npz", **arrays)
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "text", "missing", "key"])
def test_damaged_npz_is_told_in_one_line_with_its_path(tmp_path, damage):
    path = tmp_path / "memory.npz"
    save_npz(path, images=np.arange(1000))
    contents = bytearray(path.read_bytes())
    contents[300] ^= 1
    broken = {"truncate": path.read_bytes()[:500], "flip": contents, "empty": b"", "text": b"hello"}
    if damage in broken:
        path.write_bytes(broken[damage])
    if damage == "missing":
        path.unlink()
    with pytest.raises(UserError, match=r"memory\.npz") as told:
        load_npz(path, "labels" if damage == "key" else "images")
    assert "\n" not in str(told.value)


def test_pickles_are_never_opened(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, images=np.array([{"a": 1}], dtype=object))
    with pytest.raises(UserError, match="evil"):
        load_npz(path, "images")


def test_json_keeps_rows_of_numbers_on_one_line(tmp_path):
    value = {"name": "a\n[1,\n2]", "matrix": [[1, 2], [3.5, -4e-3]], "none": None, "empty": []}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    assert "[ 3.5, -0.004 ]" in (tmp_path / "a.json").read_text()


def test_digest_tells_shape_dtype_and_contents_apart():
    a = np.arange(6, dtype="uint8")
    variants = [a, a.reshape(2, 3), a.astype("int8"), a[::-1]]
    assert len({digest(one) for one in variants}) == 4
    assert digest(a) == digest(a.copy())
