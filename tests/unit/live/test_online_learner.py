"""Today's answers: shown at once, on frames of today only, and only while the owner's own answers do not speak against them."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from posture_daemon.domain import Image, ModelVersion, Outcome, Prediction, Region, Split
from posture_daemon.errors import DataFolderError, ModelError
from posture_daemon.learning.feature_space import pooled_head
from posture_daemon.live.online_learner import OnlineLearner
from posture_daemon.live.online_session import MAX_REPLAYED, ONE_SIDED_TEMPERATURE, OnlineSession
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.store.answers import BeforeRule
from posture_daemon.store.sessions import SESSION_GAP_S
from posture_daemon.vision.head import Head
from posture_daemon.vision.jpeg import encode_jpeg
from tests.builders import (
    COLOURS,
    HOLDOUT_EVERY,
    add_champion,
    add_frame,
    add_version,
    coloured_frame,
    decided,
    ensure_classes,
    label,
    label_days,
    undo,
)
from tests.checks import raising
from tests.fakes.backbone import CHANNELS, StandInBackbone

RECIPE = Recipe(seed=0, views=0, flip=True, min_images_per_class=1)
DAY = 86_400.0
YESTERDAY, TODAY = 10 * DAY, 11 * DAY
SHARPNESS = 1.0
BACKBONE = StandInBackbone()


def picture(look: str, seed: int) -> Image:
    """A frame in the colour of a class, or in that of dusk, which is nobody's."""
    if look in COLOURS:
        return coloured_frame(look, seed)
    noise = np.random.default_rng(seed).integers(-20, 21, (48, 48, 3))
    return np.clip(np.array((120, 90, 130)) + noise, 0, 255).astype(np.uint8)


def colour_head(names: Sequence[str]) -> Head:
    """Tells the colours of these classes apart, and is not so sure of it that a day of labels cannot say otherwise."""
    colours = np.array([COLOURS[name] for name in names], np.float32).reshape(-1, CHANNELS) / 255
    return pooled_head(CHANNELS, SHARPNESS * (colours - 0.5), np.zeros(len(names), np.float32))


def add_personal(store: Store, *names: str, **fields: Any) -> ModelVersion:
    """A champion that knows the colours of these classes."""
    ensure_classes(store, *names)
    version = add_version(store, colour_head(names), BACKBONE.sha256, *names, **fields)
    store.models.promote(version.id, 0.0)
    return version


def frame_at(store: Store, look: str, at: float, **known: Any) -> int:
    """A kept frame with its features, as the capture loop leaves it."""
    seen = BACKBONE.extract(picture(look, int(at))).pooled.astype(np.float16)
    jpeg = encode_jpeg(picture(look, int(at)), 640, 90)
    return add_frame(store, at, jpeg, pooled=seen, backbone_sha256=BACKBONE.sha256, **known)


def answered(store: Store, look: str, class_name: str, at: float, **known: Any) -> int:
    """One frame, kept and answered."""
    ensure_classes(store, class_name)
    frame_id = frame_at(store, look, at, **known)
    store.labels.answer(frame_id, class_name, "owner", at, HOLDOUT_EVERY, before_rule=BeforeRule(first_teach=12))
    return frame_id


def yesterday(store: Store, days: int = 1, **called: str) -> None:
    """A labelled day, or several: six frames of each look, called by a class."""
    for day in range(days):
        for hour, (look, class_name) in enumerate(called.items()):
            for second in range(6):
                answered(store, look, class_name, YESTERDAY - DAY * day + 1000 * hour + second)


def learner(store: Store, now: float = TODAY) -> OnlineLearner:
    """One that begins now."""
    return OnlineLearner(store, lambda _version: BACKBONE, RECIPE, wall=lambda: now)


def says(version: ModelVersion, head: Head, look: str, seed: int = 999) -> Prediction:
    """What the champion says of a fresh frame of this look."""
    features = BACKBONE.extract(picture(look, seed))
    names = tuple(c.name for c in version.classes)
    chances = head.probabilities(features.map, version.temperature) if names else np.empty(0, np.float32)
    return Prediction(names, chances, features, version.id, version.feature_key, 0.0)


