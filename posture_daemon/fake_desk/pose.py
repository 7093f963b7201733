"""What a body can do at a desk: one `Pose` is every angle and place of body, hands and chair in one moment.

Metres and radians. x to the right of the picture, y up from the floor, z away from the camera. "Left" and "right" are
the sides of the picture. Body and hands are relative to the seat, so that one pose fits every room and person.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from posture_daemon.fake_desk import chance

GOOD = "good_posture"
BAD = "bad_posture"
AWAY = "na"
STANDING = "standing"
CLASSES = (GOOD, BAD, AWAY, STANDING)

OUT_OF_SIGHT_M = 2.1
"""A body this far to the side of the seat is outside every camera's view."""


@dataclass(frozen=True)
class Pose:
    """One moment of body and chair; the defaults sit upright and type."""

    x: float = 0.0
    z: float = 0.0
    rise: float = 0.0  # 0 seated … 1 standing
    lower: float = -0.02  # forward tilt of lower back, upper back and neck, each from the vertical
    upper: float = 0.06
    neck: float = 0.22
    roll: float = 0.0  # sideways tilt of the trunk
    yaw: float = 0.0
    shoulder_raise: float = 0.0
    shoulder_round: float = 0.0
    head_pitch: float = 0.08  # positive looks down
    head_yaw: float = 0.0
    head_roll: float = 0.0
    left_x: float = -0.12
    left_y: float = 0.775
    left_z: float = -0.33
    left_prop: float = 0.0  # 1: this hand holds the head, wherever the head is
    right_x: float = 0.12
    right_y: float = 0.775
    right_z: float = -0.33
    right_prop: float = 0.0
    chair_x: float = 0.0
    chair_z: float = 0.0
    chair_yaw: float = 0.0


_FIELDS = tuple(field.name for field in dataclasses.fields(Pose))
Maker = Callable[[np.random.Generator, float], Pose]


def blend(before: Pose, after: Pose, weight: float) -> Pose:
    """Go from `before` (weight 0) to `after` (weight 1)."""
    if weight <= 0.0 or weight >= 1.0:
        return after if weight >= 1.0 else before
    pairs = ((getattr(before, name), getattr(after, name)) for name in _FIELDS)
    return Pose(*(a + (b - a) * weight for a, b in pairs))


def pose_for(posture: str, variation: int, depth: float = 0.7) -> Pose:
    """Draw one way of holding `posture`. `depth` 0…1 says how far gone a bad posture is; others ignore it."""
    rng = chance.generator(variation)
    return _MAKERS[posture](rng, depth)


def _hands(pose: Pose, rng: np.random.Generator) -> Pose:
    """Put the hands to work: typing, one on the mouse, folded on the desk, or one in the lap."""
    work = rng.choice(4, p=(0.45, 0.3, 0.15, 0.1))
    jitter = rng.normal(0.0, 0.012, 4)
    pose = replace(
        pose, left_x=-0.12 + jitter[0], right_x=0.12 + jitter[1], left_z=-0.33 + jitter[2], right_z=-0.33 + jitter[3]
    )
    if work == 1:
        return replace(pose, right_x=0.29 + jitter[0], right_z=-0.31)
    if work == 2:
        return replace(pose, left_x=0.03, right_x=-0.02, left_z=-0.28, right_z=-0.31)
    if work == 3:
        return replace(pose, left_x=-0.1, left_y=0.62, left_z=-0.12)
    return pose


def _upright(rng: np.random.Generator, _depth: float) -> Pose:
    """Sit tall: head over the shoulders, shoulders low and wide."""
    n = rng.normal
    pose = Pose(
        x=n(0, 0.015),
        z=n(0, 0.02),
        lower=n(-0.03, 0.02),
        upper=n(0.04, 0.02),
        neck=n(0.2, 0.03),
        roll=n(0, 0.012),
        yaw=n(0, 0.05),
        head_pitch=n(0.06, 0.04),
        head_yaw=n(0, 0.14),
        head_roll=n(0, 0.025),
        chair_x=n(0, 0.015),
        chair_yaw=n(0, 0.05),
    )
    return _hands(pose, rng)


def _slump(rng: np.random.Generator, depth: float) -> Pose:
    """Hang forward: a round back, a low head that comes nearer, shoulders up at the ears."""
    n = rng.normal
    pose = replace(
        _upright(rng, depth),
        lower=0.12 + 0.16 * depth + n(0, 0.03),
        upper=0.32 + 0.3 * depth + n(0, 0.04),
        neck=0.7 + 0.3 * depth + n(0, 0.06),
        roll=n(0, 0.05),
        z=0.05,
        shoulder_raise=0.02 + 0.03 * depth,
        shoulder_round=0.03 + 0.04 * depth,
        head_pitch=0.1 + 0.16 * rng.random(),
        head_roll=n(0, 0.06),
    )
    return replace(pose, left_x=pose.left_x - 0.05, right_x=pose.right_x + 0.05)


def _lean(rng: np.random.Generator, depth: float) -> Pose:
    """Tip to one side over an elbow, with the head following."""
    side = 1.0 if rng.random() < 0.5 else -1.0
    pose = replace(
        _upright(rng, depth),
        x=-0.03 * side,
        roll=side * (0.27 + 0.16 * depth + 0.05 * rng.random()),
        lower=0.06,
        upper=0.2 + 0.1 * depth,
        neck=0.45,
        shoulder_raise=0.02,
        head_roll=-side * rng.uniform(-0.12, 0.1),
    )
    return replace(pose, left_x=pose.left_x + 0.1 * side, right_x=pose.right_x + 0.1 * side)


