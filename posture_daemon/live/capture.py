"""The capture loop: read → predict → state → route. It is the last thing to stop and the first to be protected."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from posture_daemon.domain import MB, Frame, NewFrame, PostureState, Prediction, Role
from posture_daemon.errors import PostureError
from posture_daemon.live.classifier import LiveClassifier
from posture_daemon.live.confidence_histogram import ConfidenceTally
from posture_daemon.live.frame_rate import FrameMeter
from posture_daemon.live.online_learner import OnlineLearner
from posture_daemon.live.posture import PostureTracker
from posture_daemon.live.sampling import FrameContext, FrameSampler, Kept
from posture_daemon.live.sampling_context import SamplingContext
from posture_daemon.service.daemon_status import FrameCounts
from posture_daemon.settings import QueueSettings, Settings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.store.queue import CAMERA_SOURCE
from posture_daemon.vision.jpeg import encode_jpeg

log = logging.getLogger(__name__)

FRAME_WAIT_S = 0.5
"""Longest wait for a frame; also how soon the loop sees that it must stop."""


class FrameSource(Protocol):
    """Gives the newest frame, never a backlog."""

    def wait(self, after_sequence: int, timeout_s: float) -> Frame | None:
        """The newest frame after this number, or `None` when none came in time."""

    @property
    def is_running(self) -> bool:
        """Whether more may come soon, by the camera's own pace: false while it is lost or blind, and once it has ended."""


