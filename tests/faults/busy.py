"""Another program that holds the database: for a while, and for longer than the daemon waits for it."""

import sqlite3
import time
from contextlib import closing

from tests.faults.bench import Bench, wait_a_moment
from tests.faults.processes import kill
from tests.faults.witness import Witness

BUSY = "database busy"
LONGER_THAN_WAITED_S = 11.5
"""The daemon waits 10 s."""


def database_busy(bench: Bench, phase: str) -> None:
    """BEGIN IMMEDIATE or EXCLUSIVE from outside while frames are kept and labels given; then it is let go."""
    count = bench.ledger.of(phase, BUSY)
    folder = bench.folder("busy", learns=phase == "train")
    witness = Witness(folder, promoting=phase == "train")
    daemon = bench.start(folder)
    with bench.in_use(daemon, witness) as owner:
        if owner is None:
            count.odd.append(f"no start: {daemon.last_words()}")
            return
        wait_a_moment(bench.chance, 1.0)
        with closing(sqlite3.connect(folder / "posture.db", timeout=30, isolation_level=None)) as other:
            other.execute(f"BEGIN {bench.chance.choice(('IMMEDIATE', 'EXCLUSIVE'))}")
            count.done += 1
            time.sleep(LONGER_THAN_WAITED_S if bench.chance.random() < 0.5 else bench.chance.uniform(0.5, 4))
            other.execute("ROLLBACK")
        bench.goes_on(phase, BUSY, daemon, owner, witness)
    count.orphans += len(kill(daemon.process))
    bench.restart(phase, BUSY, folder, witness)
