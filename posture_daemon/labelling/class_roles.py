"""Guess the role of a class from its name. The owner can override it."""

import re
from collections.abc import Sequence

from posture_daemon.domain import Role

WORDS = {
    Role.AWAY: {"na", "away", "absent", "absence", "empty", "none", "nobody", "background", "chair"},
    Role.BAD: {"bad", "slouch", "lean", "hunch", "slump", "crooked"}
    | {"incorrect", "poor", "wrong", "forward", "kyphosis"},
    Role.GOOD: {"good", "upright", "straight", "correct", "proper"},
    Role.NEUTRAL: {"sit", "stand", "posture", "unknown", "recline", "stretch", "walk"},
}
"""Words by role; the first role with a matching word wins, so `bad_sitting_upright` is bad."""


def guess_role(name: str) -> Role:
    """Return the role that the words of a class name suggest, `NEUTRAL` if none does."""
    stems = _stems(name)
    for role, words in WORDS.items():
        if stems & words:
            return role
    return Role.NEUTRAL


def looks_like_postures(classes: Sequence[str]) -> bool:
    """True if at least two, and half, of the names have a word for a posture or absence; else (ImageNet) a model is a base."""
    known = set().union(*WORDS.values())
    speaking = sum(1 for name in classes if _stems(name) & known)
    return speaking >= 2 and 2 * speaking >= len(classes)


def speaks_of_posture(name: str) -> bool:
    """True if a word of the name is about one posture or absence; `posture` and `unknown` themselves say nothing."""
    return bool(_stems(name) & (set().union(*WORDS.values()) - {"posture", "unknown"}))


def _stems(name: str) -> set[str]:
    """Split `goodPosture`, `good_posture` or `Good-Posture 2` into lower-case words without English endings."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)
    stems: set[str] = set()
    for word in map(str.lower, words):
        stem = re.sub(r"(ing|ed|s)$", "", word)
        stems |= {word, stem, re.sub(r"([tmp])\1$", r"\1", stem)}  # sitt-ing
    return stems
