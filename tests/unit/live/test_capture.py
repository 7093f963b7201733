"""The capture loop: every frame is answered, unsure ones are kept, and nothing that happens to one frame ends it."""

import dataclasses
import threading
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np
import pytest

from posture_daemon.domain import UNKNOWN, Frame, Image, PostureState, Reason
from posture_daemon.errors import DataFolderError
from posture_daemon.learning.feature_space import pooled_head
from posture_daemon.live.capture import CaptureLoop
from posture_daemon.live.classifier import LiveClassifier, LiveModel
from posture_daemon.live.online_learner import OnlineLearner
from posture_daemon.live.sampling import FrameSampler
from posture_daemon.settings import CameraSettings, PostureSettings, QueueSettings, Settings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.vision.head import Head
from tests.builders import (
    CHANNELS,
    COLOURS,
    add_frame,
    coloured_frame,
    coloured_jpeg,
    ensure_classes,
    label,
    label_block,
    version_of,
)
from tests.checks import raising
from tests.fakes.backbone import StandInBackbone
from tests.fakes.clock import Clock
from tests.history import seconds_by_posture

NAMES = ("good", "bad", "away")
FULL = raising(DataFolderError("The database cannot grow because the disk is full."))


class Source:
    """Gives these frames one after the other; then nothing, and sets `stop`."""

    def __init__(self, frames: Sequence[Frame], stop: threading.Event | None = None) -> None:
        self._frames, self._stop = list(frames), stop
        self.is_running = True

    def add(self, *frames: Frame) -> None:
        """These come next."""
        self._frames += frames

    def wait(self, after_sequence: int, timeout_s: float) -> Frame | None:
        """The next frame."""
        if self._frames:
            assert self._frames[0].sequence > after_sequence
            return self._frames.pop(0)
        if self._stop is not None:
            self._stop.set()
        return None


class PacedStop(threading.Event):
    """A stop event on which waiting moves the clock instead of passing time; remembers when it was asked."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.asked_at: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Let the clock run."""
        self._clock.now += timeout or 0.0
        self.asked_at.append(round(self._clock.now - 100, 3))
        return self.is_set()


def frames(*class_names: str, start: float = 0.0) -> list[Frame]:
    """A frame a second in the colours of these classes."""
    return [Frame(coloured_frame(name, n), start + n, n + 1) for n, name in enumerate(class_names)]


def colour_head(classes: Sequence[str], sharpness: float = 40.0) -> Head:
    """A head that tells the colours of these classes apart."""
    colours = np.array([COLOURS[name] for name in classes], np.float32).reshape(-1, CHANNELS) / 255
    return pooled_head(CHANNELS, sharpness * (colours - 0.5), np.zeros(len(classes), np.float32))


def live(
    store: Store, sharpness: float = 40.0, classes: Sequence[str] = NAMES, name: str = "colours"
) -> LiveClassifier:
    """A model that tells colours apart, recorded in the store; low sharpness makes it unsure."""
    head = colour_head(classes, sharpness)
    backbone = StandInBackbone(name)
    store.models.add_head(head.to_bytes())
    version = store.models.add_version(version_of(head, backbone.sha256, *classes))
    return LiveClassifier(LiveModel(version, backbone, head))


def loop_of(
    store: Store,
    source: Any,
    model: LiveClassifier | None = None,
    clock: Clock | None = None,
    wall: Callable[[], float] = lambda: 0.0,
    online: OnlineLearner | None = None,
    **queue: Any,
) -> CaptureLoop:
    """A loop without audits, with a generous rate and a posture that must hold for three seconds."""
    settings = Settings(
        data_dir=store.folder,
        camera=CameraSettings(fps=10),
        posture=PostureSettings(hold_s=3.0),
        queue=QueueSettings(**{"audit_share": 0.0, "max_per_minute": 1000.0, **queue}),
    )
    router = FrameSampler(settings.queue, Random(0))
    model = model or live(store)
    return CaptureLoop(source, model, router, store, settings, clock=clock or Clock(), wall=wall, online=online)


def run_through(loop: CaptureLoop) -> CaptureLoop:
    """Step until no frame comes."""
    while loop.step():
        pass
    return loop


