"""Teaching: a few poses on request, each labelled by what was asked, then a training. No user interface: one calls `step`.

A front end calls `step` (or has a thread call `run`) and shows `state` and `picture`. What is kept is on disk with its label at
once, so an interrupted teaching loses nothing. Time counts only while pictures come: a camera that is lost is waited for.
"""

from __future__ import annotations

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
from posture_daemon.labelling.guided_capture_plan import Ask
from posture_daemon.live.capture import FrameSource, kept_frame
from posture_daemon.live.classifier import LiveClassifier
from posture_daemon.live.sampling import Kept
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.vision.novelty import alike, unit

log = logging.getLogger(__name__)

FRAME_WAIT_S = 0.1
"""Longest wait for a picture in one step: how smooth a countdown is."""

PATIENCE_S = 2.0
"""Without a picture for so long, `state.problem` says so."""

MAX_STEP_S = 1.0
"""What one step counts at most, so that a suspended laptop does not skip a pose."""

EVERY_S = 0.4
"""Shortest time between two kept frames."""

MIN_POSE_FRAMES = 6
"""Frames that a pose gives at least, spread in time, even if nothing moves: an empty chair is a class too."""

ALIKE_COSINE = 0.999
"""From which two frames count as the same here, unless the queue's setting is stricter still. All that is shown was asked
for, so only what is all but the same picture is refused: a lesson of seven seconds a pose has none to spare."""

SOURCE = "teach"


class Phase(str, Enum):
    """What happens now, and so what a front end shows."""

    READY = "get ready"
    HOLD = "hold it"
    TRAIN = "training"
    LOOK = "first look"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True)
class GuidedCaptureState:
    """All that a front end shows. It is replaced, never changed, so that any thread may read it.

    `number` of `of` counts the poses from 1. `seconds_left` of getting ready, or of the pose. `frames` are those kept in this
    teaching, by class. `problem` is one sentence while something is waited for. `run` is the training, once it has ended;
    `says` what the promoted model said of its first picture: a class and its probability.
    """

    phase: Phase
    ask: Ask | None
    number: int
    of: int
    seconds_left: float = 0.0
    frames: Mapping[str, int] = field(default_factory=dict)
    problem: str | None = None
    run: TrainingRun | None = None
    says: tuple[str, float] | None = None

    @property
    def over(self) -> bool:
        """Nothing more will happen."""
        return self.phase in (Phase.DONE, Phase.STOPPED)


class WatchedSource(FrameSource, Protocol):
    """A source that also tells how the camera is doing."""

    @property
    def state(self) -> Any:
        """A frozen dataclass with `status` and `error`."""


@dataclass(frozen=True, eq=False)
class GuidedCaptureParts:
    """What a teaching works with.

    `train` runs the ordinary training; `cancel` makes a running one end soon. `follow` puts a new champion in place of the one
    that `live` holds; inside the daemon, which does that by itself, it does nothing. `announce` hears of each pose.
    """

    source: WatchedSource
    live: LiveClassifier
    store: Store
    settings: Settings
    train: Callable[[], TrainingRun]
    cancel: Callable[[], None]
    executor: Executor
    follow: Callable[[], None] = lambda: None
    announce: Callable[[Ask], None] = lambda _ask: None
    clock: Callable[[], float] = time.time


class PoseKeeper:
    """Which pictures of one pose are kept: a few a second, no two of a class alike, but `MIN_POSE_FRAMES` of them in any case.

    `seen` are the features of the frames of this class that were kept before; those kept here join them.
    """

    def __init__(self, seconds: float, seen: list[Floats], duplicate_cosine: float) -> None:
        self._slot_s, self._seen, self._cosine = seconds / MIN_POSE_FRAMES, seen, duplicate_cosine
        self._next_s = 0.0
        self._kept = 0

    def due(self, elapsed_s: float) -> bool:
        """Whether it is worth looking at a picture now, `elapsed_s` into the pose."""
        return elapsed_s >= self._next_s

    def wants(self, elapsed_s: float, features: Floats) -> bool:
        """Whether to keep it: it shows something new, or by this time another one should have been kept."""
        behind = self._kept < math.floor(elapsed_s / self._slot_s + 0.5)
        return behind or not alike(features, self._seen, self._cosine)

    def kept(self, elapsed_s: float, features: Floats) -> None:
        """It was kept."""
        self._seen.append(features)
        self._next_s = elapsed_s + EVERY_S
        self._kept += 1


