"""Make the starter model: `make starter`, or `.venv/bin/python .ci/make_starter.py [FOLDER]`.

The model that ships in `assets/starter` is a yolo11n-cls trained from random weights by ultralytics on pictures of the fake
desk: one person, by day, in a few rooms, with the classes `good_posture`, `bad_posture` and `na`. It has never seen another
person, a night or `standing`; learning those is the owner's daemon's work. All random numbers are fixed, so the same
versions of torch and ultralytics give the same model. Takes about a quarter of an hour on two cores.
"""

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from posture_daemon.adapters.backbone.onnx import OnnxBackbone
from posture_daemon.adapters.checkpoints import import_checkpoint
from posture_daemon.domain import Floats
from posture_daemon.fake_desk import AWAY, BAD, GOOD
from posture_daemon.fake_desk.sessions import Session, write_pictures
from posture_daemon.learning.calibration import fit_temperature
from posture_daemon.learning.evaluation import Evaluation, evaluate
from posture_daemon.store.files import write_durably
from posture_daemon.store.json_values import as_json
from posture_daemon.store.model_copies import STARTER
from posture_daemon.vision.head import Head, softmax

CLASSES = (GOOD, BAD, AWAY)
PERSON = 1
ROOMS = (1, 3, 4, 6, 9, 11)
HOURS = (9.0, 10.5, 12.0, 13.5, 15.0, 16.5)
IMAGES_PER_SESSION = 12
EPOCHS = 16
IMAGE_SIZE = 160
WIDTH_PX = 640
TORCH_SEED = 0


def training_sessions() -> list[Session]:
    """Sessions of the training set."""
    return [
        Session("train", room, PERSON, hour, 1000 + 10 * room + i) for room in ROOMS for i, hour in enumerate(HOURS)
    ]


def unseen_sessions() -> list[Session]:
    """Sessions of the evaluation: the same person on other days, other people by day, and other people at night."""
    return [
        *(Session("same person, other days", room, PERSON, 11.0, 5000 + room) for room in ROOMS),
        *(Session("other people and rooms, by day", 20 + n, 20 + n, 11.0, 6000 + n) for n in range(6)),
        *(Session("other people and rooms, at night", 30 + n, 30 + n, 22.0, 7000 + n) for n in range(6)),
    ]


def calibration_sessions() -> list[Session]:
    """Sessions for fitting the temperature: further people, by day."""
    return [Session("calibration", 50 + n, 50 + n, 12.0, 8000 + n) for n in range(4)]


def main(out: Path = STARTER) -> None:
    """Render, train, import, evaluate; write the four files of the model to `out`."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = Path(folder) / "dataset"
        write_pictures(training_sessions(), dataset / "train", CLASSES, IMAGES_PER_SESSION, WIDTH_PX)
        write_pictures([s for s in unseen_sessions() if s.person == PERSON], dataset / "val", CLASSES, 10, WIDTH_PX)
        import_checkpoint(_train(dataset, Path(folder)), out, IMAGE_SIZE)
    describe(out)


def describe(out: Path) -> None:
    """Calibrate the model in `out`, evaluate it on unseen sessions, and add both to its description."""
    logits, truth = _answers(out, calibration_sessions())
    about = json.loads((out / "head.json").read_text())
    targets = np.array([about["classes"].index(name) for name in truth], np.intp)
    about["temperature"] = round(fit_temperature(logits, targets), 3)
    kinds = {session.name: [s for s in unseen_sessions() if s.name == session.name] for session in unseen_sessions()}
    unseen = {kind: _judge(out, found, about["temperature"], about["classes"]) for kind, found in kinds.items()}
    about["metrics"] = {"unseen": as_json(unseen)}
    about["source"] = "make starter"
    write_durably(out / "head.json", (json.dumps(about, indent=2) + "\n").encode())
    for kind, judged in unseen.items():
        sys.stdout.write(f"{kind}: top-1 {judged.top1:.3f} on {judged.images} images\n")


def _train(dataset: Path, folder: Path) -> Path:
    os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_CONFIG_DIR=str(folder))
    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))  # ultralytics would set 1
    from ultralytics import YOLO, settings

    settings.update(sync=False)
    model = YOLO("yolo11n-cls.yaml")
    model.train(
        data=str(dataset), epochs=EPOCHS, imgsz=IMAGE_SIZE, batch=16, optimizer="AdamW", lr0=0.002, warmup_epochs=1,
        scale=0.75, auto_augment=None, erasing=0.2, hsv_v=0.6,  # milder than the default: where the head is matters
        seed=TORCH_SEED, deterministic=True, pretrained=False, amp=False, workers=0, device="cpu", plots=False,
        project=str(folder), name="run",
    )  # fmt: skip
    return folder / "run" / "weights" / "best.pt"


def _answers(model: Path, sessions: list[Session]) -> tuple[Floats, list[str]]:
    """Logits and true classes on pictures of these sessions."""
    backbone = OnnxBackbone(model / "backbone.onnx", threads=2)
    head = Head.from_bytes((model / "head.safetensors").read_bytes())
    pictures = [pair for session in sessions for pair in session.pictures(CLASSES, 10, WIDTH_PX)]
    logits = [head.logits(backbone.extract(picture).map) for _, picture in pictures]
    return np.array(logits), [truth for truth, _ in pictures]


def _judge(model: Path, sessions: list[Session], temperature: float, classes: Sequence[str]) -> Evaluation:
    logits, truth = _answers(model, sessions)
    return evaluate(softmax(logits, temperature), classes, truth)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else STARTER)
