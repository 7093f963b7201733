"""The child process of the checkpoint tools: `python -m posture_daemon.adapters.checkpoints.child import|export`.

It reads one JSON object from standard input and answers one on standard output: `{"result": …}`, `{"refused":
sentence}` or `{"error": sentence}`. Whatever libraries print goes to standard error.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from posture_daemon.adapters.checkpoints import ImportedCheckpoint
from posture_daemon.adapters.child_process import die_with_parent
from posture_daemon.errors import CheckpointRefused, PostureError
from posture_daemon.store.json_values import as_json


def main() -> int:
    """Carry out the action named by the first argument."""
    answer_descriptor = os.dup(1)
    os.dup2(2, 1)  # ultralytics logs to standard output
    request = json.load(sys.stdin)
    try:
        answer = {"result": as_json(_act(sys.argv[1], request))}
    except CheckpointRefused as error:
        answer = {"refused": str(error)}
    except PostureError as error:
        answer = {"error": str(error)}
    except OSError as error:
        answer = {"error": f"{error.filename} cannot be read or written: {error.strerror}."}
    with os.fdopen(answer_descriptor, "w", encoding="utf-8") as stream:
        json.dump(answer, stream)
    return 0


def _act(action: str, request: Any) -> ImportedCheckpoint | None:
    if action == "import":
        from posture_daemon.adapters.checkpoints.importing import write_model

        return write_model(Path(request["source"]), Path(request["out_dir"]), request["image_size"])
    from posture_daemon.adapters.checkpoints.exporting import write_checkpoint

    write_checkpoint(Path(request["backbone_dir"]), Path(request["head"]), request["classes"], Path(request["out"]))
    return None


if __name__ == "__main__":
    die_with_parent(sys.argv[2:])
    raise SystemExit(main())
