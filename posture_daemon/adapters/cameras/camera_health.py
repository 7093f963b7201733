"""Health of a camera: its state for `status`, and a log line for each change of it, unless it changes all the time."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from posture_daemon.adapters.cameras.log_throttle import LogThrottle
from posture_daemon.domain import Frame
from posture_daemon.vision.frame_quality import FrameQuality

log = logging.getLogger(__name__)

Status = Literal["opening", "running", "black", "blank", "frozen", "lost", "ended"]
Size = tuple[int, int]

BLIND = {
    FrameQuality.BLACK: (
        "black",
        "shows a black picture: take the cover off the lens, or switch a light on; at night this is normal.",
    ),
    FrameQuality.BLANK: (
        "blank",
        "shows a picture of one colour: look whether something covers the lens, and plug the camera in again.",
    ),
    FrameQuality.FROZEN: (
        "frozen",
        "repeats one picture: it hangs and is opened anew; if that does not help, take its power away for a moment.",
    ),
}
"""Status and sentence while a camera gives only unusable frames."""

SIZE = "size"
"""The kind of event that is no status."""


@dataclass(frozen=True)
class CameraState:
    """How the camera is doing.

    `since` is when `status` began, seconds since the epoch; `error` is one sentence while lost or blind, else `None`.
    `frames` counts the frames that were passed on, `unusable` those that were not (black, blank or frozen), `reopened` how
    often the camera came back after a loss. `size` is (width, height) in pixels of the newest frame, `wanted_size` that of
    the request, if there was one.
    """

    name: str
    status: Status
    since: float
    error: str | None
    frames: int = 0
    reopened: int = 0
    unusable: int = 0
    size: Size | None = None
    wanted_size: Size | None = None


class CameraHealthLog:
    """Keeps the state of one camera. Not thread-safe: the caller holds a lock."""

    def __init__(self, name: str, wanted_size: Size | None, clock: Callable[[], float]) -> None:
        self._clock, self._rarely = clock, LogThrottle(clock)
        self._was_told = True
        """Whether the present trouble was: only then is its end."""
        self.state = CameraState(name, "opening", clock(), None, wanted_size=wanted_size)

    def usable(self, frame: Frame) -> None:
        """Note a frame that can be used."""
        state, away_s = self.state, self._clock() - self.state.since
        returns = state.status == "lost" and state.frames > 0
        if state.error is not None and self._was_told:
            log.info(
                "camera %s %s after %.0f s", state.name, "is back" if state.status == "lost" else "sees again", away_s
            )
        if untold := self._rarely.take_untold():
            log.info(
                "camera %s is steady again, after %d interruptions that were not told one by one", state.name, untold
            )
        self._note_size(frame)
        self._change("running", None)
        self.state = replace(self.state, frames=state.frames + 1, reopened=state.reopened + returns)

    def unusable(self, quality: FrameQuality, is_blind: bool) -> None:
        """Note a frame that cannot be used; `is_blind` once only such frames have come for some seconds."""
        self.state = replace(self.state, unusable=self.state.unusable + 1)
        if not is_blind:
            return
        status, sentence = BLIND[quality]
        error = f"camera {self.state.name} {sentence}"
        self._tell(status, error)
        self._change(status, error)  # type: ignore[arg-type]

    def lost(self, error: str, bug: Exception | None = None) -> None:
        """Note a loss; only the first report is logged, later ones (reopening failed) just refresh the reason.

        A `bug` of ours is logged with its traceback.
        """
        self._tell("lost", f"camera lost, will keep trying: {error}", bug)
        self._change("lost", error)

    def ended(self) -> None:
        """Note the end of a recording."""
        log.info("camera %s has come to its end after %d frames", self.state.name, self.state.frames)
        self._change("ended", None)

    def _note_size(self, frame: Frame) -> None:
        size, wanted = (frame.image.shape[1], frame.image.shape[0]), self.state.wanted_size
        if size != self.state.size and wanted is not None and size != wanted:
            given, asked = f"{size[0]}×{size[1]}", f"{wanted[0]}×{wanted[1]}"
            words = f"gives pictures of {given} px instead of the {asked} that were asked for, and is used as it is"
            if (untold := self._rarely.tells(SIZE)) is not None:
                log.warning("%s", f"camera {self.state.name} {words}{_more(untold)}")
        self.state = replace(self.state, size=size)

    def _tell(self, status: str, words: str, bug: Exception | None = None) -> None:
        """Log the begin of a trouble; what is told rarely, and still goes on when its turn comes, then."""
        is_new = self.state.status != status
        if not is_new and self._was_told:
            return
        untold = self._rarely.tells(status, is_new)
        self._was_told = untold is not None
        if untold is not None:
            log.warning("%s%s", words, _more(untold), exc_info=bug)

    def _change(self, status: Status, error: str | None) -> None:
        since = self.state.since if status == self.state.status else self._clock()
        self.state = replace(self.state, status=status, since=since, error=error)


def _more(untold: int) -> str:
    return f" (and {untold} times more since this was told last)" if untold else ""
