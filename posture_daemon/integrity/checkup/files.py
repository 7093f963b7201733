"""Checks of the other files of the data folder: access rights, leftovers of crashes, status file, feature cache."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from posture_daemon.errors import ModelError
from posture_daemon.integrity.checkup.finding import Finding, few, fine, note, problem
from posture_daemon.learning.feature_cache import CachedSpace
from posture_daemon.learning.feature_space import FeatureSpace
from posture_daemon.learning.features import cached_space
from posture_daemon.settings import Settings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store, restore
from posture_daemon.store.status_file import FILE_NAME as STATUS
from posture_daemon.store.status_file import is_damaged, running_pid
from posture_daemon.training import precompute, retrain
from posture_daemon.vision.head import Head

OTHERS_MODE = 0o077
"""Permission bits of group and others."""

MIN_LEFTOVER_AGE_S = 86_400.0
"""A file younger than this may still be in use."""

LEFTOVERS = (
    f"{retrain.FOLDER_PREFIX}*", f"{precompute.FOLDER_PREFIX}*", f"{restore.FOLDER_PREFIX}*", ".import-*",
    ".*.partial", "backups/.posture-*", "cache/features/*.partial", "checkpoints/*/*.partial", "downloads/*.part",
)  # fmt: skip


def access(folder: Path) -> Iterator[Finding]:
    """Whether all files are private to their owner, since the pictures show somebody at home."""
    entries = [folder, *sorted(path for path in folder.rglob("*") if not path.is_symlink())]
    opened = [path for path in entries if _mode(path) & OTHERS_MODE]

    def close() -> str:
        for path in opened:
            with contextlib.suppress(FileNotFoundError):
                path.chmod(_mode(path) & ~OTHERS_MODE)
        return f"made private: {few([path.name for path in opened])}"

    if opened:
        names = few([str(path.relative_to(folder)) for path in opened])
        yield problem("access", f"others may look at {names}", close)
    else:
        yield fine("access", f"all {len(entries)} files and folders are for their owner alone")


def _mode(path: Path) -> int:
    """Permission bits; 0 for a file that a running daemon has deleted meanwhile."""
    try:
        return path.lstat().st_mode & 0o777
    except FileNotFoundError:
        return 0


def leftovers(folder: Path, now: float) -> Iterator[Finding]:
    """Files of processes that were killed, at least a day old."""
    found = [path for pattern in LEFTOVERS for path in folder.glob(pattern) if _age(path, now) > MIN_LEFTOVER_AGE_S]

    def delete() -> str:
        for path in found:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        return f"deleted what killed processes left: {few([path.name for path in found])}"

    if found:
        yield note("leftovers", f"killed processes left {few([path.name for path in found])}", delete)


def _age(path: Path, now: float) -> float:
    """Age in seconds; 0 for a file that was deleted meanwhile."""
    try:
        return now - path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0


def status_file(folder: Path) -> Iterator[Finding]:
    """A damaged status file. It is read as if missing, and a running daemon replaces it each second."""

    def delete() -> str:
        (folder / STATUS).unlink(missing_ok=True)
        return f"deleted the damaged {STATUS}"

    if is_damaged(folder):
        yield note("status", f"{STATUS} cannot be read", delete if running_pid(folder) is None else None)


def cache(store: Store, settings: Settings) -> Iterator[Finding]:
    """Damaged vectors that the next training would read; they are recomputed on use."""
    space = _space(store, settings)
    if space is None or not (damaged := space.damaged()):
        return

    def drop() -> str:
        space.drop_damaged()
        return f"dropped {damaged} damaged records of the feature cache; they are computed anew when they are needed"

    yield note("cache", f"{damaged} records of {space.path.name} are damaged", drop)


def _space(store: Store, settings: Settings) -> CachedSpace | None:
    """Cached feature space of the champion under the present settings; `None` if its head is unreadable."""
    champion, recipe = store.models.champion(), Recipe.of(settings.training)
    if champion is None:
        return None
    try:
        head = Head.from_bytes(store.models.read_head(champion.head_sha256))
    except ModelError:
        return None
    inputs = FeatureSpace.of(head, is_base=champion.is_base)
    read = replace(champion, region=settings.camera.seen).feature_key
    return cached_space(store, read, inputs.key, inputs.width, recipe)
