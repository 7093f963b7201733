"""A device that reports what the test says."""

from posture_daemon.device.resources import Resources
from tests.builders import resources


class StandInProbe:
    """Implements `ports.ResourceProbe`: reports `later` one after the other, then `now` again and again."""

    def __init__(self, now: Resources | None = None) -> None:
        self.now = now or resources()
        self.later: list[Resources] = []

    def read(self) -> Resources:
        """What the test says."""
        return self.later.pop(0) if self.later else self.now

    def close(self) -> None:
        """Nothing was begun."""
