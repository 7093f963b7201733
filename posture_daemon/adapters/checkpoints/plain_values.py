"""What an archive keeps in a type of its own, as plain numbers, texts and lists: values of numpy and small tensors.

An archive keeps a value of numpy as the names of two functions, its type and its bytes; nothing of that is called here.
"""

import re
from math import prod
from typing import Any

import numpy as np

from posture_daemon.adapters.checkpoints.archive import Archive
from posture_daemon.adapters.checkpoints.pickled import StoredTensor

SCALAR, ARRAY = "multiarray.scalar", "multiarray._reconstruct"
KIND = re.compile(r"[<>=|]?([iu][1248]|f[248]|b1|[US]\d{1,4})")
OBJECTS = "O8"
MOST = 10_000
"""Values in one array; no description of a network needs more."""


def plain(value: Any, archive: Archive | None = None) -> Any:
    """A value of numpy as a number or a text, an array or a tensor as a list (a number where it has no dimension).

    Everything else stays as it is, as do values that contradict themselves. Tensors are read from the `archive`.
    Raises `Damage` where that does not hold what a tensor says.
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, StoredTensor):
        return archive.read(value).tolist() if archive is not None and value.size <= MOST else value
    origin = str(getattr(value, "origin", ""))
    try:
        if origin.endswith(SCALAR):
            return _array(value.args[0], value.args[1], (1,))[0]
        if origin.endswith(ARRAY):
            _version, shape, kind, _by_columns, data = value.state["state"]
            return _array(kind, data, shape) if len(shape) == 1 else value
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return value  # it contradicts itself; whoever needs it refuses it by its type
    return value


def _array(kind: Any, data: Any, shape: tuple[int, ...]) -> list[Any]:
    """The values of a flat array. Raises `ValueError` when they are of no plain type, or not as many as it says."""
    name, order = kind.args[0], kind.state["state"][1] if kind.state else "="
    count = prod(shape)
    if not 0 <= count <= MOST:
        raise ValueError(count)
    if name == OBJECTS and isinstance(data, list):
        return [plain(one) for one in data[:count]]
    if not KIND.fullmatch(name) or order not in "<>=|":
        raise ValueError(name)
    raw = data if isinstance(data, bytes) else data.args[0].encode("latin1")
    typed = np.dtype(name) if name[0] in "<>=|" else np.dtype(name).newbyteorder(order)
    return list(np.frombuffer(raw, typed, count).tolist())
