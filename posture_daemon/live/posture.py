"""The posture that is shown: debounced, so that a glance does not count, and `unknown` when the model is unsure or new here."""

from dataclasses import replace

from posture_daemon.domain import UNKNOWN, PostureState, Prediction
from posture_daemon.settings import PostureSettings


class PostureTracker:
    """A new posture counts once it has been seen for `hold_s` without a break, and then counts from its first frame."""

    def __init__(self, settings: PostureSettings) -> None:
        self._settings = settings
        self.state: PostureState | None = None
        self._candidate: PostureState | None = None

    def rename(self, old: str, new: str) -> None:
        """Go on under another name."""
        if self.state is not None and self.state.posture == old:
            self.state = replace(self.state, posture=new)
        if self._candidate is not None and self._candidate.posture == old:
            self._candidate = replace(self._candidate, posture=new)

    def step(self, prediction: Prediction, at: float) -> PostureState | None:
        """Take one prediction; returns the new state when it changed, else `None`."""
        sure = prediction.familiar and prediction.confidence >= self._settings.unsure_below
        seen = prediction.label if sure else UNKNOWN
        if self.state is not None and seen == self.state.posture:
            self._candidate = None
            return None
        if self._candidate is None or self._candidate.posture != seen or at < self._candidate.since:
            self._candidate = PostureState(seen, at)
        if self.state is not None and at - self._candidate.since < self._settings.hold_s:
            return None
        self.state, self._candidate = self._candidate, None
        return self.state
