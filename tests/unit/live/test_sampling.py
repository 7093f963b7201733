"""The router: which frames are kept, why, how many, and never two alike."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from posture_daemon.domain import Prediction, Reason
from posture_daemon.live.sampling import STRANGE_FRAMES, FrameContext, FrameSampler, Kept
from posture_daemon.settings import QueueSettings
from posture_daemon.vision import novelty as nearness
from tests.builders import prediction

SURE, UNSURE = {"good": 0.9, "bad": 0.1}, {"good": 0.55, "bad": 0.45}


def router(seed: int = 0, **changed: object) -> FrameSampler:
    """No audit and a generous rate, except for what is changed."""
    rates = dict.fromkeys(("uncertain", "disagreement", "novel", "transition", "audit"), 3600.0)
    settings = {f"max_{name}_per_hour": rate for name, rate in rates.items()}
    settings |= {"unsure_below": 0.8, "audit_share": 0.0, "max_per_minute": 1000.0, **changed}
    return FrameSampler(QueueSettings(**settings), Random(seed))


def offer(one: FrameSampler, frame: Prediction, at: float) -> Kept | None:
    """Route a frame and, if it is to be kept, store it."""
    kept = one.route(frame, at)
    if kept is not None:
        one.stored(frame)
    return kept


def direction(degrees: float) -> tuple[float, float, float]:
    """Features in this direction: the cosine of two is the cosine of the angle between them."""
    return (float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees))), 0.0)


@pytest.mark.parametrize(("confidence", "kept"), [(0.79, True), (0.81, False)])
def test_a_frame_is_kept_below_the_threshold_only(confidence: float, kept: bool) -> None:
    """Unsure frames teach; sure ones are left alone and counted."""
    one = router()
    result = offer(one, prediction({"good": confidence, "bad": 1 - confidence}), 0.0)
    assert (result is not None) is kept
    assert one.counts == {"kept" if kept else "sure": 1}


def test_the_reason_is_told_in_words() -> None:
    """The owner reads what the model thought, and the threshold that it missed."""
    assert offer(router(), prediction(UNSURE), 0.0) == Kept(
        Reason.UNCERTAIN, "the model says good at 55%, below your threshold of 80%", pytest.approx(0.9)
    )


def test_a_base_keeps_every_distinct_frame() -> None:
    """A model without classes is sure of nothing: its frames are the first to be labelled."""
    one = router()
    assert offer(one, prediction({}), 0.0).reason is Reason.NO_CLASSES
    assert offer(one, prediction({}), 1.0) is None
    assert one.counts["near-duplicate"] == 1


def test_a_sure_frame_is_audited_by_the_dice_that_were_passed_in() -> None:
    """About one in four at a share of 0.25; the same seed picks the same frames."""

    def picked(seed: int) -> list[int]:
        one = router(seed, audit_share=0.25, duplicate_cosine=1.0, max_little_known_per_hour=0)
        frames = [prediction(SURE, direction(angle)) for angle in np.linspace(0, 90, 200)]
        routed = [offer(one, frame, at) for at, frame in enumerate(frames)]
        assert {kept.reason for kept in routed if kept} == {Reason.AUDIT}
        return [at for at, kept in enumerate(routed) if kept]

    assert picked(1) == picked(1) != picked(2)
    assert 25 < len(picked(1)) < 75


@pytest.mark.parametrize(("degrees", "kept"), [(0.0, False), (9.0, False), (11.0, True)])
def test_a_frame_like_one_that_was_kept_is_refused(degrees: float, kept: bool) -> None:
    """The threshold of 0.985 lies at 9.94 degrees between the features; their length does not matter."""
    one = router(duplicate_cosine=0.985)
    offer(one, prediction(UNSURE, direction(0)), 0.0)
    longer = tuple(7 * x for x in direction(degrees))
    assert (offer(one, prediction(UNSURE, longer), 1.0) is not None) is kept


def test_a_refused_frame_does_not_count_as_kept() -> None:
    """Only kept frames are compared with: a slow turn is sampled again once it is far enough from the last kept one."""
    one = router(duplicate_cosine=0.985)
    kept = [offer(one, prediction(UNSURE, direction(angle)), angle) is not None for angle in (0, 6, 12, 18, 24)]
    assert kept == [True, False, True, False, True]


def test_frames_from_before_a_restart_are_remembered() -> None:
    """`remember` replaces what new frames are compared with, whatever was kept before it."""
    one = router()
    offer(one, prediction(UNSURE, direction(0)), 0.0)
    one.remember([np.array(direction(90), np.float16)])
    assert offer(one, prediction(UNSURE, direction(90)), 1.0) is None
    assert offer(one, prediction(UNSURE, direction(0)), 2.0) is not None


def test_black_features_are_no_division_by_zero() -> None:
    """A map of zeros has no direction: it is like nothing, and nothing is like it."""
    one = router()
    for at in range(2):
        assert offer(one, prediction(UNSURE, (0.0, 0.0, 0.0)), at) is not None


def test_no_more_than_so_many_frames_in_any_minute() -> None:
    """The third within 60 s is refused, however different; a full minute after the first there is room for one again."""
    one = router(max_per_minute=2)
    times = [0.0, 30.0, 59.9, 60.0, 89.9, 90.0]
    kept = [offer(one, prediction(UNSURE, direction(15 * n)), at) is not None for n, at in enumerate(times)]
    assert kept == [True, True, False, True, False, True]
    assert one.counts["over the rate"] == 2


def test_a_clock_that_is_set_back_does_not_stop_the_queue() -> None:
    """Frames kept in what is now the future do not count against the minute."""
    one = router(max_per_minute=1)
    assert offer(one, prediction(UNSURE, direction(0)), 10_000.0) is not None
    assert offer(one, prediction(UNSURE, direction(30)), 100.0) is not None
    assert offer(one, prediction(UNSURE, direction(60)), 101.0) is None


def test_a_frame_that_was_not_stored_may_come_again() -> None:
    """After a full disk the same view is no near-duplicate of anything; the attempt counts against the rate, though."""
    one = router(max_per_minute=2)
    assert one.route(prediction(UNSURE), 0.0) is not None
    assert offer(one, prediction(UNSURE), 1.0) is not None
    assert offer(one, prediction(UNSURE, direction(90)), 2.0) is None
    assert one.counts == {"kept": 1, "over the rate": 1}


def labelled(*degrees: float, copies: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Labelled features in these directions, `copies` of each, in ten blocks that all have all of them."""
    rows = np.array([direction(d) for d in degrees for _ in range(copies)], np.float32)
    return rows, np.tile(np.arange(copies), len(degrees))


