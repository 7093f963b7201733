"""A wall clock that is set forth and back under the running daemon, by a small library in front of it: `wall_clock.c`."""

import shutil
import subprocess
import time
from functools import partial
from pathlib import Path

from tests.faults.bench import Bench, Watched, wait_a_moment
from tests.faults.places import camera
from tests.faults.processes import execute, is_alive, kill
from tests.faults.witness import Witness
from tests.waiting import poll

CLOCK = "clock set"
SOURCE = Path(__file__).with_name("wall_clock.c")
NOTICED_S = 300.0
HOUR_S, DAY_S = 3600, 86_400
JUMPS = (400 * DAY_S, -400 * DAY_S, 26 * HOUR_S, -26 * HOUR_S, 3650 * DAY_S, -3650 * DAY_S)


def why_not() -> str | None:
    """Why no clock can be set here; `None` when one can."""
    return None if shutil.which("cc") else "there is no C compiler (cc) to build a wrong clock with"


def clock_set(bench: Bench, phase: str) -> None:
    """Forth or back by a day to ten years, then to the right time; frames, answers and trainings go on each time."""
    count = bench.ledger.of(phase, CLOCK)
    folder = bench.folder("clock", learns=phase == "train")
    clock = bench.place / "clock.txt"
    clock.write_text("0")
    witness = Witness(folder, promoting=phase == "train")
    daemon = _start(bench, folder, clock)
    with bench.in_use(daemon, witness) as owner:
        if owner is None:
            count.odd.append(f"no start: {daemon.last_words()}")
            return
        for times, jump_s in enumerate((bench.chance.choice(JUMPS), 0), 1):
            wait_a_moment(bench.chance, 1.0)
            clock.write_text(str(jump_s))
            count.done += 1
            before = len(witness.decisions)
            poll(partial(_noticed, daemon, times), NOTICED_S)
            bench.goes_on(phase, CLOCK, daemon, owner, witness)
            if phase == "train" and not _trains_again(witness, before):
                count.odd.append(f"no training after the clock was set by {jump_s} s: {daemon.last_words()}")
        if not is_alive(daemon.process):
            count.hands += 1
    if not _noticed(daemon, 2) or daemon.failed_badly():
        count.odd.append(f"it was not noticed, or badly: {daemon.last_words()}")
    count.orphans += len(kill(daemon.process))
    bench.restart(phase, CLOCK, folder, witness)


def _noticed(daemon: Watched, times: int) -> bool:
    return daemon.log.read_text(errors="replace").count("the clock jumped by") >= times


def _start(bench: Bench, folder: Path, clock: Path) -> Watched:
    library = bench.place / "wall_clock.so"
    if not library.exists():
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE], check=True)
    bench.day += 1
    log = bench.log()
    wrong = {"LD_PRELOAD": str(library), "WALL_CLOCK": str(clock)}
    return Watched(execute("--data-dir", folder, "run", "--camera", camera(bench.day), out=log, **wrong), folder, log)


def _trains_again(witness: Witness, before: int) -> bool:
    def decided() -> bool:
        witness.look()
        time.sleep(0.1)
        return len(witness.decisions) > before

    return bool(poll(decided))
