"""Start the child process, hand it a request, and turn what comes back into a value or one sentence."""

import json
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posture_daemon.adapters.child_process import command, quiet_environment
from posture_daemon.errors import CheckpointRefused, ModelError

MODULE = "posture_daemon.adapters.checkpoints.child"


def run_child(action: str, request: Mapping[str, Any], timeout_s: float) -> Any:
    """Run one action (`import` or `export`) in a process of its own and return its result, as it is in JSON.

    Raises `CheckpointRefused` when the child refused the file, `ModelError` when it failed, crashed or took too long.
    """
    with tempfile.TemporaryDirectory(prefix="posture-daemon-") as scratch:
        try:
            done = subprocess.run(
                command(MODULE, action),
                input=json.dumps(request),
                capture_output=True,
                encoding="utf-8",
                timeout=timeout_s,
                cwd=scratch,  # `-m` searches the working folder first: it must not be the user's downloads
                env=quiet_environment(Path(scratch)),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ModelError(f"The {action} was stopped after {timeout_s:.0f} s without a result.") from error
    return _result(action, done)


def _result(action: str, done: subprocess.CompletedProcess[str]) -> Any:
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise ModelError(f"The {action} failed without an answer ({_how_it_ended(done)}).") from error
    if "refused" in answer:
        raise CheckpointRefused(answer["refused"])
    if "error" in answer:
        raise ModelError(answer["error"])
    return answer["result"]


def _how_it_ended(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode == -signal.SIGKILL:
        return "killed, probably for lack of memory"
    if done.returncode < 0:
        return f"ended by {signal.Signals(-done.returncode).name}"
    last_words = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
    return last_words[0]