def test_models_that_disagree_are_the_first_reason() -> None:
    """Even when the champion is sure; the line names both, and the frame is useful. Where they agree there is no reason."""
    assert router().route(prediction(SURE), 0.0, FrameContext(other=("bad", 0.7))) == Kept(
        Reason.DISAGREEMENT, "the model says good at 90%, the one before it bad at 70%", pytest.approx(0.6)
    )
    assert router().route(prediction(SURE), 0.0, FrameContext(other=("good", 0.51))) is None


def test_a_change_of_posture_is_a_reason() -> None:
    """The line says from what to what."""
    kept = router().route(prediction(SURE), 0.0, FrameContext(changed=("bad", "good")))
    assert kept.reason is Reason.TRANSITION
    assert kept.explanation == "the posture shown has just changed from bad to good"


def test_a_frame_unlike_everything_labelled_is_a_reason() -> None:
    """Labels lie at 0 and 8 degrees, each with its like in other blocks; a sure frame at 60 degrees is new, at 5 it is not."""
    one = router(novel_share=0.05, duplicate_cosine=1.0)
    pooled, blocks = labelled(0, 8)
    one.learn(pooled + np.linspace(0, 0.05, len(pooled), dtype=np.float32)[:, None] * np.float32([0, 0, 1]), blocks)
    assert offer(one, prediction(SURE, direction(0)), 0.0) is None
    kept = offer(one, prediction(SURE, direction(60)), 1.0)
    assert kept.reason is Reason.NOVEL
    assert "unlike every frame you have labelled" in kept.explanation