def shown(store: Store, online: OnlineLearner, look: str, at: float = TODAY + 3000) -> Prediction:
    """What is shown of a fresh frame of this look, captured at this time."""
    champion = store.models.champion()
    head = Head.from_bytes(store.models.read_head(champion.head_sha256))
    return online.answer(says(champion, head, look), at)


def yellow_is_bad(store: Store) -> OnlineLearner:
    """One that has learned a day of green and red, and today's answer: yellow, which the champion takes for good, is bad."""
    add_personal(store, "good", "bad")
    yesterday(store, good="good", bad="bad")
    answered(store, "standing", "bad", TODAY)
    online = learner(store)
    online.look()
    return online


def test_an_answer_of_today_is_shown_on_the_next_frame(store: Store) -> None:
    """The champion takes yellow for good, the owner says bad: from the look after it on, yellow is bad and green still good."""
    add_personal(store, "good", "bad")
    yesterday(store, good="good", bad="bad")
    online = learner(store)
    online.look()
    assert (shown(store, online, "standing").label, online.state.answers, online.state.serving) == ("good", 0, False)
    answered(store, "standing", "bad", TODAY)
    assert online.look()
    found = shown(store, online, "standing")
    assert (found.label, found.answers, shown(store, online, "good").label) == ("bad", 1, "good")
    assert (online.state.answers, online.state.serving, online.state.why) == (1, True, "learned from 1 answer today")


def test_without_a_new_answer_nothing_changes(store: Store) -> None:
    """Neither another look nor a frame that was kept meanwhile makes another head."""
    online = yellow_is_bad(store)
    before = shown(store, online, "standing").probabilities
    frame_at(store, "good", TODAY + 60)
    assert not online.look()
    np.testing.assert_array_equal(shown(store, online, "standing").probabilities, before)


def test_at_rest_only_the_state_of_the_labels_is_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks four times a second for months: model and session are read when a label changes, and all ten seconds."""
    online = yellow_is_bad(store)
    read: list[float] = []
    session_at = store.labels.session_at
    monkeypatch.setattr(store.labels, "session_at", lambda at: (read.append(at), session_at(at))[1])
    for second in range(60, 90):
        shown(store, online, "standing", TODAY + second)
        online.look()
    assert read == [TODAY + second for second in (60, 70, 80)]


def test_a_class_that_was_renamed_is_shown_in_its_new_name(store: Store) -> None:
    """Ten seconds later; no label has changed."""
    online = yellow_is_bad(store)
    store.classes.rename("bad", "slouching")
    shown(store, online, "standing", TODAY + 10)
    assert online.look()
    assert shown(store, online, "standing", TODAY + 11).label == "slouching"


def test_without_a_champion_there_is_nothing_to_do(store: Store) -> None:
    """An empty data folder is no error."""
    assert not learner(store).look()


@pytest.mark.parametrize(
    "at", [YESTERDAY + 60, TODAY - 2 * SESSION_GAP_S, TODAY + 1.5 * DAY], ids=["yesterday", "set back", "set forward"]
)
def test_frames_of_another_session_are_the_champions(store: Store, at: float) -> None:
    """A frame of yesterday, or of a clock that was set back or forward by far, is answered as it came."""
    online = yellow_is_bad(store)
    assert (shown(store, online, "standing", at).label, shown(store, online, "standing", at).answers) == ("good", 0)
    assert shown(store, online, "standing", TODAY + 60).label == "bad"


def test_after_a_clock_that_was_set_back_the_next_look_learns_that_day(store: Store) -> None:
    """What was answered on the other day answers its frames; back again, today's answers do."""
    online = yellow_is_bad(store)
    for at, answers in ((YESTERDAY + 60, 12), (TODAY + 60, 1)):
        shown(store, online, "standing", at)
        assert online.look()
        assert shown(store, online, "standing", at).answers == answers


def test_features_of_another_region_are_the_champions(store: Store) -> None:
    """A model that looks at another part of the picture makes other features, which this head cannot read."""
    online = yellow_is_bad(store)
    champion = store.models.champion()
    elsewhere = add_version(
        store, colour_head(["good", "bad"]), BACKBONE.sha256, "good", "bad", region=Region(0.1, 0.1, 0.5, 0.5)
    )
    head = colour_head(["good", "bad"])
    assert online.answer(says(elsewhere, head, "standing"), TODAY + 60).label == "good"
    assert online.answer(says(champion, head, "standing"), TODAY + 60).label == "bad"


