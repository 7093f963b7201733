"""A second look at labels that the others speak against: change them, discard them, or keep them for good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from posture_daemon.domain import QueuedFrame
from posture_daemon.labelling.session import Labelling
from posture_daemon.learning.label_errors import Doubt
from posture_daemon.settings import LabelSettings
from posture_daemon.store import Store


class Review(Labelling):
    """Labelling whose questions are doubted labels, the surest doubt first. What was kept is never asked again."""

    def __init__(
        self, store: Store, settings: LabelSettings, clock: Callable[[], float], doubts: Sequence[Doubt]
    ) -> None:
        """`clock` tells the time, seconds since the epoch."""
        super().__init__(store, settings, clock)
        self._doubts = {doubt.frame_id: doubt for doubt in doubts}
        self._kept_before = store.confirmed_labels.kept()

    def left(self) -> list[Doubt]:
        """Doubts that still stand: the label is the same, and nobody has kept it. Skipped ones are among them."""
        labels = {image.frame_id: image.class_name for image in self._store.labels.labelled()}
        kept = self._store.confirmed_labels.kept()
        return [d for d in self._doubts.values() if labels.get(d.frame_id) == d.label and d.frame_id not in kept]

    @property
    def kept(self) -> int:
        """How many of the doubted labels are kept now and were not before."""
        return len((self._store.confirmed_labels.kept() - self._kept_before) & self._doubts.keys())

    @property
    def changed(self) -> int:
        """How many of the doubted labels are no longer what they were."""
        labels = {image.frame_id: image.class_name for image in self._store.labels.labelled()}
        return sum(labels.get(doubt.frame_id) != doubt.label for doubt in self._doubts.values())

    def doubt_about(self, frame_id: int) -> Doubt | None:
        """What speaks against the label of a frame; `None` when it is none of these."""
        return self._doubts.get(frame_id)

    def next(self) -> QueuedFrame | None:
        """The surest doubt that was not skipped in this session, or `None`."""
        doubt = next((doubt for doubt in self.left() if doubt.frame_id not in self._skipped), None)
        return None if doubt is None else self._question(doubt.frame_id)

    def undo(self) -> QueuedFrame | None:
        """Take back the last step, also a label that was kept; return its frame."""
        frame = super().undo()
        return None if frame is None else self._question(frame.id)

    def answer(self, frame_id: int, class_name: str) -> None:
        """Label a frame; with the label that it has, keep it. Raises `LabelError` for an unknown frame or class."""
        doubt = self._doubts.get(frame_id)
        if doubt is not None and doubt.label == class_name and doubt in self.left():
            self.keep(frame_id)
        else:
            super().answer(frame_id, class_name)

    def keep(self, frame_id: int) -> None:
        """Confirm the label of a frame; undo takes it back. Raises `LabelError` when it has none."""
        self._store.confirmed_labels.keep(frame_id, self._clock())
        self._skips_to_undo.clear()

    def _question(self, frame_id: int) -> QueuedFrame:
        """The frame with the other class as the guess, so that Enter accepts it."""
        frame, doubt = self._store.queue.get(frame_id), self._doubts.get(frame_id)
        return frame if doubt is None else replace(frame, predicted=doubt.instead, confidence=doubt.probability)
