"""Guided capture (the `teach` command): ask for poses, label each frame as the pose asked for, train, and look at it live.

Has no user interface: a front end calls `step` (or `run` in a thread) and shows `state` and `picture`. Each kept frame is on
disk with its label at once, so an interruption loses nothing. Countdowns run only while frames come from the camera. What the
model says of the last round, which it never learns from, is the exam of this lesson.
"""

import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import Any

from posture_daemon.domain import Frame, Image, Outcome, Prediction, Reason, Split, TrainingRun
from posture_daemon.labelling.guided_capture_parts import GuidedCaptureParts
from posture_daemon.labelling.guided_capture_plan import PoseKeeper, PoseRequest, live_plan, plan
from posture_daemon.labelling.guided_capture_state import GuidedCaptureState, Phase, exam_results
from posture_daemon.labelling.lesson_frames import LessonFrames, spread
from posture_daemon.labelling.live_look import LiveLook
from posture_daemon.live.capture import kept_frame
from posture_daemon.live.sampling import Kept
from posture_daemon.store.answers import BeforeRule
from posture_daemon.store.open_step import StepKind
from posture_daemon.vision.novelty import unit

log = logging.getLogger(__name__)

FRAME_WAIT_S = 0.1
"""Longest wait for a frame in one step, which limits how smoothly a countdown runs."""

PATIENCE_S = 2.0
"""Without a frame for this long, `state.problem` says so."""

MAX_STEP_S = 1.0
"""Most that one step advances the countdown, so that a laptop that was suspended does not skip a pose."""

REVIEW_S = 60.0
"""How long doubtful pictures wait to be looked at, before they are learned from as they are."""

ALIKE_COSINE = 0.999
"""Cosine similarity from which two frames are near-duplicates here, unless `queue.duplicate_cosine` is higher. Higher than for
the queue, since a pose of seven seconds gives few frames and each of them was asked for."""

SOURCE = "teach"


