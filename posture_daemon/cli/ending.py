"""The end of the process, although a driver hangs in another thread."""

import atexit
import logging
import os
import sys
import threading
from contextlib import suppress


class Ending:
    """Makes the exit code hold while a thread hangs in a driver.

    Python's own end takes the interpreter away from such a thread, and when its call returns to C++ the process aborts with
    134; so while any is left, the process leaves without that end. Everything that must be kept is on disk by then, and what
    modules do at the end has been done: this runs as the last of it.
    """

    def __init__(self) -> None:
        self.code = 0
        atexit.register(self._leave)

    def note(self, code: object) -> None:
        """What the process exits with, as `SystemExit` has it."""
        self.code = code if isinstance(code, int) else 0 if code is None else 1

    def _leave(self) -> None:
        if not any(thread.daemon for thread in threading.enumerate()):
            return
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # closed, or nobody reads it any more
                stream.flush()
        os._exit(self.code)
