"""Read a PyTorch checkpoint as data, without running anything it contains and without torch.

A checkpoint is a zip file: `data.pkl`, a pickle that describes the objects, and one file per tensor. A pickle may name and
call any function, which makes `torch.load` of an untrusted file dangerous; `weights_only=True` still needs a list of classes
that may be built. Here *no* named class or function is imported: each is replaced by a `Shell` that only records its
arguments, and tensors become numpy arrays. A name that ultralytics does not write is refused.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from posture_daemon.errors import CheckpointRefused

Array = NDArray[Any]

STORAGE_TYPES = {
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",  # the upper half of a float32, see `_widened`
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "<?",
}

SHELL_MODULES = ("torch.nn.", "torchvision.transforms.", "ultralytics.")
SHELL_NAMES = frozenset(
    {
        "torch.device",
        "torch.Size",
        "numpy.dtype",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
        "_codecs.encode",
        "builtins.getattr",
        "__builtin__.getattr",
        *(f"{module}.{name}" for module in ("pathlib", "pathlib._local") for name in ("PosixPath", "WindowsPath")),
    }
)
PLAIN_TYPES = {"collections.OrderedDict": OrderedDict, "builtins.set": set, "__builtin__.set": set}


class Shell:
    """Placeholder for an object whose class is not imported: `origin` is the name of the class, `state` its attributes."""

    origin = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> Shell:
        """Remember the arguments instead of acting on them."""
        shell = super().__new__(cls)
        shell.args = args
        shell.state = {}
        return shell

    args: tuple[Any, ...]
    state: dict[str, Any]

    def __setstate__(self, state: Any) -> None:
        """Record the attributes of the object."""
        self.state = state if isinstance(state, dict) else {"state": state}


class _Storage(NamedTuple):
    dtype: str
    key: str


def read_archive(path: Path) -> dict[str, Any]:
    """Return the checkpoint's dictionary, with `Shell`s for objects and arrays for tensors.

    Raises `CheckpointRefused` with one sentence when the file is missing, is no checkpoint, is damaged or holds code.
    """
    if not path.is_file():
        what = "is a folder; give the .pt file" if path.is_dir() else "does not exist; check the path"
        raise CheckpointRefused(f"{path} {what}.")
    if not zipfile.is_zipfile(path):
        raise CheckpointRefused(
            f"{path} is not a PyTorch checkpoint, or it was cut off: it is no zip archive; copy it again."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            content = _read(path, archive)
    except CheckpointRefused:
        raise
    except Exception as error:  # a damaged file can fail anywhere in zipfile, pickle or numpy
        raise CheckpointRefused(f"{path} is damaged and cannot be read ({type(error).__name__}: {error}).") from error
    if not isinstance(content, dict):
        raise CheckpointRefused(
            f"{path} is a PyTorch file, but not a checkpoint of ultralytics, which posture-daemon needs."
        )
    return content


def _read(path: Path, archive: zipfile.ZipFile) -> Any:
    names = archive.namelist()
    pickles = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise CheckpointRefused(
            f"{path} is a zip archive, but not a PyTorch checkpoint; give the .pt file of a training."
        )
    if any("/code/" in name for name in names):
        raise CheckpointRefused(f"{path} is a TorchScript program, not a checkpoint; give the .pt file of a training.")
    root = pickles[0].removesuffix("data.pkl")
    if root + "byteorder" in names and archive.read(root + "byteorder") != b"little":
        raise CheckpointRefused(f"{path} was written on a big-endian machine, which is not supported.")
    with archive.open(pickles[0]) as stream:
        return _DataUnpickler(stream, path, archive, root).load()


class _DataUnpickler(pickle.Unpickler):
    """An unpickler that maps each name to a plain container, a tensor or a `Shell`, or refuses it."""

    def __init__(self, stream: BinaryIO | Any, path: Path, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(stream, encoding="utf-8")
        self._path, self._archive, self._root = path, archive, root
        self._storages: dict[str, Array] = {}
        self._shells: dict[str, type[Shell]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for `module.name`; nothing is ever imported."""
        full = f"{module}.{name}"
        if full in PLAIN_TYPES:
            return PLAIN_TYPES[full]
        if module == "torch" and name in STORAGE_TYPES:
            return name
        if full == "torch._utils._rebuild_tensor_v2":
            return self._tensor
        if full == "torch._utils._rebuild_parameter":
            return lambda array, *_: array
        if full in SHELL_NAMES or full.startswith(SHELL_MODULES):
            return self._shells.setdefault(full, type(name, (Shell,), {"origin": full}))
        raise CheckpointRefused(
            f"{self._path} is refused: it asks for {full}, which no weights need, so it may hold code (none was run)."
        )

    def persistent_load(self, pid: Any) -> _Storage:
        """Resolve a reference to a tensor's file."""
        kind, dtype, key, *_device_and_size = pid
        if kind != "storage":
            raise ValueError(f"unknown reference {kind!r}")
        return _Storage(dtype, str(key))

    def _tensor(
        self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
    ) -> Array:
        values = self._values(storage)
        if 0 in shape:
            return np.empty(shape, values.dtype)
        last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
        if offset < 0 or min(strides, default=0) < 0 or last >= values.size:
            raise ValueError("a tensor reaches outside its storage")
        in_bytes = tuple(stride * values.itemsize for stride in strides)
        return np.array(np.lib.stride_tricks.as_strided(values[offset:], shape, in_bytes, writeable=False))

    def _values(self, storage: _Storage) -> Array:
        if storage.key not in self._storages:
            data = self._archive.read(f"{self._root}data/{storage.key}")  # zipfile checks the CRC
            self._storages[storage.key] = _widened(np.frombuffer(data, STORAGE_TYPES[storage.dtype]), storage.dtype)
        return self._storages[storage.key]


def _widened(values: Array, dtype: str) -> Array:
    """Turn bfloat16, which numpy lacks, into float32; leave the rest."""
    return np.left_shift(values, 16, dtype="<u4").view("<f4") if dtype == "BFloat16Storage" else values
