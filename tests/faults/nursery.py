"""A process that has everything imported and forks daemons and workers, so that a thousand of them do not import it anew.

What is forked is the real command, `posture_daemon.cli.main` with its arguments, in a process and a session of its own. It
is asked for with a line of JSON on standard input (see `Nursery` in `processes.py`), and answers with the process id.
"""

import importlib
import json
import os
import signal
import sys
import traceback
from typing import Any

IMPORTED = (
    "posture_daemon.cli", "posture_daemon.bootstrap.daemon", "posture_daemon.daemon.lifecycle", "posture_daemon.store",
    "posture_daemon.ui.web.server", "posture_daemon.ui.web.app", "posture_daemon.ui.web.teach", "uvicorn",
    "apscheduler.schedulers.background", "onnxruntime", "cv2", "alembic.command", "tests.faults.worker",
)  # fmt: skip


def main() -> None:
    """Fork until standard input ends."""
    for name in IMPORTED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries them
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        wanted = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(wanted)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _become(wanted: dict[str, Any]) -> None:
    code = 99
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        output = os.open(wanted["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, output), (2, output)):
            os.dup2(source, target)
        if wanted.get("hurried"):
            _hurry()
        module = importlib.import_module(wanted["module"])
        sys.argv = [wanted["module"], *wanted["arguments"]]
        module.main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _hurry() -> None:
    """The daemon's upkeep at once and all the time, instead of after five minutes and every quarter of an hour."""
    from posture_daemon.daemon import maintenance as upkeep

    upkeep.SETTLE_S, upkeep.LOOK_EVERY_S = 0.05, 0.05


if __name__ == "__main__":
    main()
