"""The class names of a checkpoint, each by the row of the head that it belongs to, however the file numbers them."""

import re
from typing import Any

import numpy as np

from posture_daemon.errors import CheckpointRefused

NUMPY_SCALAR = "multiarray.scalar"
NUMBER = re.compile(r"[<>=|]?([iu][1248]|b1)")
TEXT = re.compile(r"[<>=|]?U\d{1,4}")


def names_by_row(names: Any, rows: int, path: Any) -> tuple[str, ...]:
    """The name of each row of the head, empty for a row without one.

    `names` is what the file holds: a list, or a mapping from the number of a row (an integer or its digits, in any order) to
    its name. A file without names has the rows' numbers as names, as ultralytics does it. Raises `CheckpointRefused` when it
    does not tell which name belongs to which row.
    """
    if names is None or (isinstance(names, list | tuple | dict) and not names):
        return tuple(map(str, range(rows)))
    if not isinstance(names, list | tuple | dict):
        raise CheckpointRefused(f"{path} is damaged: the names of its classes are no list.")
    numbered = names.items() if isinstance(names, dict) else enumerate(names)
    by_row: dict[int, str] = {}
    for key, name in numbered:
        row = _row(key)
        if row is None or row in by_row:
            raise CheckpointRefused(
                f"{path} is damaged: it does not say which output each of its class names belongs to."
            )
        by_row[row] = _text(name)
    beyond = sorted(row for row in by_row if not 0 <= row < rows)
    if beyond:
        raise CheckpointRefused(
            f"{path} is damaged: it has the outputs 0 to {rows - 1}, but a class name for output {beyond[0]}."
        )
    return tuple(by_row.get(row, "") for row in range(rows))


def _row(key: Any) -> int | None:
    plain = _plain(key)
    if isinstance(plain, str):
        return int(plain) if re.fullmatch(r"\s*[0-9]{1,9}\s*", plain) else None
    if isinstance(plain, float) and plain.is_integer():
        return int(plain)
    return int(plain) if isinstance(plain, int) else None


def _text(name: Any) -> str:
    """The name as text; empty for what is none."""
    plain = _plain(name)
    if isinstance(plain, bytes):
        return plain.decode("utf-8", "replace")
    return str(plain) if isinstance(plain, str | int | float) else ""


def _plain(value: Any) -> Any:
    """A numpy scalar, which the archive keeps as its type and its bytes, as a number or a text; else the value itself."""
    if isinstance(value, np.generic):
        return value.item()
    if not str(getattr(value, "origin", "")).endswith(NUMPY_SCALAR):
        return value
    try:
        kind, raw = value.args[0].args[0], value.args[1]
        data = raw if isinstance(raw, bytes) else raw.args[0].encode("latin1")
        if NUMBER.fullmatch(kind) or TEXT.fullmatch(kind):
            return np.frombuffer(data, np.dtype(kind))[0].item()
    except (AttributeError, IndexError, TypeError, ValueError):
        pass
    return value
