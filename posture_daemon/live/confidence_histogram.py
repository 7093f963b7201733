"""Counts how sure the live model is, in memory, so that the database is written to once a minute and not once a frame."""

import threading

from posture_daemon.domain import Prediction
from posture_daemon.store.confidence_histograms import BUCKETS


class ConfidenceTally:
    """Filled by the capture thread, emptied by the scheduler."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[int, list[int]] = {}

    def add(self, prediction: Prediction) -> None:
        """Count one frame; those of a base, which knows no classes, and of today's online head do not count."""
        if not prediction.classes or prediction.answers:
            return
        bucket = min(int(prediction.confidence * BUCKETS), BUCKETS - 1)
        with self._lock:
            self._counts.setdefault(prediction.version_id, [0] * BUCKETS)[bucket] += 1

    def take(self) -> dict[int, list[int]]:
        """Frames per bucket by version since the last call."""
        with self._lock:
            taken, self._counts = self._counts, {}
        return taken
