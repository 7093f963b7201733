"""What speaks for a challenger: left-out sessions and moments, each counted once, and what they promise for a new day."""

from collections.abc import Sequence

import numpy as np
import pytest

from posture_daemon.domain import Image, Split
from posture_daemon.learning import evidence
from posture_daemon.learning.calibration import PRIOR_SESSIONS, fit_to, for_a_new_day, shrunk
from posture_daemon.learning.evidence import LeftOut, left_out, moments
from posture_daemon.learning.linear_layer import Linear
from posture_daemon.learning.out_of_fold import OutOfFold, by_session, out_of_fold
from posture_daemon.learning.scoring import Candidate
from posture_daemon.learning.training_set import TrainingSet, gather
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.store.answers import BeforeRule
from posture_daemon.vision.jpeg import encode_jpeg
from tests.builders import COLOURS, HOLDOUT_EVERY, add_champion, add_frame, ensure_classes, new_frame
from tests.fakes.backbone import CHANNELS, StandInBackbone

RECIPE = Recipe(seed=0, views=0, flip=True, min_images_per_class=1)
DAY = 86_400.0
TEACH, HOLD_OUT = BeforeRule(split=Split.TRAIN), BeforeRule(split=Split.HOLDOUT)


def nothing() -> None:
    """Between fits."""


def picture(class_name: str, seed: int, light: Sequence[int] = (0, 0, 0)) -> Image:
    """A noisy frame in the colour of a class, in this light."""
    noise = np.random.default_rng(seed).integers(-10, 11, (48, 48, 3))
    return np.clip(np.array(COLOURS[class_name]) + np.array(light) + noise, 0, 255).astype(np.uint8)


def block(
    store: Store,
    class_name: str,
    start: float,
    light: Sequence[int] = (0, 0, 0),
    rule: BeforeRule = TEACH,
    times: Sequence[float] = (0, 40, 80),
    *,
    one_key: bool = False,
) -> list[int]:
    """A time block of one class in this light, a frame at each of these seconds, each answered by itself or all together."""
    ensure_classes(store, class_name)
    ids = []
    for second in times:
        jpeg = encode_jpeg(picture(class_name, int(start + second), light), 640, 90)
        ids.append(add_frame(store, start + second, jpeg))
        if not one_key:
            store.labels.answer(ids[-1], class_name, "owner", start, HOLDOUT_EVERY, before_rule=rule)
    if one_key:
        store.labels.answer_waiting(ids, class_name, "owner", start, HOLDOUT_EVERY, before_rule=rule)
    return ids


def day(store: Store, number: int, light: Sequence[int] = (0, 0, 0), rule: BeforeRule = TEACH) -> None:
    """Two blocks of each of two classes."""
    for at, name in enumerate(("good", "bad", "good", "bad")):
        block(store, name, DAY * (100 + number) + 1000 * at, light, rule)


def data_of(store: Store) -> TrainingSet:
    """What a training from a base would learn from."""
    return gather(store, add_champion(store), StandInBackbone(), RECIPE)


def colour_candidate(*names: str, sureness: float = 1.0) -> Candidate:
    """Tells the colours of these classes apart, with scores so many times as high."""
    colours = np.array([COLOURS[name] for name in names], np.float32).reshape(-1, CHANNELS) / 255
    return Candidate(Linear(sureness * 40 * (colours - 0.5), np.zeros(len(names), np.float32)), names, 1.0)


def share_right(asked: OutOfFold) -> float:
    """Of the images that were asked."""
    return float(np.mean([name == image.class_name for name, image in zip(asked.called, asked.images, strict=True)]))


def test_one_session_promises_nothing_for_another(store: Store) -> None:
    """Its time blocks are left out in turn, which says nothing of a new day."""
    day(store, 0)
    data = data_of(store)
    found = left_out(data, nothing)
    assert (found.sessions, len(found.asked.images)) == (1, 12)
    assert found.new_day(data, 1.0) is None


def test_two_sessions_promise_what_each_was_right_on_without_itself(store: Store) -> None:
    """Two days in the same light: all right, so many images, of two sessions; nothing sure and wrong."""
    for number in range(2):
        day(store, number)
    data = data_of(store)
    found = left_out(data, nothing)
    promise = found.new_day(data, found.temperature())
    assert promise.top1 == pytest.approx(1.0)
    assert (promise.sure_and_wrong, promise.images, promise.sessions) == (0.0, 24, 2)


