"""A fake desk whose person does what is asked: its clock runs through the stretches of its days that show it."""

from posture_daemon.domain import Frame
from posture_daemon.errors import CameraError
from posture_daemon.fake_desk.camera import FakeDeskCamera
from posture_daemon.fake_desk.day import DAY_S

LIVELY_PACE = 40.0
"""Desk seconds for each second that passes: who is asked to move a little does so every few seconds, not each minute."""

STEP_S = 2.0
"""How finely a stretch is looked for, desk seconds."""


class ObedientDesk:
    """Implements `ports.Camera` around a `FakeDeskCamera`. Its clock only goes forward.

    `show` may be called from any thread; what is seen on the way from one posture to another is left out.
    """

    wanted_size: None = None

    def __init__(self, camera: FakeDeskCamera, pace: float = 1.0) -> None:
        """`pace` says how much faster than ours the time of whoever asks passes."""
        self._camera, self._speed, self.name = camera, LIVELY_PACE * pace, camera.name
        self.truth_at = camera.truth_at
        self._began = self._at = camera.desk.start
        self._asked: tuple[str | None, float] = (None, self._began)
        self._elapsed_s: float | None = None

    def show(self, posture: str, day: int) -> None:
        """Show this posture from the next picture on, not before `day` (from 0), which has other clothes and another course."""
        if posture not in self._camera.desk.classes:
            shown = ", ".join(self._camera.desk.classes)
            raise CameraError(f"The person at the fake desk cannot show '{posture}', only {shown}.")
        self._asked = (posture, self._began + day * DAY_S)

    def open(self) -> None:
        """Start the desk's clock."""
        self._camera.open()
        self._elapsed_s = None

    def read(self) -> Frame | None:
        """Wait for the next picture that is due, and draw what was asked for."""
        due = self._camera.wait_for_next()
        if due is None:
            return None
        number, elapsed_s = due
        passed_s = 0.0 if self._elapsed_s is None else elapsed_s - self._elapsed_s
        self._elapsed_s = elapsed_s
        self._at = self._forward(self._at + passed_s * self._speed)
        return Frame(self._camera.desk.render(self._at), self._at, number)

    def close(self) -> None:
        """Stop giving frames."""
        self._camera.close()

    def _forward(self, t: float) -> float:
        """The next moment from `t` on that shows what is asked, and no movement between two classes."""
        posture, not_before = self._asked
        t, desk = max(t, not_before), self._camera.desk
        while posture is not None and (desk.truth_at(t) != posture or desk.transition_at(t)):
            t += STEP_S
        return t