def test_a_sure_frame_is_answered_and_not_kept(store: Store) -> None:
    """Others read what the loop saw last: prediction, time and posture."""
    loop = run_through(loop_of(store, Source(frames("bad", start=50.0))))
    assert (loop.last.label, loop.last_captured_at, loop.state) == ("bad", 50.0, PostureState("bad", 50.0))
    assert (loop.counts.frames, loop.counts.queued) == (1, 0)
    assert store.queue.waiting() == []


def test_an_unsure_frame_is_kept_with_all_that_is_known_of_it(store: Store) -> None:
    """Picture, reason, prediction, and the features that the backbone computed anyway."""
    model = live(store, sharpness=0.1)
    [frame] = frames("good", start=50.0)
    loop = run_through(loop_of(store, Source([frame]), model))
    [kept] = store.queue.waiting()
    assert (kept.captured_at, kept.predicted, kept.reason) == (50.0, "good", Reason.UNCERTAIN.value)
    assert kept.confidence == pytest.approx(1 / 3, abs=0.05)
    said = model.predict(frame.image)
    features = store.queue.pooled([kept.id], model.backbone.sha256)[kept.id]
    np.testing.assert_array_equal(features, said.features.pooled.astype(np.float16))
    assert store.queue.jpeg(kept.id)[:2] == b"\xff\xd8"
    assert loop.counts.queued == 1


def test_a_base_keeps_frames_without_a_prediction(store: Store) -> None:
    """There is nothing that the owner could be told about them."""
    run_through(loop_of(store, Source(frames("good", "bad")), live(store, classes=())))
    assert [(kept.predicted, kept.confidence) for kept in store.queue.waiting()] == [(None, None)] * 2


def test_the_queue_keeps_its_limit(store: Store) -> None:
    """After each kept frame the surest ones go, down to the limit of the settings."""
    loop = run_through(loop_of(store, Source(frames("good", "bad", "away")), live(store, sharpness=0.1), max_frames=2))
    assert loop.counts.queued == 3
    assert len(store.queue.waiting()) == 2


