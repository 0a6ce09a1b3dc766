"""Reading files of `torch.save` without torch, and safely.

Such a file is a pickle: a program that rebuilds objects by calling the functions that it names, so
`pickle.load` runs arbitrary code of whoever wrote the file. This reader only allows the functions
that rebuild tensors, and refuses a file that names any other.
"""

import collections
import io
import math
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

import ml_dtypes
import numpy as np

from seq2seq_jax.utils.archives import check_unpacked_size, one_line, one_line_errors
from seq2seq_jax.utils.errors import UserError

_DTYPES = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
_OLD_MAGIC = 0x1950A86A20F9469CFC6C  # The first object in files of torch before 1.6.


class _Storage(NamedTuple):
    """A reference to numbers elsewhere in the file."""

    key: str
    dtype: np.dtype
    size: int


class _Tensor(NamedTuple):
    """A view of a storage; offset and strides are in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch_file(path: str) -> Any:
    """Return the saved object, with arrays instead of tensors.

    Args:
      path: A file that `torch.save` wrote.

    Raises:
      UserError: There is no such file, it is damaged, or it contains more than tensors.
    """
    with one_line_errors(path, "is damaged, or was not written by torch.save"):
        try:
            if zipfile.is_zipfile(path):
                return _read_archive(path)
            with open(path, "rb") as file:
                return _read_old(file)
        except pickle.UnpicklingError as error:
            raise UserError(path, f"is not a file of plain tensors: {one_line(error)}") from error


def _read_archive(path: str) -> Any:
    with zipfile.ZipFile(path) as archive:
        check_unpacked_size(archive, Path(path))
        root = next(
            name.removesuffix("data.pkl")
            for name in [*archive.namelist(), "data.pkl"]
            if name.endswith("data.pkl")
        )
        if f"{root}byteorder" in archive.namelist():
            order = archive.read(f"{root}byteorder")
            if order != b"little":
                raise pickle.UnpicklingError(f"its byte order is {order.decode()}")
        content = _Unpickler(io.BytesIO(archive.read(f"{root}data.pkl"))).load()
        return _to_arrays(content, lambda storage: archive.read(f"{root}data/{storage.key}"))


def _read_old(file: IO[bytes]) -> Any:
    if _Unpickler(file).load() != _OLD_MAGIC:
        raise pickle.UnpicklingError("it was not written by torch.save")
    _Unpickler(file).load()  # The version of the format.
    _Unpickler(file).load()  # A description of the machine.
    unpickler = _Unpickler(file)
    content = unpickler.load()
    data = {}
    for key in _Unpickler(file).load():
        storage = unpickler.storages[key]
        (size,) = struct.unpack("<q", file.read(8))
        if size != storage.size:
            raise pickle.UnpicklingError(f"storage {key} has {size} numbers, not {storage.size}")
        data[key] = file.read(size * storage.dtype.itemsize)
    return _to_arrays(content, lambda storage: data[storage.key])


class _Unpickler(pickle.Unpickler):
    """An unpickler that only rebuilds tensors."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> object:  # terms: ok
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _rebuild_parameter
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(
            f"it names {module}.{name}, which could run any code;"
            " use a file of torch.save(model.state_dict(), FILE)"
        )

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, size = pid[:5]
        if kind != "storage" or (len(pid) > 5 and pid[5] is not None):
            raise pickle.UnpicklingError(f"it refers to a {kind} of an unknown kind")
        storage = _Storage(str(key), dtype, size)
        self.storages[storage.key] = storage
        return storage


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(tensor: _Tensor, *_: object) -> _Tensor:
    return tensor


def _to_arrays(content: object, read: Callable[[_Storage], bytes]) -> Any:
    if isinstance(content, _Tensor):
        return _array(content, read(content.storage))
    if isinstance(content, dict):
        return {key: _to_arrays(value, read) for key, value in content.items()}
    if isinstance(content, list):
        return [_to_arrays(value, read) for value in content]
    return content


def _array(tensor: _Tensor, data: bytes) -> np.ndarray:
    numbers = np.frombuffer(data, tensor.storage.dtype)
    last = tensor.offset + sum(
        (n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    is_empty = 0 in tensor.shape
    smallest = min((tensor.offset, *tensor.shape, *tensor.strides))
    if smallest < 0 or (not is_empty and last >= len(numbers)):
        raise pickle.UnpicklingError(f"a tensor reaches beyond its storage {tensor.storage.key}")
    if math.prod(tensor.shape) > len(numbers):
        raise pickle.UnpicklingError(f"a tensor is larger than its storage {tensor.storage.key}")
    byte_strides = [stride * numbers.itemsize for stride in tensor.strides]
    numbers = numbers[tensor.offset :]
    return np.lib.stride_tricks.as_strided(
        numbers, tensor.shape, byte_strides, writeable=False
    ).copy()
