"""The console of all commands: a string is one line of text on it, never markup, and cannot hold what a terminal obeys."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from posture_daemon.service.plain_text import visible

Part = str | tuple[str, str]
"""Text, or text and its style."""


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
