"""What two versions, the labels and a folder of images predict, computed with the real backbone."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from posture_daemon.adapters.backbone.on_demand import backbone_of
from posture_daemon.bootstrap.models import champion, load_model
from posture_daemon.datasets import read_layout
from posture_daemon.domain import ModelVersion, Split
from posture_daemon.errors import DatasetError, ModelError, PictureRefused
from posture_daemon.labelling.class_names import find, tidy
from posture_daemon.learning.evaluation import Evaluation, evaluate
from posture_daemon.learning.training_set import TrainingSet, gather
from posture_daemon.learning.version_diff import Difference, differ, predict
from posture_daemon.settings import Settings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.vision.picture_decoder import read_picture

if TYPE_CHECKING:
    from posture_daemon.learning.label_errors import LabelCheck

log = logging.getLogger(__name__)


def difference(store: Store, settings: Settings, first: ModelVersion, second: ModelVersion) -> Difference:
    """Which images of the present holdout two versions call differently. Raises `ModelError`, `DatasetError`."""
    images = [image for image in store.labels.labelled() if image.split is Split.HOLDOUT]
    if not images:
        raise DatasetError("There are no holdout images yet, so the models cannot be compared; label more frames.")
    before = predict(store, first, images, partial(backbone_of, store), Recipe.of(settings.training))
    after = predict(store, second, images, partial(backbone_of, store), Recipe.of(settings.training))
    return differ(images, before, after)


def training_set(store: Store, settings: Settings) -> TrainingSet:
    """What a training would learn from now. Raises `ModelError`, `TrainingError`."""
    version, recipe = champion(store), Recipe.of(settings.training)
    return gather(store, version, backbone_of(store, replace(version, region=settings.camera.seen)), recipe)


def label_check(store: Store, settings: Settings) -> LabelCheck:
    """Labels of any split that are likelier wrong than right, without those that the owner has kept.

    Raises `ModelError`, `TrainingError`.
    """
    # These fit, with SciPy, which the daemon does without.
    from posture_daemon.learning.label_errors import ask, check_labels

    learned = training_set(store, settings)
    held_out = [image for image in store.labels.labelled() if image.split in (Split.HOLDOUT, Split.TEST)]
    asked = ask(learned, learned.source.load(held_out, views=0))
    found = check_labels(asked, learned.sessions, learned.groups)
    kept = store.labels.kept()
    return replace(found, doubts=tuple(doubt for doubt in found.doubts if doubt.frame_id not in kept))


def evaluate_folder(store: Store, version: ModelVersion, folder: Path) -> tuple[Evaluation, int]:
    """A version on class folders of images: the evaluation, and how many files could not be read.

    Raises `DatasetError` when the folder has none that can, and `ModelError` for a base.
    """
    if version.is_base:
        raise ModelError(f"Model {version.id} is a base without classes, so there is nothing to evaluate; train first.")
    model = load_model(store, version)
    names = [c.name for c in version.classes]
    truth, answers, unreadable = [], [], 0
    layout = read_layout(folder, {c.name for c in version.classes})
    called: dict[str, str] = {}
    for name in layout.class_folders:
        called[name] = find(name, [*names, *called.values()]) or tidy(name)
    for image in (i for i in layout.images if i.folder in layout.class_folders):
        try:
            picture = read_picture(image.path)
        except PictureRefused as error:
            log.info("%s", error)
            unreadable += 1
            continue
        truth.append(called[image.folder])
        answers.append(model.predict(picture).probabilities)
    if not answers:
        raise DatasetError(f"No picture in {folder} can be read (of {unreadable}); are they pictures?")
    return evaluate(np.array(answers), names, truth), unreadable
