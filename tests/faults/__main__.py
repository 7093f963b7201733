"""`make faults N=1000`: kills of the real daemon and of a worker, and the other faults; 0 when nothing was lost."""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from tests.faults.bench import Bench
from tests.faults.kills import DaemonKills
from tests.faults.ledger import Ledger
from tests.faults.others import OTHERS
from tests.faults.places import furnish
from tests.faults.processes import Nursery
from tests.faults.worker_kills import WorkerKills

SEED = 20


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("number", type=int, nargs="?", default=50, help="SIGKILLs, unless said otherwise below")
    parser.add_argument("--daemon", type=int, help="SIGKILLs of the real daemon")
    parser.add_argument("--worker", type=int, help="SIGKILLs of a worker that does nothing but store operations")
    parser.add_argument("--others", type=int, help="rounds of the other faults; by default one for each hundred kills")
    parser.add_argument("--only", help="of the other faults those with this word")
    parser.add_argument("--phase", help="only this phase of the daemon")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--minutes", type=float, default=600, help="begin nothing more after so long")
    options = parser.parse_args()
    console, ledger = Console(width=140), Ledger()
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        template, nursery = furnish(Path(place) / "template"), Nursery()
        bench = Bench(nursery, template, Path(place), ledger, random.Random(options.seed))
        go_on = _watch(console, options.minutes * 60)
        try:
            WorkerKills(bench).run(_or(options.worker, options.number), go_on)
            DaemonKills(bench).run(
                _or(options.daemon, options.number), {options.phase: 1} if options.phase else None, go_on
            )
            _others(bench, options, console, go_on)
        finally:
            nursery.close()
    console.print(ledger.table())
    console.print(ledger.moments())
    console.print(ledger.verdict())
    for complaint in ledger.complaints:
        console.print(complaint)
    return 1 if ledger.complaints else 0


def _or(given: int | None, usual: int) -> int:
    return usual if given is None else given


def _others(bench: Bench, options: argparse.Namespace, console: Console, go_on: Callable[[int], bool]) -> None:
    for done in range(_or(options.others, 1 + options.number // 100)):
        for other in OTHERS:
            reason = other.why_not()
            if reason is not None:
                console.print(f"{other.name} is left out: {reason}")
            elif options.only is None or options.only in other.name:
                for phase in other.phases:
                    other.run(bench, phase)
        if not go_on(done + 1):
            return


def _watch(console: Console, seconds: float) -> Callable[[int], bool]:
    began = time.monotonic()

    def go_on(done: int) -> bool:
        passed = time.monotonic() - began
        console.print(f"{done} done, {passed:.0f} s after the start", style="dim")
        return passed < seconds

    return go_on


if __name__ == "__main__":
    sys.exit(main())