class CaptureLoop:
    """One frame a step. Owned by one thread; others may read `counts`, `last`, `state` and `away_s`, and take from `meter`."""

    def __init__(
        self,
        source: FrameSource,
        live: LiveClassifier,
        router: FrameSampler,
        store: Store,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        online: OnlineLearner | None = None,
    ) -> None:
        self.online = online
        self._source, self._live, self._router, self._store = source, live, router, store
        self._settings = settings
        self._clock = clock
        self._tracker = PostureTracker(settings.posture)
        self._sequence = 0
        self._answered_at: float | None = None
        self._stepped_at = clock()
        self._context = SamplingContext(store, router, Recipe.of(settings.training), wall)
        self.counts = FrameCounts()
        self.meter = FrameMeter(clock())
        self.keeps = True
        """False while a guided capture keeps the frames of this camera: it must be the first to have each."""
        self.confidences = ConfidenceTally()
        self.last: Prediction | None = None
        self.last_captured_at: float | None = None

    @property
    def routed(self) -> dict[str, int]:
        """What the router did with the frames so far: kept, or why not."""
        return dict(self._router.counts)

    @property
    def step_s(self) -> float:
        """Seconds since a step began last: those of the loop's rhythm while it gets on, ever more while it hangs."""
        return self._clock() - self._stepped_at

    @property
    def state(self) -> PostureState | None:
        """The posture now."""
        return self._tracker.state

    @property
    def away_s(self) -> float | None:
        """For how many seconds, on the frames' clock, a class whose role is `away` has been seen; `None` while none is."""
        state, now = self.state, self.last_captured_at
        away = {c.name for c in self._live.version.classes if c.role is Role.AWAY}
        return None if state is None or now is None or state.posture not in away else max(0.0, now - state.since)

    @contextmanager
    def not_keeping(self) -> Iterator[None]:
        """Keep no frames for the block; everything else goes on."""
        self.keeps = False
        try:
            yield
        finally:
            self.keeps = True

    def run(self, stop: threading.Event, after_step: Callable[[], None] = lambda: None) -> None:
        """Step until `stop` is set, at most `camera.fps` times a second; then close the period of the present posture.

        `after_step` is called after each step, in this thread: who it reaches knows that the loop does not hang.
        """
        interval = 1 / self._settings.camera.fps
        due = self._clock()
        while not stop.wait(max(0.0, due - self._clock())):
            due = max(due + interval, self._clock() - interval) if self.step() else self._clock()
            after_step()
        self._finish()

    def step(self) -> bool:
        """Handle the next frame; False when none came. One bad frame is counted and logged, and ends nothing."""
        self._stepped_at = self._clock()
        frame = self._source.wait(self._sequence, FRAME_WAIT_S)
        if frame is None:
            self._lose_sight()
            return False
        lost = frame.sequence - self._sequence - 1 if self._sequence > 0 else 0
        self.counts.skipped += lost
        self._sequence = frame.sequence
        try:
            self._handle(frame, lost)
        except PostureError as error:
            self._fail(frame, error)
        except Exception as error:  # cv2.error and onnxruntime's errors share no base class below this one
            self._fail(frame, error, traceback=True)
        return True

    def _fail(self, frame: Frame, error: Exception, *, traceback: bool = False) -> None:
        self.counts.failed += 1
        log.warning("frame %d could not be handled: %s", frame.sequence, error, exc_info=traceback)

    def _handle(self, frame: Frame, lost: int) -> None:
        prediction = self._live.predict(frame.image)
        if self.online is not None:
            prediction = self.online.answer(prediction, frame.captured_at)
        prediction = self._router.recognise(prediction)
        self._count(prediction, lost)
        self.confidences.add(prediction)
        self._follow_renaming(prediction)
        self.last, self.last_captured_at = prediction, frame.captured_at
        changed = self._track(prediction, frame.captured_at)
        self._context.follow(prediction, self._clock())
        if not self.keeps:
            return
        if requests := self._context.corrections(self._clock()):
            self._store.corrections.keep(requests, self._keep(frame, prediction, self._router.wrong(prediction)))
            return  # the owner's word is reason enough
        kept = self._router.route(prediction, frame.captured_at, FrameContext(changed, self._context.other(prediction)))
        if kept is not None:
            self._keep(frame, prediction, kept)

    def _count(self, prediction: Prediction, lost: int) -> None:
        now = self._clock()
        self.meter.add(now, prediction.latency_s, lost)
        if self._answered_at is not None:
            self.counts.longest_gap_s = max(self.counts.longest_gap_s, now - self._answered_at)
        self._answered_at = now
        self.counts.frames += 1

    def _follow_renaming(self, prediction: Prediction) -> None:
        """The same version with other names: the owner renamed a class, and its period goes on under the new name."""
        last = self.last
        if last is None or (last.version_id, last.answers > 0) != (prediction.version_id, prediction.answers > 0):
            return
        if len(last.classes) == len(prediction.classes):
            for old, new in zip(last.classes, prediction.classes, strict=True):
                if old != new:
                    self._tracker.rename(old, new)

    def _track(self, prediction: Prediction, at: float) -> tuple[str, str] | None:
        """Follow the posture; from which to which it changed, if it did with this frame."""
        before = self._tracker.state
        after = self._tracker.step(prediction, at)
        if before is None or after is None:
            return None
        self._store.history.add(before.posture, before.since, after.since)
        return before.posture, after.posture

    def _keep(self, frame: Frame, prediction: Prediction, kept: Kept) -> int | None:
        """Put a frame into the queue; returns its id, or that of the very same picture which is there."""
        queue, labels = self._settings.queue, self._settings.labels
        new = kept_frame(frame, prediction, kept, CAMERA_SOURCE, queue)
        frame_id = self._store.queue.add(new, frame.captured_at, labels.block_gap_s, labels.block_length_s)
        self._router.stored(prediction)  # only now: a frame that a full disk refused may come again
        if frame_id is None:
            there = self._store.queue.find(new.jpeg)
            return None if there is None else there.id
        self.counts.queued += 1
        self._store.queue.evict(queue.max_frames, int(queue.max_mb * MB))
        return frame_id

    def _lose_sight(self) -> None:
        """Without a frame for long, the time belongs to no posture: not to the last one, nor to being away.

        A camera that is slow by nature is waited for as long as its reader waits for it.
        """
        gone_s = 0.0 if self._answered_at is None else self._clock() - self._answered_at
        if self.last is not None and gone_s > self._settings.camera.stale_s and not self._source.is_running:
            self._finish()
            self._tracker, self.last = PostureTracker(self._settings.posture), None

    def _finish(self) -> None:
        state = self._tracker.state
        if state is None or self.last_captured_at is None:
            return
        try:
            self._store.history.add(state.posture, state.since, self.last_captured_at)
        except PostureError as error:  # a full disk must not turn a clean stop into a crash
            log.warning("the last period of posture is not recorded: %s", error)


def kept_frame(frame: Frame, prediction: Prediction, kept: Kept, source: str, queue: QueueSettings) -> NewFrame:
    """A frame on its way into the queue, with all that is known of it, so that nothing has to be computed again."""
    return NewFrame(
        jpeg=encode_jpeg(frame.image, queue.jpeg_longest_side_px, queue.jpeg_quality),
        captured_at=frame.captured_at,
        source=source,
        reason=kept.reason,
        explanation=kept.explanation,
        predicted=prediction.label if prediction.classes else None,
        confidence=prediction.confidence if prediction.classes else None,
        version_id=prediction.version_id,
        usefulness=kept.usefulness,
        backbone_sha256=prediction.backbone_sha256,
        pooled=prediction.features.pooled.astype(np.float16),
    )
