"""The fake desk as a camera that runs in real time, or faster."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import ClassVar

from posture_daemon.domain import Frame
from posture_daemon.errors import CameraError
from posture_daemon.fake_desk.desk import DEFAULT_START, FakeDesk


@dataclass
class FakeDeskCamera:
    """A `Camera` that films a fake desk.

    `fps` frames per real second; one real second is `speed` desk seconds. `start` is an ISO date and time of the desk's
    clock. After `duration` desk seconds the film ends. A slow reader misses frames, as with a real camera.
    """

    seed: int = 0
    person: int | None = None
    fps: float = 10.0
    speed: float = 1.0
    start: str | None = None
    classes: str | None = None
    duration: float | None = None
    monotonic: Callable[[], float] = field(default=time.monotonic, repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    wanted_size: ClassVar[None] = None

    def __post_init__(self) -> None:
        """Check the arguments once and furnish the desk."""
        if not (0.0 < self.fps < math.inf and 0.0 < self.speed < math.inf):
            raise CameraError("The fake desk needs fps and speed above 0.")
        self._start = _parse_start(self.start)
        names = None if self.classes is None else [name.strip() for name in self.classes.split(",")]
        self.desk = FakeDesk(self.seed, self.person, self._start, names)
        self.truth_at = self.desk.truth_at
        self._epoch: float | None = None
        self._sequence = -1
        self._is_open = False

    @property
    def name(self) -> str:
        """The URL of this camera: the seed and whatever is not as usual."""
        usual = {"person": None, "fps": 10.0, "speed": 1.0, "start": None, "classes": None, "duration": None}
        changed = {key: getattr(self, key) for key, value in usual.items() if getattr(self, key) != value}
        texts = {key: f"{value:g}" if isinstance(value, float) else str(value) for key, value in changed.items()}
        extra = "".join(f"&{key}={text}" for key, text in texts.items())
        return f"fake:desk?seed={self.seed}{extra}"

    def open(self) -> None:
        """Start the desk's clock; opening again after `close` goes on where the time is by then."""
        self._is_open = True
        if self._epoch is None:
            self._epoch = self.monotonic()

    def read(self) -> Frame | None:
        """Wait for the next frame that is due and draw it; `None` when `duration` is over."""
        due = self.wait_for_next()
        if due is None:
            return None
        number, elapsed_s = due
        captured_at = self._start + elapsed_s * self.speed
        return Frame(self.desk.render(captured_at), captured_at, number)

    def wait_for_next(self) -> tuple[int, float] | None:
        """Number of the next frame, and when it is due, real seconds after the first opening; `None` after `duration`."""
        if not self._is_open or self._epoch is None:
            raise CameraError(f"The camera {self.name} was read before it was opened.")
        elapsed = self.monotonic() - self._epoch
        # A tiny allowance: a sleep until frame n may wake a rounding error before it.
        number = max(self._sequence + 1, math.floor(elapsed * self.fps + 1e-6))
        if self.duration is not None and number * self.speed / self.fps >= self.duration:
            return None
        wait_s = number / self.fps - elapsed
        if wait_s > 0.0:
            self.sleep(wait_s)
        self._sequence = number
        return number, number / self.fps

    def close(self) -> None:
        """Stop giving frames."""
        self._is_open = False


def _parse_start(text: str | None) -> float:
    """Read an ISO date and time; without a zone it counts as the desk's clock (Unix s)."""
    if text is None:
        return DEFAULT_START
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CameraError(f"The fake desk cannot start at {text!r}; write it like 2026-03-02T08:00.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
