"""The fake desk: one room, one person, and a day that flows."""

from collections.abc import Sequence
from datetime import datetime, timezone

from posture_daemon.domain import Image
from posture_daemon.fake_desk import chance, people
from posture_daemon.fake_desk.day import DAY_S, Day, day_number
from posture_daemon.fake_desk.pose import Pose, alive, pose_for
from posture_daemon.fake_desk.render import Scene, render
from posture_daemon.fake_desk.room import room

DEFAULT_START = datetime(2026, 3, 2, 8, 0, tzinfo=timezone.utc).timestamp()
"""Monday, 2 March 2026, 08:00; the desk's own clock counts as UTC."""


class FakeDesk:
    """A desk whose pictures and truth are pure functions of its arguments and of time (Unix s; its clock is UTC)."""

    def __init__(
        self,
        seed: int = 0,
        person: int | None = None,
        start: float = DEFAULT_START,
        classes: Sequence[str] | None = None,
    ) -> None:
        """`seed` chooses room and camera, `person` who sits there, `start` is when its clock begins (Unix s).

        `classes` leaves out the postures it does not name.
        """
        self.seed = seed
        self.start = start
        self.room = room(seed)
        self.person = people.person(seed % 64 if person is None else person)
        self.day = Day(chance.key(seed, self.person.number), classes)
        self.classes = self.day.classes
        self.truth_at, self.transition_at = self.day.truth_at, self.day.transition_at

    def render(self, t: float) -> Image:
        """Draw what the camera sees at `t` (Unix s): `uint8 (720, 1280, 3)` BGR."""
        return self._draw(self.day.pose_at(t), t)

    def render_pose(self, posture: str, variation: int, t: float, depth: float = 0.7) -> Image:
        """Draw one way (`variation`) of holding `posture` at `t` (Unix s), whatever the day's course says."""
        return self._draw(pose_for(posture, variation, depth), t)

    def _draw(self, pose: Pose, t: float) -> Image:
        """Draw a pose with the small motions and the light of time `t`."""
        number = day_number(t)
        scene = Scene(self.room, self.person, people.clothes(self.person.number, number), number)
        moving = alive(pose, t, chance.key(self.seed, self.person.number, 0xA11))
        return render(scene, moving, t % DAY_S / 3600.0, chance.key(self.seed, round(t * 1000)))
