"""Export, in the child process: a backbone and a head as an ordinary checkpoint. Imports torch: seconds and 700 MB."""

import io
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
import ultralytics
from safetensors.numpy import load_file
from ultralytics.nn.tasks import ClassificationModel

from posture_daemon.adapters.checkpoints.descriptions import BackboneDescription
from posture_daemon.adapters.checkpoints.graph import read_weights
from posture_daemon.adapters.checkpoints.yolo11 import HEAD_LAYER
from posture_daemon.domain import Floats
from posture_daemon.errors import ModelError
from posture_daemon.store.files import sha256_of, write_durably
from posture_daemon.store.json_files import read_json
from posture_daemon.store.json_values import from_json


def write_checkpoint(backbone_dir: Path, head_path: Path, classes: Sequence[str], out: Path) -> None:
    """Rebuild the model in full precision and save it at `out`. Raises `ModelError`."""
    about, onnx = _sound_backbone(backbone_dir)
    weights = read_weights(onnx)
    head = {f"model.{HEAD_LAYER}.{name}": array for name, array in load_file(head_path).items()}
    model = _model(about.architecture, {**weights, **head}, classes)
    settings = {"task": "classify", "model": f"{about.architecture}.pt", "imgsz": about.image_size}
    model.args = settings
    stream = io.BytesIO()
    torch.save(_checkpoint(model, settings), stream)
    try:
        write_durably(out, stream.getvalue())
    except OSError as error:  # its name is that of a temporary file
        raise ModelError(f"{out} cannot be written ({error.strerror}); mend that, or choose another place.") from error


def _sound_backbone(folder: Path) -> tuple[BackboneDescription, bytes]:
    """Description and ONNX bytes of a backbone, checked against its digest. Raises `ModelError`."""
    try:
        about = from_json(BackboneDescription, read_json(folder / "backbone.json"))
        onnx = (folder / "backbone.onnx").read_bytes()
        sound = about.sha256 == sha256_of(onnx)
    except (OSError, ValueError):
        sound = False
    if not sound:
        raise ModelError(f"The backbone in {folder} is damaged or missing; posture-daemon doctor --fix may mend it.")
    return about, onnx


def _model(architecture: str, weights: Mapping[str, Floats], classes: Sequence[str]) -> ClassificationModel:
    """Build the network from ultralytics' own description and fill in every weight; only step counters stay at zero."""
    ClassificationModel.info = _say_nothing
    model = ClassificationModel(f"{architecture}.yaml", nc=len(classes), verbose=False)
    state = {name: torch.tensor(array) for name, array in weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    lost = [name for name in missing if not name.endswith("num_batches_tracked")] + unexpected
    if lost:
        raise ModelError(
            f"The backbone does not fit ultralytics {ultralytics.__version__}: {lost[0]} has no counterpart."
        )
    model.names = dict(enumerate(classes))
    model.task = "classify"
    return model.float().eval()


def _say_nothing(*_: object, **__: object) -> None:
    """Replaces ultralytics' summary, which runs the model at 640 pixels to count operations (9 s for yolo11l)."""


def _checkpoint(model: ClassificationModel, settings: Mapping[str, Any]) -> object:
    """The dictionary that ultralytics' trainer saves at the end of a training."""
    return {
        "epoch": -1,
        "best_fitness": None,
        "model": model,
        "ema": None,
        "updates": None,
        "optimizer": None,
        "train_args": dict(settings),
        "date": datetime.now(timezone.utc).isoformat(),
        "version": ultralytics.__version__,
        "license": "AGPL-3.0 (https://ultralytics.com/license)",
        "docs": "https://docs.ultralytics.com",
    }
