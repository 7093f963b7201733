"""What a training child says of its progress, in the log of whoever started it."""

import logging
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

MARK = "progress: "
"""Lines of the child's output that begin with this are for the log."""


def to_log(line: str) -> None:
    """Where progress goes unless somebody watches."""
    log.info("%s", line)


class ProgressLog:
    """Follows the file that a child writes its output to; `say` is given each line of progress."""

    def __init__(self, path: Path, say: Callable[[str], None] = to_log) -> None:
        self._path, self._say, self._read = path, say, 0

    def relay(self) -> None:
        """Tell the lines of progress that were completed since the last call."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0]
        for line in whole.decode(errors="replace").splitlines():
            if line.startswith(MARK):
                self._say(line.removeprefix(MARK))
        self._read += len(whole)
