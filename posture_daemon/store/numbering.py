"""Labels are numbered in the order in which they are given: what is newer than a training is told without asking a clock."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from posture_daemon.store.schema import LabelRow, RunRow


def next_number(session: Session) -> int:
    """For the labels of this step: larger than any label's, also of those that were taken back after a run had seen them."""
    newest = session.scalar(select(func.max(LabelRow.number))) or 0
    return 1 + max(newest, session.scalar(select(func.max(RunRow.labels_seen))) or 0)
