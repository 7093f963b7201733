"""A head as safetensors, and the descriptions that lie beside the parts of a model."""

import json
from pathlib import Path
from random import Random

import numpy as np

from posture_daemon.adapters.checkpoints.descriptions import BackboneDescription, HeadDescription
from posture_daemon.store.json_files import parse_json
from posture_daemon.store.json_values import as_json, from_json
from posture_daemon.store.model_folder import ModelFolder
from posture_daemon.vision.head import Head
from tests.builders import random_head
from tests.fuzz.mutation import NUMBERS, TEXTS, mutated
from tests.fuzz.target import Parts, Refused

SHA = "0" * 64
BACKBONE = BackboneDescription(
    "posture-daemon backbone 1", SHA, "yolo11n-cls", "n", ("Conv",), 224, 256, 7, "rgb", 1_000_000
)
HEAD = HeadDescription(
    "posture-daemon head 1", SHA, ("good", "bad"), 1000, "a.pt", SHA, None, "2026-05-01T12:00:00+00:00"
)
DESCRIPTIONS = tuple(json.dumps(as_json(one)).encode() for one in (BACKBONE, HEAD))
JSON_TOKENS = tuple(
    text.encode() for text in (*map(json.dumps, TEXTS), *NUMBERS, "null", "[]", "{}", "[[", '{"a":', "NaN", "true")
)
TOKENS = (
    *(
        b'"F32"',
        b'"F64"',
        b'"I8"',
        b'"BF16"',
        b'"F8_E4M3"',
        b'"BOOL"',
        b"[1280,1]",
        b"[0,0]",
        b"[-1]",
        b"[2,1280]",
        b"[99999999999]",
    ),
    *(
        b'"dtype"',
        b'"shape"',
        b'"data_offsets"',
        b'"__metadata__"',
        b"{",
        b"}",
        b"[",
        b",",
        b"[0,18446744073709551615]",
        b"[[[[",
    ),
)


def parts(folder: Path) -> Parts:
    """Damage to the header of a head more often than to its numbers, which may be anything."""
    heads = [random_head(classes, 1, seed=1).to_bytes() for classes in (0, 1, 4)]
    models = ModelFolder(folder)
    about = models.backbone_folder(SHA) / "backbone.json"
    about.parent.mkdir(parents=True)

    def make(rng: Random) -> bytes:
        if rng.random() < 0.4:
            if rng.random() < 0.003:
                return b'{"sha256":' + b"[" * rng.choice((900, 100_000))
            return mutated(rng, rng.choice(DESCRIPTIONS), JSON_TOKENS)
        whole = rng.choice(heads)
        length = 8 + int.from_bytes(whole[:8], "little")
        if rng.random() < 0.15:
            return whole[:length] + mutated(rng, whole[length:])
        header = mutated(rng, whole[8:length], TOKENS)
        said = len(header) if rng.random() < 0.9 else rng.choice((0, 1, len(header) + 8, 2**63, 2**64 - 1, 100_000_001))
        body = whole[length:] if rng.random() < 0.8 else whole[length : rng.randrange(length, len(whole))]
        return said.to_bytes(8, "little") + header + body

    def read(data: bytes) -> None:
        if data[:1] != b"{":
            found = Head.from_bytes(data)
            found.probabilities(np.ones((1, found.channels, 2, 2), np.float32))
            return
        about.write_bytes(data)
        models.backbone_size(SHA)
        models.has_backbone(SHA)
        said = []
        for kind in (BackboneDescription, HeadDescription):
            try:
                from_json(kind, parse_json(data))
            except ValueError as error:  # its readers make a sentence of it
                said.append(error)
        if len(said) == 2:
            raise Refused

    return Parts(make, read)
