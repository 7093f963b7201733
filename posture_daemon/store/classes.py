"""Rename, merge and retire classes, each in one transaction over labels, queue, history and models.

A deleted class stays as a *retired* row, because old models still have an output for it: its name cannot be given to
another posture, and such a model cannot become champion.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from posture_daemon.domain import ModelVersion, PostureClass, Role, Split, Status
from posture_daemon.errors import LabelError
from posture_daemon.store.answers import next_number
from posture_daemon.store.database import Database
from posture_daemon.store.models import Models
from posture_daemon.store.open_step import CLASS, CLASS_BACK, forget_undone
from posture_daemon.store.schema import (
    AnswerRow,
    BlockRow,
    ChangeRow,
    ClassRow,
    FrameRow,
    LabelRow,
    PeriodRow,
    RoleRow,
    RunRow,
    VersionRow,
)
from posture_daemon.vision.head import Head


@dataclass(frozen=True)
class ClassUse:
    """Use of a class: labelled images per split, waiting frames predicted to be it, seconds in the history."""

    images: Mapping[Split, int]
    guessed: int
    history_s: float

    @property
    def labels(self) -> int:
        """Labelled images of all splits."""
        return sum(self.images.values())


class Classes:
    """Changes of the owner's classes."""

    def __init__(self, database: Database, models: Models) -> None:
        self._database, self._models = database, models

    def use_of(self, name: str) -> ClassUse:
        """Count what a change of this class would touch."""
        images = (
            select(BlockRow.split, func.count())
            .join(FrameRow, FrameRow.block_id == BlockRow.id)
            .join(LabelRow, LabelRow.frame_id == FrameRow.id)
            .join(ClassRow, ClassRow.id == LabelRow.class_id)
            .where(ClassRow.name == name)
            .group_by(BlockRow.split)
        )
        guessed = select(func.count()).where(FrameRow.predicted == name, FrameRow.status == Status.QUEUED.value)
        seconds = select(func.sum(PeriodRow.ended_at - PeriodRow.started_at)).where(PeriodRow.posture == name)
        with self._database.read() as session:
            counted = {Split(split): int(number) for split, number in session.execute(images)}
            images_of = {split: counted[split] for split in Split if split in counted}
            return ClassUse(images_of, int(session.scalar(guessed) or 0), float(session.scalar(seconds) or 0.0))

    def rename(self, old: str, new: str) -> None:
        """Rename a class everywhere, including all models. Raises `LabelError` before anything is changed."""
        with self._database.write() as session:
            row = live_class(session, old)
            _refuse_name_in_use(session, old, new)
            row.name = new
            forget_undone(session)
            for version in session.scalars(select(VersionRow)):
                version.classes = _renamed(version.classes, "classes", old, new)
                version.metrics = _renamed(version.metrics, "", old, new)
            for run in session.scalars(select(RunRow)):
                run.metrics = _renamed(run.metrics, "", old, new)
            session.execute(update(FrameRow).where(FrameRow.predicted == old).values(predicted=new))
            session.execute(update(PeriodRow).where(PeriodRow.posture == old).values(posture=new))

    def set_role(self, name: str, role: Role) -> None:
        """Set the role of a class, including in all models. Raises `LabelError` when there is no such class."""
        with self._database.write() as session:
            live_class(session, name).role = role.value
            for version in session.scalars(select(VersionRow)):
                version.classes = [{**c, "role": role.value} if c["name"] == name else c for c in version.classes]

    def merge(self, name: str, into: str, now: float) -> None:
        """Move everything of class `name` to `into` and retire `name`.

        Moved labels count as new labels given `now`. Champion and previous are replaced by versions without `name`. Raises
        `LabelError` when one of the two is no class.
        """
        derived = self._derive(name, into, now)
        with self._database.write() as session:
            row, target = live_class(session, name), live_class(session, into)
            moved = {"class_id": target.id, "labelled_at": now, "labelled_by": "merge", "number": next_number(session)}
            session.execute(update(LabelRow).where(LabelRow.class_id == row.id).values(moved))
            before = update(AnswerRow).where(AnswerRow.class_id_before == row.id)
            session.execute(before.values(class_id_before=target.id))
            _end_redo(session, row)
            split = update(BlockRow).where(BlockRow.split_class_id == row.id)
            session.execute(split.values(split_class_id=target.id))
            session.execute(update(FrameRow).where(FrameRow.predicted == name).values(predicted=into))
            session.execute(update(PeriodRow).where(PeriodRow.posture == name).values(posture=into))
            _retire(session, row, derived, now)

    def retire(self, name: str, images_become: Status, now: float) -> None:
        """Delete a class. Its images become `QUEUED` or `DISCARDED`, also where an undo would restore the class.

        Its history is kept. Champion and previous are replaced by versions without it. Raises `LabelError` when there is no
        such class.
        """
        derived = self._derive(name, None, now)
        with self._database.write() as session:
            row = live_class(session, name)
            labelled = select(LabelRow.frame_id).where(LabelRow.class_id == row.id)
            session.execute(update(FrameRow).where(FrameRow.id.in_(labelled)).values(status=images_become.value))
            session.execute(delete(LabelRow).where(LabelRow.class_id == row.id))
            before = update(AnswerRow).where(AnswerRow.class_id_before == row.id)
            session.execute(before.values(class_id_before=None, status_before=images_become.value))
            _end_redo(session, row)
            guessed = update(FrameRow).where(FrameRow.predicted == name)
            session.execute(guessed.values(predicted=None, confidence=None))  # the guess is no longer a class
            _retire(session, row, derived, now)

    def _derive(self, name: str, into: str | None, now: float) -> dict[int, int]:
        """Record a version without the class for champion and previous if they have it: old version id → new one."""
        holders = [version for version in (self._models.champion(), self._models.previous()) if version is not None]
        return {v.id: self._derived(v, name, into, now).id for v in holders if name in {c.name for c in v.classes}}

    def _derived(self, version: ModelVersion, name: str, into: str | None, now: float) -> ModelVersion:
        names = [c.name for c in version.classes]
        said = f"'{name}' deleted" if into is None else f"'{name}' merged into '{into}'"
        source = f"model {version.id}, {said}"
        child = replace(version, parent_id=version.id, created_at=now, source=source, metrics={}, lineage={})
        if into is not None and into not in names:  # the same outputs under the other name
            with self._database.read() as session:
                role = Role(live_class(session, into).role)
            classes = tuple(PostureClass(into, role) if c.name == name else c for c in version.classes)
            return self._models.add_version(replace(child, classes=classes))
        kept = tuple(c for c in version.classes if c.name != name)
        if len(kept) < 2:  # with one class left it would predict that for everything
            return self._models.add_version(replace(child, classes=()))
        head = Head.from_bytes(self._models.read_head(version.head_sha256)).grown(names, [c.name for c in kept])
        return self._models.add_version(
            replace(child, classes=kept, head_sha256=self._models.add_head(head.to_bytes()))
        )  # fmt: skip