def test_with_few_labels_nothing_is_called_new() -> None:
    """One block, or a handful of frames, do not tell what is usual."""
    one = router()
    one.learn(labelled(0, copies=30)[0], np.zeros(30, np.intp))
    assert offer(one, prediction(SURE, direction(80)), 0.0) is None
    one.learn(*labelled(0, copies=5))
    assert offer(one, prediction(SURE, direction(80)), 1.0) is None


def test_a_frame_like_a_labelled_one_is_refused() -> None:
    """Of any session, also after `remember` was told of others."""
    one = router()
    one.learn(*labelled(0, copies=3))
    one.remember([])
    assert offer(one, prediction(UNSURE, direction(1)), 0.0) is None
    assert one.counts["near-duplicate"] == 1
    assert offer(one, prediction(UNSURE, direction(20)), 1.0) is not None


def test_each_reason_has_a_rate_of_its_own() -> None:
    """When one is used up, a frame may still be kept for another; an hour later there is room again."""
    one = router(max_disagreement_per_hour=1, max_uncertain_per_hour=1)
    context = FrameContext(other=("bad", 0.7))
    reasons = []
    for number, at in enumerate((0.0, 1.0, 2.0, 3601.0)):
        frame = prediction(UNSURE, direction(20 * number))
        kept = one.route(frame, at, context)
        reasons.append(None if kept is None else kept.reason)
        if kept is not None:
            one.stored(frame)
    assert reasons == [Reason.DISAGREEMENT, Reason.UNCERTAIN, None, Reason.DISAGREEMENT]
    assert one.counts["over the rate"] == 1


def test_what_the_owner_calls_wrong_is_always_kept() -> None:
    """It is most useful, and the line says what was shown; a base shows nothing."""
    kept = router(max_per_minute=0).wrong(prediction(SURE))
    assert kept == Kept(Reason.WRONG, "you said that this was wrong: good at 90%", 1.0)
    assert router().wrong(prediction({})).explanation == "you said that this was wrong: no class"


