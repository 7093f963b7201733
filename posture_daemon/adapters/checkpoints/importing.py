"""Import, run in the child process: split a checkpoint into backbone, head and their descriptions. Needs no torch."""

from datetime import datetime, timezone
from pathlib import Path

from posture_daemon.adapters.backbone.preprocess import PREPROCESSING
from posture_daemon.adapters.checkpoints import ImportedCheckpoint
from posture_daemon.adapters.checkpoints.descriptions import BackboneDescription, HeadDescription, write_description
from posture_daemon.adapters.checkpoints.graph import build_backbone
from posture_daemon.adapters.checkpoints.yolo11 import (
    DEFAULT_IMAGE_SIZE,
    HEAD_LAYER,
    LAYERS,
    STRIDE,
    Yolo11Checkpoint,
    read_checkpoint,
)
from posture_daemon.store.files import sha256_of, write_durably
from posture_daemon.vision.head import Head

BACKBONE_FORMAT, HEAD_FORMAT = "posture-daemon backbone 1", "posture-daemon head 1"


def write_model(source: Path, out_dir: Path, image_size: int | None) -> ImportedCheckpoint:
    """Write `backbone.{onnx,json}` and `head.{safetensors,json}`. `image_size` (px) is by default that of training, or 224."""
    checkpoint = read_checkpoint(source)
    trained = -(-(checkpoint.image_size or 0) // STRIDE) * STRIDE  # rounded up to the stride as `YOLO.predict` does
    size = image_size or trained or DEFAULT_IMAGE_SIZE
    backbone = build_backbone(checkpoint.weights, size)
    head = Head.from_tensors(checkpoint.of_layer(HEAD_LAYER)).to_bytes()
    write_durably(out_dir / "backbone.onnx", backbone)
    about_backbone = _describe_backbone(checkpoint, size, sha256_of(backbone))
    write_description(out_dir / "backbone.json", about_backbone)
    write_durably(out_dir / "head.safetensors", head)
    about_head = _describe_head(checkpoint, sha256_of(head))
    write_description(out_dir / "head.json", about_head)
    return ImportedCheckpoint(
        backbone_path=out_dir / "backbone.onnx",
        backbone_sha256=about_backbone.sha256,
        head_path=out_dir / "head.safetensors",
        head_sha256=about_head.sha256,
        classes=about_head.classes,
        image_size=size,
        scale=checkpoint.scale,
        source=about_head.source,
    )


def _describe_backbone(checkpoint: Yolo11Checkpoint, size: int, sha256: str) -> BackboneDescription:
    """Only what follows from the backbone itself, so that a second import writes the same bytes."""
    layers = checkpoint.layers(size)[:HEAD_LAYER]
    channels, side, _ = layers[-1].output_shape
    return BackboneDescription(
        format=BACKBONE_FORMAT,
        sha256=sha256,
        architecture=f"yolo11{checkpoint.scale}-cls",
        scale=checkpoint.scale,
        layers=tuple(LAYERS[:HEAD_LAYER]),
        image_size=size,
        channels=channels,
        feature_size=side,
        preprocessing=PREPROCESSING,
        parameters=sum(layer.parameters for layer in layers),
    )


def _describe_head(checkpoint: Yolo11Checkpoint, sha256: str) -> HeadDescription:
    return HeadDescription(
        format=HEAD_FORMAT,
        sha256=sha256,
        classes=tuple(checkpoint.classes),
        parameters=checkpoint.layers(STRIDE)[HEAD_LAYER].parameters,
        source=checkpoint.path.name,
        source_sha256=sha256_of(checkpoint.path.read_bytes()),
        ultralytics_version=checkpoint.ultralytics_version,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
