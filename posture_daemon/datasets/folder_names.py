"""What the name of a folder says before one looks inside: a split, what waits, a wrapper, boxes, a day or a person, a class.

The words are in `folder_words`. A name alone never decides against a class that is known.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from posture_daemon.datasets import folder_words as words
from posture_daemon.domain import Role, Split
from posture_daemon.labelling.class_names import DISCARDED, PROGRAM_FOLDERS, SPLIT_WORDS, UNCATEGORIZED
from posture_daemon.labelling.class_roles import guess_role, speaks_of_posture
from posture_daemon.vision.image_files import is_of_machines

MANY = 20_000
"""Names of which the answers are kept: each folder is compared with all beside it."""

HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Where a word begins within `PublicTest` or `JPEGImages`."""


def words_of(name: str) -> list[str]:
    """The words of a name, in small letters and without accents; cut at anything but letters and digits, and at humps.

    A byte that is no text belongs to its word: what is left of `gut` with an umlaut is not `gt`, a folder of boxes.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", HUMP.sub(" ", name)) if not unicodedata.combining(c))
    composed = unicodedata.normalize("NFC", plain)
    return [word for word in re.split(r"[^\w\udc80-\udcff]|_", composed.casefold()) if word]


@lru_cache(MANY)
def split_of(name: str) -> Split | None:
    """The split that a folder of this name holds; `None` for none."""
    said = [word for word in _split_words(name) if word not in words.BESIDE_SPLIT]
    said = [word for word in said if not re.fullmatch(r"(?:19|20)\d\d", word)]
    glued = words.GLUED_SPLIT.fullmatch(said[0]) if len(said) == 1 else None
    return SPLIT_WORDS[glued[1]] if glued else None


@lru_cache(MANY)
def split_within(name: str) -> Split | None:
    """The split that one word of a longer name says, such as `posture_train`; `None` for none or several."""
    found = {SPLIT_WORDS[word] for word in _split_words(name) if word in SPLIT_WORDS}
    return found.pop() if len(found) == 1 else None


@lru_cache(MANY)
def without_split(name: str) -> str | None:
    """What a name says beside the split at its end or beginning, as `good_train` says `good`; `None` without a split."""
    said = _split_words(name)
    for split, rest in ((said[-1:], said[:-1]), (said[:1], said[1:])):
        if rest and split[0] in SPLIT_WORDS:
            return "_".join(rest)
    return None


def _split_words(name: str) -> list[str]:
    return re.sub(r"\bhold out\b", "holdout", " ".join(words_of(name))).split()


def copied_from(name: str) -> str:
    """The name of the folder that one was copied from, as file managers say it; its own name when it is no copy."""
    match = words.COPY.fullmatch(name)
    return (match["of"] or match["by"]) if match else name


@lru_cache(MANY)
def special(name: str) -> str | None:
    """`uncategorized` or `discarded` for what has no class, however other tools call it; `None` else."""
    bare = "".join(_beside_pictures(name))
    return UNCATEGORIZED if words.WAITING.fullmatch(bare) else DISCARDED if bare == DISCARDED else None


@lru_cache(MANY)
def is_aside(name: str) -> bool:
    """Whether it holds what somebody put aside or a model made: `trash`, `rejected images`, `predict2`."""
    said = _beside_pictures(name)
    return bool(said) and all(re.sub(r"\d+$", "", word) in words.ASIDE for word in said)


def _beside_pictures(name: str) -> list[str]:
    return [word for word in words_of(name) if word not in words.PICTURE_WORDS]


def is_of_other_programs(name: str) -> bool:
    """Whether a system or a program made it beside the pictures."""
    return is_of_machines(name) or name.casefold() in PROGRAM_FOLDERS


@lru_cache(MANY)
def is_wrapper(name: str) -> bool:
    """Whether it only holds a data set, as `dataset/`, `images/` or `posture-main/` do."""
    said = [word for word in words_of(name) if not words.VERSION.fullmatch(word)]
    plain = bool(said) and all(word in words.WRAPPER_WORDS for word in said)
    whole = name.casefold() in words.WRAPPER_WORDS
    strong = words.STRONG_WRAPPER.search("_".join(words_of(name))) or words.STRONG_FORM.search(name.casefold())
    return plain or whole or strong is not None


def is_of_boxes(name: str) -> bool:
    """Whether it holds boxes, masks or texts about pictures."""
    return "".join(words_of(name)) in words.BOX_WORDS


@lru_cache(MANY)
def is_occasion(name: str) -> bool:
    """Whether it names a day, a person, a session, a camera or a part: what there is of every class."""
    said = "_".join(word for word in words_of(name) if word not in words.WRAPPER_WORDS or word == "camera")
    return words.OCCASION.fullmatch(said) is not None or words.DATE.search(name) is not None


def is_fold(name: str) -> bool:
    """Whether it may be one of the repetitions of a cross-validation, as `fold_0`, `split1` or a bare number."""
    return words.FOLD.search("_".join(words_of(name))) is not None or name.strip().isdecimal()


@lru_cache(MANY)
def is_number(name: str) -> bool:
    """Whether it is a number, alone or after a letter but `v`, which may be a class or a session; `v2` is a version."""
    return words.NUMBERED.fullmatch(name.strip()) is not None


def is_version(name: str) -> bool:
    """Whether it is a version of something else: `v2`."""
    return re.fullmatch(r"v(?:er(?:sion)?)?[ _.-]?\d+(?:[._]\d+)*", name.casefold()) is not None


def are_shares(names: Iterable[str]) -> bool:
    """Whether they are numbers that make up a hundred, as `80` and `20`: the shares of a split."""
    shares = [match for name in names if (match := words.SHARE.fullmatch(name.casefold()))]
    return len(shares) > 1 and sum(int(match[1][:4]) for match in shares) == 100


@lru_cache(MANY)
def names_a_posture(name: str) -> bool:
    """Whether its words speak of one posture or of absence, so that it is a class and neither a wrapper nor both."""
    said = set(words_of(name))
    speaks = speaks_of_posture(name) or any(said & known for known in words.POSTURE_WORDS.values())
    return speaks and not is_wrapper(name) and not _says_both(name)


def _says_both(name: str) -> bool:
    """Whether it names a good and a bad class, as `correct_incorrect`: what holds both."""
    return opposes(words_of(name))


@lru_cache(MANY)
def role_of(name: str) -> Role:
    """The role that the words of a name suggest, in any of the languages; `NEUTRAL` if none does."""
    role, said = guess_role(name), set(words_of(name))
    if role is Role.NEUTRAL:
        role = next((one for one, known in words.POSTURE_WORDS.items() if said & known), Role.NEUTRAL)
    return Role.BAD if role is Role.GOOD and said & words.NEGATIONS else role


def opposes(names: Sequence[str]) -> bool:
    """Whether there is a good and a bad one among them: then they are the classes, whatever is above them."""
    return {Role.GOOD, Role.BAD} <= {role_of(name) for name in names}
