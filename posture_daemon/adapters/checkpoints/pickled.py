"""The pickle inside a checkpoint, read as data: no class or function that it names is ever imported.

A pickle may name and call any function, which makes `torch.load` of an untrusted file dangerous; `weights_only=True` still
needs a list of classes that may be built. Here each name is replaced by a `Shell` that only records its arguments, and a tensor
by a `StoredTensor` that says where its numbers lie, so that nothing is read before somebody asks for it. A name that neither
PyTorch's layers nor ultralytics write is refused.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from posture_daemon.errors import CheckpointRefused

STORAGE_TYPES = {
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",  # the upper half of a float32, widened where it is read
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "<?",
}
OTHER_STORAGE = "UntypedStorage"
OTHER_STORAGES = (OTHER_STORAGE, "ComplexFloatStorage", "ComplexDoubleStorage")
"""Of the types that no weight of ours has: allowed where nobody asks for the numbers."""

MOST_DIMENSIONS = 16
LONGEST_NAME = 100
"""Characters of a name that are told."""

SHELL_MODULES = ("torch.nn.", "torch.optim.", "torch._dynamo.", "torchvision.transforms.", "ultralytics.")
NUMPY_NAMES = ("core.multiarray.scalar", "core.multiarray._reconstruct", "core.numeric._frombuffer", "dtype", "ndarray")
DTYPES = (
    *("float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"),
    *("float8_e4m3fn", "float8_e5m2", "complex64", "complex128", "uint16", "uint32", "uint64"),
)
PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
MADE_ANEW = ("int", "float", "bool", "str", "bytes", "list", "tuple", "dict", "object", "unicode", "long")
"""What a `defaultdict` puts where it has nothing."""

SHELL_NAMES = frozenset(
    {
        "torch.device",
        "torch.Size",
        *(f"torch.{name}" for name in DTYPES),
        "torch.serialization._get_layout",
        *(f"numpy.{name}" for name in NUMPY_NAMES),
        *(f"numpy._{name}" for name in NUMPY_NAMES if name.startswith("core")),
        "_codecs.encode",
        "builtins.getattr",
        "__builtin__.getattr",
        "argparse.Namespace",
        "types.SimpleNamespace",
        *(f"datetime.{name}" for name in ("datetime", "date", "time", "timedelta", "timezone")),
        "decimal.Decimal",
        "uuid.UUID",
        *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in MADE_ANEW),
        *(f"{module}.{name}" for module in ("pathlib", "pathlib._local") for name in PATHS),
    }
)


def _dictionary(*given: Any) -> dict[Any, Any]:
    """For those that know more than a dictionary does: a `Counter` with its counts, a `defaultdict` that is filled later."""
    return dict(given[0]) if given and isinstance(given[0], dict) else {}


def _row(items: Any = (), *_: Any) -> list[Any]:
    return list(items)


PLAIN_TYPES: Mapping[str, Any] = {
    "collections.OrderedDict": OrderedDict,
    "collections.defaultdict": _dictionary,
    "collections.Counter": _dictionary,
    "collections.deque": _row,
    "builtins.set": set,
    "__builtin__.set": set,
    "builtins.frozenset": frozenset,
    "__builtin__.frozenset": frozenset,
}

FAMILIES = {
    "models.": "a checkpoint of YOLOv5 or YOLOv7",
    "torchvision.": "a network of torchvision",
    "timm.": "a network of timm",
    "transformers.": "a network of transformers",
    "fastai.": "a learner of fastai",
    "pytorch_lightning.": "a checkpoint of PyTorch Lightning",
    "lightning.": "a checkpoint of PyTorch Lightning",
    "mmengine.": "a checkpoint of OpenMMLab",
    "sklearn.": "a model of scikit-learn",
    "super_gradients.": "a network of SuperGradients",
    "yolox.": "a checkpoint of YOLOX",
    "torch._utils._rebuild_qtensor": "a quantised network",
    "torch.ao.": "a quantised network",
    "torch.ScriptObject": "a TorchScript program",
    "torch.fx.": "a traced network (torch.fx)",
}
"""Beginning of a name that is asked for → what such a file usually is."""


class Damage(ValueError):
    """What a checkpoint holds contradicts itself; the message says how, in half a sentence."""


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

    def append(self, item: Any) -> None:
        """Items of a class that is a list are not needed."""

    def __setitem__(self, key: Any, item: Any) -> None:
        """Nor those of a class that is a dictionary."""


class Storage(NamedTuple):
    """The file of one or more tensors: their type, its name in the archive, and how many numbers it holds."""

    dtype: str
    key: str
    length: int


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor's numbers lie. Offset and strides are counted in numbers, as torch does."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many numbers it has. More than its storage only where it repeats them, which no weight does."""
        return prod(self.shape)

    @property
    def end(self) -> int:
        """One past the last number of the storage that it uses."""
        return self.offset + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True)) + 1


