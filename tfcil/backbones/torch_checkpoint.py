"""Reads the tensors of a PyTorch checkpoint without PyTorch; none of the file's code is run.

The format is the one before PyTorch 1.6: five pickles (a magic number, a version, facts of the
machine, the tensors, the keys of their storages), then the bytes of each storage behind its length.
"""

import io
import pickle
from collections import OrderedDict
from typing import NamedTuple

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(contents: bytes) -> dict[str, np.ndarray]:
    """Reads a checkpoint that holds a dictionary of tensors and nothing else.

    Args:
        contents: of the file.

    Returns:
        Arrays by the names of the tensors, float32 or int64.

    Raises:
        pickle.UnpicklingError: the file is of another format, or names any other type or function.
    """
    file = io.BytesIO(contents)
    magic, _version, _machine, tensors, keys = (_Unpickler(file).load() for _ in range(5))
    if magic != _MAGIC:
        raise pickle.UnpicklingError("expected a PyTorch checkpoint of the format before 1.6")
    dtypes = {one.storage.key: one.storage.dtype for one in tensors.values()}
    storages = {key: _read_storage(file, dtypes[key]) for key in keys}
    return {name: _array(one, storages[one.storage.key]) for name, one in tensors.items()}


class _Unpickler(pickle.Unpickler):
    """Unpickles dictionaries, numbers, strings and references to tensors; refuses the rest."""

    def find_class(self, module, name):
        try:
            return _ALLOWED[f"{module}.{name}"]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a tensor") from None

    def persistent_load(self, pid):
        _, dtype, key, *_ = pid
        return _Storage(key, dtype)


def _tensor(storage, offset, shape, strides, *_gradient):
    return _Tensor(storage, offset, shape, strides)


_ALLOWED = {
    "collections.OrderedDict": OrderedDict,
    "torch.FloatStorage": np.dtype("<f4"),
    "torch.LongStorage": np.dtype("<i8"),
    "torch._utils._rebuild_tensor_v2": _tensor,
}


def _read_storage(file, dtype):
    (length,) = np.frombuffer(file.read(8), "<i8")
    return np.frombuffer(file.read(int(length) * dtype.itemsize), dtype)


def _array(tensor, storage):
    steps = list(zip(tensor.shape, tensor.strides, strict=True))
    last = tensor.offset + sum((length - 1) * stride for length, stride in steps)
    is_inside = 0 <= tensor.offset <= last < len(storage)
    # NumPy reads whatever memory the strides lead to.
    if not is_inside or min((min(step) for step in steps), default=0) < 0:
        raise pickle.UnpicklingError(f"{tensor} leaves its storage of {len(storage)} numbers")
    strides = [stride * storage.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides)