def _prop(rng: np.random.Generator, depth: float) -> Pose:
    side = 1.0 if rng.random() < 0.5 else -1.0
    pose = replace(
        _upright(rng, depth),
        roll=side * (0.13 + 0.1 * depth),
        lower=0.12 + 0.06 * depth,
        upper=0.28 + 0.12 * depth,
        neck=0.55 + 0.1 * depth,
        shoulder_raise=0.03,
        shoulder_round=0.04,
        head_roll=side * rng.uniform(0.08, 0.2),
        head_yaw=-side * rng.uniform(0.0, 0.25),
    )
    return replace(pose, right_prop=1.0) if side > 0 else replace(pose, left_prop=1.0)


def bad_kind(variation: int) -> str:
    """Tell which kind of bad posture a variation is: `slumped` (half of them), `leaning` or `head on hand`."""
    return _BAD_KINDS[int(chance.generator(variation).integers(len(_BAD_KINDS)))]


def _bad(rng: np.random.Generator, depth: float) -> Pose:
    """Sit in one of the bad ways; the first number drawn decides which, as `bad_kind` promises."""
    return _BAD_MAKERS[_BAD_KINDS[int(rng.integers(len(_BAD_KINDS)))]](rng, depth)


_BAD_KINDS = ("slumped", "slumped", "leaning", "head on hand")
_BAD_MAKERS: dict[str, Maker] = {"slumped": _slump, "leaning": _lean, "head on hand": _prop}


def _away(rng: np.random.Generator, _depth: float) -> Pose:
    """Out of the picture; the chair stays as it was pushed."""
    side = 1.0 if rng.random() < 0.5 else -1.0
    return replace(
        _stand(rng, 0.0),
        x=OUT_OF_SIGHT_M * side,
        z=0.25,
        chair_x=rng.normal(0, 0.1),
        chair_z=rng.uniform(-0.02, 0.3),
        chair_yaw=rng.normal(0, 0.45),
    )


def _stand(rng: np.random.Generator, _depth: float) -> Pose:
    """Stand behind the desk: hands hanging, on the hips, on the desk or folded; the chair pushed back."""
    n = rng.normal
    pose = Pose(
        x=n(0, 0.07),
        z=rng.uniform(0.1, 0.55),
        rise=1.0,
        lower=n(0.0, 0.02),
        upper=n(0.03, 0.03),
        neck=0.2,
        roll=n(0, 0.025),
        yaw=n(0, 0.12),
        head_pitch=n(0.15, 0.1),
        head_yaw=n(0, 0.2),
        chair_x=n(0, 0.25),
        chair_z=rng.uniform(0.55, 0.8),
        chair_yaw=n(0, 0.4),
    )
    return _standing_hands(pose, rng)


_HANGING = ((-0.27, 0.80, 0.0), (0.27, 0.80, 0.0))
_ON_HIPS = ((-0.21, 1.0, -0.06), (0.21, 1.0, -0.06))
_FOLDED = ((0.04, 1.12, -0.15), (-0.03, 1.15, -0.2))
_BEFORE_THE_CHEST = (0.1, 1.12, -0.2)


def _standing_hands(pose: Pose, rng: np.random.Generator) -> Pose:
    """Let the hands hang, rest on the hips or fold; now and then one is busy with a telephone."""
    left, right = (_HANGING, _ON_HIPS, _FOLDED)[int(rng.choice(3, p=(0.55, 0.25, 0.2)))]
    if rng.random() < 0.25:
        right = _BEFORE_THE_CHEST
    pose = replace(pose, left_x=left[0], left_y=left[1], left_z=left[2] + pose.z)
    return replace(pose, right_x=right[0], right_y=right[1], right_z=right[2] + pose.z)


_MAKERS: dict[str, Maker] = {GOOD: _upright, BAD: _bad, AWAY: _away, STANDING: _stand}


def alive(pose: Pose, t: float, seed: int) -> Pose:
    """Let a held pose breathe, sway, type and glance about at desk time `t` (s); never enough to change its class."""
    tap = 0.007 * chance.ease(0.5 + 2.0 * chance.drift(chance.key(seed, 1), t / 11.0))
    attention = chance.drift(chance.key(seed, 2), t / 3.0)
    glance = 0.6 * (max(0.0, attention - 0.45) - max(0.0, -0.45 - attention))

    def sway(channel: int, period_s: float, size: float) -> float:
        return size * chance.drift(chance.key(seed, 10 + channel), t / period_s)

    breath = float(np.sin(2 * np.pi * (t / 4.1 + chance.unit(seed, 4))))
    return replace(
        pose,
        x=pose.x + sway(0, 5.0, 0.008),
        upper=pose.upper + sway(1, 6.0, 0.015) - 0.004 * breath,
        neck=pose.neck + sway(2, 4.0, 0.02),
        roll=pose.roll + sway(3, 7.0, 0.012),
        shoulder_raise=pose.shoulder_raise + 0.003 * breath,
        head_yaw=pose.head_yaw + sway(4, 3.0, 0.06) + glance,
        head_pitch=pose.head_pitch + sway(5, 3.5, 0.04),
        head_roll=pose.head_roll + sway(6, 4.0, 0.02),
        left_x=pose.left_x + sway(7, 0.7, tap),
        left_y=pose.left_y + sway(8, 0.25, tap),
        right_x=pose.right_x + sway(9, 0.8, 1.5 * tap),
        right_y=pose.right_y + sway(10, 0.27, tap),
    )
