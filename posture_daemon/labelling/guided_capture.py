"""Guided capture (the `teach` command): ask for a few poses, label each frame as the pose asked for, then train.

Has no user interface: a front end calls `step` (or `run` in a thread) and shows `state` and `picture`. Each kept frame is on
disk with its label at once, so an interruption loses nothing. Countdowns run only while frames come from the camera.
"""

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Protocol

from posture_daemon.domain import Floats, Frame, Image, Outcome, Prediction, Reason, TrainingRun
from posture_daemon.labelling.guided_capture_plan import PoseKeeper, PoseRequest
from posture_daemon.live.capture import FrameSource, kept_frame
from posture_daemon.live.classifier import LiveClassifier
from posture_daemon.live.sampling import Kept
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.vision.novelty import unit

log = logging.getLogger(__name__)

FRAME_WAIT_S = 0.1
"""Longest wait for a frame in one step, which limits how smoothly a countdown runs."""

PATIENCE_S = 2.0
"""Without a frame for this long, `state.problem` says so."""

MAX_STEP_S = 1.0
"""Most that one step advances the countdown, so that a laptop that was suspended does not skip a pose."""

ALIKE_COSINE = 0.999
"""Cosine similarity from which two frames are near-duplicates here, unless `queue.duplicate_cosine` is higher. Higher than for
the queue, since a pose of seven seconds gives few frames and each of them was asked for."""

SOURCE = "teach"


class Phase(str, Enum):
    """Steps of a guided capture."""

    READY = "get ready"
    HOLD = "hold it"
    TRAIN = "training"
    LOOK = "first look"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True)
class GuidedCaptureState:
    """All that a front end shows. Immutable and replaced as a whole, so that any thread may read it.

    Pose `number` (from 1) of `of`; `seconds_left` of its preparation or of the pose itself. `frames` counts the kept frames by
    class. `problem` is one sentence while it waits for something. `run` is the training once it has ended, `says` the first
    prediction of the promoted model: a class and its probability (0-1).
    """

    phase: Phase
    ask: PoseRequest | None
    number: int
    of: int
    seconds_left: float = 0.0
    frames: Mapping[str, int] = field(default_factory=dict)
    problem: str | None = None
    run: TrainingRun | None = None
    says: tuple[str, float] | None = None

    @property
    def over(self) -> bool:
        """True when no further step follows."""
        return self.phase in (Phase.DONE, Phase.STOPPED)


class WatchedSource(FrameSource, Protocol):
    """A frame source that also has the state of its camera."""

    @property
    def state(self) -> Any:
        """A frozen dataclass with `status` and `error`."""


@dataclass(frozen=True, eq=False)
class GuidedCaptureParts:
    """Collaborators of a guided capture.

    `train` runs the ordinary training and `cancel` ends a running one. `follow` loads a new champion into `live`; it does
    nothing inside the daemon, which does that itself. `announce` is called with each pose.
    """

    source: WatchedSource
    live: LiveClassifier
    store: Store
    settings: Settings
    train: Callable[[], TrainingRun]
    cancel: Callable[[], None]
    executor: Executor
    follow: Callable[[], None] = lambda: None
    announce: Callable[[PoseRequest], None] = lambda _ask: None
    clock: Callable[[], float] = time.time


