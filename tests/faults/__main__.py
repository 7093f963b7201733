"""`make faults N=1000`: kills of the real daemon and of a worker, and the other faults; a table, and 0 when nothing was lost."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.faults.kills import DaemonKills
from tests.faults.ledger import Ledger
from tests.faults.places import furnish
from tests.faults.processes import Nursery
from tests.faults.worker_kills import WorkerKills

SEED = 20


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--daemon", type=int, default=50, help="SIGKILLs of the real daemon")
    parser.add_argument("--worker", type=int, default=50, help="SIGKILLs of a worker")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--phase", default=None)
    options = parser.parse_args()
    console, ledger, began = Console(), Ledger(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        template = furnish(Path(place) / "template")
        nursery = Nursery()
        try:
            WorkerKills(nursery, template, Path(place), options.seed, ledger).run(
                options.worker, lambda n: console.print(f"{n} worker kills, {time.monotonic() - began:.0f} s")
            )
            kills = DaemonKills(nursery, template, Path(place), options.seed, ledger)
            kills.run(
                options.daemon,
                {options.phase: 1} if options.phase else None,
                lambda n: console.print(f"{n} kills, {time.monotonic() - began:.0f} s"),
            )
        finally:
            nursery.close()
    console.print(ledger.table())
    console.print(ledger.moments())
    console.print(ledger.verdict())
    for complaint in ledger.complaints:
        console.print(complaint)
    return 1 if ledger.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