class GuidedCapture:
    """One guided capture up to a live look at the new model, owned by one thread.

    Any thread may read `state`, and call `picture` and `go_on`.
    """

    def __init__(self, asks: tuple[PoseRequest, ...], parts: GuidedCaptureParts) -> None:
        """`asks` as `guided_capture_plan.plan` returns them, at least one."""
        self._parts = parts
        self._sequence = 0
        self._frame: Frame | None = None
        self._seen_at: float | None = None
        self._wishes: queue.SimpleQueue[Collection[str]] = queue.SimpleQueue()
        self._steps = {
            Phase.READY: self._get_ready,
            Phase.HOLD: self._hold,
            Phase.REVIEW: self._review,
            Phase.TRAIN: self._train,
            Phase.LOOK: self._look,
            Phase.LIVE: self._live,
        }
        self._start(asks)

    def show_again(self, names: Collection[str]) -> None:
        """Once it is over: a further lesson of these of its classes, with an exam of its own."""
        classes = [one for one in self._frames.classes if one.name in names]
        self._start(plan(classes, self._asks[0].seconds))

    def _start(self, asks: tuple[PoseRequest, ...]) -> None:
        self._asks = asks
        self._frames = LessonFrames(ask.posture_class for ask in asks)
        self._session = f"{SOURCE} {self._parts.clock():.0f}"
        self._training: Future[TrainingRun] | None = None
        self.state = GuidedCaptureState(Phase.READY, None, 0, len(asks), frames=self._frames.counts())
        self._begin(0)

    def picture(self) -> Image | None:
        """The newest frame, BGR `uint8 (height, width, 3)`; `None` before the first."""
        return None if self._frame is None else self._frame.image

    def sheet(self, most: int) -> Mapping[str, Sequence[bytes]]:
        """JPEGs of at most so many frames of each class, spread over the lesson, once all poses were shown."""
        chosen = {name: [id_ for id_, _ in spread(frames, most)] for name, frames in self.state.sheet.items()}
        jpegs = self._parts.store.queue.jpegs([one for ids in chosen.values() for one in ids])
        return {name: [jpegs[one] for one in ids if one in jpegs] for name, ids in chosen.items()}

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
            self._change(phase=Phase.STOPPED if self.state.run is None else Phase.DONE, problem=None)

    def go_on(self, drop: Collection[str] = ()) -> None:
        """End the present look, at the pictures or at the live model; `drop` are classes whose pictures of this lesson go."""
        self._wishes.put(tuple(drop))

    def step(self, now: float) -> GuidedCaptureState:
        """Take the newest frame, if one came, and advance; `now` is in seconds of a monotonic clock."""
        if not self.state.over:
            counted_s = self._next_frame(now)
            self._grant_wishes()
            if not self.state.over:
                self._steps[self.state.phase](counted_s)
        return self.state

    def _grant_wishes(self) -> None:
        with suppress(queue.Empty):
            while True:
                drop = self._wishes.get_nowait()
                if self.state.phase is Phase.REVIEW:
                    self._drop([name for name in drop if name in self.state.frames])
                    self._begin_training()
                elif self.state.phase is Phase.LIVE:
                    self._change(phase=Phase.DONE, ask=None, seconds_left=0.0)

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
        capturing = self.state.phase in (Phase.READY, Phase.HOLD, Phase.REVIEW)
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
        self._step = self._begin_step(ask.posture_class.name)
        cosine = max(ALIKE_COSINE, self._parts.settings.queue.duplicate_cosine)
        self._keeper = PoseKeeper(ask.seconds, self._frames.seen(ask.posture_class.name), cosine)
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
        if not self._keeper.wants(self._elapsed_s, features):
            return
        frame_id = self._keep(frame, prediction, ask)
        if frame_id is not None:
            self._keeper.kept(self._elapsed_s)
            self._frames.add(ask, frame_id, frame.captured_at, features)
            self._change(frames=self._frames.counts())

    def _keep(self, frame: Frame, prediction: Prediction, ask: PoseRequest) -> int | None:
        """Store and label the frame; `None` when the store holds an identical one, as a hung camera gives."""
        parts = self._parts
        kept = Kept(Reason.TAUGHT, f"shown on request: {ask.sentence}")
        new = kept_frame(frame, prediction, kept, f"{self._session} {self.state.number}", parts.settings.queue)
        # No gap or length ends the block: each pose has a source, and so a block, of its own.
        frame_id = parts.store.queue.add(new, parts.clock(), math.inf, math.inf)
        if frame_id is not None:
            self._answer(frame_id, ask.posture_class.name, self._step, ask.split)
        return frame_id

    def _begin_step(self, title: str) -> int:
        return self._parts.store.steps.begin(StepKind.LESSON, title, self._parts.clock())

    def _answer(self, frame_id: int, class_name: str | None, step: int, split: Split | None = None) -> None:
        labels, now = self._parts.settings.labels, self._parts.clock()
        every = labels.holdout_every, labels.test_every
        self._parts.store.labels.answer(frame_id, class_name, SOURCE, now, *every, step, BeforeRule(split))

    def _end_pose(self) -> None:
        if self.state.number < self.state.of:
            self._parts.prepare()
            self._begin(self.state.number)
        else:
            self._end_poses()

    def _end_poses(self) -> None:
        """All poses were shown. What looks at them as a whole belongs here, before anything is learned."""
        doubts = self._frames.doubts()
        self._parts.announce(None)
        self._change(phase=Phase.REVIEW, ask=None, seconds_left=REVIEW_S, doubts=doubts, sheet=self._frames.sheet())
        if not doubts:
            self._begin_training()

    def _review(self, counted_s: float | None) -> None:
        """Wait for `go_on`, but not for ever: who has gone away finds a model, and its exam tells how good it is."""
        left_s = self.state.seconds_left - (counted_s or 0.0)
        self._change(seconds_left=left_s)
        if left_s <= 0:
            self._begin_training()

    def _drop(self, names: Sequence[str]) -> None:
        """Discard the pictures of these classes that this lesson kept; an undo brings them back."""
        step = self._begin_step(", ".join(names))
        for frame_id in self._frames.drop(names):
            self._answer(frame_id, None, step)
        self._change(frames=self._frames.counts(), dropped=tuple(names))

    def _begin_training(self) -> None:
        self._change(phase=Phase.TRAIN, ask=None, seconds_left=0.0, seconds=0.0)
        self._training = self._parts.executor.submit(self._parts.train)

    def _train(self, counted_s: float | None) -> None:
        self._change(seconds=self.state.seconds + (counted_s or 0.0))
        if self._training is None or not self._training.done():
            return
        run = self._training.result()
        exam = exam_results(run, self._frames.examined())
        self._change(phase=Phase.LOOK if run.outcome is Outcome.PROMOTED else Phase.DONE, run=run, exam=exam)

    def _look(self, _counted_s: float | None) -> None:
        """Wait until the new champion answers, then look at it live."""
        run, live = self.state.run, self._parts.live
        if run is None or live.version.id != run.challenger_id:
            self._parts.follow()
            return
        self._live_look = LiveLook(live_plan(self._frames.classes, live.version.classes))
        self._change(phase=Phase.LIVE, classes=live.version.classes)
        self._show_live()

    def _live(self, counted_s: float | None) -> None:
        """One frame of the live look."""
        if counted_s is None or self._frame is None:
            return
        prediction = self._parts.live.predict(self._frame.image)
        self._live_look.step(counted_s, prediction.label)
        self._change(says=(prediction.label, prediction.confidence))
        self._show_live()

    def _show_live(self) -> None:
        look = self._live_look
        if look.ask is not None and look.ask is not self.state.ask:
            self._parts.announce(look.ask)
        self._change(ask=look.ask, seconds_left=look.seconds_left, lived=look.results)
        if look.ask is None:
            self._change(phase=Phase.DONE)

    def _change(self, **fields: Any) -> None:
        if fields.get("phase", self.state.phase) is not self.state.phase:
            log.debug("guided capture: %s", fields["phase"].value)
        self.state = replace(self.state, **fields)
