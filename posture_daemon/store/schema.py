"""The tables, as SQLAlchemy maps them. Changing one means a new file in `migrations/versions`."""

from typing import Any

from sqlalchemy import JSON, CheckConstraint, Double, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Json = dict[str, Any]
"""An object of JSON, as a column holds it."""


class Base(DeclarativeBase):
    """Root of the mapped tables."""

    type_annotation_map = {float: Double, Json: JSON, list[Any]: JSON}  # noqa: RUF012 - SQLAlchemy's own declaration form


class ClassRow(Base):
    """A posture class of the owner. A retired one was deleted or merged; old models may still have an output for it."""

    __tablename__ = "classes"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    created_at: Mapped[float]
    retired_at: Mapped[float | None]


class BlockRow(Base):
    """A time block of near-duplicate frames, which share one split; it is set with the first label and never changed."""

    __tablename__ = "blocks"

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str]
    started_at: Mapped[float]
    ended_at: Mapped[float]
    split: Mapped[str | None]
    split_class_id: Mapped[int | None] = mapped_column(ForeignKey("classes.id"))


class FrameRow(Base):
    """One picture that waits for a label, has one, or was discarded."""

    __tablename__ = "frames"
    __table_args__ = (
        UniqueConstraint("sha256"),
        CheckConstraint("status IN ('queued', 'labelled', 'discarded')", name="frame_status"),
        Index("frames_by_status", "status", "captured_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    captured_at: Mapped[float]
    added_at: Mapped[float]
    block_id: Mapped[int] = mapped_column(ForeignKey("blocks.id"))
    status: Mapped[str]
    reason: Mapped[str]
    explanation: Mapped[str]
    predicted: Mapped[str | None]
    confidence: Mapped[float | None]
    version_id: Mapped[int | None] = mapped_column(ForeignKey("model_versions.id"))
    usefulness: Mapped[float | None]
    backbone_sha256: Mapped[str | None]
    features: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    size_bytes: Mapped[int]
    jpeg: Mapped[bytes] = mapped_column(
        LargeBinary, deferred=True
    )  # last, so that SQLite reads the other columns without it


class LabelRow(Base):
    """The owner's label of a frame.

    `number` is the step in which it was given or changed; steps count up, so that their order needs no clock. `kept_at` is
    when the owner confirmed the label after it was suspected to be wrong.
    """

    __tablename__ = "labels"

    frame_id: Mapped[int] = mapped_column(ForeignKey("frames.id", ondelete="CASCADE"), primary_key=True)
    class_id: Mapped[int] = mapped_column(ForeignKey("classes.id"), index=True)
    labelled_at: Mapped[float]
    labelled_by: Mapped[str]
    number: Mapped[int] = mapped_column(default=0, server_default="0", index=True)
    kept_at: Mapped[float | None]


class StepRow(Base):
    """One thing that is undone whole: an answer to some frames, a pose of a lesson, an import, a new class.

    Numbers count up and are never given again. `sitting` names the session of a front end that did it. The frames of an undone
    import are gone, and if a training has learned from them, no other frame gets an id up to `ids_until`.
    """

    __tablename__ = "steps"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's own declaration form

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    title: Mapped[str]
    began_at: Mapped[float]
    sitting: Mapped[str | None]
    undone_at: Mapped[float | None]
    ids_until: Mapped[int | None] = mapped_column(index=True)


class ChangeRow(Base):
    """Something that a step added: a frame, block or class, or the split of a block that was there. `what` says which.

    While the step is undone, `row` holds what was removed, and the blobs of a frame, so that it can be done again.
    """

    __tablename__ = "step_changes"
    __table_args__ = (Index("step_changes_by_row", "step_id", "what", "row_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    step_id: Mapped[int] = mapped_column(ForeignKey("steps.id", ondelete="CASCADE"))
    what: Mapped[str]
    row_id: Mapped[int]
    row: Mapped[Json]
    features: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    jpeg: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)


class AnswerRow(Base):
    """Log for undo: what a frame had before each answer and, once the answer is undone, what it had after it.

    `label_before` and `label_after` are the rest of the label: who gave it and when (s since the epoch), its number, whether
    it was kept. The classes of an undone answer may be gone until it is done again.
    """

    __tablename__ = "answers"

    id: Mapped[int] = mapped_column(primary_key=True)
    frame_id: Mapped[int] = mapped_column(ForeignKey("frames.id", ondelete="CASCADE"), index=True)
    answered_at: Mapped[float]
    status_before: Mapped[str]
    class_id_before: Mapped[int | None]
    kept_at_before: Mapped[float | None]
    step_id: Mapped[int] = mapped_column(ForeignKey("steps.id"), index=True)
    class_id_after: Mapped[int | None]
    label_before: Mapped[Json | None]
    status_after: Mapped[str | None]
    label_after: Mapped[Json | None]


class VersionRow(Base):
    """A model version: digests of its files, classes in the order of the head's rows, lineage."""

    __tablename__ = "model_versions"

    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[float]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("model_versions.id"))
    backbone_sha256: Mapped[str]
    head_sha256: Mapped[str]
    classes: Mapped[list[Any]]
    temperature: Mapped[float]
    source: Mapped[str]
    metrics: Mapped[Json]
    lineage: Mapped[Json] = mapped_column(server_default="{}")
    files_removed_at: Mapped[float | None]
    region: Mapped[str | None]


class RoleRow(Base):
    """The versions in the roles champion and previous."""

    __tablename__ = "model_roles"

    role: Mapped[str] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"))
    since: Mapped[float]


class RunRow(Base):
    """One training run; `outcome` is NULL while it runs. `labels_seen` is the highest label number when it began."""

    __tablename__ = "training_runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    trigger: Mapped[str]
    started_at: Mapped[float]
    finished_at: Mapped[float | None]
    outcome: Mapped[str | None]
    reason: Mapped[str]
    decision: Mapped[list[Any]]
    metrics: Mapped[Json]
    labels_seen: Mapped[int | None]
    incumbent_id: Mapped[int | None] = mapped_column(ForeignKey("model_versions.id"))
    challenger_id: Mapped[int | None] = mapped_column(ForeignKey("model_versions.id"))


class WatchRow(Base):
    """A rollback watch over a promoted champion; `ending` is NULL while it is open."""

    __tablename__ = "watches"

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"))
    previous_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"))
    began_at: Mapped[float]
    ended_at: Mapped[float | None]
    ending: Mapped[str | None]
    reason: Mapped[str]


class ConfidenceRow(Base):
    """Live frames of a version by confidence: bucket 0 is below 0.1, bucket 9 from 0.9."""

    __tablename__ = "confidence_tallies"

    version_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"), primary_key=True)
    bucket: Mapped[int] = mapped_column(primary_key=True)
    frames: Mapped[int]


class PauseRow(Base):
    """A training pause; `until` is NULL for one without an end."""

    __tablename__ = "training_pauses"

    id: Mapped[int] = mapped_column(primary_key=True)
    began_at: Mapped[float]
    until: Mapped[float | None]


class CalibrationRow(Base):
    """A refit of a version's temperature on the holdout; errors are expected calibration errors, 0-1."""

    __tablename__ = "calibrations"

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"))
    calibrated_at: Mapped[float]
    temperature_before: Mapped[float]
    temperature: Mapped[float]
    images: Mapped[int]
    error_before: Mapped[float]
    error: Mapped[float]


class CorrectionRow(Base):
    """A request to keep the newest frame, whose prediction is wrong; `frame_id` is NULL until the daemon has kept it."""

    __tablename__ = "wrongs"

    id: Mapped[int] = mapped_column(primary_key=True)
    asked_at: Mapped[float]
    frame_id: Mapped[int | None] = mapped_column(ForeignKey("frames.id", ondelete="CASCADE"))


class IncidentRow(Base):
    """A message for the owner; `seen_at` is NULL until it is acknowledged."""

    __tablename__ = "incidents"

    id: Mapped[int] = mapped_column(primary_key=True)
    happened_at: Mapped[float]
    text: Mapped[str]
    seen_at: Mapped[float | None]


class PeriodRow(Base):
    """A period in one posture."""

    __tablename__ = "posture_periods"

    id: Mapped[int] = mapped_column(primary_key=True)
    posture: Mapped[str]
    started_at: Mapped[float]
    ended_at: Mapped[float]
