"""A fault: something that is broken for real, the real command that meets it, and what that says.

Each command runs in a process of its own, forked from one that has imported the program already: forty of them cost seconds.
"""

import atexit
import hashlib
import multiprocessing
import os
import re
import shlex
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np

from posture_daemon.store.lock import exclusive
from tests.faults.rights import obey_permissions

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(
    ["posture_daemon.cli", "posture_daemon.bootstrap.daemon", "posture_daemon.bootstrap.guided_capture"]
)
DATABASE = "posture.db"
ATTEMPT = 'INSERT INTO "training_runs"'
LOG_LINE = re.compile(r"^[\d-]+ [\d:,]+ (INFO|WARNING|ERROR) ")


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The complaint; where stderr is empty, all that was said."""
        return [line for line in (self.err or self.out).splitlines() if line.strip() and not LOG_LINE.match(line)]


@dataclass
class Place:
    """Where a fault is made: a data folder with a champion and a few labels, and an empty folder beside it.

    `environment` are variables that the command gets; `obeys` runs it without root's right to open any file. `zoo` gives a
    folder of checkpoints that ultralytics wrote.
    """

    data: Path
    beside: Path
    zoo: Callable[[], Path]
    environment: dict[str, str] = field(default_factory=dict)
    obeys: bool = False

    def file(self, name: str, content: str | bytes = "") -> Path:
        """A file beside the data folder, in folders that are made for it."""
        path = self.beside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def picture(self, name: str) -> Path:
        """A picture beside the data folder."""
        noise = np.random.default_rng(list(name.encode())).integers(0, 255, (48, 64, 3), np.uint8)
        return self.file(name, cv2.imencode(".png", noise)[1].tobytes())

    def folder(self, name: str) -> Path:
        """An empty folder beside the data folder."""
        path = self.beside / name
        path.mkdir(parents=True)
        return path

    def checkpoint(self, name: str) -> Path:
        """A checkpoint of ultralytics beside the data folder."""
        return self.file(name, (self.zoo() / name).read_bytes())

    def copy(self, name: str) -> Path:
        """A copy of the database beside the data folder."""
        return self.file(name, (self.data / DATABASE).read_bytes())

    def head(self) -> Path:
        """The champion's head file."""
        return next((self.data / "models" / "heads").iterdir())

    def backbone(self) -> Path:
        """The champion's backbone."""
        return next((self.data / "models" / "backbones").iterdir()) / "backbone.onnx"

    def sql(self, statement: str) -> None:
        """Change the database behind the program's back."""
        with closing(sqlite3.connect(self.data / DATABASE)) as connection, connection:
            connection.execute(statement)


Made = Iterator[tuple[object, ...]]


@dataclass(frozen=True)
class Fault:
    """`make` breaks something, yields the command, and mends what would outlive the test.

    The sentence must hold `where`, what is broken, and `advice`, what to do about it. `code` is how the command ends.
    """

    group: str
    title: str
    where: str
    advice: str
    make: Callable[[Place], Made]
    code: int = 1
    torch: bool = False

    @property
    def name(self) -> str:
        """A word for the test."""
        return re.sub(r"\W+", "-", self.title.lower())


FAULTS: list[Fault] = []
Content = str | bytes | Callable[[Place, str], object]
"""Of a file beside the data folder, or what makes it there."""


class Group:
    """Faults of one kind. A decorator: `@of_settings("title", where=…, advice=…)` on a generator of the command."""

    def __init__(self, title: str) -> None:
        self._title = title

    def __call__(
        self, title: str, where: str, advice: str, code: int = 1, torch: bool = False
    ) -> Callable[[Callable[[Place], Made]], Callable[[Place], Made]]:
        """Add the decorated fault to the catalogue."""

        def add(make: Callable[[Place], Made]) -> Callable[[Place], Made]:
            FAULTS.append(Fault(self._title, title, where, advice, make, code, torch))
            return make

        return add

    def plain(
        self, title: str, command: str, where: str, advice: str, beside: Mapping[str, Content] = MappingProxyType({}),
        *, code: int = 1, torch: bool = False, sql: str = "", held: str = "", **environment: str,
    ) -> None:  # fmt: skip
        """A fault in the words of the `command`, the files `beside`, the database (`sql`), a lock or the environment."""

        def make(at: Place) -> Made:
            at.environment |= environment
            for name, content in beside.items():
                content(at, name) if callable(content) else at.file(name, content)
            if sql:
                at.sql(sql)
            with exclusive(at.data / held) if held else nullcontext():
                yield tuple(word.replace("~", str(at.beside)) for word in shlex.split(command))

        self(title, where, advice, code, torch)(make)


