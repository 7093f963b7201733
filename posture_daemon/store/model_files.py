"""Which model files stay, and the deletion of the others: the row first, so that no row ever promises a file that is gone.

A crash in between leaves a file that no row needs; the next sweep finds it, as it finds what a crash left of an import.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from posture_daemon.store.database import Database
from posture_daemon.store.models import Models
from posture_daemon.store.schema import RoleRow, RunRow, VersionRow, WatchRow

FRESH_S = 86_400.0
"""A file that was written within a day may belong to a version whose row is still to come."""


def remove_surplus(database: Database, models: Models, most: int, now: float) -> int:
    """Mark versions whose files nobody needs, beyond the newest `most`; returns how many. Files go with `sweep`.

    Files stay with champion and previous, both sides of an open watch, what a running training began from, what was
    imported, and every ancestor of a version that keeps its own: there a training looks for what was known before the
    first label. Row, metrics and lineage always stay.
    """
    with database.write() as session:
        rows = list(session.scalars(select(VersionRow).where(VersionRow.files_removed_at.is_(None))))
        fresh = {row.id for row in rows if _is_fresh(models.head_path(row.head_sha256), now)}
        kept = _with_ancestors(session, _roots(session, most) | fresh)
        gone = [row.id for row in rows if row.id not in kept]
        session.execute(update(VersionRow).where(VersionRow.id.in_(gone)).values(files_removed_at=now))
        return len(gone)


def sweep(database: Database, models: Models, now: float) -> int:
    """Delete head files and backbones that no version with files points to; returns the bytes. Raises `DataFolderError`.

    Under the write lock, so that no version that needs one can appear meanwhile. Two versions may share a file.
    """
    with database.write() as session:
        return sum(models.remove(path) for path in _unneeded(session, models, now))


def unneeded(database: Database, models: Models, now: float) -> list[Path]:
    """What `sweep` would delete."""
    with database.read() as session:
        return _unneeded(session, models, now)


def _unneeded(session: Session, models: Models, now: float) -> list[Path]:
    needed = _needed(session, models)
    return [path for path in models.entries() if path not in needed and not _is_fresh(path, now)]


def _roots(session: Session, most: int) -> set[int]:
    """Versions that keep their files for their own sake."""
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


def _with_ancestors(session: Session, versions: set[int]) -> set[int]:
    found = session.execute(select(VersionRow.id, VersionRow.parent_id))
    parents: Mapping[int, int | None] = {row.id: row.parent_id for row in found}
    kept: set[int] = set()
    for version in versions:
        one: int | None = version
        while one is not None and one not in kept:
            kept.add(one)
            one = parents[one]
    return kept


def _needed(session: Session, models: Models) -> set[Path]:
    there = select(VersionRow.head_sha256, VersionRow.backbone_sha256).where(VersionRow.files_removed_at.is_(None))
    rows = session.execute(there).all()
    return {models.head_path(row.head_sha256) for row in rows} | {
        models.backbone_folder(row.backbone_sha256) for row in rows
    }


def _is_fresh(path: Path, now: float) -> bool:
    """Written within a day. What a wrong clock dated into the future is not fresh for years."""
    try:
        return abs(now - path.stat().st_mtime) < FRESH_S
    except FileNotFoundError:
        return False
