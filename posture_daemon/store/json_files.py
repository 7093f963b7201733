"""JSON that somebody else may have written: size and depth are bounded, and whatever is wrong with it is a `ValueError`."""

import json
import os
import stat
from pathlib import Path
from typing import Any

from posture_daemon.domain import MB

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
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would wait for somebody to write
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("it is no ordinary file")
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(max_mb * MB + 1)
    if len(data) > max_mb * MB:
        raise ValueError(f"it has more than {max_mb} MB")
    return parse_json(data.decode())