def turned(store: Store) -> TrainingSet:
    """Two days of which the second looks the other way round: each light has its own good and bad."""
    day(store, 0)
    for at, (name, look) in enumerate((("good", "bad"), ("bad", "good")) * 2):
        ensure_classes(store, name)
        for second in (0, 40, 80):
            start = DAY * 101 + 1000 * at
            image = picture(look, int(start + second), (0, 0, 0) if look == "bad" else (30, 0, 0))
            frame_id = add_frame(store, start + second, encode_jpeg(image, 640, 90))
            store.labels.answer(frame_id, name, "owner", start, HOLDOUT_EVERY, before_rule=TEACH)
    return data_of(store)


def test_left_out_sessions_promise_less_than_neighbours(store: Store) -> None:
    """Where the days differ, a fit without a block has its neighbours, one without the whole day has not: that is the truth."""
    data = turned(store)
    sessions = by_session(data, data.holdout)
    neighbours = out_of_fold(data, parts=[image.frame_id for image in data.training.images], max_folds=24)
    assert share_right(sessions) < 0.1
    assert share_right(neighbours) > share_right(sessions) + 0.3
    found = left_out(data, nothing)
    promise = found.new_day(data, 0.05)
    assert promise.top1 == pytest.approx(share_right(sessions))
    assert promise.sure_and_wrong > 0.5
    assert found.new_day(data, found.temperature()).sure_and_wrong == 0.0, (
        "the temperature takes back what was not kept"
    )


def test_a_session_that_is_held_out_is_asked_of_fits_without_it(store: Store) -> None:
    """Its images are asked once, of a fit on the other days; so are those that teach of a day that has both."""
    for number, rule in enumerate((TEACH, TEACH, HOLD_OUT)):
        day(store, number, rule=rule)
    block(store, "good", DAY * 100 + 9000, rule=HOLD_OUT)
    data = data_of(store)
    asked = by_session(data, data.holdout)
    ids = [image.frame_id for image in asked.images]
    assert sorted(ids) == sorted(image.frame_id for image in (*data.training.images, *data.holdout.images))


