"""The one rule for names of classes, wherever a name comes from: the page, the terminal, a command, a folder, a checkpoint.

A name is kept as it was first typed, but for its form: composed (NFC), without spaces around it, one space between words. It
has letters of any script, digits, spaces and punctuation, as long as it can be the name of a folder in any file system and one
of several in a list with commas. Two names are one class when they differ only in case or in the form of their letters
(canonical caseless matching, Unicode 15.0, D145). Names that an older version stored are found again whatever they hold.
"""

import re
import unicodedata
from collections.abc import Iterable

from posture_daemon.domain import UNKNOWN, Split
from posture_daemon.errors import LabelError
from posture_daemon.vision.image_files import MACHINE_FOLDERS, is_of_machines

UNCATEGORIZED, DISCARDED = "uncategorized", "discarded"

LAYOUT_NAMES = frozenset(
    {
        UNCATEGORIZED,
        DISCARDED,
        "train",
        "training",
        "val",
        "valid",
        "validation",
        "dev",
        "eval",
        "evaluation",
        "holdout",
    }
    | {"test", "testing"}
)
"""Folders that hold no class in a data set."""

SPLIT_WORDS = {
    word: split
    for split, words in {
        Split.TRAIN: "train training trn entrainement apprentissage entrenamiento addestramento treino treinamento trening "
        "lerndaten 训练 訓練 学習 обучение",
        Split.HOLDOUT: "val valid validation validate dev eval evaluation holdout validierung validacion validazione "
        "validacao validatie walidacja 验证 驗證 検証 валидация",
        Split.TEST: "test tests testing tst unseen prueba pruebas prova collaudo teste testes prufdaten 测试 測試 テスト тест",
    }.items()
    for word in words.split()
}
"""What data sets call their splits, in small letters and without accents.

A class that has such a name already keeps it, unless it is one of the `LAYOUT_NAMES`: an export says that it is a class.
"""

DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"} | {port + n for port in ("com", "lpt") for n in "0123456789¹²³"}
)
"""No file or folder may have these names in Windows, whatever follows a dot; it takes ¹, ² and ³ for digits too."""

PROGRAM_FOLDERS = MACHINE_FOLDERS | frozenset(
    {"runs", "wandb", "mlruns", "lightning_logs", "checkpoints", "venv", "__pycache__", "node_modules"}
    | {"thumbnails", "thumbs", "thumbs.db", "picasaoriginals"}
)
"""Folders that systems and programs make beside pictures: one that is no class yet is left out of an import."""

RESERVED_NAMES = frozenset({UNKNOWN, *LAYOUT_NAMES, *SPLIT_WORDS, *DEVICES, *PROGRAM_FOLDERS})
"""Names with another meaning, as a prediction or as a folder; compared by `key_of`."""

RESERVED = "is reserved, because it means something else as a folder or as an answer"

MAX_NAME_LENGTH = 40
"""Characters; at most four bytes each, so that every file system has room for it as a folder."""

MAX_FOLDER_BYTES = 255

SYMBOLS = "+="
"""Allowed beside letters, digits, spaces and punctuation."""

FORBIDDEN = '/\\:*?",'
"""Punctuation that some file system or a list of names cannot hold."""

RULE = (
    f"another one will do: it may only have letters, digits, spaces and punctuation except {' '.join(FORBIDDEN)} and in all "
    f"1 to {MAX_NAME_LENGTH} characters"
)
"""What to do about a name with a flaw."""


def tidy(name: str) -> str:
    """The form in which a name is kept: NFC, spaces of any kind as one space, none around it."""
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in name)
    return unicodedata.normalize("NFC", re.sub(" +", " ", spaced).strip(" "))


def key_of(name: str) -> str:
    """What two names of one class have in common."""
    folded = unicodedata.normalize("NFD", tidy(name)).casefold()
    return unicodedata.normalize("NFC", folded)


def find(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that is this class: exactly so, else in another case or form; `None` when none is."""
    known = list(names)
    if name in known:
        return name
    key = key_of(name)
    return next((one for one in known if key_of(one) == key), None)


def flaw_of(name: str) -> str | None:
    """Why a name can be no class: the beginning of a sentence, without what to do about it. `None`: it can."""
    kept = tidy(name)
    flaw = _flaw(kept)
    return f"The class name {shown(kept)} {flaw}" if flaw else None


def _flaw(name: str) -> str | None:
    key = key_of(name)
    if key in RESERVED_NAMES or key.partition(".")[0].rstrip(" ") in DEVICES:
        return RESERVED
    odd = next((c for c in name if not _allowed(c)), None)
    if odd is not None:
        return f"holds {_called(odd)}"
    if not 1 <= len(name) <= MAX_NAME_LENGTH:
        return f"has {len(name)} characters"
    if name[0] in ".-" or name[-1] == "." or unicodedata.category(name[0]).startswith("M"):
        return "begins with a dot, a hyphen or an accent, or ends with a dot"
    return RESERVED if is_of_machines(key) else None


def folder_flaw_of(name: str) -> str | None:
    """Why a name that is stored, maybe by an older version, cannot be the folder of its class in an export."""
    if not name or name.startswith(".") or any(c == "/" or not c.isprintable() for c in name):
        return "begins with a dot, or holds a slash or what is no text"
    if len(name.encode()) > MAX_FOLDER_BYTES:
        return "is too long for a folder"
    return "means something else as a folder" if key_of(name) in LAYOUT_NAMES else None


def check(name: str, taken: Iterable[str] = ()) -> str:
    """The name as it is kept. Raises `LabelError` unless it is valid as a new class, beside those that are `taken`."""
    if flaw := flaw_of(name):
        raise LabelError(f"{flaw}; {RULE}.")
    kept = tidy(name)
    twin = find(kept, taken)
    if twin is not None:
        raise LabelError(f"There is already a class {shown(twin)}; choose another name.")
    return kept


def shown(name: str) -> str:
    """A name as a sentence quotes it, cut where it is very long."""
    return f"'{name}'" if len(name) <= 2 * MAX_NAME_LENGTH else f"'{name[:MAX_NAME_LENGTH]}…'"


def listed(text: str) -> list[str]:
    """The names in a list with commas, such as that of `--classes`."""
    return [name for name in map(tidy, text.split(",")) if name]


def _allowed(character: str) -> bool:
    if character in FORBIDDEN:
        return False
    if character == " " or character in SYMBOLS:
        return True
    return unicodedata.category(character)[0] in "LMNP" and character not in INVISIBLE


INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | {
    chr(c) for first, last in ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF)) for c in range(first, last + 1)
}
"""Letters and marks that are drawn as nothing, so that two names would look alike."""


def _called(character: str) -> str:
    """A character in words, also one that is not seen or that a terminal would obey."""
    name = unicodedata.name(character, "a control character or no text")
    seen = f"'{character}', " if character.isprintable() else ""
    return f"{seen}{name} (U+{ord(character):04X})"
