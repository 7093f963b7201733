"""Teaching as a state machine: a stand-in camera, a backbone of colours, and a clock that only the test moves."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from posture_daemon.domain import Frame, Image, Outcome, PostureClass, Role, Split, TrainingRun
from posture_daemon.errors import LabelError
from posture_daemon.labelling.classes import ClassChanges
from posture_daemon.labelling.guided_capture import REVIEW_S, GuidedCapture
from posture_daemon.labelling.guided_capture_parts import GuidedCaptureParts
from posture_daemon.labelling.guided_capture_plan import (
    DEFAULT_CLASSES,
    EVERY_S,
    LIVE_S,
    MIN_FRAMES,
    READY_S,
    ROUNDS,
    SECONDS,
    WALK_S,
    PoseKeeper,
    PoseRequest,
    choose,
    duration_s,
    live_plan,
    plan,
    would_choose,
)
from posture_daemon.labelling.guided_capture_state import Phase, PoseResult
from posture_daemon.learning.evaluation import Answers
from posture_daemon.live.classifier import LiveClassifier, LiveModel
from posture_daemon.settings import LabelSettings, Settings
from posture_daemon.store import Store
from posture_daemon.store.json_values import as_json
from tests.builders import (
    COLOURS,
    add_champion,
    add_version,
    coloured_frame,
    ensure_classes,
    label_days,
    random_head,
    undo,
)
from tests.fakes.backbone import StandInBackbone

FPS = 10
NOW = 1_700_000_000.0
GOOD, AWAY = PostureClass("good", Role.GOOD), PostureClass("away", Role.AWAY)


class Inline(Executor):
    """Does what it is given at once."""

    def submit(self, fn: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Do it."""
        done: Future[Any] = Future()
        done.set_result(fn(*arguments, **named))
        return done


