"""Plan of a guided capture: which classes, in which words, how often and for how long. Pure, except that it creates classes.

Each class is asked for once a round. Each pose is a time block of its own. The last round is the exam, of every lesson: it asks
for a variation, is never learned from, and tells by pose how good the model is.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from posture_daemon.domain import Floats, PostureClass, Role, Split
from posture_daemon.errors import LabelError
from posture_daemon.labelling.class_names import check, find, key_of, tidy
from posture_daemon.labelling.class_roles import guess_role
from posture_daemon.labelling.classes import ClassChanges
from posture_daemon.vision.novelty import alike

DEFAULT_CLASSES = ("good_posture", "bad_posture", "na", "standing")
"""Classes to capture unless the owner has classes of other names."""

ROUNDS = 2
SECONDS = 7.0
"""How long a pose is held, seconds."""

READY_S, WALK_S = 3.0, 5.0
"""Seconds to get ready for a pose; to leave the picture or to come back into it."""

EVERY_S = 0.4
"""Shortest time between two kept frames."""

MIN_FRAMES = 6
"""Fewest frames kept of a pose, spread over its time, even if nothing moves: an empty chair is a class too."""

LIVE_S, LIVE_POSES = 20.0, 2
"""How long the new model is looked at live, seconds, and in how many poses."""

LIVE_ORDER = (Role.GOOD, Role.BAD, Role.NEUTRAL, Role.AWAY)
LIVE_SENTENCES = {Role.GOOD: "Sit well …", Role.BAD: "… and now slump."}

SENTENCES = {
    "standing": ("Now stand up.", "Stand again, a step to the side."),
    Role.GOOD: (
        "Sit well: upright, the way you want to sit.",
        "Sit well once more: turn a little, move the chair, put your hands elsewhere.",
    ),
    Role.BAD: (
        "Now slump, as you do when nobody looks.",
        "Slump in another way: lean to the screen, to a side, prop your head.",
    ),
    Role.AWAY: ("Now leave the picture.", "Leave again, and move the chair before you go."),
}
"""Sentences for the first and for later rounds, by class name, else by role."""


@dataclass(frozen=True)
class PoseRequest:
    """One pose: `ready_s` seconds to get ready, then held for `seconds`. `round` counts from 1; `split` is its use."""

    posture_class: PostureClass
    sentence: str
    round: int
    ready_s: float
    seconds: float
    split: Split = Split.TRAIN


def plan(classes: Sequence[PostureClass], seconds: float = SECONDS, rounds: int = ROUNDS) -> tuple[PoseRequest, ...]:
    """Every class once a round, in this order; leaving and re-entering the picture gets `WALK_S` to get ready."""
    asks: list[PoseRequest] = []
    for number in range(1, rounds + 1):
        split = Split.HOLDOUT if 1 < number == rounds else Split.TRAIN
        for one in classes:
            walks = Role.AWAY in (one.role, asks[-1].posture_class.role if asks else None)
            asks.append(PoseRequest(one, _sentence(one, number), number, WALK_S if walks else READY_S, seconds, split))
    return tuple(asks)


def duration_s(asks: Iterable[PoseRequest]) -> float:
    """How long these poses take, seconds: countdowns and holding."""
    return sum(ask.ready_s + ask.seconds for ask in asks)


def live_plan(taught: Sequence[PostureClass], known: Sequence[PostureClass]) -> tuple[PoseRequest, ...]:
    """Up to two poses for the live look at a model: what was taught first, then what else it knows; nobody has to leave."""
    names = {one.name for one in known}
    there = [one for one in dict.fromkeys((*taught, *known)) if one.name in names and one.role is not Role.AWAY]
    shown = sorted(there, key=lambda one: (one not in taught, LIVE_ORDER.index(one.role)))[:LIVE_POSES]
    shown = sorted(shown, key=lambda one: LIVE_ORDER.index(one.role))
    seconds = LIVE_S / max(1, len(shown))
    return tuple(PoseRequest(one, _live_sentence(one), 0, 0.0, seconds) for one in shown)


def choose(changes: ClassChanges, names: Sequence[str] | None) -> list[PostureClass]:
    """The classes of these names, created where they are new; for `None` the owner's own, else `DEFAULT_CLASSES`.

    A single class gets a second one for contrast, unless another class has training and holdout images already. Raises
    `LabelError` for an invalid name, before any class is created.
    """
    wanted = would_choose(changes, names)
    owned = [line.posture_class.name for line in changes.all()]
    return [one if one.name in owned else changes.add(one.name) for one in wanted]


def would_choose(changes: ClassChanges, names: Sequence[str] | None) -> list[PostureClass]:
    """What `choose` would return, without creating a class. Raises `LabelError` like it."""
    wanted = _wanted(changes, names)
    if len(wanted) == 1 and (contrast := _contrast(changes, wanted[0])):
        wanted = [contrast, *wanted]
    by_name = {line.posture_class.name: line.posture_class for line in changes.all()}
    return [by_name.get(name) or PostureClass(name, guess_role(name)) for name in wanted]


def _wanted(changes: ClassChanges, names: Sequence[str] | None) -> list[str]:
    """Each class once, under the name that it has; a new one as it is called. Raises `LabelError` for one that cannot be."""
    owned = [line.posture_class.name for line in changes.all()]
    if names is None:
        names = DEFAULT_CLASSES if set(owned) <= set(DEFAULT_CLASSES) else owned
    wanted: list[str] = []
    for name in filter(tidy, names):
        one = find(name, [*owned, *wanted]) or check(name)
        if one not in wanted:
            wanted.append(one)
    if not wanted:
        raise LabelError("No class is named; write them like --classes good_posture,bad_posture.")
    return wanted


def _contrast(changes: ClassChanges, name: str) -> str | None:
    """The class to capture beside a single one, since a classifier needs two; `None` if another class has images."""
    others = [line for line in changes.all() if key_of(line.posture_class.name) != key_of(name)]
    if any(line.use.images.get(Split.TRAIN) and line.use.images.get(Split.HOLDOUT) for line in others):
        return None  # there is a class to train on and to evaluate on already
    by_role = {line.posture_class.role: line.posture_class.name for line in reversed(others)}
    found = next((by_role[role] for role in (Role.GOOD, Role.NEUTRAL, Role.BAD, Role.AWAY) if role in by_role), None)
    return found or next(usual for usual in DEFAULT_CLASSES if usual != key_of(name))


def _sentence(one: PostureClass, number: int) -> str:
    said = SENTENCES.get(one.name) or SENTENCES.get(one.role)
    if said is None:
        said = (f"Now show '{one.name}'.", f"Show '{one.name}' in another way: turn a little, move the chair.")
    return said[min(number, len(said)) - 1]


def _live_sentence(one: PostureClass) -> str:
    return LIVE_SENTENCES.get(one.role) or f"… and now show '{one.name}'."


class PoseKeeper:
    """Selects the frames to keep of one pose: at most one every `EVERY_S`, no near-duplicates, but `MIN_FRAMES` in any case.

    `seen` holds the unit feature vectors of the frames kept of this class so far; who keeps one adds it there.
    """

    def __init__(self, seconds: float, seen: list[Floats], duplicate_cosine: float) -> None:
        self._slot_s, self._seen, self._cosine = seconds / MIN_FRAMES, seen, duplicate_cosine
        self._next_s = 0.0
        self._kept = 0

    def due(self, elapsed_s: float) -> bool:
        """Whether to classify a frame now, `elapsed_s` seconds into the pose."""
        return elapsed_s >= self._next_s

    def wants(self, elapsed_s: float, features: Floats) -> bool:
        """Whether to keep a frame: it is no near-duplicate, or fewer are kept than `MIN_FRAMES` requires by now."""
        behind = self._kept < math.floor(elapsed_s / self._slot_s + 0.5)
        return behind or not alike(features, self._seen, self._cosine)

    def kept(self, elapsed_s: float) -> None:
        """Record that the frame was kept."""
        self._next_s = elapsed_s + EVERY_S
        self._kept += 1
