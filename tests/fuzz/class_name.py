"""Names of classes, typed or from a file."""

from pathlib import Path
from random import Random

from posture_daemon.labelling.class_names import check
from posture_daemon.labelling.class_roles import guess_role
from tests.fuzz.mutation import as_bytes, as_text, mutated_text, odd_text
from tests.fuzz.target import Parts

SEEDS = (
    "good_posture",
    "bad_posture",
    "leaning left",
    "away",
    "schräg",
    "e\u0301te\u0301",
    "na",
    "Mouse-arm",
    "a.b",
    "person 1",
    "立つ",
)
WORDS = (
    "good",
    "bad",
    "posture",
    "_",
    "-",
    ".",
    " ",
    "train",
    "val",
    "test",
    "unknown",
    "discarded",
    "_queue",
    "é",
    "CON",
)
TAKEN = ("good_posture", "été", "Away")


def make(rng: Random) -> bytes:
    """A name with damage, or chance."""
    return as_bytes(odd_text(rng, WORDS) if rng.random() < 0.4 else mutated_text(rng, rng.choice(SEEDS), WORDS))


def read(data: bytes) -> None:
    """The rule; a name that passes it is kept, printed, and used as the name of a folder."""
    name = as_text(data)
    kept = check(name, TAKEN)
    guess_role(kept)
    assert kept.encode("utf-8")
    assert "/" not in kept
    assert "\0" not in kept
    assert kept not in (".", "..")


def parts(_folder: Path) -> Parts:
    """Cheap: a rule."""
    return Parts(make, read)
