"""What a fuzz target is: how its inputs are made, what reads them, and which ends are allowed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

from posture_daemon.errors import PostureError

Make = Callable[[Random], bytes]
Read = Callable[[bytes], None]


class Unexpected(Exception):
    """An end that is not allowed, in words."""


class Refused(Exception):
    """The end of a reader that refuses by a value; others raise an error of the project."""


class Parts(NamedTuple):
    """A target at work: `make` draws an input, `read` gives it to the product."""

    make: Make
    read: Read
    limit_s: float = 3.0
    """Seconds of computing for one input; the machine may be busy, but no input may be this hard."""
    limit_mb: float = 150.0
    """Growth of the process by one input."""
    refusals: tuple[type[Exception], ...] = (PostureError,)


@dataclass(frozen=True)
class Target:
    """A name, what is fuzzed, the module that does it, and the share of the inputs, by how quick it is."""

    name: str
    title: str
    module: str
    share: int

    def open(self, folder: Path) -> Parts:
        """Prepare it in this process, with a folder of its own; slow imports happen here."""
        from importlib import import_module

        parts = import_module(f"tests.fuzz.{self.module}").parts(folder)
        assert isinstance(parts, Parts)
        return parts


TARGETS = (
    Target("address", "address of a camera", "camera_address", 40),
    Target("names", "name of a class", "class_name", 40),
    Target("manifests", "manifest and provenance of an export", "manifests", 30),
    Target("head", "head as safetensors, description as JSON", "head_file", 20),
    Target("settings", "settings file and variables", "settings_text", 3),
    Target("archive", "checkpoint", "checkpoint_archive", 4),
    Target("pictures", "picture", "picture_bytes", 5),
    Target("layout", "names of folders and files", "folder_layout", 2),
    Target("requests", "requests to the label page", "page_requests", 3),
)


def check_sentence(error: Exception, data: bytes) -> None:
    """A refusal is one sentence, on one line but for what the input itself brings. Raises `Unexpected`."""
    text = str(error)
    if not text.strip() or text.rstrip()[-1] not in ".?)":
        raise Unexpected(f"the refusal is no sentence: {text[:200]!r}")
    if len(text) > 1000 + 4 * len(data):
        raise Unexpected(f"the refusal has {len(text)} letters: {text[:200]!r}")
    if "\n" in text and b"\n" not in data and b"\\n" not in data and b"\\u" not in data:
        raise Unexpected(f"the refusal has several lines: {text[:200]!r}")
    if "Traceback" in text:
        raise Unexpected(f"the refusal shows code: {text[:200]!r}")
