"""Fallback when the champion's files are damaged: itself after repair, else the previous model, else the starter.

The fallback becomes champion in the database too, so that no training starts from an unreadable model. The damaged one
becomes `previous`; `models rollback` brings it back once its files are repaired.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from posture_daemon.domain import ModelVersion, PostureClass
from posture_daemon.errors import DataFolderError, ModelError
from posture_daemon.labelling.class_roles import guess_role
from posture_daemon.store import Store
from posture_daemon.store.json_files import read_json
from posture_daemon.store.model_copies import STARTER, STARTER_SOURCE

log = logging.getLogger(__name__)

Loaded = TypeVar("Loaded")


def answering(store: Store, champion: ModelVersion, load: Callable[[ModelVersion], Loaded], now: float) -> Loaded:
    """Load the champion, or the best fallback. Each failure is logged and recorded as an incident.

    `load` raises `ModelError` for a version that cannot be used. Raises `ModelError` when none can.
    """
    try:
        return load(champion)
    except ModelError as error:
        log.error("model %d, the champion, cannot answer: %s", champion.id, error)
        return _mended(store, champion, load, now) or _instead(store, champion, error, load, now)


def install(
    store: Store, folder: Path, source: str, *, as_base: bool, names: Sequence[str] | None = None
) -> ModelVersion:
    """Record the two-part model in `folder` (`backbone.onnx`, `head.safetensors`, …) and make it champion.

    `names` are those of its rows, by default as the folder says.
    """
    now = time.time()
    version = _record(store, folder, source, now, as_base=as_base, names=names)
    store.models.promote(version.id, now)
    return version


def mend(store: Store, version: ModelVersion) -> list[str]:
    """Replace damaged files of a version by copies, where they exist; returns the names of the repaired files."""
    try:
        return [path.name for path in store.model_copies.mend(version)]
    except OSError as error:  # e.g. a full disk: loading the model reports the damage
        log.error("the files of model %d cannot be mended (%s)", version.id, error.strerror)
        return []


def _mended(store: Store, champion: ModelVersion, load: Callable[[ModelVersion], Loaded], now: float) -> Loaded | None:
    names = mend(store, champion)
    if not names:
        return None
    try:
        loaded = load(champion)
    except ModelError as error:
        log.error("model %d cannot answer although its files were mended: %s", champion.id, error)
        return None
    _tell(store, f"Damaged files of model {champion.id} have been replaced by sound copies; it answers as before.", now)
    return loaded


def _instead(
    store: Store, champion: ModelVersion, reason: ModelError, load: Callable[[ModelVersion], Loaded], now: float
) -> Loaded:
    for version in _stand_ins(store, champion, now):
        mend(store, version)
        try:
            loaded = load(version)
            _make_champion(store, version, champion, now)
        except ModelError as error:
            log.error("model %d cannot answer instead: %s", version.id, error)
            continue
        instead = f"model {version.id} ({version.source}) is champion"
        _tell(store, f"Model {champion.id} cannot answer, so {instead}: {reason}", now)
        return loaded
    raise ModelError(f"No model can answer: {reason} Import one: posture-daemon models import FILE.pt.") from reason


def _stand_ins(store: Store, champion: ModelVersion, now: float) -> Iterator[ModelVersion]:
    """Fallbacks, best first. If a class of the starter was deleted only its backbone is usable, as a base without classes."""
    previous = store.models.previous()
    if previous is not None and previous.id != champion.id:
        yield previous
    if not (STARTER / "head.json").exists():
        return
    known = (version for version in store.models.all() if version.source == STARTER_SOURCE)
    starter = next((version for version in known if version.files_removed_at is None), None)
    if starter is None or starter.id == champion.id:  # an update may have brought a newer one
        starter = _record(store, STARTER, STARTER_SOURCE, now, as_base=False)
    yield starter
    yield _record(store, STARTER, f"{STARTER_SOURCE}, as a base", now, as_base=True)


def _make_champion(store: Store, version: ModelVersion, champion: ModelVersion, now: float) -> None:
    """Promote a fallback. Raises `ModelError` if it must not be champion; on a full disk it is used all the same."""
    try:
        store.models.promote(version.id, now, expected=champion.id)
    except DataFolderError as error:
        log.error("model %d answers, but cannot be made champion: %s", version.id, error)


def _tell(store: Store, text: str, now: float) -> None:
    log.error("%s", text)
    try:
        store.incidents.add(text, now)
    except DataFolderError as error:
        log.error("that could not be written down: %s", error)


def _record(
    store: Store, folder: Path, source: str, now: float, *, as_base: bool, names: Sequence[str] | None = None
) -> ModelVersion:
    about_head = read_json(folder / "head.json")
    about_backbone = read_json(folder / "backbone.json")
    store.models.add_backbone(folder, about_backbone["sha256"])
    called = [] if as_base else names or about_head["classes"]
    roles = {one.name: one.role for one in store.labels.classes()}  # what the owner has said counts
    return store.models.add_version(
        ModelVersion(
            id=0,
            created_at=now,
            parent_id=None,
            backbone_sha256=about_backbone["sha256"],
            head_sha256=store.models.add_head((folder / "head.safetensors").read_bytes()),
            classes=tuple(PostureClass(name, roles.get(name) or guess_role(name)) for name in called),
            temperature=float(about_head.get("temperature", 1.0)),
            source=source,
            metrics=about_head.get("metrics", {}),
        )
    )
