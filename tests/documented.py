"""The commands that README and docs print: found in the text, sorted into those that can be run here and those that cannot."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[1]
GENERATED = ("commands.md", "settings.md", "faults.md")
"""Pages written from the code itself; what they print is no command to copy."""

PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", PROJECT / "SECURITY.md"] + [
    page for page in sorted((PROJECT / "docs").glob("*.md")) if page.name not in GENERATED
]

NOT_RUN = {
    r"(.* )?setup": "needs a camera and somebody in front of it; tests/e2e/test_teach.py runs it on the fake desk",
    r"(.* )?teach( yoga)?": "asks a person for poses; tests/e2e/test_teach.py runs it on the fake desk",
    r"--data-dir /tmp/try teach .*": "writes to a place that all users share; tests/e2e/test_teach.py runs it elsewhere",
    r"(--verbose )?run( --camera 0)?": "goes on until it is stopped, and has no camera here; tests/e2e/test_daemon.py runs it",
    r"label": "serves a page until it is stopped; tests/e2e/test_label_command.py runs it",
    r"label --terminal": "needs a keyboard; tests/e2e/test_label_command.py runs it on one",
    r"dataset doubts --review": "needs a keyboard; tests/integration/test_terminal.py runs it on one",
    r"wrong( \S+)?": "needs a running daemon; tests/e2e/test_daemon.py runs it beside one",
    r"restore": "asks somebody; with --yes it is run here",
    r"models fetch .*": "needs the network; tests/integration/test_fetch.py has a server",
    r"models import data/downloads/.*": "needs what `models fetch` brought; with FILE.pt it is run here",
    r"models import /tmp/.*": "names a place that all users share; with FILE.pt it is run here",
    r"dataset (undo|redo)": "undo asks somebody, redo needs an undo; tests/e2e/test_dataset_undo.py runs both",
    r"service (un)?install( --purge)?": "changes the system; tests/service/boot.py runs it on one of its own",
    r"service (status|install --dry-run)": "needs systemd; tests/service/boot.py runs it on a system of its own",
    r"dataset export /var/lib/.*": "writes to the folder of the service; elsewhere it is run here",
    r"restore (DATA|FOLDER)/.*": "names a file that only a real restore or backup has; BACKUP is run here",
    r"status --check": "needs a running daemon; tests/e2e/test_daemon.py runs it beside one",
}
"""Command lines that are parsed only, as patterns, and why. All others are run."""


@dataclass(frozen=True)
class Documented:
    """One command: where it stands, all of its line, and the words behind `posture-daemon`."""

    page: str
    line: str
    words: tuple[str, ...]
    is_inline: bool

    @property
    def is_mention(self) -> bool:
        """Whether running text only names a command, such as `posture-daemon classes role`, without what it takes."""
        return self.is_inline and not any(
            word.startswith("-") or not re.fullmatch("[a-z]+", word) for word in self.words
        )

    @property
    def why_not_run(self) -> str | None:
        """Why it cannot be run here; `None` if it can."""
        if self.is_mention:
            return "named in running text only"
        return next((why for what, why in NOT_RUN.items() if re.fullmatch(what, " ".join(self.words))), None)


def documented() -> list[Documented]:
    """Every command of this program on every page, in their order."""
    return [found for page in PAGES for found in _on(page)]


def make_targets() -> Iterator[tuple[str, str]]:
    """Page and target of every `make …` on the pages."""
    for page in PAGES:
        for line, _ in _lines(page.read_text(encoding="utf-8")):
            for target in re.findall(r"(?:^|&& |\$ )make ([a-z][a-z-]*)", line):
                yield page.name, target


def _on(page: Path) -> Iterator[Documented]:
    for line, is_inline in _lines(page.read_text(encoding="utf-8")):
        for words in _commands(line):
            yield Documented(page.name, line.strip(), words, is_inline)


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Each line of each code block, with lines that go on joined; and each piece of code in running text."""
    blocks = re.compile(r"^```[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
    for block in blocks.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            yield line, False
    for piece in re.findall(r"`([^`\n]+)`", blocks.sub("", text)):
        yield piece, True


def _commands(line: str) -> Iterator[tuple[str, ...]]:
    """The words behind each `posture-daemon` that begins a command, through sudo and docker too."""
    if "posture-daemon" not in line:
        return
    try:
        words = shlex.split(re.sub(r"^\s*\$ ", "", line), comments=True)
    except ValueError:  # an apostrophe: a sentence, no command
        return
    for command in map(_inner, _split(words)):
        if command and Path(command[0]).name == "posture-daemon" and "…" not in command:
            yield tuple(word for word in command[1:] if not re.fullmatch(r"\[.*\]", word))


def _inner(command: list[str]) -> list[str]:
    """What sudo or docker runs."""
    if command[:2] in (["docker", "compose"], ["docker", "exec"]):
        places = [i for i, word in enumerate(command) if word == "posture-daemon"]
        return command[places[-1] :] if places else []
    return command[1:] if command[:1] == ["sudo"] else command


def _split(words: list[str]) -> Iterator[list[str]]:
    """At `&&`, `;` and `|`."""
    command: list[str] = []
    for word in words:
        if word in ("&&", ";", "|"):
            yield command
            command = []
        else:
            command = [*command, word]
    yield command
