"""PyTorch checkpoints read without PyTorch: the right numbers, and no code of the file is run."""

import io
import os
import pickle
import sys
from collections import OrderedDict
from types import ModuleType

import numpy as np
import pytest

from tfcil.backbones.torch_checkpoint import read_tensors

MAGIC = 0x1950A86A20F9469CFC6C


class FloatStorage:
    """Stands in a pickle for `torch.FloatStorage`."""

    __module__, __qualname__ = "torch", "FloatStorage"


def rebuild(*arguments):
    """Stands in a pickle for `torch._utils._rebuild_tensor_v2`."""


rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"


class Tensor:
    """Is pickled as PyTorch pickles a tensor."""

    def __init__(self, key, offset, shape, strides):
        self.parts = (key, offset, shape, strides)

    def __reduce__(self):
        key, *others = self.parts
        return rebuild, (Key(key), *others, False, OrderedDict())


class Key(str):
    """A storage's key, which is pickled as a reference."""


class Writer(pickle.Pickler):
    def persistent_id(self, obj):
        return ("storage", FloatStorage, str(obj), "cpu", 6, None) if type(obj) is Key else None


@pytest.fixture
def written(monkeypatch):
    """Writes tensors and the numbers of their storages in the format before PyTorch 1.6."""
    for one in (FloatStorage, rebuild):
        monkeypatch.setitem(sys.modules, one.__module__, ModuleType(one.__module__))
        setattr(sys.modules[one.__module__], one.__qualname__, one)

    def written(tensors, storages, magic=MAGIC):
        file = io.BytesIO()
        for part in (magic, 1001, {"little_endian": True}, tensors, list(storages)):
            Writer(file, protocol=2).dump(part)
        for numbers in storages.values():
            file.write(np.int64(len(numbers)).tobytes() + numbers.astype("<f4").tobytes())
        return file.getvalue()

    return written


def test_tensors_are_views_of_their_storages(written):
    """As they lie, transposed, shifted, of no dimension, and two of one storage."""
    tensors = OrderedDict(
        plain=Tensor("a", 0, (2, 3), (3, 1)),
        transposed=Tensor("a", 0, (3, 2), (1, 3)),
        shifted=Tensor("b", 4, (2,), (1,)),
        scalar=Tensor("b", 1, (), ()),
    )
    received = read_tensors(written(tensors, {"a": np.arange(6), "b": np.arange(10, 16)}))
    assert list(received) == ["plain", "transposed", "shifted", "scalar"]
    assert received["plain"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert received["transposed"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert received["shifted"].tolist() == [14, 15]
    assert received["scalar"] == 11
    assert {one.dtype for one in received.values()} == {np.dtype("float32")}


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_code_of_the_file_is_not_run(written, tmp_path):
    contents = written({"weight": Malicious(str(tmp_path / "made"))}, {})
    with pytest.raises(pickle.UnpicklingError, match="mkdir is no part of a tensor"):
        read_tensors(contents)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(0, (7,), (1,)), (5, (2,), (1,)), (0, (2, 3), (4, 1)), (-1, (2,), (1,)), (5, (2,), (-1,))],
)
def test_no_number_outside_the_storage_is_read(written, offset, shape, strides):
    contents = written({"weight": Tensor("a", offset, shape, strides)}, {"a": np.arange(6)})
    with pytest.raises(pickle.UnpicklingError, match="leaves its storage of 6 numbers"):
        read_tensors(contents)


def test_another_format_is_refused(written):
    with pytest.raises(pickle.UnpicklingError, match=r"format before 1\.6"):
        read_tensors(written({}, {}, magic=1))
