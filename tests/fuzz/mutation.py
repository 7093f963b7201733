"""Inputs that nobody means: valid ones with small damage, and some that are all chance."""

from collections.abc import Sequence
from random import Random

INTERESTING = (
    0,
    1,
    2,
    3,
    7,
    8,
    15,
    16,
    31,
    32,
    63,
    64,
    127,
    128,
    255,
    256,
    1000,
    4095,
    4096,
    32_767,
    32_768,
    65_535,
    65_536,
)
INTERESTING += (2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1)

NUMBERS = (
    "0",
    "-0",
    "-1",
    "1e309",
    "-1e309",
    "nan",
    "inf",
    "1e-400",
    "0x10",
    "1_000",
    "９",
    "9" * 25,
    "2147483648",
    "1.5",
    ".5",
    "5.",
)
TEXTS = (
    "", " ", "\t", "\n", "\r\n", "\0", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u202e", "\ufeff", "\ufffd", "\ud800",
    "é", "e\u0301", "ß",
    "İ", "K", "ﬁ", "😀", "a" * 300, "[red]", "[/]", "%s%n", "{0}", "{}", "$HOME", "~", "~nobody", "..", ".", "/", "//",
    "\\", "con", "nul",
    "unknown", "None", "null", "true", "'", '"', "`", "<b>", "&amp;", "://", "@", ":", "?", "#", "%", "%00", "%zz",
    "*", "|", ";", ",",
)  # fmt: skip


def mutated(rng: Random, data: bytes, tokens: Sequence[bytes] = ()) -> bytes:
    """One to five small damages; `tokens` are pieces that mean something in this format."""
    found = bytearray(data)
    for _ in range(1 + int(rng.random() * rng.random() * 5)):
        kind, place, size = rng.randrange(9), rng.randrange(len(found) + 1), 1 + int(rng.random() ** 3 * 40)
        if kind == 0 and place < len(found):
            found[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            found[place : place + size] = rng.randbytes(size)
        elif kind == 2:
            del found[place : place + size]
        elif kind == 3:
            found[place:place] = rng.randbytes(size)
        elif kind == 4:
            found[place:place] = found[place : place + size] * (1 + int(rng.random() ** 6 * 200))
        elif kind == 5:
            _overwrite_number(rng, found, place)
        elif kind == 6 and tokens:
            found[place : place + (size if rng.random() < 0.5 else 0)] = rng.choice(tokens)
        elif kind == 7 and rng.random() < 0.3:
            del found[place:]
        else:
            start = rng.randrange(len(found) + 1)
            found[place : place + size] = found[start : start + size]
    return bytes(found)


def _overwrite_number(rng: Random, found: bytearray, place: int) -> None:
    width = rng.choice((1, 2, 4, 8))
    number = rng.choice(INTERESTING) & (1 << 8 * width) - 1
    found[place : place + width] = number.to_bytes(width, rng.choice(("little", "big")))


def odd_text(rng: Random, words: Sequence[str]) -> str:
    """Words of a format, oddities and numbers in any order."""
    pools = (words, words, TEXTS, NUMBERS)
    return "".join(rng.choice(rng.choice(pools)) for _ in range(1 + rng.randrange(6)))


def mutated_text(rng: Random, text: str, words: Sequence[str]) -> str:
    """A valid text with some of it replaced."""
    for _ in range(1 + rng.randrange(3)):
        place, size = rng.randrange(len(text) + 1), int(rng.random() ** 2 * 12)
        pool = rng.choice((words, TEXTS, NUMBERS))
        new = "" if rng.random() < 0.2 else chr(rng.randrange(0x2FFF)) if rng.random() < 0.2 else rng.choice(pool)
        text = text[:place] + new + text[place + size :]
    return text


def as_bytes(text: str) -> bytes:
    """For the file of an input; `as_text` gives the text back, lone surrogates and all."""
    return text.encode("utf-8", "surrogatepass")


def as_text(data: bytes) -> str:
    """Whatever the bytes are, as an argument of a command is read."""
    return data.decode("utf-8", "surrogateescape")
