"""Builders that many test files share: a store, frames, labels, model versions, predictions, resources."""

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posture_daemon.device.resources import Resources, ThermalZone
from posture_daemon.domain import (
    Decision,
    Features,
    Image,
    ModelVersion,
    NewFrame,
    PostureClass,
    Prediction,
    Reason,
    Role,
    Verdict,
)
from posture_daemon.learning.training_set import TrainingSet, gather
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.store.files import sha256_of
from posture_daemon.vision.head import HIDDEN, Head
from posture_daemon.vision.jpeg import encode_jpeg
from tests.fakes.backbone import CHANNELS, StandInBackbone

HOLDOUT_EVERY = 5
GAP_S, LENGTH_S = 300.0, 900.0

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "good": (40, 200, 40),
    "bad": (40, 40, 200),
    "away": (200, 40, 40),
    "standing": (200, 200, 40),
}
"""BGR by class: what `StandInBackbone` can tell apart."""

ROLES = {"good": Role.GOOD, "bad": Role.BAD, "away": Role.AWAY}

MEMORY = 8_000_000_000


def coloured_frame(class_name: str, seed: int, side: int = 48) -> Image:
    """A noisy picture in the colour of a class; the same seed gives the same picture."""
    noise = np.random.default_rng(seed).integers(-40, 41, (side, side, 3))
    return np.clip(np.array(COLOURS[class_name]) + noise, 0, 255).astype(np.uint8)


def coloured_jpeg(class_name: str, seed: int) -> bytes:
    """The same as JPEG."""
    return encode_jpeg(coloured_frame(class_name, seed), 640, 90)


def new_frame(jpeg: bytes, at: float, **known: Any) -> NewFrame:
    """A camera frame on its way into the queue."""
    fields: dict[str, Any] = {"source": "camera", "reason": Reason.UNCERTAIN, "explanation": "unsure", **known}
    return NewFrame(jpeg=jpeg, captured_at=at, **fields)


def add_frame(store: Store, at: float, jpeg: bytes | None = None, **known: Any) -> int:
    """Queue one frame; its picture is its time unless given."""
    frame_id = store.queue.add(new_frame(jpeg or f"jpeg {at}".encode(), at, **known), at, GAP_S, LENGTH_S)
    assert frame_id is not None
    return frame_id


def ensure_classes(store: Store, *names: str) -> None:
    """Create these classes of the owner."""
    for name in names:
        store.labels.ensure_class(PostureClass(name, ROLES.get(name, Role.NEUTRAL)), 0.0)


def label(store: Store, frame_id: int, class_name: str | None, now: float = 0.0) -> None:
    """Answer as the owner would."""
    store.labels.answer(frame_id, class_name, "owner", now, HOLDOUT_EVERY)


def label_block(store: Store, class_name: str, start: float, count: int = 6, backbone: Any = None) -> list[int]:
    """A time block of `count` labelled frames of one class; with a `backbone` their pooled features are kept too."""
    ensure_classes(store, class_name)
    ids = []
    for number in range(count):
        at = start + number
        known: dict[str, Any] = {}
        jpeg = coloured_jpeg(class_name, int(at))
        if backbone is not None:
            pooled = backbone.extract(coloured_frame(class_name, int(at))).pooled.astype(np.float16)
            known = {"pooled": pooled, "backbone_sha256": backbone.sha256}
        ids.append(add_frame(store, at, jpeg, **known))
        label(store, ids[-1], class_name, at)
    return ids


def label_days(store: Store, *class_names: str, blocks: int = 3, count: int = 6, start: float = 0.0) -> None:
    """Several blocks of each class in turn, an hour apart, as an import adds them: the second of each class is held out."""
    ensure_classes(store, *class_names)
    for block, class_name in enumerate(blocks * class_names):
        times = [start + 3600 * block + number for number in range(count)]
        frames = [new_frame(coloured_jpeg(class_name, int(at)), at, source="import:folder") for at in times]
        store.imports.add_block([(frame, class_name) for frame in frames], None, times[-1], HOLDOUT_EVERY)


def decided(**passed: bool) -> Decision:
    """A decision of these conditions."""
    return Decision(tuple(Verdict(name, value, f"{name} text") for name, value in passed.items()))


def random_head(classes: int, channels: int = CHANNELS, seed: int = 0) -> Head:
    """A head as an imported checkpoint has one: its own convolution and batch norm."""
    random = np.random.default_rng(seed)
    return Head(
        conv_weight=random.normal(0, 0.5, (HIDDEN, channels)),
        bn_weight=random.uniform(0.5, 1.5, HIDDEN),
        bn_bias=random.normal(0, 0.1, HIDDEN),
        bn_mean=random.normal(0, 0.1, HIDDEN),
        bn_var=random.uniform(0.5, 1.5, HIDDEN),
        linear_weight=random.normal(0, 0.05, (classes, HIDDEN)),
        linear_bias=random.normal(0, 0.05, classes),
    )


