"""A strategy from the labels in the store to a judged challenger. Runs in the training child; torch is one child further."""

import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from posture_daemon.adapters.backbone.onnx import OnnxBackbone
from posture_daemon.adapters.backbone.region import looking_at
from posture_daemon.adapters.checkpoints import ImportedCheckpoint, export_checkpoint, import_checkpoint
from posture_daemon.adapters.checkpoints.graph import read_weights
from posture_daemon.adapters.strategies.dataset import folder_names, write_dataset
from posture_daemon.adapters.strategies.fit import FitRequest, Fitted, fit
from posture_daemon.adapters.strategies.progress import MARK
from posture_daemon.domain import LabelledImage, ModelVersion, Split
from posture_daemon.errors import PostureError, TrainingCancelled, TrainingError, TrainingOutOfMemory
from posture_daemon.learning.interruption import Interruption
from posture_daemon.learning.scoring import Challenger
from posture_daemon.learning.training_report import TrainingReport, labels_digest
from posture_daemon.learning.training_set import classes_to_learn
from posture_daemon.ports import Backbone
from posture_daemon.store import Store
from posture_daemon.training.job import TrainingJob
from posture_daemon.training.run_record import NewBackbone
from posture_daemon.training.strategies import CHECKPOINTS, Course, course_of, judge_fitted
from posture_daemon.vision.head import Head

MODEL = "model"
"""Folder of the challenger's two parts, within the folder of the run."""

HALF_STEP = 2.0**-10
"""Ultralytics saves weights as half floats: neighbours differ by this share of their size."""


def train_by_ultralytics(
    store: Store, incumbent: ModelVersion, job: TrainingJob
) -> tuple[Challenger, NewBackbone | None]:
    """Export, train, import, judge: the challenger, and the folder and digest of its backbone when that is a new one.

    Raises `TrainingError` when there is nothing to learn from or ultralytics fails. Told to end (`TrainingCancelled`), it
    leaves a checkpoint, from which the next training on the same labels goes on.
    """
    began = time.monotonic()
    out = Path(job.out_dir)
    orders = Interruption(out)
    course = course_of(job.strategy, store, incumbent, job.plan)
    labelled = store.labels.labelled()
    classes = classes_to_learn(store, incumbent, (i.class_name for i in labelled if i.split is Split.TRAIN))
    if len(classes) < 2:
        raise TrainingError("There are too few labelled images to train on: at least two classes are needed.")
    names = [c.name for c in classes]
    holdout = [image for image in labelled if image.split is Split.HOLDOUT] if job.plan.watch_holdout else []
    learned = write_dataset(store, out / "dataset", names, course.images, holdout, job.region)
    orders.look()
    _export(store, course.start, names, out / "start.pt")
    prepared = time.monotonic()
    with _unfinished(store.folder / CHECKPOINTS / job.strategy.value) as checkpoint:
        size = _backbone(store, course.start, threads=1).image_size
        fitted = fit(_request(size, course, job, checkpoint), _say_epoch, _say)
        trained = time.monotonic()
        imported = import_checkpoint(Path(fitted.last), out / MODEL, size)
        moved = _moved(store, course, imported)
        orders.look()
        seconds = {"features": round(prepared - began, 3), "fit": round(trained - prepared, 3)}
        report = replace(_report(job, course, learned, fitted), seconds=seconds)
        old = _backbone(store, incumbent, job.threads)
        new = looking_at(OnnxBackbone(imported.backbone_path, threads=job.threads) if moved else old, job.region)
        head = Head.from_bytes(imported.head_path.read_bytes())
        challenger = judge_fitted(store, (head, classes, new), (incumbent, old), report, orders)
    return challenger, NewBackbone(MODEL, imported.backbone_sha256) if moved else None


