"""Review of suspected label errors (`learning/label_errors.py`): change, discard or confirm each label."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from posture_daemon.domain import QueuedFrame
from posture_daemon.labelling.session import Labelling
from posture_daemon.learning.label_errors import Doubt
from posture_daemon.settings import LabelSettings
from posture_daemon.store import Store


class Review(Labelling):
    """A labelling session over suspected label errors, the most probable first. Confirmed labels are not asked again."""

    def __init__(
        self, store: Store, settings: LabelSettings, clock: Callable[[], float], doubts: Sequence[Doubt]
    ) -> None:
        """`clock` tells the time, seconds since the epoch."""
        super().__init__(store, settings, clock)
        self._doubts = {doubt.frame_id: doubt for doubt in doubts}
        self._kept_before = store.labels.kept()

    def left(self) -> list[Doubt]:
        """Suspected errors whose label was neither changed nor confirmed, including skipped ones."""
        labels = {image.frame_id: image.class_name for image in self._store.labels.labelled()}
        kept = self._store.labels.kept()
        return [d for d in self._doubts.values() if labels.get(d.frame_id) == d.label and d.frame_id not in kept]

    @property
    def kept(self) -> int:
        """Number of suspected labels confirmed in this session."""
        return len((self._store.labels.kept() - self._kept_before) & self._doubts.keys())

    @property
    def changed(self) -> int:
        """Number of suspected labels that are no longer the same."""
        labels = {image.frame_id: image.class_name for image in self._store.labels.labelled()}
        return sum(labels.get(doubt.frame_id) != doubt.label for doubt in self._doubts.values())

    def doubt_about(self, frame_id: int) -> Doubt | None:
        """The suspected error of a frame; `None` if it has none."""
        return self._doubts.get(frame_id)

    def next(self) -> QueuedFrame | None:
        """The most probable error that was not skipped in this session, or `None`."""
        doubt = next((doubt for doubt in self.left() if doubt.frame_id not in self._skipped), None)
        return None if doubt is None else self._question(self._store.queue.get(doubt.frame_id))

    def answer(self, frame_id: int, class_name: str) -> None:
        """Label a frame; its present label confirms it. Raises `LabelError` for an unknown frame or class."""
        doubt = self._doubts.get(frame_id)
        if doubt is not None and doubt.label == class_name and doubt in self.left():
            self.keep(frame_id)
        else:
            super().answer(frame_id, class_name)

    def keep(self, frame_id: int) -> None:
        """Confirm the label of a frame; can be undone. Raises `LabelError` when it has none."""
        self._store.labels.keep(frame_id, self._clock(), self.history.sitting)
        self._skips_to_undo.clear()

    def _question(self, frame: QueuedFrame) -> QueuedFrame:
        """The frame with the suggested class as its prediction, so that Enter accepts it."""
        doubt = self._doubts.get(frame.id)
        return frame if doubt is None else replace(frame, predicted=doubt.instead, confidence=doubt.wrong)