def test_more_frames_than_can_be_remembered_forget_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory is a ring."""
    monkeypatch.setattr(nearness, "MAX_REMEMBERED", 2)
    near = nearness.NoveltyIndex()
    near.replace([np.array(direction(d), np.float16) for d in (0, 40, 80)])
    assert near.nearest(np.array(direction(80), np.float32)) == pytest.approx(1, abs=1e-3)
    assert near.nearest(np.array(direction(0), np.float32)) < 0.8
    near.add(np.ones(5, np.float32))
    assert near.nearest(np.array(direction(80), np.float32)) == -1.0, "another width is another backbone"


def familiar_room(**changed: object) -> FrameSampler:
    """One that knows labels from 0 to 19 degrees, one of two blocks at each."""
    one = router(novel_share=0.05, duplicate_cosine=1.0, max_little_known_per_hour=0, **changed)
    one.learn(np.array([direction(degrees) for degrees in range(20)], np.float32), np.arange(20) % 2)
    return one


STRANGE, USUAL = prediction(SURE, direction(60)), prediction(SURE, direction(0.5))


def test_a_strange_session_is_recognised_and_asked_about() -> None:
    """From the fifth frame unlike anything labelled; then even a frame that looks as usual, and sure, is asked about."""
    one = familiar_room(max_novel_per_hour=3600)
    assert [one.recognise(STRANGE).familiar for _ in range(6)] == [True] * 4 + [False] * 2
    found = one.recognise(USUAL)
    assert not found.familiar
    kept = one.route(found, 0.0)
    assert (kept.reason, kept.usefulness) == (Reason.NOVEL, 1.0)
    assert kept.explanation == "this session is unlike every one that you have labelled; the model says good at 90%"
    assert one.route(USUAL, 1.0) is None


def test_a_glance_makes_no_session_strange_and_a_return_ends_it() -> None:
    """Half of the last frames must be strange: four among many are not, and after as many usual ones it is over."""
    one = familiar_room()
    assert all(one.recognise(frame).familiar for frame in [USUAL] * 5 + [STRANGE] * 4)
    for _ in range(STRANGE_FRAMES):
        one.recognise(STRANGE)
    found = [one.recognise(USUAL).familiar for _ in range(STRANGE_FRAMES)]
    assert found.index(True) == STRANGE_FRAMES // 2
    assert all(found[STRANGE_FRAMES // 2 :])


def test_answers_of_today_make_a_strange_session_familiar() -> None:
    """What was answered today is known, whatever it looks like; and so is all while too little is labelled to tell."""
    one = familiar_room()
    for _ in range(10):
        one.recognise(STRANGE)
    assert not one.recognise(STRANGE).familiar
    assert one.recognise(replace(STRANGE, answers=1)).familiar
    fresh = router()
    assert all(fresh.recognise(STRANGE).familiar for _ in range(10))


def test_what_the_model_knows_least_is_asked_at_a_rate_of_its_own() -> None:
    """A sure frame that is worth more than most of the last minute, three an hour; each tells why it was picked."""
    one = router(duplicate_cosine=1.0, max_little_known_per_hour=3)
    one.learn(*labelled(0, copies=3))
    for second in range(30):
        assert offer(one, prediction(SURE, direction(1 + second / 100)), float(second)) is None or second >= 10
    before = one.counts["kept"]
    kept = [offer(one, prediction(SURE, direction(20 + 10 * number)), 100.0 + number) for number in range(6)]
    found = [one_kept for one_kept in kept if one_kept is not None]
    assert {one_kept.reason for one_kept in found} == {Reason.LITTLE_KNOWN}
    assert found[0].explanation == "of the last minutes what the model knows least; it says good at 90%"
    assert before + len(found) == 3
    assert offer(one, prediction(SURE, direction(89)), 3800.0) is not None


def test_a_day_has_a_limit_of_its_own() -> None:
    """Three frames within 24 hours, for any reason but the owner's word; a day after the first there is room again."""
    one = router(max_per_day=3)
    times = [0.0, 3600.0, 7200.0, 10_800.0, 86_399.0, 86_400.0]
    kept = [offer(one, prediction(UNSURE, direction(15 * n)), at) is not None for n, at in enumerate(times)]
    assert kept == [True, True, True, False, False, True]
    assert one.counts["over the rate"] == 2
    assert one.wrong(prediction(SURE)).reason is Reason.WRONG


def test_mistakes_among_sure_frames_make_surer_ones_be_asked_about() -> None:
    """At 90 % a frame is sure, until checks of such frames have found three mistakes; the line tells the limit."""
    one = router(duplicate_cosine=1.0)
    assert offer(one, prediction(SURE), 0.0) is None
    one.threshold.learn([False] * 3)
    kept = offer(one, prediction(SURE), 1.0)
    assert kept.explanation == f"the model says good at 90%, below your threshold of {one.threshold.limit:.0%}"


def test_a_frame_is_compared_once_however_much_is_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times a second, against thousands of frames: once with the kept ones, once with the labelled ones."""
    looks: list[int] = []
    nearest = nearness.NoveltyIndex.nearest
    monkeypatch.setattr(
        nearness.NoveltyIndex, "nearest", lambda index, pooled: (looks.append(1), nearest(index, pooled))[1]
    )
    one = router()
    one.learn(np.array([direction(angle) for angle in range(24)], np.float32), np.arange(24) % 4)
    frame = one.recognise(prediction(UNSURE, direction(60)))
    assert one.route(frame, 0.0) is not None
    assert len(looks) == 2
    one.stored(frame)
    assert one.route(prediction(UNSURE, direction(60)), 1.0) is None, "what was just stored is known"
