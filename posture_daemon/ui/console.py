"""The console of all commands: a string is one line of text on it, never markup, and cannot hold what a terminal obeys."""

import os
from collections.abc import Iterable, MutableMapping
from typing import Any

from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from posture_daemon.service.plain_text import visible

LEAST_COLUMNS = 20
"""Words are cut at this width even where the terminal has less: one letter a line can be read by nobody."""

Part = str | tuple[str, str]
"""Text, or text and its style."""


def settle_size(environment: MutableMapping[str, str] = os.environ) -> None:
    """Take away sizes of the terminal that nothing can be printed in, and those that are no numbers, before `rich` reads them.

    They count for `rich` and typer's help, whatever the terminal says itself.
    """
    for name in ("COLUMNS", "LINES"):
        words = environment.get(name, "")
        if words and not (words.isascii() and words.isdecimal() and int(words[:9]) > 0 and len(words) < 5):
            del environment[name]
    if 0 < int(environment.get("COLUMNS", "0")) < LEAST_COLUMNS:
        environment["COLUMNS"] = str(LEAST_COLUMNS)


class PlainConsole(Console):
    """Prints strings as they are: `[bold]` and `:smile:` are characters, and an escape sequence is shown, not sent.

    What is to be coloured is given as `styled` parts.
    """

    def __init__(self, **options: Any) -> None:
        """`options` are those of `rich`."""
        super().__init__(**{**options, "markup": False, "emoji": False, "highlight": False})

    def render_str(self, text: str, **options: Any) -> Text:
        """A string as text in one line. All strings that are printed, also in tables, titles and rules, come through here."""
        plain = {"markup": False, "emoji": False, "highlight": False}
        return super().render_str(visible(text), **{**options, **plain})

    @property
    def size(self) -> ConsoleDimensions:
        """Of the terminal, in characters; not less than words need."""
        found = super().size
        return ConsoleDimensions(max(LEAST_COLUMNS, found.width), max(1, found.height))

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size

    @property
    def encoding(self) -> str:
        """Of what is written to, in lower case; `rich` takes UTF-8 for granted on standard output."""
        return (getattr(self.file, "encoding", None) or "utf-8").lower()

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As `rich` does; whatever made a segment, its text is only text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text, line_breaks=True), segment.style)


def styled(*parts: Part) -> Text:
    """One text of parts that may have a style of their own, such as `("warning", "yellow")`."""
    return Text.assemble(*(_clean(part) for part in parts))


def _clean(part: Part) -> Part:
    if isinstance(part, str):
        return visible(part)
    return visible(part[0]), part[1]
