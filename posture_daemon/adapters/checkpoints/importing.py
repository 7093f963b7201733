"""Import, run in the child process: split a checkpoint into backbone, head and their descriptions. Needs no torch."""

from datetime import datetime, timezone
from pathlib import Path

from posture_daemon.adapters.backbone.preprocess import PREPROCESSING
from posture_daemon.adapters.checkpoints import ImportedCheckpoint
from posture_daemon.adapters.checkpoints.descriptions import BackboneDescription, HeadDescription, write_description
from posture_daemon.adapters.checkpoints.graph import build_backbone
from posture_daemon.adapters.checkpoints.network import LAYERS
from posture_daemon.adapters.checkpoints.trial import refuse_without_an_answer
from posture_daemon.adapters.checkpoints.yolo11 import (
    HEAD_LAYER,
    STRIDE,
    Layer,
    Yolo11Checkpoint,
    input_size,
    read_checkpoint,
)
from posture_daemon.errors import CheckpointRefused, ModelError
from posture_daemon.service.plain_text import visible
from posture_daemon.store.files import sha256_of, sha256_of_file, write_durably
from posture_daemon.vision.head import Head

BACKBONE_FORMAT, HEAD_FORMAT = "posture-daemon backbone 1", "posture-daemon head 1"


def write_model(source: Path, out_dir: Path, image_size: int | None) -> ImportedCheckpoint:
    """Write `backbone.{onnx,json}` and `head.{safetensors,json}`, and have them answer a picture.

    `image_size` (px) is by default that of training, or 224. Raises `CheckpointRefused`; what was written is of no use then.
    """
    try:
        imported = _write_parts(source, out_dir, image_size)
    except CheckpointRefused:
        raise
    except ModelError as error:  # of the head or the graph, which do not know the file
        raise CheckpointRefused(f"{source} cannot be imported: {error}") from error
    refuse_without_an_answer(imported)  # after the weights that were read are out of memory
    return imported


def _write_parts(source: Path, out_dir: Path, image_size: int | None) -> ImportedCheckpoint:
    checkpoint = read_checkpoint(source)
    size = input_size(image_size, checkpoint.image_size)
    head = Head.from_tensors(checkpoint.of_layer(HEAD_LAYER)).to_bytes()
    about_head = _describe_head(checkpoint, sha256_of(head))
    layers = checkpoint.layers(size)[:HEAD_LAYER]
    backbone = build_backbone(checkpoint.weights, size)  # which takes the weights
    about_backbone = _describe_backbone(checkpoint.scale, layers, size, sha256_of(backbone))
    write_durably(out_dir / "backbone.onnx", backbone)
    write_description(out_dir / "backbone.json", about_backbone)
    write_durably(out_dir / "head.safetensors", head)
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


def _describe_backbone(scale: str, layers: tuple[Layer, ...], size: int, sha256: str) -> BackboneDescription:
    """Only what follows from the backbone itself, so that a second import writes the same bytes."""
    channels, side, _ = layers[-1].output_shape
    return BackboneDescription(
        format=BACKBONE_FORMAT,
        sha256=sha256,
        architecture=f"yolo11{scale}-cls",
        scale=scale,
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
        source=visible(checkpoint.path.name),  # a name of bytes that are no text could not be written down
        source_sha256=sha256_of_file(checkpoint.path),
        ultralytics_version=checkpoint.ultralytics_version,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