def test_frames_of_before_a_restart_are_recognised(store: Store) -> None:
    """The router is told what the store has; another backbone's features are not comparable, so it begins anew."""
    unsure = live(store, sharpness=0.1)
    run_through(loop_of(store, Source(frames("good")), unsure))
    alike = [Frame(coloured_frame("good", seed), seed, seed) for seed in (50, 51)]
    restarted = run_through(loop_of(store, Source(alike), unsure))
    assert (restarted.counts.frames, restarted.counts.queued) == (2, 0)
    [frame] = frames("good", start=7.0)
    other = run_through(loop_of(store, Source([Frame(frame.image // 2, 7.0, 1)]), live(store, 0.1, name="another")))
    assert other.counts.queued == 1


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(np.empty((0, 0, 3), np.uint8), id="no pixels, which OpenCV refuses with its own error"),
        pytest.param(np.zeros((8, 8), np.uint8), id="grey"),
        pytest.param(None, id="nothing at all"),
    ],
)
def test_a_bad_frame_is_counted_and_ends_nothing(store: Store, bad: Image, caplog: pytest.LogCaptureFixture) -> None:
    """The frame after it is answered."""
    good = frames("good", "good", "good")
    loop = run_through(loop_of(store, Source([good[0], Frame(bad, 1.0, 2), good[2]])))
    assert (loop.counts.frames, loop.counts.failed, loop.last_captured_at) == (2, 1, 2.0)
    assert "frame 2 could not be handled" in caplog.text


def test_a_full_disk_does_not_end_the_loop(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames cannot be kept then, but the posture is still followed; when there is room again they are."""
    loop = loop_of(store, Source(frames("good", "bad", "away")), live(store, sharpness=0.1))
    with monkeypatch.context() as patched:
        patched.setattr(store.queue, "add", FULL)
        assert loop.step()
        assert loop.step()
    assert (loop.counts.frames, loop.counts.failed, loop.counts.queued, loop.last_captured_at) == (2, 2, 0, 1.0)
    assert loop.step()
    assert (loop.counts.failed, loop.counts.queued) == (2, 1)


def test_a_full_disk_does_not_turn_a_clean_stop_into_a_crash(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The last period is lost then, with a warning."""
    stop = threading.Event()
    loop = loop_of(store, Source(frames("good", "good"), stop))
    monkeypatch.setattr(store.history, "add", FULL)
    loop.run(stop)
    assert "last period of posture is not recorded" in caplog.text


def test_frames_that_were_not_looked_at_are_counted(store: Store) -> None:
    """Numbers of the camera's reader that were passed over; those before the first one do not count."""
    numbered = [Frame(coloured_frame("good", n), float(n), n) for n in (10, 11, 14, 15)]
    loop = run_through(loop_of(store, Source(numbered)))
    assert (loop.counts.frames, loop.counts.skipped) == (4, 2)


def test_the_longest_gap_between_two_answers_is_remembered(store: Store) -> None:
    """In seconds of the loop's own clock; the time before the first answer is none."""
    clock = Clock()
    loop = loop_of(store, Source(frames("good", "good", "good")), clock=clock)
    for pause in (50.0, 0.5, 0.2):
        clock.now += pause
        loop.step()
    assert loop.counts.longest_gap_s == pytest.approx(0.5)


def test_history_gets_one_period_a_posture(store: Store) -> None:
    """A glance is no period; a posture ends where the next begins; the last one ends with the last frame."""
    clock = Clock()
    stop = PacedStop(clock)
    seen = ["good"] * 5 + ["away"] * 2 + ["good"] * 3 + ["bad"] * 6
    loop_of(store, Source(frames(*seen, start=100.0), stop), clock=clock).run(stop)
    assert seconds_by_posture(store) == {"good": 10.0, "bad": 5.0}


def test_how_long_a_step_lasts_tells_whether_the_loop_hangs(store: Store) -> None:
    """A step without a frame is progress too: only a step that does not end is none."""
    clock = Clock()
    loop = loop_of(store, Source([]), clock=clock)
    clock.now += 40
    assert loop.step_s == 40
    assert not loop.step()
    assert loop.step_s == 0
    clock.now += 2.5
    assert loop.step_s == 2.5


def test_the_loop_keeps_its_pace_and_catches_up_at_most_one_frame(store: Store) -> None:
    """Ten frames a second; after a frame that took a second the next comes at once, and then the pace goes on."""
    clock = Clock()
    stop = PacedStop(clock)

    class Slow(Source):
        """The third frame takes a second."""

        def wait(self, after_sequence: int, timeout_s: float) -> Frame | None:
            frame = super().wait(after_sequence, timeout_s)
            clock.now += 1.0 if frame is not None and frame.sequence == 3 else 0.0
            return frame

    loop_of(store, Slow(frames(*["good"] * 6), stop), clock=clock).run(stop)
    assert stop.asked_at[:6] == [0.0, 0.1, 0.2, 1.2, 1.2, 1.3]


def test_the_loop_stops_when_it_is_told_to(store: Store) -> None:
    """A stop that is set while no frames come ends the thread with the present wait, and its connections stay usable."""
    waiting, release = threading.Event(), threading.Event()

    class Silent:
        """Waits for the test."""

        is_running = True

        def wait(self, after_sequence: int, timeout_s: float) -> Frame | None:
            assert timeout_s <= 1.0
            waiting.set()
            release.wait(100)

    stop = threading.Event()
    thread = threading.Thread(target=loop_of(store, Silent()).run, args=(stop,))
    thread.start()
    assert waiting.wait(100)
    stop.set()
    release.set()
    thread.join(100)
    assert not thread.is_alive()
    assert seconds_by_posture(store) == {}


def test_a_class_that_is_renamed_keeps_its_period(store: Store) -> None:
    """The posture goes on under the new name from its first frame, and the history has it once, under that name."""
    model = live(store)
    source = Source(frames("bad", "bad", "bad", "bad", "bad", "good", "good", "good", "good"))
    loop = loop_of(store, source, model)
    for _ in range(4):
        loop.step()
    assert loop.state == PostureState("bad", 0.0)
    renamed = dataclasses.replace(
        model.version,
        classes=tuple(
            dataclasses.replace(c, name="slouch" if c.name == "bad" else c.name) for c in model.version.classes
        ),
    )
    model.swap(LiveModel(renamed, model.backbone, colour_head(NAMES)))
    loop.step()
    assert loop.state == PostureState("slouch", 0.0)
    run_through(loop)
    assert seconds_by_posture(store) == {"slouch": 5.0}


def test_a_frame_that_could_not_be_stored_is_kept_when_it_comes_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full for one frame; the next, which looks just like it, is no near-duplicate of a frame that is lost."""
    loop = loop_of(store, Source(frames("good", "good")), live(store, sharpness=0.1), unsure_below=1.0)
    with monkeypatch.context() as patched:
        patched.setattr(store.queue, "add", FULL)
        loop.step()
    assert (loop.counts.failed, len(store.queue.waiting())) == (1, 0)
    loop.step()
    assert len(store.queue.waiting()) == 1


def test_during_a_lesson_frames_are_answered_but_not_kept(store: Store) -> None:
    """The lesson must be the first to have a picture; afterwards the queue fills again, also when the lesson failed."""
    loop = loop_of(store, Source(frames("bad", "good")), live(store, sharpness=0.0))
    with pytest.raises(ValueError, match="failed"), loop.not_keeping():  # noqa: PT012
        assert loop.step()
        raise ValueError("the lesson failed")
    assert (loop.counts.frames, loop.counts.queued) == (1, 0)
    assert loop.step()
    assert loop.counts.queued == 1


def test_an_owner_who_is_away_is_away_for_so_long(store: Store) -> None:
    """On the frames' clock, while a class whose role is `away` is shown; somebody at the desk for three seconds ends it."""
    loop = loop_of(store, Source(frames("away", "away", "away", "good", "good", "good", "good")))
    assert loop.away_s is None
    seen = []
    while loop.step():
        seen.append(loop.away_s)
    assert seen == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, None]


def test_a_posture_ends_with_the_last_frame_of_a_camera_that_is_lost(store: Store) -> None:
    """Hours without a picture are neither good nor bad, and prove nobody away; a short pause ends nothing."""
    clock, source = Clock(), Source(frames(*["away"] * 5))
    loop = run_through(loop_of(store, source, clock=clock))
    clock.now += 3.9
    source.is_running = False
    loop.step()
    assert loop.away_s == 4.0
    clock.now += 0.2
    loop.step()
    assert (loop.state, loop.last, loop.away_s) == (None, None, None)
    assert seconds_by_posture(store) == {"away": 4.0}
    source.add(Frame(coloured_frame("away", 9), 7200.0, 6), Frame(coloured_frame("away", 10), 7201.0, 7))
    run_through(loop)
    assert loop.state == PostureState("away", 7200.0)
    stop = threading.Event()
    stop.set()
    loop.run(stop)
    assert seconds_by_posture(store) == {"away": 5.0}


def test_a_posture_goes_on_between_the_pictures_of_a_slow_camera(store: Store) -> None:
    """A picture each six seconds: the camera is not lost, so one glance ends no posture, and being away adds up."""
    clock = Clock()
    source = Source([])
    loop = loop_of(store, source, clock=clock)
    for number, posture in enumerate(("away", "away", "good", "away"), 1):
        source.add(Frame(coloured_frame(posture, number), 6.0 * number, number))
        loop.step()
        clock.now += 6.0
        assert not loop.step()
    assert loop.state == PostureState("away", 6.0)
    assert loop.away_s == 18.0


def test_what_the_owner_calls_wrong_is_kept_however_sure_the_model_is(store: Store) -> None:
    """Once for a request; with the rates used up; a second request for the very same picture gets the same frame."""
    now = 1_700_000_000.0
    [picture] = frames("good")
    seen = [picture, Frame(picture.image, 1.0, 2), Frame(picture.image, 2.0, 3)]
    clock = Clock()
    loop = loop_of(store, Source(seen), clock=clock, max_per_minute=0, wall=lambda: now)
    first = store.corrections.ask(now)
    loop.step()
    [kept] = store.queue.waiting()
    assert (kept.reason, kept.predicted) == (Reason.WRONG.value, "good")
    assert store.corrections.frame(first) == kept.id
    clock.now += 2
    loop.step()
    assert len(store.queue.waiting()) == 1
    second = store.corrections.ask(now)
    clock.now += 2
    loop.step()
    assert store.corrections.frame(second) == kept.id


def test_a_change_of_posture_is_kept(store: Store) -> None:
    """Once the new one has lasted; the glance before it is none."""
    run_through(loop_of(store, Source(frames(*["good"] * 3, *["bad"] * 5))))
    [kept] = store.queue.waiting()
    assert (kept.reason, kept.explanation) == (
        Reason.TRANSITION.value,
        "the posture shown has just changed from good to bad",
    )


def test_the_model_before_is_asked_on_the_same_features(store: Store) -> None:
    """Where it says otherwise the frame is kept; the backbone looked at each picture once."""
    before = colour_head(NAMES)
    swapped = before.with_linear(before.linear_weight[[1, 0, 2]], before.linear_bias[[1, 0, 2]])
    champion = live(store)
    store.models.add_head(swapped.to_bytes())
    previous = store.models.add_version(version_of(swapped, champion.backbone.sha256, *NAMES))
    store.models.promote(previous.id, 0.0)
    store.models.promote(champion.version.id, 1.0)
    backbone = champion.backbone
    looked = backbone.seen
    run_through(loop_of(store, Source(frames("good", "away")), champion))
    [kept] = store.queue.waiting()
    assert kept.reason == Reason.DISAGREEMENT.value
    assert kept.explanation.startswith("the model says good at ")
    assert backbone.seen == looked + 2


def test_a_previous_model_on_another_backbone_has_no_say(store: Store) -> None:
    """Its features are not there."""
    other = live(store, classes=("good", "bad", "away"), name="another")
    champion = live(store)
    store.models.promote(other.version.id, 0.0)
    store.models.promote(champion.version.id, 1.0)
    run_through(loop_of(store, Source(frames("good")), champion))
    assert store.queue.waiting() == []


def test_labels_of_other_days_are_recognised(store: Store) -> None:
    """What was labelled refuses its like; it is looked up again once labels were given."""
    unsure = live(store, sharpness=0.1)
    clock = Clock()
    pictures = [Frame(coloured_frame("good", seed), float(seed), seed) for seed in (1, 2)]
    loop = loop_of(store, Source(pictures), unsure, clock)
    loop.step()
    [kept] = store.queue.waiting()
    ensure_classes(store, "good")
    label(store, kept.id, "good")
    clock.now += 60
    loop.step()
    assert loop.routed == {"kept": 1, "near-duplicate": 1}


def test_what_was_learned_today_is_shown(store: Store) -> None:
    """The model takes yellow for good; the owner has called it bad today, so the loop shows bad, and of how many answers."""
    model = live(store, sharpness=1.0, classes=("good", "bad"))
    store.models.promote(model.version.id, 0.0)
    label_block(store, "good", 0.0)
    ensure_classes(store, "bad")
    for second in range(10, 16):
        label(store, add_frame(store, float(second), coloured_jpeg("standing", second)), "bad")
    today = OnlineLearner(store, lambda _version: model.backbone, Recipe(0, 0, True, 1), wall=lambda: 60.0)
    today.look()
    without, loop = (
        run_through(loop_of(store, Source(frames("standing", start=60.0)), model, online=online))
        for online in (None, today)
    )
    assert (without.last.label, without.last.answers) == ("good", 0)
    assert (loop.last.label, loop.last.answers) == ("bad", 12)


def test_a_session_unlike_all_that_is_labelled_is_unknown(store: Store) -> None:
    """However sure the model is; the frames that are kept of it say why."""
    model = live(store)
    for block in range(4):
        label_block(store, "good", 3600.0 * block, backbone=model.backbone)
    seen = Source(frames(*["away"] * 10, start=90_000.0))
    loop = run_through(loop_of(store, seen, model))
    assert (loop.last.label, loop.last.familiar, loop.state.posture) == ("away", False, UNKNOWN)
    assert {kept.reason for kept in store.queue.waiting()} >= {Reason.NOVEL.value}


def test_a_mistake_among_sure_frames_raises_what_counts_as_sure(store: Store) -> None:
    """A frame that was kept as a check, and that the owner calls otherwise: known half a minute later at the latest."""
    clock = Clock()
    loop = loop_of(store, Source(frames("good", "good")), clock=clock, unsure_below=0.8)
    ensure_classes(store, "good", "bad")
    checked = add_frame(store, 0.0, reason=Reason.AUDIT, predicted="good", confidence=0.95)
    loop.step()
    assert loop._router.threshold.limit == 0.8
    label(store, checked, "bad")
    clock.now += 30
    loop.step()
    assert loop._router.threshold.limit > 0.8
