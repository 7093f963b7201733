"""How frames flow over a stretch of time: what a training costs the capture loop is measured, not promised."""

import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Flow:
    """Frames answered in so many seconds; `lost` ones came and were not looked at, `longest_gap_s` is between two answers.

    `latency_s` is the mean time of a prediction; 0 without frames.
    """

    seconds: float
    frames: int
    lost: int
    longest_gap_s: float
    latency_s: float

    @property
    def fps(self) -> float:
        """Frames answered per second."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0

    def as_json(self) -> dict[str, float]:
        """For the record of a run."""
        return {
            "seconds": round(self.seconds, 2),
            "frames": self.frames,
            "fps": round(self.fps, 2),
            "lost": self.lost,
            "longest_gap_s": round(self.longest_gap_s, 3),
            "latency_ms": round(1000 * self.latency_s, 2),
        }


class FrameMeter:
    """Counts since it was last read. One thread adds, others may take."""

    def __init__(self, now: float) -> None:
        self._lock = threading.Lock()
        self._last: float | None = None
        self._began, self._frames, self._lost, self._gap_s, self._latency_s = now, 0, 0, 0.0, 0.0

    def add(self, now: float, latency_s: float, lost: int) -> None:
        """A frame was answered, and so many before it were not looked at."""
        with self._lock:
            if self._last is not None:
                self._gap_s = max(self._gap_s, now - self._last)
            self._last = now
            self._frames, self._lost, self._latency_s = self._frames + 1, self._lost + lost, self._latency_s + latency_s

    def take(self, now: float) -> Flow:
        """What there was since the last time; a gap that is still open counts as well."""
        with self._lock:
            open_gap_s = now - self._last if self._last is not None else 0.0
            mean_s = self._latency_s / self._frames if self._frames else 0.0
            flow = Flow(now - self._began, self._frames, self._lost, max(self._gap_s, open_gap_s), mean_s)
            self._began, self._frames, self._lost, self._gap_s, self._latency_s = now, 0, 0, 0.0, 0.0
            return flow