@contextmanager
def _unfinished(checkpoint: Path) -> Iterator[Path]:
    """Keep what was trained for next time, unless the work within is done, or failed so that it would fail again."""
    try:
        yield checkpoint
    except (TrainingCancelled, TrainingOutOfMemory):
        raise
    except PostureError:
        _forget(checkpoint)
        raise
    _forget(checkpoint)


def _forget(checkpoint: Path) -> None:
    shutil.rmtree(checkpoint, ignore_errors=True)
    with suppress(OSError):  # another strategy has one too, or there never was one
        checkpoint.parent.rmdir()


def _export(store: Store, start: ModelVersion, names: Sequence[str], out: Path) -> None:
    """The version to start from as a checkpoint, with a row for each class: a new one begins at zero."""
    head = Head.from_bytes(store.models.read_head(start.head_sha256))
    grown = head.grown([c.name for c in start.classes], names)
    export_checkpoint(store.models.backbone_folder(start.backbone_sha256), grown, folder_names(len(names)), out)


def _request(image_size: int, course: Course, job: TrainingJob, checkpoint: Path) -> FitRequest:
    out = Path(job.out_dir)
    return FitRequest(
        weights=str(out / "start.pt"),
        data=str(out / "dataset"),
        out=str(out / "ultralytics"),
        epochs=job.plan.epochs,
        batch=job.plan.batch,
        image_size=image_size,
        learning_rate=course.learning_rate,
        seed=job.recipe.seed,
        freeze=course.freeze,
        flip=job.recipe.flip,
        validate=job.plan.watch_holdout,
        threads=job.threads,
        orders=job.out_dir,
        checkpoint=str(checkpoint),
    )


def _say_epoch(epoch: Mapping[str, Any]) -> None:
    seen = "" if epoch["top1"] is None else f", top-1 {epoch['top1']:.3f}"
    _say(f"epoch {epoch['epoch']} of {epoch['epochs']}: loss {epoch['loss']:.3f}{seen}, {epoch['seconds']:.1f} s")


def _say(sentence: str) -> None:
    """One line for the parent, which puts it into the log."""
    sys.stderr.write(f"{MARK}{sentence}\n")
    sys.stderr.flush()


def _backbone(store: Store, version: ModelVersion, threads: int) -> Backbone:
    path = store.models.backbone_folder(version.backbone_sha256) / "backbone.onnx"
    whole = OnnxBackbone(path, threads=threads, expected_sha256=version.backbone_sha256)
    return looking_at(whole, version.region)


def _moved(store: Store, course: Course, imported: ImportedCheckpoint) -> bool:
    """Whether the backbone is another one now. A frozen one that moved all the same raises `TrainingError`."""
    if not course.freeze:
        return True
    folder = store.models.backbone_folder(course.start.backbone_sha256)
    before = read_weights((folder / "backbone.onnx").read_bytes())
    after = read_weights(imported.backbone_path.read_bytes())
    for name, weights in before.items():
        if not np.allclose(after[name], weights, rtol=HALF_STEP, atol=HALF_STEP**2):
            raise TrainingError(f"The frozen backbone was changed by the training ({name}), so its head fits no other.")
    return False


def _report(job: TrainingJob, course: Course, learned: Sequence[LabelledImage], fitted: Fitted) -> TrainingReport:
    """What the record of the run keeps of where the challenger came from."""
    return TrainingReport(
        label_ids=tuple(image.frame_id for image in learned),
        labels_sha256=labels_digest(learned),
        train_images=Counter(image.class_name for image in learned),
        unreadable=len(course.images) - len(learned),
        seed=job.recipe.seed,
        peak_memory_bytes=fitted.peak_memory_bytes,
        strategy=job.strategy.value,
        start_version=course.start.id,
        epochs=job.plan.epochs,
        batch=job.plan.batch,
        learning_rate=course.learning_rate,
        freeze=course.freeze,
        seconds_per_epoch=fitted.seconds_per_epoch,
        curve=fitted.curve,
        best_epoch=fitted.best_epoch,
        versions=fitted.versions,
    )
