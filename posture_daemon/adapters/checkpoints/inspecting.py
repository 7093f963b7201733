"""Inspection, run in the child process: what a checkpoint is made of. Needs neither ONNX nor its runtime."""

from pathlib import Path

from posture_daemon.adapters.checkpoints import Inspection
from posture_daemon.adapters.checkpoints.yolo11 import input_size, read_checkpoint


def inspect(source: Path, image_size: int | None) -> Inspection:
    """The layers of a checkpoint for an input of `image_size` pixels, by default that of training, or 224."""
    checkpoint = read_checkpoint(source)
    size = input_size(image_size, checkpoint.image_size)
    version = checkpoint.ultralytics_version
    return Inspection(source, checkpoint.scale, checkpoint.layers(size), checkpoint.classes, size, version)
