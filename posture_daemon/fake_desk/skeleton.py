"""From a pose to the joints of one person in the room: `(3,)` arrays, metres (right, up, away from the camera)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posture_daemon.fake_desk.people import Person
from posture_daemon.fake_desk.pose import Pose

Vec = NDArray[np.float64]

SEATED_HIP_M = 0.54
STANDING_HIP_M = 0.93
SPINE_M = 0.265  # each of lower and upper back
NECK_M = 0.105
UPPER_ARM_M = 0.285
FOREARM_M = 0.25
SHOULDER_M = 0.165  # from the spine to the joint


def vec(x: float, y: float, z: float) -> Vec:
    """Return `(3,)`."""
    return np.array([x, y, z])


@dataclass(frozen=True, eq=False)
class Arm:
    """One arm; `rests` when the hand is on the desk, `props` when it holds the head."""

    shoulder: Vec
    elbow: Vec
    wrist: Vec
    rests: bool
    props: bool


@dataclass(frozen=True, eq=False)
class Skeleton:
    """The joints that the drawing needs. `across` points to the picture's right along the shoulders."""

    hip: Vec
    waist: Vec
    chest: Vec  # where neck and back meet
    throat: Vec
    head: Vec
    turn: NDArray[np.float64]  # (3, 3) head axes (right, up, towards the camera) to the room
    across: Vec
    arms: tuple[Arm, Arm]


def _up(pitch: float, roll: float) -> Vec:
    """Return the unit vector that is tilted forward by `pitch` and to the right by `roll`."""
    return vec(np.sin(roll), np.cos(roll) * np.cos(pitch), -np.sin(pitch) * np.cos(roll))


def _rotation(pitch: float, yaw: float, roll: float) -> NDArray[np.float64]:
    """Return `(3, 3)`: the head's axes after looking down, aside and tilting; the third axis points to the camera."""
    cp, sp, cy, sy, cr, sr = np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw), np.cos(roll), np.sin(roll)
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    shake = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    tilt = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    to_room = np.diag([1.0, 1.0, -1.0])
    result: NDArray[np.float64] = to_room @ tilt @ shake @ nod
    return result


def skeleton(pose: Pose, person: Person, seat_z: float) -> Skeleton:
    """Stand or seat `person` in `pose` on the chair at `seat_z`."""
    size = person.height
    hip = vec(pose.x, SEATED_HIP_M + (STANDING_HIP_M * size - SEATED_HIP_M) * pose.rise, seat_z + pose.z + 0.06)
    waist = hip + _up(pose.lower, pose.roll * 0.8) * SPINE_M * size
    chest = waist + _up(pose.upper, pose.roll) * SPINE_M * size
    throat = chest + _up(pose.neck, pose.roll * 0.6 + pose.head_roll * 0.3) * NECK_M * size
    turn = _rotation(pose.head_pitch, pose.head_yaw, pose.head_roll + pose.roll * 0.5)
    head = throat + turn @ vec(0.0, 0.075, 0.025) * size
    tip = pose.roll * 0.8
    across = vec(np.cos(tip) * np.cos(pose.yaw), -np.sin(tip), np.sin(pose.yaw))
    arms = tuple(_arm(pose, side, (chest, across, head, turn), person, seat_z) for side in (-1, 1))
    return Skeleton(hip, waist, chest, throat, head, turn, across, (arms[0], arms[1]))


def _arm(pose: Pose, side: int, body: tuple[Vec, Vec, Vec, NDArray[np.float64]], person: Person, seat_z: float) -> Arm:
    chest, across, head, turn = body
    down = 0.045 - pose.shoulder_raise
    shoulder = chest + across * side * SHOULDER_M * person.width - vec(0, down, pose.shoulder_round)
    if side < 0:
        place, prop = vec(pose.left_x, pose.left_y, pose.left_z), pose.left_prop
    else:
        place, prop = vec(pose.right_x, pose.right_y, pose.right_z), pose.right_prop
    target = place + vec(pose.x, 0.0, seat_z)
    cheek = head + turn @ vec(side * 0.08, -0.175, 0.04)
    target = target + (cheek - target) * prop
    pole = vec(side * (0.5 - 0.2 * prop), -1.0, 0.25 - 0.9 * prop)
    elbow, wrist = _reach(shoulder, target, pole, person.height)
    rests = bool(target[2] < seat_z - 0.2 and target[1] > 0.7)
    return Arm(shoulder, elbow, wrist, rests, prop > 0.5)


def _reach(shoulder: Vec, target: Vec, pole: Vec, size: float) -> tuple[Vec, Vec]:
    """Bend an arm of two bones so that its end meets `target`, with the elbow towards `pole`."""
    upper, fore = UPPER_ARM_M * size, FOREARM_M * size
    line = target - shoulder
    distance = float(np.clip(np.linalg.norm(line), 0.12, (upper + fore) * 0.995))
    axis = line / max(1e-6, float(np.linalg.norm(line)))
    along = (upper**2 - fore**2 + distance**2) / (2 * distance)
    off = np.sqrt(max(0.0, upper**2 - along**2))
    sideways = pole - axis * float(pole @ axis)
    sideways /= max(1e-6, float(np.linalg.norm(sideways)))
    return shoulder + axis * along + sideways * off, shoulder + axis * distance