def run_command(data: Path, *arguments: object, obeys: bool = False, **environment: str) -> Said:
    """Run `posture-daemon` with these arguments to its end, without a terminal."""
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder, "out"), Path(folder, "err")
        for path in paths:
            path.touch()
        argv = ["posture-daemon", "--data-dir", *map(str, (data, *arguments))]
        process = FORKED.Process(target=_command, args=(argv, environment, tuple(map(str, paths)), obeys))
        process.start()
        process.join(120)
        if process.exitcode is None:
            process.kill()
            process.join()
        return Said(int(process.exitcode or 0), *(path.read_text(errors="replace") for path in paths))


def _command(argv: list[str], environment: Mapping[str, str], paths: tuple[str, str], obeys: bool) -> None:
    """In the child."""
    for number, path in enumerate((os.devnull, *paths)):
        descriptor = os.open(path, os.O_RDWR)
        os.dup2(descriptor, number)
        os.close(descriptor)
    for variable in [name for name in os.environ if name.startswith("POSTURE_")]:
        del os.environ[variable]
    os.environ.update(environment)
    sys.argv = argv
    from posture_daemon.cli import main

    if obeys:
        obey_permissions()
    main()


@contextmanager
def place(beside: Path, zoo: Callable[[], Path]) -> Iterator[Place]:
    """A place for one fault, with a data folder of its own."""
    data = beside / "data"
    shutil.copytree(_template(), data)
    (beside / "home").mkdir()
    yield Place(data, beside / "home", zoo)


@cache
def _template() -> Path:
    """A data folder with the starter as champion and three labels of each of two classes."""
    beside = Path(tempfile.mkdtemp(prefix="posture-daemon-faults-"))
    atexit.register(shutil.rmtree, beside, ignore_errors=True)
    maker = Place(beside / "data", beside, Path)
    for name in ("good_posture", "bad_posture"):
        for number in range(3):
            maker.picture(f"pictures/{name}/{number * '_'}.png")
    done = run_command(maker.data, "label", "--import", beside / "pictures")
    assert done.code == 0, done.err
    maker.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return maker.data


def meet(fault: Fault, at: Place) -> tuple[Said, bool]:
    """Make the fault and run its command: what it said, and whether the data folder is as before."""
    with contextmanager(fault.make)(at) as arguments:
        before = contents(at.data)
        said = run_command(at.data, *arguments, obeys=at.obeys, **at.environment)
        return said, contents(at.data) == before


def contents(data: Path) -> dict[str, str]:
    """Every row of the database but those of attempts to train, and every file but locks and SQLite's own."""
    found = {}
    for path in sorted(data.rglob("*")) if data.is_dir() else [data]:
        if path.is_file() and not path.name.startswith(DATABASE) and path.suffix != ".lock":
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    found[DATABASE] = _rows(data / DATABASE)
    return found


def _rows(database: Path) -> str:
    """The rows as SQL; of a file that SQLite cannot read, its bytes."""
    if not database.is_file():
        return "none"
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            return "\n".join(line for line in connection.iterdump() if not line.startswith(ATTEMPT))
    except sqlite3.DatabaseError:
        return hashlib.sha256(database.read_bytes()).hexdigest()


def as_told(said: Said, at: Place) -> str:
    """The sentence with what differs from one machine and day to the next put in the same words."""
    text = " ".join(said.lines).removeprefix("posture-daemon: ")
    text = text.replace(str(at.data), "/data").replace(str(at.beside), "/home/you")
    for pattern, that in (
        (r"process \d+", "process 1234"),
        (r"(127\.0\.0\.1):\d{2,5}", r"\1:8765"),
        (r"cameras found: [^.]*\.", "cameras found: none."),
        (r"[0-9a-f]{64}", "3f6c…"),
    ):
        text = re.sub(pattern, that, text)
    return text
