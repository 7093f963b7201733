"""Writes `docs/faults.md` from the catalogue: `python -m tests.faults.page > docs/faults.md`.

With arguments only those faults are met, and their rows are printed.
"""

import atexit
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from functools import cache
from itertools import groupby
from pathlib import Path

from tests.faults.catalogue import FAULTS
from tests.faults.fault import Fault, as_told, meet, place
from tests.faults.survived import SURVIVED

INTRODUCTION = """\
# What it says when something is wrong

Every mistake and every fault below was made for real by a test, and this is what the command said: one sentence that names what
is wrong, where, and what would be right. Nothing in the data folder was changed by any of them. The page is written by
`make docs` from [`tests/faults/catalogue.py`](../tests/faults/catalogue.py), and a test holds the two against each other.

`/data` is the data folder, `/home/you` is where your own files are. Commands end with 1, or with 2 when they were called in a
way that they do not understand; anything but 0 is a failure. The cameras below were typed (`run --camera`, `teach`, `setup`) or
are recordings: for a camera from the settings the daemon waits, and says the same sentence in `status`.
"""

RUNNING = """\
## What goes wrong while the daemon runs

None of these ends it. Each line is in its log, and each is from a test that has seen it go on.

| what happens | what the log says | what it does |
|---|---|---|
"""

MEMBERS = Path(__file__).parent / "kinds" / "members.md"
"""Written by who tried them."""

TRIED = """\
## What else was thrown at it

By kind, beside what the tables above say. What is read right is no fault; it stands here because it once was one, or might have
been. Most of it is in the tests, all of it was tried.

"""


@cache
def zoo() -> Path:
    """Checkpoints that ultralytics writes; see `tests/ultralytics_zoo.py`."""
    folder = Path(tempfile.mkdtemp(prefix="posture-daemon-zoo-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    script = Path(__file__).parents[1] / "ultralytics_zoo.py"
    subprocess.run([sys.executable, str(script), "make", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return folder


def row(fault: Fault, sentence: str) -> str:
    """The line of the table."""
    return f"| {fault.title} | {sentence.replace('|', chr(92) + '|')} | {fault.code} |"


def written(rows: Iterable[tuple[Fault, str]]) -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for group, members in groupby(rows, key=lambda met: met[0].group):
        lines = "\n".join(line for _, line in members)
        parts.append(f"## {group}\n\n| what is wrong | what it says | exit |\n|---|---|---|\n{lines}\n")
    survived = (f"| {one.title} | {one.says} | {one.does} |\n" for one in SURVIVED)
    return "\n".join([*parts, RUNNING + "".join(survived), TRIED + MEMBERS.read_text(encoding="utf-8")])


def told(fault: Fault) -> str:
    """Make the fault, and return its line of the table."""
    with tempfile.TemporaryDirectory() as folder, place(Path(folder), zoo) as at:
        return row(fault, as_told(meet(fault, at)[0], at))


def main(names: list[str]) -> None:
    """Print the page, or the lines of these faults."""
    if names:
        sys.stdout.writelines(f"{told(fault)}\n" for fault in FAULTS if fault.name in names)
    else:
        sys.stdout.write(written((fault, told(fault)) for fault in FAULTS))


if __name__ == "__main__":
    main(sys.argv[1:])
