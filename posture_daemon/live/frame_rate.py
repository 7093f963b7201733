"""The rate at which frames are answered: what a training costs the capture loop is measured, not promised."""

import threading

from posture_daemon.domain import FrameRate


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

    def take(self, now: float) -> FrameRate:
        """What there was since the last time; a gap that is still open counts as well."""
        with self._lock:
            open_gap_s = now - self._last if self._last is not None else 0.0
            seconds, frames = now - self._began, self._frames
            found = FrameRate(
                fps=round(frames / seconds, 2) if seconds > 0 else 0.0,
                lost=self._lost,
                longest_gap_s=round(max(self._gap_s, open_gap_s), 3),
                seconds=round(seconds, 2),
                frames=frames,
                latency_ms=round(1000 * self._latency_s / frames, 2) if frames else 0.0,
            )
            self._began, self._frames, self._lost, self._gap_s, self._latency_s = now, 0, 0, 0.0, 0.0
            return found
