r"""What may reach a terminal or the journal: text, and nothing that either would obey; and in letters that it has.

Names of files and classes, answers of cameras and servers, EXIF and messages of libraries are written by others. All that is
printed or logged passes `visible`: control characters (escape sequences begin with one), line breaks that would forge a line,
and what turns the direction of writing are shown as `\x1b` and the like. `set_up_streams` then sees to it that a terminal which
is not UTF-8 gets a look-alike, or the number of a character, instead of ending the command.
"""

import codecs
import io
import os
import sys
import unicodedata
from contextlib import suppress
from typing import TextIO, cast

LINE_BREAK = " | "

LOOK_ALIKES = {
    "…": "...", "–": "-", "—": "-", "−": "-", "×": "x", "→": "->", "←": "<-", "±": "+-", "°": " deg ", "·": "-", "•": "*",
    "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "≤": "<=", "≥": ">=", "≈": "~", "\u00a0": " ", "\u202f": " ",
    "✓": "+", "✗": "x",
}  # fmt: skip
"""Of what our own sentences hold beside letters."""

ERRORS = "posture_daemon.look_alike"


def visible(text: str, line_breaks: bool = False) -> str:
    r"""The text with what a terminal would obey, or not show, as `\x1b` and the like; `line_breaks` leaves those."""
    if text.isprintable():
        return text
    return "".join(c if _harmless(c) or (line_breaks and c == "\n") else _escaped(c) for c in text)


def in_one_line(text: str) -> str:
    """The lines of a message one after the other, so that none can be taken for another message."""
    lines = (line.rstrip() for line in text.splitlines())
    return visible(LINE_BREAK.join(line for line in lines if line))


def set_up_streams() -> None:
    """Let no stream that is closed, no character that the terminal lacks, and no byte that is none, end a command.

    Before any file is opened.
    """
    _open_what_is_closed()
    codecs.register_error(ERRORS, _look_alike)
    for stream in (sys.stdout, sys.stderr):
        _reconfigure(stream, ERRORS)
    _reconfigure(sys.stdin, "replace")


def _open_what_is_closed() -> None:
    """After `2>&-` Python has no such stream, and the database could get its number, and whatever libraries write there."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            os.set_inheritable(nowhere, True)
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as the process lives
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def _reconfigure(stream: TextIO | None, errors: str) -> None:
    reconfigure = getattr(stream, "reconfigure", None)  # neither closed streams nor those of tests have one
    if reconfigure is not None:
        with suppress(io.UnsupportedOperation):  # somebody has read from it already
            reconfigure(errors=errors)


def _harmless(character: str) -> bool:
    """Printable, or a joiner that some scripts are spelled with."""
    return character.isprintable() or character in "\u200c\u200d" or unicodedata.category(character) == "Zs"


def _escaped(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte of a file name that is no text
        return f"\\x{number - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def _look_alike(error: UnicodeError) -> tuple[str, int]:
    """Error handler of an encoding: look-alikes, else escapes."""
    failed = cast("UnicodeEncodeError", error)
    return "".join(map(_simpler, failed.object[failed.start : failed.end])), failed.end


def _simpler(character: str) -> str:
    if character in LOOK_ALIKES:
        return LOOK_ALIKES[character]
    for first, last, instead in DRAWN:
        if first <= character <= last:
            return instead
    return _escaped(character)


DRAWN = (
    ("─", "━", "-"),
    ("│", "┃", "|"),
    ("╌", "╍", "-"),
    ("═", "═", "-"),
    ("║", "║", "|"),
    ("╴", "╴", "-"),
    ("╸", "╺", "-"),
    ("\u2500", "\u257f", "+"),
    ("\u2580", "\u259f", "#"),
    ("\u2800", "\u28ff", "*"),
)
"""Lines, corners, blocks, and the dots of a spinner: first, last, and what is written instead."""
