"""A wall clock that is set forth and back under the running daemon: the real command with libfaketime in front of it.

Only the wall clock is moved (`CLOCK_REALTIME`); the clock that only goes forward, and the times of files, are the real ones.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.faults.bench import Bench, Watched, wait_a_moment
from tests.faults.places import camera
from tests.faults.processes import execute, is_alive, kill, until
from tests.faults.witness import Witness

CLOCK = "clock set"
JUMPS = ("+400d", "-400d", "+26h", "-26h", "+3650d", "-3650d")


def library() -> Path | None:
    """libfaketime, where it is installed."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def clock_set(bench: Bench, phase: str) -> None:
    """Forth or back by a day to ten years, then to the right time; frames, answers and trainings go on each time."""
    count = bench.ledger.of(phase, CLOCK)
    folder = bench.folder("clock", learns=phase == "train")
    clock = bench.place / "clock.txt"
    clock.write_text("+0")
    witness = Witness(folder, promoting=phase == "train")
    witness.look()
    daemon = _start(bench, folder, clock)
    with bench.in_use(daemon, witness) as owner:
        if owner is None:
            count.odd.append(f"no start: {daemon.last_words()}")
            return
        for jump in (bench.chance.choice(JUMPS), "+0"):
            wait_a_moment(bench.chance, 1.0)
            trained = len(witness.decisions)
            clock.write_text(jump)
            count.done += 1
            bench.goes_on(phase, CLOCK, daemon, owner, witness)
            if phase == "train" and not until(lambda: _decided(witness, trained), 90):
                count.odd.append(f"no training after {jump}: {daemon.last_words()}")
        if not is_alive(daemon.process):
            count.hands += 1
    said = daemon.log.read_text(errors="replace")
    if "the clock jumped by" not in said or "Traceback" in said:
        count.odd.append(f"it was not noticed, or badly: {said[-600:]}")
    count.orphans += len(kill(daemon.process))
    bench.restart(phase, CLOCK, folder, witness)


def _start(bench: Bench, folder: Path, clock: Path) -> Watched:
    bench.day += 1
    log = bench.log()
    faked = {
        "LD_PRELOAD": str(library()), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
    }  # fmt: skip
    return Watched(execute("--data-dir", folder, "run", "--camera", camera(bench.day), out=log, **faked), log)


def _decided(witness: Witness, before: int) -> bool:
    witness.look()
    time.sleep(0.1)
    return len(witness.decisions) > before
