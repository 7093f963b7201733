"""The data folder and its models: opened, imported, loaded."""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from posture_daemon.adapters.backbone.onnx import OnnxBackbone
from posture_daemon.adapters.backbone.region import looking_at
from posture_daemon.adapters.checkpoints import import_checkpoint, inspect_checkpoint
from posture_daemon.adapters.checkpoints.yolo11 import DEFAULT_IMAGE_SIZE
from posture_daemon.domain import ModelVersion
from posture_daemon.errors import CheckpointRefused, LabelError, ModelError
from posture_daemon.integrity.model_recovery import install
from posture_daemon.labelling.adopted_names import adopt
from posture_daemon.labelling.class_roles import looks_like_postures
from posture_daemon.live.classifier import LiveModel
from posture_daemon.ports import Backbone
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.lock import in_turn
from posture_daemon.store.model_copies import STARTER, STARTER_SOURCE
from posture_daemon.store.place import refuse_long, refuse_shared
from posture_daemon.vision.head import Head

log = logging.getLogger(__name__)

MAX_CLASSES = 100
"""Of a posture model: the page has a button for each."""


def open_store(settings: Settings) -> Store:
    """The data folder, with the starter model as its first champion when there is none."""
    refuse_long(settings.data_dir, "The data folder")
    refuse_shared(settings.data_dir)
    store = Store(settings.data_dir)
    if store.models.champion_id() is None and (STARTER / "head.json").exists():
        with in_turn(store.folder):  # another command may open the new folder at this moment
            if store.models.champion_id() is None:
                version = install(store, STARTER, STARTER_SOURCE, as_base=False)
                log.info("model %d, the starter, is the first champion", version.id)
    return store


def import_model(
    store: Store,
    file: Path,
    image_size: int | None = None,
    as_base: bool | None = None,
    renames: Sequence[str] = (),
) -> ModelVersion:
    """Import an ultralytics checkpoint as a version of its own and make it champion.

    `as_base` says whether its classes are postures; `None` guesses by their names. A posture model goes on with the image
    size (pixels) of its training; a base begins at 224, whatever it was trained for, unless `image_size` says otherwise.
    `renames` such as `OLD=NEW` say what its classes are called here. Raises `CheckpointRefused` for what is no YOLO11-cls, or
    does not answer a picture, and `LabelError` for names that no class can have, or that a base would not use; then nothing has
    changed.
    """
    if as_base and renames:
        raise LabelError("A base has no classes that could be renamed; leave out --as-base or --rename.")
    if as_base is None:
        as_base = not renames and not looks_like_postures(
            inspect_checkpoint(file, image_size or DEFAULT_IMAGE_SIZE).classes
        )
    if as_base and image_size is None:
        image_size = DEFAULT_IMAGE_SIZE
    with tempfile.TemporaryDirectory(dir=store.folder, prefix=".import-") as folder:
        imported = import_checkpoint(file, Path(folder), image_size)
        if not as_base and not 2 <= len(imported.classes) <= MAX_CLASSES:
            raise CheckpointRefused(
                f"{file} has {len(imported.classes)} class{'' if len(imported.classes) == 1 else 'es'}, but from 2 to "
                f"{MAX_CLASSES} can be postures; import it with --as-base."
            )
        names = None if as_base else adopt(imported.classes, renames, _known_names(store), file)
        return install(store, Path(folder), f"imported from {imported.source}", as_base=as_base, names=names)


def _known_names(store: Store) -> list[str]:
    """Names of classes that there are, that were deleted, and that any model has, the owner's own first."""
    of_models = (one.name for version in store.models.all() for one in version.classes)
    return [*(one.name for one in store.labels.classes()), *store.labels.retired(), *of_models]


def load_model(store: Store, version: ModelVersion, loaded: Backbone | None = None) -> LiveModel:
    """Read a version from disk, every file checked against its digest; a backbone that is loaded already is used again."""
    head = Head.from_bytes(store.models.read_head(version.head_sha256))  # says so where files were removed
    return LiveModel(version, open_backbone(store, version, loaded), head)


def open_backbone(store: Store, version: ModelVersion, loaded: Backbone | None = None) -> Backbone:
    """A version's backbone from disk, checked against its digest, for the region that the version looks at.

    One that is loaded already is used again, whatever region it looked at.
    """
    if loaded is not None and looking_at(loaded, None).sha256 == version.backbone_sha256:
        return loaded if loaded.region == version.region else looking_at(loaded, version.region)
    path = store.models.backbone_folder(version.backbone_sha256) / "backbone.onnx"
    return looking_at(OnnxBackbone(path, threads=1, expected_sha256=version.backbone_sha256), version.region)


def champion(store: Store) -> ModelVersion:
    """The champion. Raises `ModelError` when there is none."""
    version = store.models.champion()
    if version is None:
        raise ModelError("There is no model yet; import one first: posture-daemon models import FILE.pt.")
    return version
