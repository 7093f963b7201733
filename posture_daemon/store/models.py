"""Model versions and their roles; their files are in `model_folder`."""

from datetime import datetime
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from posture_daemon.domain import ModelVersion, PostureClass, Region, Role, WatchEnding
from posture_daemon.errors import ModelError
from posture_daemon.store.database import Database
from posture_daemon.store.files import sha256_of
from posture_daemon.store.model_folder import ModelFolder
from posture_daemon.store.schema import ClassRow, RoleRow, VersionRow, WatchRow

CHAMPION, PREVIOUS = "champion", "previous"
SAME = ("created_at", "parent_id", "backbone_sha256", "head_sha256", "temperature", "source")
"""Fields of a version that are columns of the same name and type."""


class Models(ModelFolder):
    """Versions and roles. The champion is always read from the database, since another process may change it."""

    def __init__(self, database: Database, folder: Path) -> None:
        super().__init__(folder)
        self._database = database

    def read_head(self, sha256: str) -> bytes:
        """A head file's bytes, checked against the digest. Raises `ModelError`, also when it was removed to save space."""
        path = self.head_path(sha256)
        try:
            data = path.read_bytes()
        except OSError as error:
            self._explain_removal(sha256)
            raise ModelError(
                f"The head file {path} cannot be read ({error.strerror}); posture-daemon doctor --fix may mend it."
            ) from error
        if sha256_of(data) != sha256:
            raise ModelError(
                f"The head file {path} is damaged: its content does not match its digest; posture-daemon doctor --fix may "
                "mend it."
            )
        return data

    def add_version(self, version: ModelVersion) -> ModelVersion:
        """Record a version whose files are in place; returns it with its number (the given `id` is ignored)."""
        row = VersionRow(**{name: getattr(version, name) for name in SAME})
        row.classes = [{"name": c.name, "role": c.role.value} for c in version.classes]
        row.metrics, row.lineage = dict(version.metrics), dict(version.lineage)
        row.region = None if version.region is None else str(version.region)
        with self._database.write() as session:
            session.add(row)
            session.flush()
            return _as_version(row)

    def promote(self, version_id: int, now: float, expected: int | None = None, *, watched: bool = False) -> bool:
        """Make a version champion and the champion before it `previous`, in one commit. Raises `ModelError`.

        With `expected`, only if that version is still champion. `watched` opens a rollback watch. Returns whether the version
        is champion now.
        """
        with self._database.write() as session:
            row = _row(session, version_id)
            _refuse_removed_files(row)
            _refuse_retired_classes(session, row)
            before = champion_id_in(session)
            if expected is not None and before != expected:
                return False
            set_champion(session, version_id, now)
            if watched and before is not None and before != version_id:
                session.add(WatchRow(version_id=version_id, previous_id=before, began_at=now, reason=""))
            return True

    def role(self, role: str) -> ModelVersion | None:
        """The version in this role."""
        query = select(VersionRow).join(RoleRow, RoleRow.version_id == VersionRow.id).where(RoleRow.role == role)
        with self._database.read() as session:
            row = session.scalar(query)
            return None if row is None else _as_version(row)

    def champion(self) -> ModelVersion | None:
        """The version in use."""
        return self.role(CHAMPION)

    def champion_id(self) -> int | None:
        """Id of the champion; cheap enough to poll every second."""
        with self._database.read() as session:
            return champion_id_in(session)

    def previous(self) -> ModelVersion | None:
        """The version that was champion before."""
        return self.role(PREVIOUS)

    def get(self, version_id: int) -> ModelVersion:
        """A version by its number. Raises `ModelError` when there is none."""
        with self._database.read() as session:
            return _as_version(_row(session, version_id))

    def all(self) -> list[ModelVersion]:
        """All versions, newest first."""
        with self._database.read() as session:
            return [_as_version(row) for row in session.scalars(select(VersionRow).order_by(VersionRow.id.desc()))]

    def _explain_removal(self, sha256: str) -> None:
        """Raise `ModelError` if the files of all versions with this head were removed by `keep.models`."""
        query = select(VersionRow).where(VersionRow.head_sha256 == sha256).order_by(VersionRow.id.desc())
        with self._database.read() as session:
            rows = list(session.scalars(query))
            if rows and all(row.files_removed_at is not None for row in rows):
                _refuse_removed_files(rows[0])


def champion_id_in(session: Session) -> int | None:
    """Id of the champion, inside a transaction of the caller."""
    return session.scalar(select(RoleRow.version_id).where(RoleRow.role == CHAMPION))


def set_champion(session: Session, version_id: int, now: float) -> None:
    """Set champion and previous, inside a transaction of the caller. Ends an open watch over another champion."""
    before = champion_id_in(session)
    if before is not None and before != version_id:
        session.merge(RoleRow(role=PREVIOUS, version_id=before, since=now))
        ended = {"ending": WatchEnding.OVERTAKEN.value, "reason": f"model {version_id} became champion"}
        session.execute(update(WatchRow).where(WatchRow.ending.is_(None)).values(**ended, ended_at=now))
    session.merge(RoleRow(role=CHAMPION, version_id=version_id, since=now))


def _row(session: Session, version_id: int) -> VersionRow:
    row = session.get(VersionRow, version_id)
    if row is None:
        raise ModelError(f"There is no model version {version_id}; `posture-daemon models list` shows those there are.")
    return row


def _refuse_removed_files(row: VersionRow) -> None:
    if row.files_removed_at is not None:
        raise ModelError(
            f"The files of model {row.id} were removed on {datetime.fromtimestamp(row.files_removed_at):%Y-%m-%d} to save "
            "space (keep.models); choose another model (posture-daemon models list) or train a new one."
        )


def _refuse_retired_classes(session: Session, row: VersionRow) -> None:
    """Raise `ModelError` for a model that knows a class which the owner has deleted."""
    retired = set(session.scalars(select(ClassRow.name).where(ClassRow.retired_at.is_not(None))))
    known = [c["name"] for c in row.classes if c["name"] in retired]
    if known:
        raise ModelError(
            f"Model {row.id} knows the class '{known[0]}', which was deleted or merged; it cannot be champion unless you "
            f"bring the class back with posture-daemon classes add {known[0]}."
        )


def _as_version(row: VersionRow) -> ModelVersion:
    classes = tuple(PostureClass(c["name"], Role(c["role"])) for c in row.classes)
    same = {name: getattr(row, name) for name in ("id", *SAME, "metrics", "lineage", "files_removed_at")}
    return ModelVersion(classes=classes, region=Region.parse(row.region or ""), **same)