def test_a_session_goes_on_as_long_as_frames_are_kept(store: Store) -> None:
    """Seven hours after the only answer of the day it still is the same day, and its answer still holds."""
    online = yellow_is_bad(store)
    for hour in range(1, 8):
        frame_at(store, "good", TODAY + 3600 * hour)
        shown(store, online, "standing", TODAY + 3600 * hour)
        online.look()
    assert shown(store, online, "standing", TODAY + 7 * 3600 + 60).label == "bad"


def test_a_class_that_the_champion_lacks_is_answered_today(store: Store) -> None:
    """Its first answer makes it known, in its own name, beside those that the champion knows."""
    add_personal(store, "good", "bad")
    yesterday(store, good="good", bad="bad")
    answered(store, "away", "away", TODAY)
    online = learner(store)
    online.look()
    found = shown(store, online, "away")
    assert (found.label, found.classes) == ("away", ("good", "bad", "away"))
    assert [shown(store, online, look).label for look in ("good", "bad")] == ["good", "bad"]


def test_a_base_answers_once_two_classes_were_seen_today(store: Store) -> None:
    """One class tells nothing apart, and the line says so; with the second it answers, before any training."""
    add_champion(store)
    online = learner(store)
    answered(store, "good", "good", TODAY)
    online.look()
    assert shown(store, online, "good").classes == ()
    assert not online.state.serving
    assert online.state.why == "1 answer today, but of one class only so far, so the model answers"
    answered(store, "bad", "bad", TODAY + 400)
    online.look()
    assert [shown(store, online, look).label for look in ("good", "bad")] == ["good", "bad"]
    assert (online.state.serving, online.state.why) == (True, "learned from 2 answers today")


def test_a_head_with_a_convolution_of_its_own_is_continued(store: Store) -> None:
    """An imported posture model keeps its hidden features; today's answers are learned on those."""
    add_champion(store, "good", "bad")
    for second, look in enumerate(("good", "bad", "good", "bad")):
        answered(store, look, look, TODAY + 400 * second)
    online = learner(store)
    online.look()
    assert [shown(store, online, look).label for look in ("good", "bad")] == ["good", "bad"]
    assert (
        online.say(np.zeros((1, CHANNELS), np.float32), BACKBONE.sha256) is None
    )  # its inputs are not pooled features


def spoil(store: Store) -> None:
    """On three days green was called bad and red good: what is learned from that is wrong, and the champion right."""
    add_personal(store, "good", "bad")
    yesterday(store, days=3, good="bad", bad="good")


def speak_against(store: Store, online: OnlineLearner) -> list[bool]:
    """Three answers of today that only the champion is right on; whether today's head answers after each."""
    serving = []
    for number in range(3):
        answered(store, "good", "good", TODAY + 400 * number)
        online.look()
        serving.append(online.state.serving)
    return serving


def speak_for(store: Store, online: OnlineLearner) -> str:
    """Two answers that only today's head can be right on; returns their class."""
    other = {"good": "bad", "bad": "good"}[shown(store, online, "dusk").label]
    for number in range(2):
        answered(store, "dusk", other, TODAY + 2000 + 400 * number)
        online.look()
    return other


def test_it_falls_back_when_the_answers_say_so_and_comes_back(store: Store) -> None:
    """Two answers that the champion alone is right on may be chance, three are not; one for today's head brings it back."""
    spoil(store)
    online = learner(store)
    assert speak_against(store, online) == [True, True, False]
    assert shown(store, online, "good").answers == 0
    assert online.state.why == (
        "3 answers today, but of the last ones the model alone was right on 3, what was learned today alone on 0: "
        "the model answers"
    )
    other = speak_for(store, online)
    assert (online.state.serving, online.state.answers, online.state.why) == (True, 5, "learned from 5 answers today")
    assert shown(store, online, "dusk").label == other