class Later(Inline):
    """Does nothing before it is told to."""

    def submit(self, fn: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Remember it."""
        self.future: Future[Any] = Future()
        return self.future


@dataclass
class StandInSource:
    """A camera that gives what `picture` draws, `None` for nothing."""

    picture: Callable[[], Image | None]
    sequence: int = 0
    is_running: bool = True
    state: Any = field(default_factory=lambda: SimpleNamespace(status="running", error=None))

    def wait(self, after_sequence: int, timeout_s: float) -> Frame | None:
        """The next picture at once."""
        image = self.picture()
        if image is None:
            return None
        self.sequence += 1
        return Frame(image, NOW + self.sequence / FPS, self.sequence)


class Classroom:
    """A guided capture whose owner does what is asked, in colours; `lost` takes the pictures away."""

    def __init__(self, store: Store, *classes: PostureClass, seconds: float = SECONDS) -> None:
        self.store = store
        backbone = StandInBackbone()
        version = add_champion(self.store, "good", "bad", backbone=backbone)
        add_version(self.store, random_head(2), backbone.sha256, "good", "bad")  # what `follow` puts in place
        ensure_classes(self.store, *(c.name for c in classes))
        self.live = LiveClassifier(LiveModel(version, backbone, random_head(2)))
        self.asked: list[PoseRequest] = []
        self.trained = 0
        self.cancelled = False
        self.lost = False
        self.prepared = 0
        self.outcome = Outcome.PROMOTED
        self.says: dict[str, str] = {}
        self.paint: str | None = None
        self.executor: Executor = Inline()
        self.source = StandInSource(self.draw)
        self.now = 100.0
        self.seconds, self.classes = seconds, classes

    def draw(self) -> Image | None:
        """What is asked for, never the same twice."""
        if self.lost:
            return None
        image = coloured_frame(self.paint or self.asked[-1].posture_class.name, self.source.sequence)
        # Moving stripes: enough that the features of two pictures differ.
        image[:, : 6 + self.source.sequence * 7 % 40] //= 2
        return image

    def train(self) -> TrainingRun:
        """A run that ends as the test says; its challenger calls each holdout image by its name, unless `says` has another."""
        self.trained += 1
        held_out = [image for image in self.store.labels.labelled() if image.split is Split.HOLDOUT]
        truth = tuple(image.class_name for image in held_out)
        called = tuple(self.says.get(name, name) for name in truth)
        answers = Answers(tuple(image.frame_id for image in held_out), truth, called, None)
        return TrainingRun(1, "teach", NOW, NOW + 2, self.outcome, "so", {"answers": as_json(answers)}, 1, 2)

    def prepare(self) -> None:
        """Counts."""
        self.prepared += 1

    def follow(self) -> None:
        """Put a model of the challenger's number in place."""
        model = self.live._model
        self.live.swap(replace(model, version=replace(model.version, id=2)))

    def begin(self) -> GuidedCapture:
        """The teaching."""
        parts = GuidedCaptureParts(
            source=self.source,
            live=self.live,
            store=self.store,
            settings=Settings(data_dir=self.store.folder),
            train=self.train,
            cancel=lambda: setattr(self, "cancelled", True),
            executor=self.executor,
            follow=self.follow,
            announce=lambda ask: None if ask is None else self.asked.append(ask),
            prepare=self.prepare,
            clock=lambda: NOW + self.now,
        )
        return GuidedCapture(plan(self.classes, self.seconds), parts)

    def step(self, teaching: GuidedCapture, seconds: float = 0.0) -> None:
        """Step for so long, at least once."""
        end = self.now + seconds
        while True:
            self.now += 1 / FPS
            teaching.step(self.now)
            if self.now >= end or teaching.state.over:
                return

    def finish(self, teaching: GuidedCapture) -> None:
        """Step to the end."""
        self.step(teaching, 1000)
        assert teaching.state.over


@pytest.fixture
def classroom(store: Store) -> Classroom:
    """A guided capture of `good` and `away`."""
    return Classroom(store, GOOD, AWAY)


def test_a_guided_capture_goes_from_the_first_countdown_to_the_first_answer(classroom: Classroom) -> None:
    """Every pose in turn, then a training, then what the promoted model says."""
    teaching = classroom.begin()
    phases = [teaching.state.phase]
    while not teaching.state.over:
        classroom.step(teaching)
        if teaching.state.phase is not phases[-1]:
            phases.append(teaching.state.phase)
    assert phases == [*4 * [Phase.READY, Phase.HOLD], Phase.TRAIN, Phase.LOOK, Phase.LIVE, Phase.DONE]
    assert [ask.posture_class.name for ask in classroom.asked] == ["good", "away", "good", "away", "good", "bad"]
    assert (classroom.trained, classroom.live.version.id) == (1, 2)
    assert teaching.state.says[0] in ("good", "bad")


def test_frames_are_labelled_by_what_was_asked_and_kept_with_their_features(classroom: Classroom) -> None:
    """Label, reason and features are there; the state counts what the store has."""
    teaching = classroom.begin()
    classroom.finish(teaching)
    labelled = classroom.store.labels.labelled()
    counts = classroom.store.labels.counts()
    assert {name: sum(splits.values()) for name, splits in counts.items()} == teaching.state.frames
    assert all(count >= 2 * MIN_FRAMES for count in teaching.state.frames.values())
    first = classroom.store.queue.get(labelled[0].frame_id)
    assert first.reason == "taught"
    assert "Sit well" in first.explanation
    ids = [image.frame_id for image in labelled]
    assert len(classroom.store.queue.pooled(ids, classroom.live.backbone.sha256)) == len(ids)


def test_each_round_is_a_time_block_and_each_class_has_both_splits(classroom: Classroom) -> None:
    """The second round is held out, whole: nothing that was learned from lies beside what judges it."""
    classroom.finish(classroom.begin())
    found: dict[tuple[str, Split], set[int]] = {}
    for image in classroom.store.labels.labelled():
        found.setdefault((image.class_name, image.split), set()).add(image.block_id)
    assert set(found) == {(name, split) for name in ("good", "away") for split in (Split.TRAIN, Split.HOLDOUT)}
    assert all(len(blocks) == 1 for blocks in found.values())
    assert len(set().union(*found.values())) == 4


def test_the_last_round_of_a_later_lesson_is_its_exam_too(classroom: Classroom) -> None:
    """Not both rounds learned from, as the rule that counts blocks had it, nor a grade from last time's exam."""
    classroom.finish(classroom.begin())
    before = {image.frame_id for image in classroom.store.labels.labelled()}
    classroom.says = {"good": "away"}
    teaching = classroom.begin()
    classroom.source.sequence += 1000
    classroom.finish(teaching)
    new = [image for image in classroom.store.labels.labelled() if image.frame_id not in before]
    splits = {(image.class_name, image.block_id): image.split for image in new}
    assert sorted(split.value for split in splits.values()) == ["holdout", "holdout", "train", "train"]
    examined = sum(image.split is Split.HOLDOUT and image.class_name == "good" for image in new)
    assert teaching.state.exam[0] == PoseResult("good", 0, examined, "away")


def test_the_exam_is_told_by_pose_and_what_is_not_seen_is_offered_again(classroom: Classroom) -> None:
    """Right on none of one pose: that one is to be shown once more, twice, and examined again."""
    classroom.says = {"good": "away"}
    teaching = classroom.begin()
    classroom.finish(teaching)
    assert [(one.name, one.seen, one.instead) for one in teaching.state.exam] == [
        ("good", False, "away"),
        ("away", True, None),
    ]
    assert teaching.state.unseen == ("good",)
    classroom.says = {}
    classroom.asked.clear()
    teaching.show_again(teaching.state.unseen)
    assert not teaching.state.over
    classroom.finish(teaching)
    assert [(ask.posture_class.name, ask.split) for ask in classroom.asked[:2]] == [
        ("good", Split.TRAIN),
        ("good", Split.HOLDOUT),
    ]
    assert [(one.name, one.seen) for one in teaching.state.exam] == [("good", True)]
    assert (classroom.trained, teaching.state.unseen) == (2, ())


def test_views_are_prepared_while_the_next_pose_is_shown(classroom: Classroom) -> None:
    """After each pose but the last, behind which the training itself begins."""
    classroom.finish(classroom.begin())
    assert classroom.prepared == 3


def test_poses_that_look_alike_are_told_before_the_training_and_can_be_dropped(classroom: Classroom) -> None:
    """It waits; what is dropped is learned by nobody, and offered again."""
    classroom.paint = "good"
    teaching = classroom.begin()
    classroom.step(teaching, 4 * (WALK_S + SECONDS))
    assert teaching.state.phase is Phase.REVIEW
    assert "'good'" in teaching.state.doubts[0].sentence
    assert len(teaching.state.sheet["away"]) == teaching.state.frames["away"]
    queue = classroom.store.queue
    assert all(queue.get(id_).captured_at == at for shown in teaching.state.sheet.values() for id_, at in shown)
    assert [len(jpegs) for jpegs in teaching.sheet(3).values()] == [3, 3]
    teaching.go_on(["away"])
    classroom.step(teaching)
    assert classroom.trained == 1
    assert (teaching.state.frames["away"], teaching.state.dropped) == (0, ("away",))
    assert {image.class_name for image in classroom.store.labels.labelled()} == {"good"}
    classroom.finish(teaching)
    assert "away" in teaching.state.unseen
    undo(classroom.store)
    assert {image.class_name for image in classroom.store.labels.labelled()} == {"good", "away"}


def test_doubtful_pictures_do_not_wait_for_ever(classroom: Classroom) -> None:
    """Who went away finds a model that learned from all of them."""
    classroom.paint = "good"
    teaching = classroom.begin()
    classroom.step(teaching, 4 * (WALK_S + SECONDS))
    assert classroom.trained == 0
    classroom.step(teaching, REVIEW_S + 1)
    assert classroom.trained == 1


def test_the_live_look_shows_two_poses_and_can_be_ended(classroom: Classroom) -> None:
    """What the model says of each is counted once there was time to move; `go_on` ends it."""
    teaching = classroom.begin()
    while teaching.state.phase is not Phase.LIVE:
        classroom.step(teaching)
    classroom.step(teaching, LIVE_S / 2 + 4)
    assert [one.name for one in teaching.state.lived] == ["good", "bad"]
    assert all(one.of > 10 for one in teaching.state.lived)
    teaching.go_on()
    classroom.step(teaching)
    assert teaching.state.phase is Phase.DONE


def test_a_pose_is_undone_in_one_step(classroom: Classroom) -> None:
    """`u` in a label front end takes back the whole last pose."""
    teaching = classroom.begin()
    classroom.step(teaching, READY_S + 3)
    undo(classroom.store)
    assert teaching.state.frames["good"] > 1
    assert classroom.store.labels.total() == 0


def test_nothing_is_kept_while_getting_ready(classroom: Classroom) -> None:
    """Whoever is still moving shows nothing yet; the countdown runs."""
    teaching = classroom.begin()
    classroom.step(teaching, READY_S - 1)
    assert (teaching.state.phase, teaching.state.seconds_left) == (Phase.READY, pytest.approx(1.1, abs=0.15))
    assert classroom.store.labels.total() == 0


def test_interrupted_in_the_middle_it_keeps_what_it_has_and_trains_nothing(classroom: Classroom) -> None:
    """The labels stay; no training begins, and further steps do nothing."""
    teaching = classroom.begin()
    stop = threading.Event()
    classroom.step(teaching, READY_S + 4)
    stop.set()
    state = teaching.run(stop, lambda: classroom.now)
    assert state.phase is Phase.STOPPED
    assert classroom.trained == 0
    assert classroom.store.labels.total() == state.frames["good"] > 0


def test_stopped_while_it_trains_the_training_is_told_to_end(classroom: Classroom) -> None:
    """It waits for that end, which is a deferral, and says so."""
    later = Later()
    classroom.executor = later
    teaching = classroom.begin()
    classroom.step(teaching, 4 * (WALK_S + SECONDS))
    assert teaching.state.phase is Phase.TRAIN
    teaching.stop()
    assert classroom.cancelled
    assert not teaching.state.over
    classroom.outcome = Outcome.DEFERRED
    later.future.set_result(classroom.train())
    classroom.step(teaching)
    assert teaching.state.phase is Phase.DONE
    assert teaching.state.run is not None
    assert teaching.state.says is None


def test_an_error_of_the_training_is_raised(classroom: Classroom) -> None:
    """Nothing is swallowed: the command prints the sentence."""
    later = Later()
    classroom.executor = later
    teaching = classroom.begin()
    classroom.step(teaching, 4 * (WALK_S + SECONDS))
    later.future.set_exception(LabelError("The disk is full."))
    with pytest.raises(LabelError, match="full"):
        classroom.step(teaching)


@pytest.mark.parametrize("outcome", [Outcome.KEPT, Outcome.DEFERRED, Outcome.FAILED])
def test_a_model_that_was_not_promoted_is_not_asked(classroom: Classroom, outcome: Outcome) -> None:
    """The capture ends with the run; the champion stays."""
    classroom.outcome = outcome
    teaching = classroom.begin()
    classroom.finish(teaching)
    assert teaching.state.says is None
    assert classroom.live.version.id == 1


def test_a_lost_camera_is_waited_for_and_named(classroom: Classroom) -> None:
    """The clock of the pose stands still; afterwards there is time to get ready again, and the rest of the pose follows."""
    teaching = classroom.begin()
    classroom.step(teaching, READY_S + 3)
    left = teaching.state.seconds_left
    classroom.lost = True
    classroom.source.state.error = "camera 0 stopped giving frames."
    classroom.step(teaching, 1)
    assert teaching.state.problem is None
    classroom.step(teaching, 60)
    assert teaching.state.problem == "Waiting for a picture: camera 0 stopped giving frames."
    assert teaching.state.seconds_left == left
    classroom.lost = False
    classroom.step(teaching)
    assert (teaching.state.problem, teaching.state.phase) == (None, Phase.READY)
    classroom.step(teaching, READY_S + 0.1)
    assert (teaching.state.phase, teaching.state.seconds_left) == (Phase.HOLD, pytest.approx(left, abs=0.5))
    classroom.finish(teaching)
    assert teaching.state.phase is Phase.DONE
    assert len({image.block_id for image in classroom.store.labels.labelled()}) == 4


def test_a_camera_that_never_gives_a_picture_is_waited_for(classroom: Classroom) -> None:
    """Also at the very beginning: the countdown has not begun."""
    classroom.lost = True
    teaching = classroom.begin()
    classroom.step(teaching, 30)
    assert teaching.state.problem == "Waiting for a picture: the camera gives no picture."
    assert (teaching.state.seconds_left, teaching.picture()) == (READY_S, None)


def test_a_recording_that_ends_ends_the_capture(classroom: Classroom) -> None:
    """Nothing more can come, so nothing is waited for."""
    teaching = classroom.begin()
    classroom.step(teaching, READY_S + 3)
    classroom.lost, classroom.source.state.status = True, "ended"
    classroom.step(teaching)
    assert teaching.state.phase is Phase.STOPPED
    assert "end" in str(teaching.state.problem)
    assert classroom.store.labels.total() > 0


def test_a_suspended_computer_skips_no_pose(classroom: Classroom) -> None:
    """An hour between two steps counts as a second."""
    teaching = classroom.begin()
    classroom.step(teaching, 1)
    classroom.now += 3600
    classroom.step(teaching)
    assert (teaching.state.phase, teaching.state.number) == (Phase.READY, 1)


def test_who_does_not_move_gives_a_few_frames_spread_in_time(classroom: Classroom) -> None:
    """All are near-duplicates, but an empty chair is a class too: `MIN_FRAMES` of each pose, over all of it."""
    still = {name: coloured_frame(name, 1) for name in COLOURS}
    count = 0

    def draw() -> Image:
        nonlocal count
        count += 1
        image = still[classroom.asked[-1].posture_class.name].copy()
        image[0, 0] = count % 250  # the noise of a sensor: no two pictures are the same bytes
        image[0, 1] = count // 250
        return image

    classroom.source.picture = draw
    teaching = classroom.begin()
    classroom.finish(teaching)
    assert teaching.state.frames == {"good": 2 * MIN_FRAMES, "away": 2 * MIN_FRAMES}
    ids = [image.frame_id for image in classroom.store.labels.labelled()]
    times = [classroom.store.queue.get(one).captured_at for one in ids[:MIN_FRAMES]]
    assert np.diff(times).min() > SECONDS / MIN_FRAMES / 2
    assert times[-1] - times[0] > SECONDS * 0.7


def test_a_camera_that_hangs_gives_each_picture_once(classroom: Classroom) -> None:
    """The very same bytes are no second frame; the capture goes on."""
    still = {name: coloured_frame(name, 1) for name in COLOURS}
    classroom.source.picture = lambda: still[classroom.asked[-1].posture_class.name]
    teaching = classroom.begin()
    classroom.finish(teaching)
    assert teaching.state.frames == {"good": 1, "away": 1}


def test_the_keeper_keeps_a_few_a_second_and_nothing_alike() -> None:
    """What differs is kept at its pace; what was seen in another round is refused, until too little is kept."""
    east, north = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    seen = [east]
    keeper = PoseKeeper(6.0 * MIN_FRAMES, seen, 0.99)
    assert keeper.due(0.0)
    assert not keeper.wants(0.0, east)
    assert keeper.wants(0.0, north)
    seen.append(north)
    keeper.kept(0.0)
    assert not keeper.due(EVERY_S / 2)
    assert keeper.due(EVERY_S)
    assert not keeper.wants(8.0, north)
    assert keeper.wants(9.1, north)  # half of the second slot has passed, and one is kept


# ── the plan ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def changes(store: Store) -> ClassChanges:
    """The classes of a store with a base as champion."""
    add_champion(store)
    return ClassChanges(store, LabelSettings(), lambda: NOW)


def names(classes: list[PostureClass]) -> list[str]:
    """Their names."""
    return [one.name for one in classes]


def test_each_class_is_asked_for_twice_in_other_words() -> None:
    """The second round asks to move; who leaves the picture gets time to walk, there and back."""
    asks = plan([GOOD, AWAY, PostureClass("yoga", Role.NEUTRAL)])
    assert [(a.posture_class.name, a.round) for a in asks] == [
        (name, number) for number in range(1, ROUNDS + 1) for name in ("good", "away", "yoga")
    ]
    assert [a.ready_s for a in asks] == 2 * [READY_S, WALK_S, WALK_S]
    assert len({a.sentence for a in asks}) == len(asks)
    assert "'yoga'" in asks[2].sentence


def test_the_default_plan_leaves_time_for_the_training() -> None:
    """Four classes take less than 90 s of the two minutes."""
    usual = [
        PostureClass(name, role)
        for name, role in zip(DEFAULT_CLASSES, (Role.GOOD, Role.BAD, Role.AWAY, Role.NEUTRAL), strict=True)
    ]
    assert duration_s(plan(usual)) < 90


def test_the_live_look_asks_for_what_was_taught_and_never_to_leave() -> None:
    """The good posture first; a class more is looked at beside what else the model knows."""
    bad, yoga = PostureClass("bad", Role.BAD), PostureClass("yoga", Role.NEUTRAL)
    known = (bad, AWAY, GOOD, yoga)
    assert [ask.posture_class.name for ask in live_plan([GOOD, bad, AWAY], known)] == ["good", "bad"]
    assert [ask.posture_class.name for ask in live_plan([yoga], known)] == ["good", "yoga"]
    assert live_plan([GOOD], [AWAY]) == ()


def test_without_names_the_usual_four_are_taught(changes: ClassChanges) -> None:
    """They are created with their roles, also beside some of them."""
    changes.add("na")
    chosen = choose(changes, None)
    assert names(chosen) == list(DEFAULT_CLASSES)
    assert [one.role for one in chosen] == [Role.GOOD, Role.BAD, Role.AWAY, Role.NEUTRAL]


@pytest.mark.parametrize(
    ("there", "given", "taught"),
    [
        pytest.param(["upright", "gone"], None, ["upright", "gone"], id="without names, the owner's own"),
        pytest.param([], ["upright", " slump", "", "upright"], ["upright", "slump"], id="blanks and repetitions"),
        pytest.param([], ["fine", "Fine", " leaning left"], ["fine", "leaning left"], id="twice in another case"),
        pytest.param(["good", "bad"], ["BAD", "e\u0301"], ["bad", "é"], id="those there are, in another case"),
        pytest.param([], ["Good_Posture"], ["bad_posture", "Good_Posture"], id="the good one in another case"),
        pytest.param([], ["yoga"], ["good_posture", "yoga"], id="one alone, beside the good posture"),
        pytest.param(["bad", "good"], ["yoga"], ["good", "yoga"], id="one alone, beside the owner's good one"),
        pytest.param(["away"], ["yoga"], ["away", "yoga"], id="one alone, beside what is there"),
        pytest.param([], ["good_posture"], ["bad_posture", "good_posture"], id="the good one, beside the bad one"),
    ],
)
def test_the_classes_that_are_taught(
    changes: ClassChanges, there: list[str], given: list[str] | None, taught: list[str]
) -> None:
    """Each is created once, as was announced; a single one can be neither learned nor judged: it needs another for contrast."""
    for name in there:
        changes.add(name)
    announced = would_choose(changes, given)
    assert [line.posture_class.name for line in changes.all()] == there
    chosen = choose(changes, given)
    assert (names(chosen), chosen) == (taught, announced)
    assert {line.posture_class.name for line in changes.all()} == {*there, *taught}


@pytest.mark.parametrize("given", [[""], ["a/b", "fine"], ["fine", "unknown"], ["fine", "\x1b[2J"]])
def test_names_that_no_class_can_have_are_refused_and_none_is_created(changes: ClassChanges, given: list[str]) -> None:
    """One sentence, and the classes are as before."""
    with pytest.raises(LabelError, match=r"^[A-Z'].*\.$"):
        choose(changes, given)
    assert changes.all() == []


def test_a_class_added_later_is_taught_alone(store: Store) -> None:
    """The others have pictures in both splits already."""
    add_champion(store, "good", "bad")
    label_days(store, "good", blocks=2)
    assert names(choose(ClassChanges(store, LabelSettings(), lambda: NOW), ["yoga"])) == ["yoga"]
