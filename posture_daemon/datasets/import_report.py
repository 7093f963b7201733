"""What an import tells: numbers by cause, and the first names of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_FILES_NAMED = 5
"""Files that a report lists by name; further ones are only counted."""

MAX_LEFT_OUT_NAMED = 3
"""Files that are named of each cause of leaving some out."""


@dataclass(frozen=True)
class ImportReport:
    """Result of an import, in numbers of pictures; names are relative to the folder.

    `known` had this label already, `copies` were duplicates within the folder, `left_out` are no pictures of a class, by cause.
    `conflicts` lay in two class folders, of which the first counts. `unreadable` were left out, each with its cause; `causes`
    counts them by cause.
    """

    labelled: int
    queued: int
    relabelled: int
    discarded: int
    known: int
    copies: int
    left_out: Mapping[str, Sequence[str]]
    new_classes: tuple[str, ...]
    conflicts: tuple[str, ...]
    unreadable: tuple[str, ...]
    causes: Mapping[str, int]

    @property
    def ignored(self) -> int:
        """Number of files that are no pictures of a class."""
        return sum(len(files) for files in self.left_out.values())

    @property
    def changed(self) -> bool:
        """True when the import changed the store."""
        return bool(self.labelled or self.queued or self.relabelled or self.discarded or self.new_classes)

    def sentences(self) -> list[str]:
        """The result in words, the most important first, the first files by name last."""
        numbers = {
            "added with a label": self.labelled,
            "added to the queue": self.queued,
            "relabelled": self.relabelled,
            "discarded": self.discarded,
            "already there": self.known,
            "copies within the folder": self.copies,
            "unreadable": len(self.unreadable),
        }
        counted = ", ".join(f"{number} {what}" for what, number in numbers.items() if number)
        lines = [f"Pictures: {counted or 'none'}." if self.changed else f"Nothing changed: {counted}."]
        if self.new_classes:
            lines.append(f"New classes: {', '.join(self.new_classes)}.")
        if self.left_out:
            lines.append(f"Left out {self.ignored} files: {'; '.join(_named(*one) for one in self.left_out.items())}.")
        if self.unreadable:
            causes = ", ".join(f"{number} × {cause}" for cause, number in self.causes.items())
            number = len(self.unreadable)
            lines.append(f"{number} files cannot be read and were left out; all others were read. Why: {causes}.")
        return [*lines, *_first(self.unreadable, "files"), *_first(self.conflicts, "copies")]


def _named(cause: str, files: Sequence[str]) -> str:
    """Such as `7 in no class folder (a.jpg, b.jpg, c.jpg, …)`."""
    more = ", …" if len(files) > MAX_LEFT_OUT_NAMED else ""
    return f"{len(files)} {cause} ({', '.join(files[:MAX_LEFT_OUT_NAMED])}{more})"


def _first(sentences: Sequence[str], what: str) -> list[str]:
    more = len(sentences) - MAX_FILES_NAMED
    return [
        *sentences[:MAX_FILES_NAMED],
        *([f"… and {more} more {what}; --verbose names them all."] if more > 0 else []),
    ]
