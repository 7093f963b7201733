"""The child of the checkpoint tools: `python -m posture_daemon.adapters.checkpoints.child import|inspect|export MB`.

It reads one JSON object from standard input and answers one on standard output: `{"result": …}`, `{"refused":
sentence}` or `{"error": sentence}`. Whatever libraries print goes to standard error. It takes no more than MB megabytes
of memory (0: as much as it likes), and is the first that the kernel ends when memory runs out.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from posture_daemon.adapters.checkpoints import IMPORT, INSPECT, ImportedCheckpoint, Inspection
from posture_daemon.adapters.child_process import be_the_first_to_go, die_with_parent, limit_memory
from posture_daemon.errors import CheckpointRefused, PostureError
from posture_daemon.store.json_values import as_json


def main(action: str, most_mb: int) -> int:
    """Carry out the action."""
    answer_descriptor = os.dup(1)
    os.dup2(2, 1)  # ultralytics logs to standard output
    request = json.load(sys.stdin)
    try:
        answer = {"result": as_json(_act(action, request))}
    except CheckpointRefused as error:
        answer = {"refused": str(error)}
    except PostureError as error:
        answer = {"error": str(error)}
    except OSError as error:
        answer = {"error": f"{error.filename} cannot be read or written: {error.strerror}."}
    except MemoryError:
        answer = {"refused": _too_big(action, request, most_mb)}
    except Exception as error:
        if action not in (IMPORT, INSPECT):
            raise
        said = " ".join(f"{type(error).__name__}: {error}".split())[:150]  # a foreign file can be odd in any way
        answer = {"refused": f"{request['source']} is damaged or no checkpoint of YOLO11-cls ({said})."}
    with os.fdopen(answer_descriptor, "w", encoding="utf-8") as stream:
        json.dump(answer, stream)
    return 0


def _act(action: str, request: Any) -> ImportedCheckpoint | Inspection | None:
    if action == INSPECT:
        from posture_daemon.adapters.checkpoints.inspecting import inspect

        return inspect(Path(request["source"]), request["image_size"])
    if action == IMPORT:
        from posture_daemon.adapters.checkpoints.importing import write_model

        return write_model(Path(request["source"]), Path(request["out_dir"]), request["image_size"])
    from posture_daemon.adapters.checkpoints.exporting import write_checkpoint

    write_checkpoint(Path(request["backbone_dir"]), Path(request["head"]), request["classes"], Path(request["out"]))
    return None


def _too_big(action: str, request: Any, most_mb: int) -> str:
    if action not in (IMPORT, INSPECT):
        return "There is not enough memory for this; close other programs and try again."
    return (
        f"{request['source']} needs more than {most_mb} MB of memory to be read, more than a YOLO11-cls of any size does; it "
        "was not imported."
    )


if __name__ == "__main__":
    die_with_parent(sys.argv[3:])
    be_the_first_to_go()
    limit_memory(int(sys.argv[2]))
    raise SystemExit(main(sys.argv[1], int(sys.argv[2])))
