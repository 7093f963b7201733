"""`backbone.json` and `head.json`: what lies beside the two parts of a model and says what they are."""

import json
from dataclasses import dataclass
from pathlib import Path

from posture_daemon.store.files import write_durably
from posture_daemon.store.json_values import as_json


@dataclass(frozen=True)
class BackboneDescription:
    """Only what follows from the backbone itself, so that importing twice writes the same.

    `image_size` is the side of the input, pixels; the output is `(channels, feature_size, feature_size)`.
    """

    format: str
    sha256: str
    architecture: str
    scale: str
    layers: tuple[str, ...]
    image_size: int
    channels: int
    feature_size: int
    preprocessing: str
    parameters: int


@dataclass(frozen=True)
class HeadDescription:
    """Of the head and the file that it came from; `created` is in ISO 8601, UTC."""

    format: str
    sha256: str
    classes: tuple[str, ...]
    parameters: int
    source: str
    source_sha256: str
    ultralytics_version: str | None
    created: str


def write_description(path: Path, about: BackboneDescription | HeadDescription) -> None:
    """For programs and people."""
    write_durably(path, (json.dumps(as_json(about), indent=2, ensure_ascii=False) + "\n").encode())