def test_the_next_day_begins_without_the_fall_back_of_the_last(store: Store) -> None:
    """What spoke against a day's head was said of that day: the one of the next day answers from its first answer on."""
    spoil(store)
    online = learner(store)
    assert not speak_against(store, online)[-1]
    answered(store, "good", "good", TODAY + DAY)
    shown(store, online, "good", TODAY + DAY)
    assert online.look()
    assert (online.state.serving, online.state.why) == (True, "learned from 1 answer today")
    assert shown(store, online, "good", TODAY + DAY + 60).answers == 1


def test_pictures_kept_for_tests_teach_nothing_today(store: Store) -> None:
    """They are to tell how good a model is on what it has never seen, so an answer to one leaves no trace."""
    online = yellow_is_bad(store)
    state, before = online.state, shown(store, online, "dusk")
    other = {"good": "bad", "bad": "good"}[before.label]
    for number in range(3):
        frame_id = frame_at(store, "dusk", TODAY + 400 + number)
        store.labels.answer(frame_id, other, "owner", TODAY, HOLDOUT_EVERY, before_rule=BeforeRule(Split.TEST))
    assert online.look()
    assert online.state == state
    np.testing.assert_array_equal(shown(store, online, "dusk").probabilities, before.probabilities)


def test_an_answer_that_is_taken_back_is_forgotten(store: Store) -> None:
    """The same layer and the same trust as if it had not been given."""
    online = yellow_is_bad(store)
    state, before = online.state, shown(store, online, "dusk")
    answered(store, "dusk", "good", TODAY + 400)
    online.look()
    assert online.state.answers == 2
    undo(store)
    assert online.look()
    assert online.state == state
    np.testing.assert_allclose(shown(store, online, "dusk").probabilities, before.probabilities, atol=1e-3)


def test_an_answer_that_is_replaced_between_two_looks_is_seen(store: Store) -> None:
    """Undo and another answer within a quarter of a second leave as many labels, and the same number of the last step."""
    add_personal(store, "good", "bad")
    yesterday(store, good="good", bad="bad")
    frame_id = answered(store, "dusk", "good", TODAY)
    online = learner(store)
    online.look()
    assert shown(store, online, "dusk").label == "good"
    undo(store)
    label(store, frame_id, "bad", TODAY + 1)
    assert online.look()
    assert shown(store, online, "dusk").label == "bad"


def test_the_only_answer_that_is_taken_back_leaves_the_champion(store: Store) -> None:
    """Nothing was answered today then."""
    add_champion(store)
    answered(store, "good", "good", TODAY)
    online = learner(store)
    online.look()
    undo(store)
    assert online.look()
    assert (online.state.answers, shown(store, online, "good").answers) == (0, 0)


@pytest.mark.parametrize("back", [False, True], ids=["fallen back", "come back"])
def test_a_restart_changes_nothing(store: Store, back: bool) -> None:
    """Another learner on the same store has the same words, the same trust and all but the same layer."""
    spoil(store)
    online = learner(store)
    speak_against(store, online)
    if back:
        speak_for(store, online)
    again = learner(store)
    again.look()
    assert again.state == online.state
    assert online.state.serving is back
    for look in ("good", "bad", "dusk"):
        one, other = shown(store, online, look), shown(store, again, look)
        assert one.answers == other.answers == (5 if back else 0)
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=0.02)


def test_a_champion_that_has_learned_the_answers_begins_anew(store: Store) -> None:
    """What spoke against today's head was said against another champion; answers that this one has learned are no evidence."""
    spoil(store)
    online = learner(store)
    assert not speak_against(store, online)[-1]
    names = ("good", "bad")
    version = add_version(store, colour_head(names), BACKBONE.sha256, *names, parent_id=store.models.champion().id)
    run_id = store.runs.begin("schedule", decided(labels=True), version.parent_id, TODAY + 1500)
    store.runs.finish(run_id, Outcome.PROMOTED, "better", TODAY + 2000, challenger_id=version.id)
    store.models.promote(version.id, TODAY + 2000)
    assert online.look()
    assert (online.state.serving, online.state.answers) == (True, 3)


