"""A fake desk whose person does what is asked; as long as nobody asks, they sit through their day as always.

What is asked for is looked up in the day's own course, another stretch of it each time: so two rounds of one posture differ as
they do in life, on one day and in one set of clothes.
"""

import threading
from dataclasses import dataclass

from posture_daemon.domain import Frame
from posture_daemon.errors import CameraError
from posture_daemon.fake_desk.camera import FakeDeskCamera
from posture_daemon.fake_desk.day import DAY_S

LIVELY_PACE = 40.0
"""Desk seconds for each second that passes: who is asked to move a little does so every few seconds, not each minute."""

STEP_S = 2.0
"""How finely a stretch is looked for, desk seconds."""


@dataclass(frozen=True)
class _Asked:
    """What is asked for, and how many desk seconds pass in one of ours."""

    posture: str
    speed: float


class ObedientDesk:
    """Implements `ports.Camera` around a `FakeDeskCamera`, whose clock every frame carries, whatever it shows.

    `show` may be called from any thread; what is seen on the way from one posture to another is left out.
    """

    wanted_size: None = None

    def __init__(self, camera: FakeDeskCamera) -> None:
        self._camera, self.name = camera, camera.name
        self._lock = threading.Lock()
        self._asked: _Asked | None = None
        self._start = self._shown_at = self._asked_at = camera.desk.start
        self._elapsed_s = 0.0

    @property
    def postures(self) -> tuple[str, ...]:
        """What can be asked for."""
        return self._camera.desk.classes

    @property
    def shows(self) -> str:
        """The posture that the newest frame shows, in truth."""
        return self._camera.desk.truth_at(self._shown_at)

    def show(self, posture: str | None, pace: float = 1.0) -> None:
        """Show this posture from the next picture on, or with `None` go on with the day.

        `pace` says how much faster than ours the time of whoever asks passes. Raises `CameraError` for another posture.
        """
        if posture is not None and posture not in self.postures:
            shown = ", ".join(self.postures)
            raise CameraError(f"The person at the fake desk cannot show '{posture}', only {shown}.")
        with self._lock:
            self._asked = None if posture is None else _Asked(posture, LIVELY_PACE * pace)

    def skip_days(self, days: int) -> None:
        """Begin so many days later, in other clothes; before the first frame."""
        self._start = self._shown_at = self._asked_at = self._camera.desk.start + days * DAY_S

    def open(self) -> None:
        """Start the desk's clock."""
        self._camera.open()

    def read(self) -> Frame | None:
        """Wait for the next picture that is due, and draw what was asked for."""
        due = self._camera.wait_for_next()
        if due is None:
            return None
        number, elapsed_s = due
        now = self._start + elapsed_s * self._camera.speed
        with self._lock:
            asked = self._asked
        if asked is None:
            self._shown_at = now
        else:
            passed_s = max(0.0, elapsed_s - self._elapsed_s)
            self._asked_at = self._forward(max(now, self._asked_at) + passed_s * asked.speed, asked.posture)
            self._shown_at = self._asked_at
        self._elapsed_s = elapsed_s
        return Frame(self._camera.desk.render(self._shown_at), now, number)

    def close(self) -> None:
        """Stop giving frames."""
        self._camera.close()

    def _forward(self, t: float, posture: str) -> float:
        """The next moment from `t` on that shows what is asked, and no movement between two classes."""
        desk = self._camera.desk
        while desk.truth_at(t) != posture or desk.transition_at(t):
            t += STEP_S
        return t