def test_a_session_without_which_one_class_is_left_cannot_be_asked(store: Store) -> None:
    """A day of one class beside one of two: only the former can be left out."""
    day(store, 0)
    block(store, "good", DAY * 101)
    data = data_of(store)
    assert {image.captured_at // DAY for image in by_session(data, data.holdout).images} == {101}


def test_a_moment_counts_once_however_many_frames_show_it(store: Store) -> None:
    """Ten frames that one key answered are one moment, as is a single one; two classes at once are two."""
    day(store, 0)
    start = DAY * 101
    new = block(store, "good", start, times=range(10), one_key=True)
    alone = block(store, "bad", start + 1000, times=(0,))
    data = data_of(store)
    found = moments(data, None, {*new, *alone}, nothing)
    assert sorted((one.truth, one.images) for one in found) == [("bad", 1), ("good", 10)]
    assert len({one.session for one in found}) == 1


def test_a_promise_counts_moments_and_not_frames(store: Store) -> None:
    """One wrong moment of twelve frames beside three right ones of a single frame: three quarters, not a fifth."""
    day(store, 0)
    ids = block(store, "good", DAY * 101, times=range(12), one_key=True) + block(store, "bad", DAY * 101 + 1000)
    data = data_of(store)
    images = [image for image in data.training.images if image.frame_id in ids]
    all_bad = np.tile(np.array([0.0, 4.0], np.float32), (len(images), 1))
    promise = LeftOut(OutOfFold(images, all_bad, ["good", "bad"]), 2).new_day(data, 1.0)
    assert (len(images), promise.images) == (15, 15)
    assert promise.top1 == pytest.approx(3 / 4)
    assert promise.sure_and_wrong == pytest.approx(1 / 4)


def test_of_a_base_there_is_nothing_to_compare_with(store: Store) -> None:
    """It has no classes, so the moments have nothing of it."""
    day(store, 0)
    day(store, 1, rule=HOLD_OUT)
    found = moments(data_of(store), None, set(), nothing)
    assert len(found) == 12
    assert {(one.incumbent_right, one.incumbent_chance) for one in found} == {(None, None)}


def test_evidence_is_the_holdout_and_what_is_new(store: Store) -> None:
    """Training images that the incumbent has learned say nothing; new ones are asked of fits without their moment."""
    day(store, 0)
    day(store, 1, rule=HOLD_OUT)
    new = [*block(store, "good", DAY * 102), *block(store, "bad", DAY * 102 + 1000)]
    data = data_of(store)
    found = moments(data, colour_candidate("good", "bad"), set(new), nothing)
    assert len(found) == len(data.holdout.images) + len(new)
    assert {one.session for one in found} == set(data.sessions_of([*data.holdout.images, *data.training.images[-1:]]))
    assert [(one.right, one.incumbent_right) for one in found] == [(1.0, 1.0)] * len(found)


def test_a_class_that_the_incumbent_lacks_is_missed_by_it(store: Store) -> None:
    """With a chance of zero; what the challenger says of it without its moment counts for the challenger."""
    day(store, 0)
    new = [*block(store, "away", DAY * 101), *block(store, "away", DAY * 101 + 1000)]
    found = moments(data_of(store), colour_candidate("good", "bad"), set(new), nothing)
    assert {(one.truth, one.right, one.incumbent_right, one.incumbent_chance) for one in found} == {
        ("away", 1.0, 0.0, 0.0)
    }


def test_without_new_labels_and_holdout_there_is_no_evidence(store: Store) -> None:
    """Nothing that both could be asked about."""
    day(store, 0)
    assert moments(data_of(store), colour_candidate("good", "bad"), set(), nothing) == ()


def test_who_is_too_sure_is_compared_by_what_it_tells_apart(store: Store) -> None:
    """Each speaks at the temperature that fits these answers: how high the scores of an incumbent are does not matter."""
    day(store, 0)
    day(store, 1, rule=HOLD_OUT)
    data = data_of(store)
    unsure, sure = (
        [one.incumbent_chance for one in moments(data, colour_candidate("good", "bad", sureness=by), set(), nothing)]
        for by in (0.02, 0.4)
    )
    assert sure == pytest.approx(unsure, abs=1e-4)
    assert 0.9 < min(sure) < max(sure) < 1.0


def test_imported_pictures_of_one_second_are_one_moment(store: Store) -> None:
    """Two half a second apart count once, and two that are five seconds apart count twice."""
    day(store, 0)
    times = [DAY * 101 + second for second in (0.1, 0.6, 5.1)]
    frames = [
        new_frame(encode_jpeg(picture("good", seed), 640, 90), at, source="import:folder")
        for seed, at in enumerate(times)
    ]
    store.imports.add_block([(frame, "good") for frame in frames], Split.HOLDOUT, times[-1], HOLDOUT_EVERY)
    assert [one.images for one in moments(data_of(store), None, set(), nothing)] == [2, 1]


def test_a_new_label_is_asked_without_its_own_key_and_not_without_its_block(store: Store) -> None:
    """What the owner answered a minute before or after has been learned: in this light nothing else tells what is bad."""
    day(store, 0)
    light = (0, 60, -160)
    new = [*block(store, "good", DAY * 101, light), *block(store, "bad", DAY * 101 + 1000, light)]
    data = data_of(store)
    assert share_right(out_of_fold(data, only=new)) == 0.5, "those that are bad are missed without their block"
    found = moments(data, None, set(new), nothing)
    assert [one.right for one in found] == [1.0] * len(new)


@pytest.mark.parametrize(("sessions", "factor"), [(1, 2.0), (2, 1.5), (10, 1.1)])
def test_few_sessions_raise_the_temperature(sessions: int, factor: float) -> None:
    """By 1 + 1/n, as little is known of how much days differ; with none at all it counts as one."""
    assert for_a_new_day(3.0, sessions) == pytest.approx(3.0 * factor)
    assert for_a_new_day(0.5, sessions) == pytest.approx(shrunk(0.5, sessions) * factor)
    assert for_a_new_day(3.0, 0) == for_a_new_day(3.0, 1)


def test_to_look_surer_must_be_earned() -> None:
    """A temperature below 1 is drawn to 1, half of it after a few sessions; one above is believed at once."""
    assert [shrunk(0.25, n) for n in (0, PRIOR_SESSIONS)] == pytest.approx([1.0, 0.5])
    assert shrunk(0.25, 1000) == pytest.approx(0.25, abs=0.01)
    assert [shrunk(2.0, n) for n in (0, 1, 100)] == [2.0] * 3


def test_the_temperature_is_that_of_left_out_answers(store: Store) -> None:
    """As it is for a new day; where nothing could be asked, that of the holdout, as ever."""
    for number in range(2):
        day(store, number, rule=HOLD_OUT if number else TEACH)
    data = data_of(store)
    found = left_out(data, nothing)
    candidate = colour_candidate("good", "bad")
    fitted = fit_to(found.asked.logits, [image.class_name for image in found.asked.images], found.asked.names)
    assert found.temperature() == pytest.approx(for_a_new_day(fitted, 2))
    assert evidence.with_temperature_of(candidate, found, data.holdout).temperature == found.temperature()
    nobody = LeftOut(OutOfFold([], np.empty((0, 2), np.float32), ["good", "bad"]), 2)
    by_holdout = evidence.with_temperature_of(candidate, nobody, data.holdout)
    assert by_holdout.temperature == candidate.calibrated(data.holdout).temperature
    assert nobody.new_day(data, 1.0) is None