class DataUnpickler(pickle.Unpickler):
    """An unpickler that maps each name to a plain container, a tensor or a `Shell`, or refuses it."""

    def __init__(self, stream: Any, path: Path) -> None:
        super().__init__(stream, encoding="utf-8")
        self._path = path
        self._shells: dict[str, type[Shell]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for `module.name`; nothing is ever imported."""
        full = f"{module}.{name}"
        if full in PLAIN_TYPES:
            return PLAIN_TYPES[full]
        if module == "torch" and (name in STORAGE_TYPES or name in OTHER_STORAGES):
            return name
        if module == "torch.storage" and name in (OTHER_STORAGE, "TypedStorage"):
            return OTHER_STORAGE
        if full in REBUILDERS:
            return REBUILDERS[full]
        if full in SHELL_NAMES or full.startswith(SHELL_MODULES):
            return self._shells.setdefault(full, type(name, (Shell,), {"origin": full}))
        raise CheckpointRefused(self._why_refused(full))

    def persistent_load(self, pid: Any) -> Storage:
        """Resolve a reference to a tensor's file."""
        kind, dtype, key, _device, length, *_view = pid
        if kind != "storage" or not isinstance(dtype, str) or type(length) is not int:
            raise Damage("it refers to something that is no tensor")
        return Storage(dtype, str(key), length)

    def _why_refused(self, full: str) -> str:
        full = full[:LONGEST_NAME] if full.isprintable() else ascii(full[:LONGEST_NAME])
        family = next((what for beginning, what in FAMILIES.items() if full.startswith(beginning)), None)
        if family is not None:
            return (
                f"{self._path} is {family} (it asks for {full}), but posture-daemon needs a YOLO11-cls checkpoint of "
                "ultralytics."
            )
        return (
            f"{self._path} is refused: it asks for {full}, which no weights need, so it may hold code (none was run); whoever "
            "trained it can save it again with nothing but the network, lists and dictionaries in it."
        )


def _tensor(storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> StoredTensor:
    """For `_rebuild_tensor_v2`. Raises `Damage` where the sizes would lead outside the storage."""
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, Storage) or any(type(number) is not int for number in numbers):
        raise Damage("a tensor has no sizes")
    if len(shape) != len(strides) or len(shape) > MOST_DIMENSIONS or min(numbers) < 0:
        raise Damage("a tensor reaches outside its storage")
    tensor = StoredTensor(storage, offset, tuple(shape), tuple(strides))
    if tensor.size and tensor.end > storage.length and storage.dtype not in OTHER_STORAGES:
        raise Damage("a tensor reaches outside its storage")
    return tensor


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


@dataclass(frozen=True)
class OddTensor:
    """A tensor that is no row of plain numbers; `kind` says what it is, as half a sentence after "is"."""

    kind: str


def _subclassed(rebuild: Any, _kind: Any, arguments: Any, _state: Any) -> Any:
    """For `_rebuild_from_type_v2`: a tensor with attributes of its own, which are not needed."""
    return rebuild(*arguments) if rebuild in REBUILDERS.values() else OddTensor("of a type of its own")


def _odd(kind: str) -> Any:
    """In place of the function that builds one; a network that needs it is refused."""
    return lambda *_: OddTensor(kind)


def _of_another_type(*given: Any) -> OddTensor:
    """For `_rebuild_tensor_v3`, whose last argument names a type that older versions of PyTorch do not have."""
    kinds = [str(getattr(one, "origin", "")).removeprefix("torch.") for one in given]
    return OddTensor(
        f"of a type ({next((kind for kind in kinds if kind in DTYPES), 'unknown')}) that is no plain number"
    )


REBUILDERS: Mapping[str, Any] = {
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._utils._rebuild_tensor_v3": _of_another_type,
    "torch._utils._rebuild_meta_tensor_no_storage": _odd("without numbers (it was on the device meta)"),
    "torch._utils._rebuild_sparse_tensor": _odd("sparse"),
    "torch._utils._rebuild_nested_tensor": _odd("nested"),
    "torch._tensor._rebuild_from_type_v2": _subclassed,
}
