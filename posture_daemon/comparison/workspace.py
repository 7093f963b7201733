"""A store of its own for a comparison, so that nothing done here touches the user's pictures, labels or champion.

From a folder in the article's layout, the owner's history is played again: the old part is labelled, the incumbent learns
from it, and then the new part is labelled.
"""

import math
import os
import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from posture_daemon.datasets import Layout, class_names, import_folder, read_layout
from posture_daemon.domain import Decision, LabelledImage, ModelVersion, Outcome, Split
from posture_daemon.errors import DatasetError, ModelError
from posture_daemon.settings import Settings
from posture_daemon.store import Store

LABELLED_AT, LEARNED_AT, NEW_AT = 1_000_000_000.0, 1_000_000_100.0, 1_000_000_200.0
"""When the three things happen in the history that is played again, seconds since the epoch."""


@dataclass(frozen=True, eq=False)
class Workspace:
    """The store, the model that the comparison begins with, and what must be said about the pictures.

    `later` are images, all of them for training, that are not labelled yet: they are the new ones once an incumbent has
    learned from the others. `None` means that the incumbent is there and the store knows what is new to it.
    """

    store: Store
    start: ModelVersion
    later: tuple[LabelledImage, ...] | None
    notes: tuple[str, ...]
    source: str


def from_folder(
    dataset: Path, folder: Path, models: Store, base: ModelVersion, settings: Settings, new_share: float
) -> Workspace:
    """Read `train/`, `val/` and maybe `test/` into a new store in `folder`; of each class the last `new_share` is new.

    Natural order of the file names, or the time of capture where it is known, says what comes last. Raises `DatasetError`
    when there is nothing to learn from or to judge by.
    """
    layout = read_layout(dataset, class_names(models))
    if not any(image.split is Split.HOLDOUT for image in layout.images):
        raise DatasetError(f"The folder {dataset} has no pictures in val/; the strategies cannot be judged without.")
    _empty(folder)
    store = Store(folder)
    start = _copy_version(models, store, replace(base, classes=(), parent_id=None))
    report = import_folder(store, settings, dataset, LABELLED_AT, layout=layout)
    images = store.labels.labelled()
    per_class = _training_images(images)
    if len(per_class) < 2:
        raise DatasetError(f"The folder {dataset} has pictures of fewer than two classes in train/.")
    later = tuple(image for members in per_class.values() for image in _last(members, new_share))
    for image in later:  # not labelled before the incumbent has learned
        store.labels.answer(image.frame_id, None, "compare", LABELLED_AT, settings.labels.holdout_every)
    notes = (*report.conflicts, *report.unreadable, *_gaps(layout, images))
    return Workspace(store, start, later, notes, dataset.resolve().name)


def from_store(source: Store, folder: Path) -> Workspace:
    """Copy the labels and models there are; the champion is the incumbent. Raises `ModelError` or `DatasetError`."""
    champion = source.models.champion()
    if champion is None:
        raise ModelError(
            "There is no champion to compare with; import a model first: posture-daemon models import FILE.pt."
        )
    images = source.labels.labelled()
    if len(_training_images(images)) < 2 or not any(i.split is Split.HOLDOUT for i in images):
        raise DatasetError("There are too few labels to compare on: two classes and a holdout are needed.")
    _empty(folder)
    with sqlite3.connect(source.folder / "posture.db") as old, sqlite3.connect(folder / "posture.db") as new:
        old.backup(new)
    old.close()
    new.close()
    shutil.copytree(source.folder / "models", folder / "models", copy_function=_link)
    return Workspace(Store(folder), champion, None, (), "the labels in the store")


def learn_later(workspace: Workspace, incumbent: ModelVersion, settings: Settings) -> ModelVersion:
    """Record that the incumbent was made by a training, and label what came later. Returns it with its number."""
    store = workspace.store
    run_id = store.runs.begin("compare", Decision(()), workspace.start.id, LEARNED_AT)
    version = store.models.add_version(replace(incumbent, parent_id=workspace.start.id))
    store.models.promote(version.id, LEARNED_AT)
    store.runs.finish(run_id, Outcome.PROMOTED, "the incumbent of a comparison", LEARNED_AT, {}, version.id)
    for image in workspace.later or ():
        store.labels.answer(image.frame_id, image.class_name, "compare", NEW_AT, settings.labels.holdout_every)
    return version


def _training_images(images: Sequence[LabelledImage]) -> dict[str, list[LabelledImage]]:
    """By class, in the order of their capture."""
    found: dict[str, list[LabelledImage]] = {}
    for image in images:
        if image.split is Split.TRAIN:
            found.setdefault(image.class_name, []).append(image)
    return found


def _last(images: Sequence[LabelledImage], share: float) -> Sequence[LabelledImage]:
    """At least one is new and at least one is old, if there are two."""
    count = min(max(1, math.floor(len(images) * share)), len(images) - 1) if share else 0
    return images[len(images) - count :]


def _gaps(layout: Layout, images: Sequence[LabelledImage]) -> list[str]:
    """Class folders without pictures, and classes that validation cannot judge."""
    empty = {name for name, split in layout.empty if split is Split.TRAIN} - {*layout.class_folders}
    judged = {image.class_name for image in images if image.split is Split.HOLDOUT}
    trained = set(_training_images(images))
    return [
        *(f"The class folder train/{name} holds no pictures and is left out." for name in sorted(empty)),
        *(f"The class {name} has no pictures in val/, so its recall is unknown." for name in sorted(trained - judged)),
        *(
            f"The class {name} is in val/ but not in train/, so it is always missed."
            for name in sorted(judged - trained)
        ),
    ]


def _copy_version(source: Store, target: Store, version: ModelVersion) -> ModelVersion:
    target.models.add_backbone(source.models.backbone_folder(version.backbone_sha256), version.backbone_sha256)
    target.models.add_head(source.models.read_head(version.head_sha256))
    return target.models.add_version(version)


def _empty(folder: Path) -> None:
    """What an interrupted comparison left is made anew; only finished results are kept, and those elsewhere."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _link(source: str, target: str) -> None:
    """Model files are never changed in place, so a second name is as good as a copy; not across file systems."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