def version_of(head: Head, backbone_sha256: str, *names: str, **fields: Any) -> ModelVersion:
    """A version that is not in any store."""
    values: dict[str, Any] = {
        "id": 0,
        "created_at": 0.0,
        "parent_id": None,
        "backbone_sha256": backbone_sha256,
        "head_sha256": hashlib.sha256(head.to_bytes()).hexdigest(),
        "classes": tuple(PostureClass(name, ROLES.get(name, Role.NEUTRAL)) for name in names),
        "temperature": 1.0,
        "source": "test",
    }
    return ModelVersion(**{**values, **fields})


def add_version(store: Store, head: Head, backbone_sha256: str, *names: str, **fields: Any) -> ModelVersion:
    """Store a version with its head file; it is nobody's champion yet."""
    store.models.add_head(head.to_bytes())
    return store.models.add_version(version_of(head, backbone_sha256, *names, **fields))


def add_champion(store: Store, *names: str, backbone: StandInBackbone | None = None) -> ModelVersion:
    """Store an imported model with these classes, none for a base, and make it champion."""
    sha256 = (backbone or StandInBackbone()).sha256
    version = add_version(store, random_head(len(names) or 2), sha256, *names)
    store.models.promote(version.id, 0.0)
    return version


def training_set(store: Store) -> TrainingSet:
    """What a training from a base would learn from, without augmented views."""
    recipe = Recipe(seed=0, views=0, flip=True, min_images_per_class=1)
    return gather(store, add_champion(store), StandInBackbone(), recipe)


def add_backbone(store: Store, folder: Path, content: bytes) -> str:
    """Store a backbone with this content, of which there is no second copy; returns its digest."""
    folder.mkdir(exist_ok=True)
    digest = sha256_of(content)
    (folder / "backbone.onnx").write_bytes(content)
    (folder / "backbone.json").write_text(json.dumps({"sha256": digest}))
    store.models.add_backbone(folder, digest)
    return digest


def colour_backbone(store: Store, folder: Path) -> str:
    """A real ONNX file that shrinks the picture to 4 × 4, in the store; returns its digest."""
    onnx = pytest.importorskip("onnx")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("AveragePool", ["images"], ["features"], kernel_shape=[8, 8], strides=[8, 8])],
        "colours",
        [helper.make_tensor_value_info("images", floats, ["n", 3, 32, 32])],
        [helper.make_tensor_value_info("features", floats, ["n", 3, 4, 4])],
    )
    data = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()
    (folder / "backbone.onnx").write_bytes(data)
    (folder / "backbone.json").write_text("{}")
    store.models.add_backbone(folder, sha256_of(data))
    return sha256_of(data)


def make_store(folder: Path) -> Store:
    """A real store in a folder of its own; its file is copied from one that was migrated once, which saves time."""
    data = folder / "data"
    if not data.exists():
        data.mkdir(parents=True)
        (data / "posture.db").write_bytes(_migrated_file())
    return Store(data)


@cache
def _migrated_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store.close()
        return store.database.path.read_bytes()


def prediction(probabilities: Mapping[str, float], pooled: Sequence[float] = (1.0, 0.0, 0.0)) -> Prediction:
    """What a model says: probabilities by class, and features that average to `pooled`."""
    features = Features(np.tile(np.array(pooled, np.float32)[:, None, None], (1, 2, 2)))
    return Prediction(tuple(probabilities), np.array(list(probabilities.values()), np.float32), features, 1, "sha", 0.0)


def resources(**changed: Any) -> Resources:
    """A cool and idle device with plenty of memory and disk, except for what is changed."""
    values: dict[str, Any] = {
        "memory_available_bytes": MEMORY,
        "memory_total_bytes": MEMORY,
        "zones": zones(cpu=45.0),
        "disk_free_bytes": 50_000_000_000,
        "cpu_percent": 10.0,
    }
    return Resources(**{**values, **changed})


def zones(**celsius: float | None) -> tuple[ThermalZone, ...]:
    """Thermal zones without trip points, by their names; `None` is an offline one."""
    return tuple(ThermalZone(name, value) for name, value in celsius.items())


def undo(store: Store) -> int | None:
    """Take back the newest step; returns its first frame, `None` when there is nothing to take back or no frame left."""
    step = store.steps.undo(0.0)
    return None if step is None else next(iter(step.frames), None)
