"""What the owner's keys do in a lesson: mark pictures that are to be dropped, and go on."""

from collections.abc import Callable

from posture_daemon.domain import Image
from posture_daemon.labelling.guided_capture import GuidedCapture
from posture_daemon.labelling.guided_capture_state import GuidedCaptureState, Phase
from posture_daemon.ui.contact_sheet import COLUMNS, contact_sheet

GO_ON = ("\n", "\r", "\x1b")
"""Enter and Escape."""


class LessonKeys:
    """Acts on keys while they mean something. `press` gives the key that waits, if any; `None` without a keyboard."""

    def __init__(self, capture: GuidedCapture, press: Callable[[], str | None] | None) -> None:
        self._capture, self._press = capture, press
        self._sheet: Image | None = None
        self.marked: frozenset[str] = frozenset()
        """Classes whose pictures are to be dropped."""

    def act(self, state: GuidedCaptureState) -> None:
        """Read a key, if one waits. Without a keyboard nobody can look at the pictures, so that goes on at once."""
        if state.phase is Phase.REVIEW and self._press is None:
            self._capture.go_on()
        elif self._press is not None and state.phase in (Phase.REVIEW, Phase.LIVE):
            self._act(state, self._press() or "")

    def picture(self) -> Image | None:
        """The contact sheet while it is to be looked at, else what the camera sees."""
        if self._capture.state.phase is not Phase.REVIEW or self._press is None:
            self._sheet = None
            return self._capture.picture()
        if self._sheet is None:
            self._sheet = contact_sheet(self._capture.sheet(COLUMNS))
        return self._sheet

    def _act(self, state: GuidedCaptureState, key: str) -> None:
        names = list(state.frames)
        if state.phase is Phase.REVIEW and key.isdecimal() and 1 <= int(key) <= len(names):
            self.marked ^= {names[int(key) - 1]}
        elif key in GO_ON:
            self._capture.go_on(self.marked)
