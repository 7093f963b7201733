"""What a training child says of its progress, in the log of whoever started it."""

from __future__ import annotations

import logging
from pathlib import Path

log = logging.getLogger(__name__)

MARK = "progress: "
"""Lines of the child's output that begin with this are for the log."""


class ProgressLog:
    """Follows the file that a child writes its output to."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0

    def relay(self) -> None:
        """Log the lines of progress that were completed since the last call."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0]
        for line in whole.decode(errors="replace").splitlines():
            if line.startswith(MARK):
                log.info("%s", line.removeprefix(MARK))
        self._read += len(whole)