def test_a_day_of_one_class_is_modest(store: Store) -> None:
    """Five answers of one class say nothing of how another looks today: less sure than with both, at a temperature of 2."""
    add_personal(store, "good", "bad")
    yesterday(store, good="good", bad="bad")
    for number in range(5):
        answered(store, "standing", "bad", TODAY + 400 * number)
    online = learner(store)
    online.look()
    one_sided = shown(store, online, "standing").confidence
    assert online._served.temperature >= ONE_SIDED_TEMPERATURE
    answered(store, "good", "good", TODAY + 4000)
    online.look()
    assert online._served.temperature < ONE_SIDED_TEMPERATURE
    assert one_sided < shown(store, online, "standing").confidence


def test_days_that_contradict_each_other_make_it_modest(store: Store) -> None:
    """It is as sure as it was right about sessions left out: surer where all days agree than where one says the reverse."""
    add_personal(store, "good", "bad")
    yesterday(store, days=4, good="good", bad="bad")
    for number, look in enumerate(("good", "bad")):
        answered(store, look, look, TODAY + 400 * number)
    agreed = learner(store)
    agreed.look()
    for second in range(6):
        for look, class_name in (("good", "bad"), ("bad", "good")):
            answered(store, look, class_name, YESTERDAY - 9 * DAY + 400 * ("good", "bad").index(look) + second)
    contradicted = learner(store)
    contradicted.look()
    assert agreed._served.temperature < 1 < contradicted._served.temperature
    assert shown(store, contradicted, "good").confidence < shown(store, agreed, "good").confidence


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ModelError("Model 1 has lost its backbone."), "Model 1 has lost its backbone."),
        (ValueError("inside a solver"), "today's answers could not be learned (see the log), so the model answers"),
    ],
)
def test_what_goes_wrong_leaves_the_champion(store: Store, error: Exception, why: str) -> None:
    """It goes on looking, the champion answers, and the state says why; once it is over, the answers count again."""
    add_personal(store, "good", "bad")
    yesterday(store, good="good", bad="bad")
    answered(store, "standing", "bad", TODAY)
    broken = [True]
    online = OnlineLearner(
        store, lambda _version: raising(error)() if broken[0] else BACKBONE, RECIPE, wall=lambda: TODAY
    )
    online.run(Looks(2))
    assert (online.state.answers, online.state.serving, online.state.why) == (0, False, why)
    assert shown(store, online, "standing").label == "good"
    broken[0] = False
    answered(store, "standing", "bad", TODAY + 400)
    online.run(Looks(1))
    assert shown(store, online, "standing").label == "bad"


class Looks(threading.Event):
    """A stop event that lets so many looks pass, without waiting."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = count

    def wait(self, timeout: float | None = None) -> bool:
        """Stop after the last one."""
        self._left -= 1
        return self._left < 0


def test_a_store_that_cannot_be_read_leaves_the_champion(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread goes on, and learns when it can be read again, though nothing was answered meanwhile."""
    add_personal(store, "good", "bad")
    yesterday(store, good="good", bad="bad")
    answered(store, "standing", "bad", TODAY)
    online = learner(store)
    with monkeypatch.context() as patch:
        patch.setattr(store.labels, "steps", raising(DataFolderError("The disk has gone.")))
        online.run(Looks(2))
    assert (online.state.serving, online.state.why) == (False, "The disk has gone.")
    online.run(Looks(1))
    assert online.state.serving


def test_what_a_lesson_taught_today_counts(store: Store) -> None:
    """Frames of `teach` are of this desk and this day, also those of its exam; each pose counts as one answer."""
    add_personal(store, "good", "bad")
    yesterday(store, good="good", bad="bad")
    poses = (("standing", "bad", Split.TRAIN), ("good", "good", Split.TRAIN), ("dusk", "bad", Split.HOLDOUT))
    for number, (look, name, split) in enumerate(poses):
        for second in range(4):
            frame_id = frame_at(store, look, TODAY + 20 * number + second, source=f"teach 1 {number}")
            store.labels.answer(frame_id, name, "teach", TODAY, HOLDOUT_EVERY, before_rule=BeforeRule(split))
    online = learner(store)
    online.look()
    assert [shown(store, online, look).label for look in ("standing", "good", "dusk")] == ["bad", "good", "bad"]
    assert (online.state.answers, online.state.serving) == (3, True)


