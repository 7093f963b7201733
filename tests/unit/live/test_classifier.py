"""The live classifier: every answer is of one model, and a model that cannot answer never takes over."""

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from posture_daemon.domain import UNKNOWN, Features, Floats, Image
from posture_daemon.errors import ModelError
from posture_daemon.learning.feature_space import pooled_head
from posture_daemon.live.classifier import LiveClassifier, LiveModel
from tests.builders import CHANNELS, coloured_frame, random_head, version_of
from tests.fakes.backbone import StandInBackbone

FRAME = coloured_frame("good", 1)


class HookedBackbone(StandInBackbone):
    """Calls `hook` after it has seen a picture, in the middle of a prediction."""

    hook: Callable[[], None] = staticmethod(lambda: None)

    def extract(self, image: Image) -> Features:
        """Features, then the hook."""
        features = super().extract(image)
        self.hook()
        return features


class BrokenBackbone(StandInBackbone):
    """Raises, or gives what is no number."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__("broken")
        self._error = error

    def extract_batch(self, images: Sequence[Image]) -> Floats:
        """Fail."""
        if self._error is not None:
            raise self._error
        return np.full_like(super().extract_batch(images), np.nan)


def model(number: int, *names: str, backbone: StandInBackbone | None = None) -> LiveModel:
    """A model that always says its first class, at about 0.99."""
    bias = np.array([5.0] + [0.0] * (len(names) - 1) if names else [], np.float32)
    head = pooled_head(CHANNELS, np.zeros((len(names), CHANNELS), np.float32), bias)
    backbone = backbone or StandInBackbone(f"backbone {number}")
    return LiveModel(version_of(head, backbone.sha256, *names, id=number), backbone, head)


def test_a_prediction_tells_who_made_it_and_how_long_it_took() -> None:
    """Class, chance, features, version, backbone, and the time of preprocessing, backbone and head together."""
    one = model(7, "good", "bad")
    times = iter([10.0, 10.25])
    said = one.predict(FRAME, clock=lambda: next(times))
    assert (said.label, said.classes, said.version_id, said.latency_s) == ("good", ("good", "bad"), 7, 0.25)
    assert said.confidence == pytest.approx(np.exp(5) / (np.exp(5) + 1), abs=1e-3)
    assert said.backbone_sha256 == one.backbone.sha256
    np.testing.assert_array_equal(said.features.map, StandInBackbone().extract(FRAME).map)


def test_the_temperature_of_the_version_softens_the_answer() -> None:
    """The same head at temperature 5 is less sure."""
    one = model(1, "good", "bad")
    version = version_of(one.head, "sha", "good", "bad", temperature=5.0)
    softened = LiveModel(version, one.backbone, one.head).predict(FRAME)
    assert softened.confidence == pytest.approx(np.exp(1) / (np.exp(1) + 1), abs=1e-3)


def test_a_base_says_unknown() -> None:
    """It has features, but no classes, and is sure of nothing."""
    said = LiveClassifier(model(1)).predict(FRAME)
    assert (said.label, said.confidence, said.classes, said.probabilities.shape) == (UNKNOWN, 0.0, (), (0,))
    assert said.features.pooled.shape == (CHANNELS,)


def test_a_frame_in_flight_finishes_on_the_model_it_began_with() -> None:
    """A swap between backbone and head does not mix the two; the next frame is the new model's."""
    backbone = HookedBackbone("old")
    live = LiveClassifier(model(1, "good", "bad", backbone=backbone))
    new = model(2, "sitting", "standing", "away")
    backbone.hook = lambda: live.swap(new)
    said = live.predict(FRAME)
    assert (said.version_id, said.label, said.backbone_sha256) == (1, "good", backbone.sha256)
    assert (live.predict(FRAME).version_id, live.version.id, live.backbone) == (2, 2, new.backbone)


def test_answers_are_never_mixed_while_another_thread_swaps() -> None:
    """Version, classes, number of chances and backbone of each of many answers belong together."""
    models = {1: model(1, "good", "bad"), 2: model(2, "sitting", "standing", "away")}
    live = LiveClassifier(models[1])
    said = []
    stop = threading.Event()

    def predict() -> None:
        while not stop.is_set():
            said.append(live.predict(FRAME))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        thread = threading.Thread(target=predict)
        thread.start()
        swaps = 0
        while len(said) < 300 or swaps < 100 or len({one.version_id for one in list(said)}) < 2:
            live.swap(models[1 + swaps % 2])
            swaps += 1
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(before)
    assert {one.version_id for one in said} == {1, 2}
    for one in said:
        expected = models[one.version_id]
        assert one.classes == tuple(c.name for c in expected.version.classes)
        assert len(one.probabilities) == len(one.classes)
        assert one.backbone_sha256 == expected.backbone.sha256


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        pytest.param(model(2, "a", "b", backbone=BrokenBackbone()), "does not answer with numbers", id="not a number"),
        pytest.param(
            model(2, "a", "b", backbone=BrokenBackbone(KeyError("out of GPU"))), "cannot answer", id="runtime error"
        ),
        pytest.param(
            model(2, "a", "b", backbone=BrokenBackbone(ModelError("No engine."))), "^No engine.$", id="our error"
        ),
        pytest.param(
            LiveModel(version_of(random_head(2), "x", "a", "b", "c"), StandInBackbone(), random_head(2)),
            "has 3 classes but a head of 2",
            id="rows missing",
        ),
        pytest.param(
            LiveModel(version_of(random_head(2, 8), "x", "a", "b"), StandInBackbone(), random_head(2, 8)),
            "do not fit",
            id="another backbone's head",
        ),
    ],
)
def test_a_model_that_cannot_answer_leaves_the_old_one_in_place(broken: LiveModel, message: str) -> None:
    """It is made to answer once before it takes over, and it can not be the first one either."""
    live = LiveClassifier(model(1, "good", "bad"))
    with pytest.raises(ModelError, match=message):
        live.swap(broken)
    assert live.predict(FRAME).version_id == live.version.id == 1
    with pytest.raises(ModelError, match=message):
        LiveClassifier(broken)


def modules_after(statement: str) -> set[str]:
    """Top-level modules that a new process has loaded after this import."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_the_live_path_imports_nothing_heavy() -> None:
    """`live` alone is numpy and safetensors."""
    heavy = {"torch", "ultralytics", "cv2", "typer", "rich", "apscheduler", "sqlalchemy", "scipy", "onnxruntime"}
    assert modules_after("import posture_daemon.live.classifier") & heavy == set()


def test_the_daemon_imports_neither_torch_nor_ultralytics() -> None:
    """They cost half a gigabyte, so they live in child processes only."""
    loaded = modules_after(
        "import posture_daemon.bootstrap.daemon, posture_daemon.daemon.lifecycle"
        ", posture_daemon.adapters.trainer.process"
    )
    assert loaded & {"torch", "torchvision", "ultralytics", "onnx", "typer", "alembic"} == set()