class GuidedCapture:
    """One guided capture up to the first prediction, owned by one thread; any thread may read `state` and call `picture`."""

    def __init__(self, asks: tuple[PoseRequest, ...], parts: GuidedCaptureParts) -> None:
        """`asks` as `guided_capture_plan.plan` returns them, at least one."""
        self._asks, self._parts = asks, parts
        self._frames: Counter[str] = Counter({ask.posture_class.name: 0 for ask in asks})
        self._seen: dict[str, list[Floats]] = {name: [] for name in self._frames}
        self._session = f"{SOURCE} {parts.clock():.0f}"
        self._sequence = 0
        self._frame: Frame | None = None
        self._seen_at: float | None = None
        self._training: Future[TrainingRun] | None = None
        self._steps = {
            Phase.READY: self._get_ready,
            Phase.HOLD: self._hold,
            Phase.TRAIN: self._train,
            Phase.LOOK: self._look,
        }
        self.state = GuidedCaptureState(Phase.READY, None, 0, len(asks), frames=dict(self._frames))
        self._begin(0)

    def picture(self) -> Image | None:
        """The newest frame, BGR `uint8 (height, width, 3)`; `None` before the first."""
        return None if self._frame is None else self._frame.image

    def run(self, stop: threading.Event, clock: Callable[[], float] = time.monotonic) -> GuidedCaptureState:
        """Step until it is over. Once `stop` is set it ends after a training that still runs."""
        while not self.state.over:
            if stop.is_set():
                self.stop()
            self.step(clock())
        return self.state

    def stop(self) -> None:
        """End the capture: kept frames keep their labels, a running training is cancelled."""
        if self.state.phase is Phase.TRAIN:
            self._parts.cancel()
        elif not self.state.over:
            self._change(phase=Phase.STOPPED, problem=None)

    def step(self, now: float) -> GuidedCaptureState:
        """Take the newest frame, if one came, and advance; `now` is in seconds of a monotonic clock."""
        if not self.state.over:
            counted_s = self._next_frame(now)
            if not self.state.over:
                self._steps[self.state.phase](counted_s)
        return self.state

    def _next_frame(self, now: float) -> float | None:
        """Wait briefly for a frame; returns the seconds by which the countdown advances, `None` without a frame."""
        frame, before = self._parts.source.wait(self._sequence, FRAME_WAIT_S), self._seen_at
        if frame is None:
            self._seen_at = now if before is None else before
            self._no_frame(now - self._seen_at)
            return None
        counts = self._frame is not None and self.state.problem is None
        self._sequence, self._frame, self._seen_at = frame.sequence, frame, now
        if self.state.problem is not None:
            self._come_back()
        return min(max(0.0, now - before), MAX_STEP_S) if counts and before is not None else 0.0

    def _no_frame(self, waited_s: float) -> None:
        """No frame came: report it after a while, and end when the recording has ended."""
        camera = self._parts.source.state
        capturing = self.state.phase in (Phase.READY, Phase.HOLD)
        if camera.status == "ended" and self.state.phase is not Phase.TRAIN:
            ended = "The camera has come to its end; what was kept stays, with its labels."
            self._change(phase=Phase.STOPPED if capturing else Phase.DONE, problem=ended)
        elif waited_s > PATIENCE_S and self.state.phase is not Phase.TRAIN:
            why = camera.error or "the camera gives no picture."
            self._change(problem=f"Waiting for a picture: {why}")

    def _come_back(self) -> None:
        """The camera is back: an interrupted pose is prepared again and held for the rest of its time."""
        self._change(problem=None)
        if self.state.phase is Phase.HOLD and self.state.ask is not None:
            self._change(phase=Phase.READY, seconds_left=self.state.ask.ready_s)

    def _begin(self, index: int) -> None:
        """Begin the next pose; it has a time block of its own and is undone in one step."""
        ask = self._asks[index]
        self._elapsed_s = 0.0
        self._batch = self._parts.store.labels.new_batch()
        seen = self._seen[ask.posture_class.name]
        cosine = max(ALIKE_COSINE, self._parts.settings.queue.duplicate_cosine)
        self._keeper = PoseKeeper(ask.seconds, seen, cosine)
        self._change(phase=Phase.READY, ask=ask, number=index + 1, seconds_left=ask.ready_s)
        self._parts.announce(ask)

    def _get_ready(self, counted_s: float | None) -> None:
        left_s = self.state.seconds_left - (counted_s or 0.0)
        if left_s <= 0 and self.state.ask is not None:
            self._change(phase=Phase.HOLD, seconds_left=self.state.ask.seconds - self._elapsed_s)
        else:
            self._change(seconds_left=left_s)

    def _hold(self, counted_s: float | None) -> None:
        ask, frame = self.state.ask, self._frame
        if counted_s is None or ask is None or frame is None:
            return
        self._elapsed_s += counted_s
        if self._elapsed_s >= ask.seconds:
            self._end_pose()
            return
        if self._keeper.due(self._elapsed_s):
            self._consider(frame, ask)
        self._change(seconds_left=ask.seconds - self._elapsed_s)

    def _consider(self, frame: Frame, ask: PoseRequest) -> None:
        prediction = self._parts.live.predict(frame.image)
        features = unit(prediction.features.pooled)
        if self._keeper.wants(self._elapsed_s, features) and self._keep(frame, prediction, ask):
            self._keeper.kept(self._elapsed_s, features)
            self._frames[ask.posture_class.name] += 1
            self._change(frames=dict(self._frames))

    def _keep(self, frame: Frame, prediction: Prediction, ask: PoseRequest) -> bool:
        """Store and label the frame; False when the store holds an identical one, as a hung camera gives."""
        parts, labels = self._parts, self._parts.settings.labels
        kept = Kept(Reason.TAUGHT, f"shown on request: {ask.sentence}")
        new = kept_frame(frame, prediction, kept, f"{self._session} {self.state.number}", parts.settings.queue)
        # No gap or length ends the block: each pose has a source, and so a block, of its own.
        frame_id = parts.store.queue.add(new, parts.clock(), math.inf, math.inf)
        if frame_id is None:
            return False
        every = labels.holdout_every, labels.test_every
        parts.store.labels.answer(frame_id, ask.posture_class.name, SOURCE, parts.clock(), *every, self._batch)
        return True

    def _end_pose(self) -> None:
        if self.state.number < self.state.of:
            self._begin(self.state.number)
            return
        self._change(phase=Phase.TRAIN, ask=None, seconds_left=0.0)
        self._training = self._parts.executor.submit(self._parts.train)

    def _train(self, _counted_s: float | None) -> None:
        if self._training is None or not self._training.done():
            return
        run = self._training.result()
        self._change(phase=Phase.LOOK if run.outcome is Outcome.PROMOTED else Phase.DONE, run=run)

    def _look(self, counted_s: float | None) -> None:
        """The first prediction of the new champion, on a frame captured after the swap."""
        parts, run, frame = self._parts, self.state.run, self._frame
        if run is None or parts.live.version.id != run.challenger_id:
            parts.follow()
        elif counted_s is not None and frame is not None:
            prediction = parts.live.predict(frame.image)
            self._change(phase=Phase.DONE, says=(prediction.label, prediction.confidence))

    def _change(self, **fields: Any) -> None:
        if fields.get("phase", self.state.phase) is not self.state.phase:
            log.debug("guided capture: %s", fields["phase"].value)
        self.state = replace(self.state, **fields)
