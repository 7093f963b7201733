"""The fake desk: a webcam picture of a person at a desk, drawn from numbers, with a known truth for every moment.

Reading order: `pose` (what a body can do) → `day` (when it does it) → `people`, `room`, `light` (who, where, when) →
`skeleton` (joints in space) → `canvas` and the `draw_*` files (paint) → `render` (one frame) → `desk` and `camera`.
"""

from posture_daemon.fake_desk.camera import FakeDeskCamera
from posture_daemon.fake_desk.day import Day
from posture_daemon.fake_desk.desk import DEFAULT_START, FakeDesk
from posture_daemon.fake_desk.obedient import ObedientDesk
from posture_daemon.fake_desk.pose import AWAY, BAD, CLASSES, GOOD, STANDING

__all__ = [
    "AWAY", "BAD", "CLASSES", "DEFAULT_START", "GOOD", "STANDING", "Day", "FakeDesk", "FakeDeskCamera", "ObedientDesk",
]  # fmt: skip
