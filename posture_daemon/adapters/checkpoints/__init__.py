"""Checkpoints of ultralytics: import, export, inspect, fetch.

Import, inspection and export run in a child process (`child.py`), so that this process never reads a foreign file, never
imports torch or ultralytics and never holds a whole model in memory; what reads a foreign file has a limit of memory. Reading
order: `archive` and `pickled` (a `.pt` file as data), `network` (is it the one we know?), `yolo11` (its weights), `graph` (its
backbone as ONNX), `trial` (does it answer?), `importing`, `inspecting` and `exporting` (the child's work), `fetch` (download).
"""

import json
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from posture_daemon.adapters.checkpoints.yolo11 import HEAD_LAYER, Layer
from posture_daemon.adapters.child_process import command, quiet_environment, thread_caps
from posture_daemon.errors import CheckpointRefused, ModelError
from posture_daemon.store.json_values import from_json
from posture_daemon.vision.head import Head

MODULE = "posture_daemon.adapters.checkpoints.child"
IMPORT_TIMEOUT_S = 120.0
IMPORT, INSPECT, EXPORT = "import", "inspect", "export"
READING_MB = 490
"""What a child may write to for a foreign file, together with this process less than 600 MB: yolo11x-cls takes 480."""

SPARING = {**thread_caps(1, 1), "MALLOC_MMAP_THRESHOLD_": "262144", "MALLOC_ARENA_MAX": "1"}
"""For the environment of such a child: what was freed goes back to the system at once."""

EXPORT_TIMEOUT_S = 300.0  # importing torch from a slow SD card takes most of it


@dataclass(frozen=True)
class ImportedCheckpoint:
    """A checkpoint split into backbone and head files, with its origin.

    `classes` is in the order of the head's rows. `image_size` is the side of the backbone's input in pixels. `source` is the
    file's name.
    """

    backbone_path: Path
    backbone_sha256: str
    head_path: Path
    head_sha256: str
    classes: tuple[str, ...]
    image_size: int
    scale: str
    source: str


@dataclass(frozen=True)
class Inspection:
    """Result of `models inspect`. Output shapes are for one square image of `image_size` pixels."""

    path: Path
    scale: str
    layers: tuple[Layer, ...]
    classes: tuple[str, ...]
    image_size: int
    ultralytics_version: str | None

    @property
    def backbone_parameters(self) -> int:
        """Parameters of layers 0–9, which stay frozen."""
        return sum(layer.parameters for layer in self.layers[:HEAD_LAYER])

    @property
    def head_parameters(self) -> int:
        """Parameters of layer 10, the ones that `freeze=10` leaves trainable."""
        return self.layers[HEAD_LAYER].parameters

    @property
    def trainable_share(self) -> float:
        """Share of the parameters that are trained with the backbone frozen, 0–1."""
        return self.head_parameters / (self.head_parameters + self.backbone_parameters)


def import_checkpoint(path: Path, out_dir: Path, image_size: int | None = None) -> ImportedCheckpoint:
    """Write the two parts of a YOLO11-cls checkpoint and their JSON descriptions into `out_dir`.

    `image_size` is a multiple of 32, in pixels; by default the size of the checkpoint's own training, else 224.
    Importing a file twice gives the same backbone and head, byte for byte. Raises `CheckpointRefused` for other files.
    """
    request = {"source": str(path.absolute()), "out_dir": str(out_dir.absolute()), "image_size": image_size}
    return from_json(ImportedCheckpoint, run_child(IMPORT, request, IMPORT_TIMEOUT_S))


def export_checkpoint(
    backbone_dir: Path, head: Head, classes: Sequence[str], out: Path, *, temperature: float = 1.0, force: bool = False
) -> None:
    """Write an ordinary ultralytics checkpoint that `YOLO(out)` loads and that gives the same probabilities.

    `backbone_dir` holds `backbone.onnx` and `backbone.json`. The `temperature` is folded into the linear layer, so that
    the plain softmax of ultralytics gives our calibrated probabilities. Raises `ModelError` when `out` exists and not
    `force`.
    """
    if out.suffix != ".pt":
        raise ModelError(f"{out} must end in .pt, as ultralytics expects of a checkpoint.")
    if out.is_dir():
        raise ModelError(f"{out} is a folder; give the name of a file, such as {out / 'model.pt'}.")
    if out.exists() and not force:
        raise ModelError(f"{out} already exists; choose another name or use --force.")
    if head.class_count != len(classes) or not classes:
        raise ModelError(
            f"The head has {head.class_count} rows but {len(classes)} class names; a base cannot be exported."
        )
    calibrated = head.with_linear(head.linear_weight / temperature, head.linear_bias / temperature)
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(calibrated.to_bytes())
        file.flush()
        request = {"head": file.name, "classes": list(classes), "out": str(out.absolute())}
        run_child(EXPORT, {**request, "backbone_dir": str(backbone_dir.absolute())}, EXPORT_TIMEOUT_S)


def inspect_checkpoint(path: Path, image_size: int | None = None) -> Inspection:
    """Read the layers, sizes and classes of a checkpoint, in a child. Raises `CheckpointRefused` for other files."""
    request = {"source": str(path.absolute()), "image_size": image_size}
    return replace(from_json(Inspection, run_child(INSPECT, request, IMPORT_TIMEOUT_S)), path=path)


def run_child(action: str, request: Mapping[str, Any], timeout_s: float) -> Any:
    """Run one action (`import`, `inspect` or `export`) in a process of its own and return its result, as it is in JSON.

    Raises `CheckpointRefused` when the child refused the file, `ModelError` when it failed, crashed or took too long.
    """
    with tempfile.TemporaryDirectory(prefix="posture-daemon-") as scratch:
        try:
            done = subprocess.run(
                command(MODULE, action, str(0 if action == EXPORT else READING_MB)),
                input=json.dumps(request),
                capture_output=True,
                encoding="utf-8",
                timeout=timeout_s,
                cwd=scratch,  # `-m` searches the working folder first: it must not be the user's downloads
                env=quiet_environment(Path(scratch), **({} if action == EXPORT else SPARING)),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ModelError(f"The {action} was stopped after {timeout_s:.0f} s without a result.") from error
    return _result(action, done)


def _result(action: str, done: subprocess.CompletedProcess[str]) -> Any:
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise ModelError(f"The {action} failed without an answer ({_how_it_ended(done)}.") from error
    if "refused" in answer:
        raise CheckpointRefused(answer["refused"])
    if "error" in answer:
        raise ModelError(answer["error"])
    return answer["result"]


def _how_it_ended(done: subprocess.CompletedProcess[str]) -> str:
    """How, a bracket, and what to do where that is known."""
    if done.returncode == -signal.SIGKILL:
        return "killed, probably for lack of memory); close other programs and try again"
    if done.returncode < 0:
        return f"ended by {signal.Signals(-done.returncode).name})"
    last_words = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
    return f"{last_words[0][:200]})"
