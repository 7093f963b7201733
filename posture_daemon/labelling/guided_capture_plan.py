"""What a teaching asks for: which classes, in which words, how often and for how long. Pure, but for new classes.

Each class is asked for once a round. A round is a time block of its own for each class, so that with two rounds the rule of
the splits (`store/labels.py`) puts one in training and one in the holdout, and the second asks for other ways to do it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from posture_daemon.domain import PostureClass, Role, Split
from posture_daemon.errors import LabelError
from posture_daemon.labelling.classes import ClassChanges, ClassLine
from posture_daemon.labelling.session import check_class_name

DEFAULT_CLASSES = ("good_posture", "bad_posture", "na", "standing")
"""What is taught unless the owner has classes of other names."""

ROUNDS = 2
SECONDS = 7.0
"""How long a pose is held."""

READY_S, WALK_S = 3.0, 5.0
"""To get ready for a pose; to leave the picture, or to come back into it."""

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
"""For the first round and for those after it, by the name of the class, else by what it means."""


@dataclass(frozen=True)
class Ask:
    """One pose: after `ready_s` seconds to get ready it is held for `seconds`. `round` counts from 1."""

    posture_class: PostureClass
    sentence: str
    round: int
    ready_s: float
    seconds: float


def plan(classes: Sequence[PostureClass], seconds: float = SECONDS, rounds: int = ROUNDS) -> tuple[Ask, ...]:
    """Every class once a round, in this order; who leaves the picture gets time to walk, both ways."""
    asks: list[Ask] = []
    for number in range(1, rounds + 1):
        for one in classes:
            walks = Role.AWAY in (one.role, asks[-1].posture_class.role if asks else None)
            asks.append(Ask(one, _sentence(one, number), number, WALK_S if walks else READY_S, seconds))
    return tuple(asks)


def choose(changes: ClassChanges, names: Sequence[str] | None) -> list[PostureClass]:
    """The classes of these names, created where they are new; without names the owner's own, else the usual four.

    A single class is joined by another one for contrast, unless there are pictures of one. Raises `LabelError` for a name
    that no class can have, and then no class was created.
    """
    owned = [line.posture_class.name for line in changes.all()]
    if names is None:
        names = DEFAULT_CLASSES if set(owned) <= set(DEFAULT_CLASSES) else owned
    wanted = list(dict.fromkeys(name.strip() for name in names if name.strip()))
    if not wanted:
        raise LabelError("No class is named; write them like --classes good_posture,bad_posture.")
    _ensure(changes, wanted, owned)
    if len(wanted) == 1:
        wanted = [*_contrast(changes, wanted[0]), *wanted]
    by_name = {line.posture_class.name: line.posture_class for line in changes.all()}
    return [by_name[name] for name in wanted]


def _ensure(changes: ClassChanges, wanted: Iterable[str], owned: Sequence[str]) -> None:
    """All names are looked at before the first class is created."""
    new = [name for name in wanted if name not in owned]
    for number, name in enumerate(new):
        check_class_name(name, (*owned, *new[:number]))
    for name in new:
        changes.add(name)


def _contrast(changes: ClassChanges, name: str) -> list[str]:
    """The class to teach beside a single one: nobody can learn, or judge, one thing without another."""
    others = [line for line in changes.all() if line.posture_class.name != name]
    if any(_has_both(line) for line in others):
        return []
    by_role = {line.posture_class.role: line.posture_class.name for line in reversed(others)}
    found = next((by_role[role] for role in (Role.GOOD, Role.NEUTRAL, Role.BAD, Role.AWAY) if role in by_role), None)
    return [found or changes.add(next(usual for usual in DEFAULT_CLASSES if usual != name)).name]


def _has_both(line: ClassLine) -> bool:
    """Whether a class can be learned and judged already."""
    return bool(line.use.images.get(Split.TRAIN) and line.use.images.get(Split.HOLDOUT))


def _sentence(one: PostureClass, number: int) -> str:
    said = SENTENCES.get(one.name) or SENTENCES.get(one.role)
    if said is None:
        said = (f"Now show '{one.name}'.", f"Show '{one.name}' in another way: turn a little, move the chair.")
    return said[min(number, len(said)) - 1]
