"""JSON that somebody else may have written: size and depth are bounded, and whatever is wrong with it is a `ValueError`."""

import json
from pathlib import Path
from typing import Any

from posture_daemon.domain import MB
from posture_daemon.store.files import read_ordinary

MAX_MB = 64
"""By default. The provenance of a hundred thousand pictures has 55 MB."""


def parse_json(text: str | bytes) -> Any:
    """The value. Raises `ValueError`, also for what is nested so deep that Python gives up."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def read_json(path: Path, max_mb: int = MAX_MB) -> Any:
    """The value in a file. Raises `OSError`, or `ValueError` when it is no ordinary file, too big, or no JSON."""
    data = read_ordinary(path, max_mb * MB + 1)
    if len(data) > max_mb * MB:
        raise ValueError(f"it has more than {max_mb} MB")
    return parse_json(data.decode())
