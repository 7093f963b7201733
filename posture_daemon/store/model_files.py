"""Retention of model files: rows are marked first, then files are deleted, so that no row refers to a deleted file.

A crash in between leaves a file that no row refers to, which the next sweep deletes.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from posture_daemon.store.database import Database
from posture_daemon.store.models import Models
from posture_daemon.store.schema import RoleRow, RunRow, VersionRow, WatchRow

FRESH_S = 86_400.0
"""A file younger than this may belong to a version whose row is not yet written."""


def remove_surplus(database: Database, models: Models, most: int, now: float) -> int:
    """Mark versions whose files may be deleted by `sweep`, beyond the newest `most`; returns how many.

    Kept are champion and previous, both sides of an open watch, the incumbent of a running training, imported versions, and
    for each of these the oldest ancestor on the same backbone, which trainings start from. Rows, metrics and lineage stay.
    """
    with database.write() as session:
        rows = list(session.scalars(select(VersionRow).where(VersionRow.files_removed_at.is_(None))))
        fresh = {row.id for row in rows if _is_fresh(models.head_path(row.head_sha256), now)}
        kept = _with_origins(session, _roots(session, most) | fresh)
        gone = [row.id for row in rows if row.id not in kept]
        session.execute(update(VersionRow).where(VersionRow.id.in_(gone)).values(files_removed_at=now))
        return len(gone)


def sweep(database: Database, models: Models, now: float) -> int:
    """Delete unreferenced head files and backbones; returns the bytes freed. Raises `DataFolderError`.

    Holds the write lock, so that no version that refers to one can be added meanwhile. Versions may share files.
    """
    with database.write() as session:
        return sum(models.remove(path) for path in _unneeded(session, models, now))


def unneeded(database: Database, models: Models, now: float) -> list[Path]:
    """The paths that `sweep` would delete."""
    with database.read() as session:
        return _unneeded(session, models, now)


def _unneeded(session: Session, models: Models, now: float) -> list[Path]:
    needed = _needed(session, models)
    return [path for path in models.entries() if path not in needed and not _is_fresh(path, now)]


def _roots(session: Session, most: int) -> set[int]:
    watched = WatchRow.ending.is_(None)
    queries: tuple[Select[Any], ...] = (
        select(VersionRow.id).order_by(VersionRow.id.desc()).limit(most),
        select(VersionRow.id).where(VersionRow.parent_id.is_(None)),
        select(RoleRow.version_id),
        select(WatchRow.version_id).where(watched),
        select(WatchRow.previous_id).where(watched),
        select(RunRow.incumbent_id).where(RunRow.outcome.is_(None), RunRow.incumbent_id.is_not(None)),
    )
    return {version for query in queries for version in session.scalars(query)}


def _with_origins(session: Session, versions: set[int]) -> set[int]:
    """These and the oldest ancestor of each on the same backbone, which trainings start from (`learning.training_set`)."""
    found = session.execute(select(VersionRow.id, VersionRow.parent_id, VersionRow.backbone_sha256))
    rows = {row.id: row for row in found}

    def origin(version: int) -> int:
        row = rows[version]
        while row.parent_id is not None and rows[row.parent_id].backbone_sha256 == row.backbone_sha256:
            row = rows[row.parent_id]
        return int(row.id)

    return versions | {origin(version) for version in versions}


def _needed(session: Session, models: Models) -> set[Path]:
    there = select(VersionRow.head_sha256, VersionRow.backbone_sha256).where(VersionRow.files_removed_at.is_(None))
    rows = session.execute(there).all()
    return {path for head, backbone in rows for path in (models.head_path(head), models.backbone_folder(backbone))}


def _is_fresh(path: Path, now: float) -> bool:
    """Whether it was written within a day of `now`; also false if dated far into the future by a wrong clock."""
    try:
        return abs(now - path.stat().st_mtime) < FRESH_S
    except FileNotFoundError:
        return False