def live_class(session: Session, name: str) -> ClassRow:
    """The class of this name that is not retired. Raises `LabelError` when there is none."""
    row = session.scalar(select(ClassRow).where(ClassRow.name == name, ClassRow.retired_at.is_(None)))
    if row is None:
        raise LabelError(f"There is no class '{name}'; `posture-daemon classes list` shows those there are.")
    return row


def _refuse_name_in_use(session: Session, old: str, new: str) -> None:
    taken = session.scalar(select(ClassRow).where(ClassRow.name == new))
    if taken is not None and taken.retired_at is None:
        raise LabelError(
            f"There is already a class '{new}'; to make the two one: "
            f"classes merge {shlex.quote(old)} {shlex.quote(new)}."
        )
    if taken is not None:
        raise LabelError(
            f"'{new}' is a class that you deleted, and older models still know it; choose another name, or bring it back "
            f"with posture-daemon classes add {shlex.quote(new)}."
        )
    for version in session.scalars(select(VersionRow)):
        if {old, new} <= {c["name"] for c in version.classes}:
            raise LabelError(f"Model {version.id} knows '{old}' and '{new}' as two classes; choose another name.")


def _end_redo(session: Session, row: ClassRow) -> None:
    """What was undone knows the class as it was; and that it was created is no longer to be undone."""
    forget_undone(session)
    created = delete(ChangeRow).where(ChangeRow.what.in_((CLASS, CLASS_BACK)), ChangeRow.row_id == row.id)
    session.execute(created)


def _retire(session: Session, row: ClassRow, derived: Mapping[int, int], now: float) -> None:
    """Retire the class and give the roles of the parents to the derived versions."""
    row.retired_at = now
    for role in session.scalars(select(RoleRow)):
        if role.version_id in derived:
            role.version_id, role.since = derived[role.version_id], now
        elif row.name in {c["name"] for c in session.get_one(VersionRow, role.version_id).classes}:
            raise LabelError("Another model was made champion at the same moment; nothing was changed, try again.")


NAME_LISTS = frozenset({"classes", "truth", "challenger", "incumbent"})
"""Keys of metrics whose lists hold class names, or objects with a `name`."""
COUNTS = frozenset({"train_images", "holdout_images"})
"""Keys of metrics whose objects have class names as keys."""


def _renamed(data: Any, key: str, old: str, new: str) -> Any:
    """A copy of the metrics of a version or run in which a class is renamed; free text is left as it is."""
    if isinstance(data, dict):
        as_key = {new if k == old and key in COUNTS else k: v for k, v in data.items()}
        return {k: _renamed(v, k, old, new) for k, v in as_key.items()}
    if isinstance(data, list) and key in NAME_LISTS:
        return [_renamed_entry(entry, old, new) for entry in data]
    return data


def _renamed_entry(entry: Any, old: str, new: str) -> Any:
    if isinstance(entry, dict) and entry.get("name") == old:
        return {**entry, "name": new}
    return new if entry == old else entry