class GuidedCapture:
    """One lesson, from the first countdown to what the new model says. Owned by one thread; `state` and `picture` by all."""

    def __init__(self, asks: tuple[Ask, ...], parts: GuidedCaptureParts) -> None:
        """`asks` as `teaching_plan.plan` gives them, at least one."""
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
        """The newest picture; `None` before the first."""
        return None if self._frame is None else self._frame.image

    def run(self, stop: threading.Event, clock: Callable[[], float] = time.monotonic) -> GuidedCaptureState:
        """Step until it is over, or `stop` is set and what runs has ended."""
        while not self.state.over:
            if stop.is_set():
                self.stop()
            self.step(clock())
        return self.state

    def stop(self) -> None:
        """Ask for no more poses. What was kept stays, with its labels; a running training is told to end."""
        if self.state.phase is Phase.TRAIN:
            self._parts.cancel()
        elif not self.state.over:
            self._change(phase=Phase.STOPPED, problem=None)

    def step(self, now: float) -> GuidedCaptureState:
        """Take the newest picture, if one came, and do what is due; `now` in seconds of any steady clock."""
        if not self.state.over:
            counted_s = self._see(now)
            if not self.state.over:
                self._steps[self.state.phase](counted_s)
        return self.state

    # ── pictures ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _see(self, now: float) -> float | None:
        """Wait shortly for a picture; the seconds that count since the one before, `None` when there is none."""
        frame, before = self._parts.source.wait(self._sequence, FRAME_WAIT_S), self._seen_at
        if frame is None:
            self._seen_at = now if before is None else before
            self._miss(now - self._seen_at)
            return None
        counts = self._frame is not None and self.state.problem is None
        self._sequence, self._frame, self._seen_at = frame.sequence, frame, now
        if self.state.problem is not None:
            self._come_back()
        return min(max(0.0, now - before), MAX_STEP_S) if counts and before is not None else 0.0

    def _miss(self, waited_s: float) -> None:
        """Nothing came: say so after a while, and end with a camera that has ended."""
        camera = self._parts.source.state
        capturing = self.state.phase in (Phase.READY, Phase.HOLD)
        if camera.status == "ended" and self.state.phase is not Phase.TRAIN:
            ended = "The camera has come to its end; what was kept stays, with its labels."
            self._change(phase=Phase.STOPPED if capturing else Phase.DONE, problem=ended)
        elif waited_s > PATIENCE_S and self.state.phase is not Phase.TRAIN:
            why = camera.error or "the camera gives no picture."
            self._change(problem=f"Waiting for a picture: {why}")

    def _come_back(self) -> None:
        """The camera is back; whoever was to hold a pose gets ready for the rest of it anew."""
        self._change(problem=None)
        if self.state.phase is Phase.HOLD and self.state.ask is not None:
            self._change(phase=Phase.READY, seconds_left=self.state.ask.ready_s)

    # ── one pose after the other ──────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, index: int) -> None:
        """The next pose: a time block of its own, and a step of its own to undo."""
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

    def _consider(self, frame: Frame, ask: Ask) -> None:
        prediction = self._parts.live.predict(frame.image)
        features = unit(prediction.features.pooled)
        if self._keeper.wants(self._elapsed_s, features) and self._keep(frame, prediction, ask):
            self._keeper.kept(self._elapsed_s, features)
            self._frames[ask.posture_class.name] += 1
            self._change(frames=dict(self._frames))

    def _keep(self, frame: Frame, prediction: Prediction, ask: Ask) -> bool:
        """Store and label it; False for the very same picture as before, as a camera gives that hangs."""
        parts, labels = self._parts, self._parts.settings.labels
        kept = Kept(Reason.TAUGHT, f"shown on request: {ask.sentence}")
        new = kept_frame(frame, prediction, kept, f"{self._session} {self.state.number}", parts.settings.queue)
        # No gap and no length ends the block: a source of its own is what tells this pose from the others.
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

    # ── the model ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _train(self, _counted_s: float | None) -> None:
        if self._training is None or not self._training.done():
            return
        run = self._training.result()
        self._change(phase=Phase.LOOK if run.outcome is Outcome.PROMOTED else Phase.DONE, run=run)

    def _look(self, counted_s: float | None) -> None:
        """The new champion's first answer, on a picture that came after it was put in place."""
        parts, run, frame = self._parts, self.state.run, self._frame
        if run is None or parts.live.version.id != run.challenger_id:
            parts.follow()
        elif counted_s is not None and frame is not None:
            prediction = parts.live.predict(frame.image)
            self._change(phase=Phase.DONE, says=(prediction.label, prediction.confidence))

    def _change(self, **fields: Any) -> None:
        if fields.get("phase", self.state.phase) is not self.state.phase:
            log.debug("teaching: %s", fields["phase"].value)
        self.state = replace(self.state, **fields)
