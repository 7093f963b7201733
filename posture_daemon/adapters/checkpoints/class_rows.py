"""The class names of a checkpoint, each by the row of the head that it belongs to, however the file numbers them."""

import re
from typing import Any

from posture_daemon.adapters.checkpoints.plain_values import plain
from posture_daemon.errors import CheckpointRefused


def names_by_row(names: Any, rows: int, path: Any) -> tuple[str, ...]:
    """The name of each row of the head, empty for a row without one.

    `names` is what the file holds: a list or an array of numpy, or a mapping from the number of a row (an integer or its
    digits, in any order) to its name. A file without names has the rows' numbers as names, as ultralytics does it. Raises
    `CheckpointRefused` when it does not tell which name belongs to which row.
    """
    names = plain(names)
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
    row = plain(key)
    if isinstance(row, str):
        return int(row) if re.fullmatch(r"\s*[0-9]{1,9}\s*", row) else None
    if isinstance(row, float) and row.is_integer():
        return int(row)
    return int(row) if isinstance(row, int) else None


def _text(name: Any) -> str:
    """The name as text that can be written down; empty for what is none."""
    text = plain(name)
    if isinstance(text, bytes):
        return text.decode("utf-8", "replace")
    # A pickle can hold half a character, which is no UTF-8.
    return str(text).encode("utf-8", "replace").decode() if isinstance(text, str | int | float) else ""
