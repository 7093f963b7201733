"""Give every reader of the product inputs that nobody means, and see that each is read or refused in one sentence.

    python -m tests.fuzz [--seconds S | --inputs N] [--target T] [--seed K]
    python -m tests.fuzz --target T --file FILE      (one input again, with its traceback)

`--seconds` and `--inputs` are of the whole run; quick targets get more inputs than slow ones. An input with an unexpected end
(a traceback, a wrong answer, too long, too much memory) is kept, and the command that repeats it is printed. Exit code 1 then.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from queue import Empty
from typing import Any

from tests.bench.shared import tell, tell_table
from tests.fuzz.target import TARGETS, Target, Unexpected
from tests.fuzz.worker import Tally, input_of, opened, try_one, work

KEPT = Path(".cache/fuzz")
SILENT_S = 120.0
"""An input that takes longer hangs in code that no signal reaches; its process is killed."""

PREPARING_S = 1800.0
"""To load torch and draw a checkpoint takes seconds, on a busy machine minutes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the table, say what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=None)
    parser.add_argument("--inputs", type=int, default=None)
    parser.add_argument("--target", choices=[target.name for target in TARGETS], action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--file", type=Path)
    wanted = parser.parse_args(arguments)
    targets = [target for target in TARGETS if not wanted.target or target.name in wanted.target]
    if wanted.file is not None:
        return again(targets[0], wanted.file)
    return report(run(targets, wanted))


def again(target: Target, file: Path) -> int:
    """One input that was kept."""
    with opened(target) as parts:
        try:
            tell(try_one(parts, file.read_bytes()))
        except Unexpected:
            traceback.print_exc()
            return 1
    return 0


class Job:
    """A target at work in a process."""

    def __init__(self, target: Target, wanted: argparse.Namespace, most: int, seconds: float) -> None:
        self.target, self.seed = target, wanted.seed
        context = multiprocessing.get_context("fork")  # this process has loaded nothing heavy
        self.results: Any = context.Queue()
        self.progress: Any = context.Value("q", -1)
        self.process = context.Process(
            target=work, args=(target, wanted.seed, most, seconds, self.progress, self.results), daemon=True
        )
        self.process.start()
        self._at, self._since = -1, time.monotonic()

    def ended(self) -> Tally | None:
        """What came of it; `None` while it goes on."""
        try:
            return self.results.get(timeout=0.05)  # type: ignore[no-any-return]
        except Empty:
            pass
        now = time.monotonic()
        if self.progress.value != self._at:
            self._at, self._since = self.progress.value, now
        patience_s = SILENT_S if self._at >= 0 else PREPARING_S
        if self.process.is_alive() and now - self._since < patience_s:
            return None
        how = f"ended with {self.process.exitcode}" if not self.process.is_alive() else f"hangs for {patience_s:g} s"
        self.process.kill()
        self.process.join()
        return Tally(self.target.name, self._at + 1, unexpected=1, found={f"the process {how}": self._input()})

    def _input(self) -> bytes:
        """The one that it died of, made again."""
        if self._at < 0:
            return b""
        with opened(self.target) as parts:
            return input_of(parts, self.seed, self.progress.value)


def run(targets: Sequence[Target], wanted: argparse.Namespace) -> list[Tally]:
    """All targets, `processes` at a time, the slowest to begin first."""
    shares = sum(target.share for target in targets)
    seconds = (
        float("inf") if wanted.inputs else (wanted.seconds or 60.0) * min(wanted.processes, len(targets)) / len(targets)
    )
    waiting = [
        (target, -(-(wanted.inputs or 10**12) * target.share // shares))
        for target in sorted(targets, key=lambda target: target.share)
    ]
    jobs: list[Job] = []
    done: list[Tally] = []
    while waiting or jobs:
        while waiting and len(jobs) < wanted.processes:
            target, most = waiting.pop(0)
            jobs.append(Job(target, wanted, most, seconds))
        for job in list(jobs):
            tally = job.ended()
            if tally is not None:
                jobs.remove(job)
                done.append(tally)
    order = [target.name for target in TARGETS]
    return sorted(done, key=lambda tally: order.index(tally.name))


def report(tallies: Sequence[Tally]) -> int:
    """The table, then each unexpected end; 1 if there was one."""
    titles = {target.name: target.title for target in TARGETS}
    rows = [("target", "", "inputs", "refused", "read", "unexpected", "inputs/s")]
    for t in tallies:
        counts = (t.inputs, t.refused, t.read, t.unexpected, round(t.inputs / t.seconds) if t.seconds else 0)
        rows.append((t.name, (t.missing and f"left out: {t.missing}") or titles[t.name], *(f"{n:,}" for n in counts)))
    sums = [sum(getattr(t, name) for t in tallies) for name in ("inputs", "refused", "read", "unexpected")]
    tell_table([*rows, ("all", "", *(f"{n:,}" for n in sums), "")])
    for tally in tallies:
        for words, data in tally.found.items():
            KEPT.mkdir(parents=True, exist_ok=True)
            file = KEPT / f"{tally.name}-{hashlib.sha256(data).hexdigest()[:12]}"
            file.write_bytes(data)
            tell("", f"{tally.name}: {words}", f"again: python -m tests.fuzz --target {tally.name} --file {file}")
    return 1 if any(tally.unexpected for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