def test_answers_of_two_front_ends_are_one_day(store: Store) -> None:
    """Who answers at the terminal while another answers on the page: both are learned, in the order of their answers."""
    add_personal(store, "good", "bad")
    yesterday(store, good="good", bad="bad")
    online = learner(store)
    other = Store(store.folder)
    first, second = frame_at(store, "standing", TODAY), frame_at(store, "good", TODAY + 400)
    label(store, first, "bad", TODAY + 500)
    online.look()
    label(other, second, "good", TODAY + 500)
    other.close()
    online.look()
    assert [shown(store, online, look).label for look in ("standing", "good")] == ["bad", "good"]
    assert online.state.answers == 2


def test_one_mistyped_answer_of_a_dozen_does_no_harm(store: Store) -> None:
    """Among eleven right answers a wrong one does not turn what is shown, and today's head goes on."""
    add_personal(store, "good", "bad")
    yesterday(store, good="good", bad="bad")
    online = learner(store)
    for number in range(12):
        look = ("standing", "good")[number % 2]
        truth = {"standing": "bad", "good": "good"}[look]
        answered(store, look, "good" if number == 6 else truth, TODAY + 400 * number)
        online.look()
    assert [shown(store, online, look).label for look in ("standing", "good")] == ["bad", "good"]
    assert online.state.serving


def test_more_answers_than_are_asked_again_keep_their_count(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a restart late in a long day the earliest are learned together, only the newest asked again, and all counted."""
    asked: list[int] = []
    ask = OnlineSession._ask
    monkeypatch.setattr(OnlineSession, "_ask", lambda *given: (asked.append(1), ask(*given))[1])
    add_personal(store, "good", "bad")
    count = MAX_REPLAYED + 6
    for number in range(count):
        look = ("standing", "good")[number % 2]
        answered(store, look, {"standing": "bad", "good": "good"}[look], TODAY + 40 * number)
    online = learner(store)
    online.look()
    assert (online.state.answers, online.state.serving, len(asked)) == (count, True, MAX_REPLAYED)
    assert shown(store, online, "standing").label == "bad"


def test_the_same_head_scores_what_waits(store: Store) -> None:
    """The questions ask it for many frames at once; of another backbone it knows nothing."""
    add_personal(store, "good", "bad")
    yesterday(store, good="good", bad="bad")
    online = learner(store)
    pooled = np.array([BACKBONE.extract(picture(look, 999)).pooled for look in ("standing", "good")], np.float32)
    assert online.say(pooled, BACKBONE.sha256) is None
    answered(store, "standing", "bad", TODAY)
    online.look()
    names, chances = online.say(pooled, BACKBONE.sha256)
    np.testing.assert_allclose(chances[0], shown(store, online, "standing").probabilities, atol=1e-5)
    assert (names, chances.shape, chances[1].argmax()) == (("good", "bad"), (2, 2), 0)
    assert online.say(pooled, "another") is None


def test_an_import_in_the_middle_of_the_day_leaves_it_one_day(store: Store) -> None:
    """Sessions are numbered anew then; what was learned before and after it is still of the same one."""
    online = yellow_is_bad(store)
    label_days(store, "good", "bad", count=2)
    answered(store, "standing", "bad", TODAY + 400)
    online.look()
    again = learner(store)
    again.look()
    counts = [np.sort(one._session._weigh(np.arange(len(one._session._images)))) for one in (online, again)]
    np.testing.assert_allclose(*counts)
    assert again.state == online.state


def test_beyond_the_window_an_answer_is_added_and_nothing_begins_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest labels stay outside once they were passed over; else each answer would replay the whole day."""
    monkeypatch.setattr("posture_daemon.live.online_session.MAX_IMAGES", 6)
    yesterday(store, days=3, good="good", bad="bad")
    add_personal(store, "good", "bad")
    online = learner(store)
    answered(store, "good", "good", TODAY)
    online.look()
    began: list[int] = []
    monkeypatch.setattr(OnlineSession, "_start_over", lambda *_given: began.append(1))
    answered(store, "bad", "bad", TODAY + 400)
    assert online.look()
    assert began == []
    assert online.state.answers == 2
