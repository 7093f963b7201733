"""A short run of all faults on the real daemon: `make faults N=1000` is the long one. TEST_FAULTS sets how many kills."""

import os
import random
from collections.abc import Iterator

import pytest

from tests.faults.bench import Bench
from tests.faults.kills import SHARES, DaemonKills
from tests.faults.ledger import Ledger
from tests.faults.others import OTHERS, Other
from tests.faults.places import furnish
from tests.faults.processes import Nursery
from tests.faults.worker_kills import WorkerKills

KILLS = int(os.environ.get("TEST_FAULTS", "8"))
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One nursery and one template folder for all, since both take seconds."""
    place = tmp_path_factory.mktemp("faults")
    nursery = Nursery()
    yield Bench(nursery, furnish(place / "template"), place, Ledger(), random.Random(20))
    nursery.close()


@pytest.fixture
def bench(shared: Bench) -> Bench:
    """With a ledger of its own."""
    shared.ledger = Ledger()
    return shared


def test_a_daemon_killed_in_any_phase_starts_again_with_everything(bench: Bench) -> None:
    """SIGKILL in every phase at least once: no restart needs a hand, nothing acknowledged is lost, no orphan is left."""
    kills = DaemonKills(bench)
    for phase in SHARES:
        kills.run(max(1, KILLS // len(SHARES)), {phase: 1})
    assert bench.ledger.complaints == []
    assert bench.ledger.total.done >= len(SHARES)
    assert bench.ledger.acknowledged > 0


def test_a_worker_killed_in_any_operation_leaves_what_it_acknowledged(bench: Bench) -> None:
    """Frames, answers, promotions, pauses, backups, migrations."""
    WorkerKills(bench).run(3 * KILLS)
    assert bench.ledger.complaints == []
    assert bench.ledger.total.done == 3 * KILLS


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: other.name.replace(" ", "-"))
def test_it_lives_through(other: Other, bench: Bench) -> None:
    """While it lasts nothing acknowledged is lost; when it is over the daemon goes on, or starts again, with everything."""
    reason = other.why_not()
    if reason is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}; it must be possible in CI")
        pytest.skip(reason)
    other.run(bench, other.phases[0])
    assert bench.ledger.complaints == []
    assert bench.ledger.total.done >= 1


def test_the_witness_notices_what_is_lost(bench: Bench) -> None:
    """A label, frame, decision, champion or answer that is not as it was is named; else nothing above says anything."""
    from tests.faults.witness import Witness, database

    folder = bench.folder("tampered")
    witness = Witness(folder)
    assert (witness.missing(), witness.changed_answers()) == ([], [])
    with database(folder) as connection:
        frame, at, name = connection.execute(
            "SELECT f.id, f.captured_at, c.name FROM labels l JOIN frames f ON f.id = l.frame_id "
            "JOIN classes c ON c.id = l.class_id"
        ).fetchone()
        witness.labels[frame, at] = name
        connection.execute("DELETE FROM labels WHERE frame_id = ?", (frame,))
        connection.execute("UPDATE frames SET sha256 = 'other' WHERE id = ?", (frame,))
        connection.execute("UPDATE model_roles SET version_id = 1 WHERE role = 'champion'")
        connection.execute("UPDATE model_versions SET temperature = 9")
        connection.commit()
    witness.decisions[77], witness.pause = ("PROMOTED", 2), 5
    assert len(witness.missing()) == 5
    witness._answers[1] = witness._answers[2]
    assert len(witness.changed_answers()) == 1
