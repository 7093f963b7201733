"""Poses that look alike to the camera, and poses that show an empty chair, told from features alone."""

import numpy as np
import pytest

from posture_daemon.domain import Floats, PostureClass, Role
from posture_daemon.labelling.pose_likeness import accuracy_across_rounds, looks_like, pose_doubts
from posture_daemon.vision.novelty import unit

GOOD, BAD = PostureClass("good", Role.GOOD), PostureClass("bad", Role.BAD)
AWAY, YOGA = PostureClass("away", Role.AWAY), PostureClass("yoga", Role.NEUTRAL)
WIDTH = 64


def frames(where: int, count: int = 10, drift: float = 0.0, noise: float = 0.05) -> Floats:
    """Frames of one pose in direction `where`; a `drift` moves the whole round, as clothes and light do."""
    random = np.random.default_rng(abs(hash((where, count, drift))) % 2**32)
    middle = np.zeros(WIDTH) + 1
    middle[where] += 4
    middle[WIDTH - 1] += drift
    return unit(middle + random.normal(0, noise, (count, WIDTH)))


def test_poses_that_differ_raise_no_doubt() -> None:
    """Whatever else differs between two rounds."""
    shown = {one: [frames(n), frames(n, drift=2.0)] for n, one in enumerate((GOOD, BAD, AWAY, YOGA))}
    assert pose_doubts(shown) == ()
    assert accuracy_across_rounds(shown[GOOD], shown[BAD]) == 1.0


def test_two_poses_that_look_alike_are_named() -> None:
    """A pair that a fit to one round cannot tell apart in the other."""
    shown = {
        GOOD: [frames(0), frames(0, count=11)],
        BAD: [frames(0, count=12), frames(0, count=13)],
        AWAY: [frames(2), frames(2, count=11)],
    }
    (doubt,) = pose_doubts(shown)
    assert doubt.sentence == "'good' and 'bad' look the same to the camera here."
    assert doubt.classes == ("good", "bad")


@pytest.mark.parametrize(("rounds", "when"), [((2, 2), ""), ((1, 2), " in round 2"), ((2, 1), " in round 1")])
def test_a_pose_that_shows_the_empty_chair_is_named(rounds: tuple[int, int], when: str) -> None:
    """With the round in which nobody was there."""
    slump = [frames(where, count=12 + number) for number, where in enumerate(rounds)]
    shown = {GOOD: [frames(0), frames(0, count=11)], BAD: slump, AWAY: [frames(2), frames(2, count=11)]}
    doubts = [doubt for doubt in pose_doubts(shown) if doubt.classes == ("bad",)]
    assert [doubt.sentence for doubt in doubts] == [
        f"The pictures of 'bad'{when} look like those of the empty chair: were you there only in one of them?"
    ]


def test_who_did_not_leave_is_told_so_once() -> None:
    """Where several poses look like the empty chair, it was not empty."""
    shown = {one: [frames(0, count=10 + 2 * n), frames(0, count=11 + 2 * n)] for n, one in enumerate((GOOD, BAD, AWAY))}
    first, *others = pose_doubts(shown)
    assert first.sentence.startswith("The pictures of the empty chair ('away') look like those of 'good', 'bad'")
    assert first.classes == ("away",)
    assert [doubt.classes for doubt in others] == [("good", "bad")]


def test_of_hardly_a_frame_nothing_is_said() -> None:
    """Nor of a class that was shown once: there is no other round to ask."""
    assert pose_doubts({GOOD: [frames(0, count=2)], BAD: [frames(0, count=3)], AWAY: [frames(0, count=1)]}) == ()
    assert pose_doubts({GOOD: [frames(0)], BAD: [frames(0, count=11)]}) == ()


def test_the_same_pictures_look_like_themselves() -> None:
    """And others do not."""
    chair = frames(2)
    assert looks_like(chair, frames(2, count=12)) > 0.5
    assert looks_like(frames(0), chair) == 0.0


def partly_mixed(where: int, other: int, mixed: int) -> Floats:
    """Ten frames of one pose, of which so many show another."""
    found = np.zeros((10, WIDTH), np.float32)
    found[: 10 - mixed, where] = found[10 - mixed :, other] = 1
    return found


@pytest.mark.parametrize(("mixed", "accuracy", "doubts"), [(4, 0.6, 1), (3, 0.7, 0), (2, 0.8, 0)])
def test_poses_that_are_told_apart_more_often_than_not_are_not_called_the_same(
    mixed: int, accuracy: float, doubts: int
) -> None:
    """Seven of ten is hard, and a training may still learn it; six of ten is hardly better than a guess."""
    shown = {one: [partly_mixed(where, 1 - where, mixed)] * 2 for one, where in ((GOOD, 0), (BAD, 1))}
    assert accuracy_across_rounds(shown[GOOD], shown[BAD]) == pytest.approx(accuracy)
    assert len(pose_doubts(shown)) == doubts


def test_a_few_pictures_of_who_leaves_do_not_make_the_chair_look_like_everything() -> None:
    """Two of ten pictures of the empty chair still show somebody at the door: it looks no more like a pose than without."""
    leaving = np.eye(WIDTH, dtype=np.float32)[[5, 9]]
    chair = np.concatenate([frames(2, count=8), leaving])
    assert looks_like(frames(0), chair) == 0.0
    assert looks_like(frames(2, count=12), chair) > 0.5
