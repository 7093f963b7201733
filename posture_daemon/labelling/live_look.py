"""The live look at a new model: a few poses, and what it says of each while the owner watches. Pure."""

from posture_daemon.labelling.guided_capture_plan import PoseRequest
from posture_daemon.labelling.guided_capture_state import PoseResult, pose_result

SETTLE_S = 2.0
"""Seconds of a pose that are not counted: somebody is still moving."""


class LiveLook:
    """Asks for one pose after the other (see `guided_capture_plan.live_plan`)."""

    def __init__(self, asks: tuple[PoseRequest, ...]) -> None:
        self._asks, self._elapsed_s = asks, 0.0
        self._said: dict[str, list[str]] = {}

    @property
    def ask(self) -> PoseRequest | None:
        """The pose that is asked for now; `None` when it is over."""
        return self._asks[0] if self._asks else None

    @property
    def seconds_left(self) -> float:
        """Until all of it is over."""
        return max(0.0, sum(ask.seconds for ask in self._asks) - self._elapsed_s)

    @property
    def results(self) -> tuple[PoseResult, ...]:
        """What was said of each pose so far."""
        return tuple(pose_result(name, said) for name, said in self._said.items())

    def step(self, seconds: float, label: str) -> None:
        """`seconds` have passed, and the model says `label` now."""
        if self.ask is None:
            return
        self._elapsed_s += seconds
        if self._elapsed_s >= SETTLE_S:
            self._said.setdefault(self.ask.posture_class.name, []).append(label)
        if self._elapsed_s >= self.ask.seconds:
            self._asks, self._elapsed_s = self._asks[1:], 0.0
