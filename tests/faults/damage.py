"""Files that rot while the daemon is down: a model, the feature cache, the settings, a page of the database."""

import random
import subprocess
import sys
from pathlib import Path

from posture_daemon.bootstrap.models import champion
from posture_daemon.store import Store
from tests.e2e.command import environment
from tests.faults.bench import Bench, wait_a_moment
from tests.faults.processes import REPOSITORY, is_alive, kill
from tests.faults.witness import Witness, database
from tests.waiting import poll

PAGE = 4096


def scribble(path: Path, chance: random.Random, *, whole_page: bool = False) -> None:
    """Overwrite some bytes in the middle, or a page; or cut the file short."""
    data = bytearray(path.read_bytes())
    if whole_page:
        page = chance.randrange(1, max(2, len(data) // PAGE))
        data[page * PAGE : (page + 1) * PAGE] = chance.randbytes(PAGE)
    elif chance.random() < 0.3:
        del data[chance.randrange(len(data)) :]
    else:
        at = chance.randrange(max(1, len(data) - 16))
        data[at : at + 16] = chance.randbytes(16)
    path.write_bytes(data)


def model_damaged(bench: Bench, phase: str) -> None:
    """The champion's head or backbone: it starts all the same, says so, and everything else is there."""
    fault = "model file damaged"
    count = bench.ledger.of(phase, fault)
    folder, witness = _used(bench, phase)
    store = Store(folder)
    best = champion(store)
    backbone = store.models.backbone_folder(best.backbone_sha256) / "backbone.onnx"
    path = store.models.head_path(best.head_sha256) if bench.chance.random() < 0.5 else backbone
    store.close()
    scribble(path, bench.chance)
    count.done += 1
    daemon = bench.start(folder)
    bench.count_restart(phase, fault, daemon)
    with database(folder) as connection:
        told = connection.execute("SELECT text FROM incidents").fetchall()
        now = connection.execute("SELECT version_id FROM model_roles WHERE role = 'champion'").fetchone()[0]
    bench.ledger.landed[phase, f"{fault}: {'another model answers' if now != best.id else 'mended'}"] += 1
    if not told:
        count.odd.append(f"{fault}: nobody was told")
    witness.champion = now
    bench.check(phase, fault, witness)
    kill(daemon.process)


def cache_damaged(bench: Bench, phase: str) -> None:
    """Every file of the feature cache: the next training computes anew what it cannot trust."""
    fault = "feature cache damaged"
    count = bench.ledger.of(phase, fault)
    folder, witness = _used(bench, "train")
    for path in (p for p in (folder / "cache").rglob("*") if p.is_file() and p.stat().st_size):
        scribble(path, bench.chance)
        count.done += 1
    if not count.done:
        count.odd.append("there was no cache to damage")
    daemon = bench.start(folder)
    before = len(witness.decisions)
    with bench.in_use(daemon, witness) as owner:
        if owner is None or not poll(lambda: _looked(witness) > before or not is_alive(daemon.process)):
            count.odd.append(f"no training with a damaged cache: {daemon.last_words()}")
    kill(daemon.process)
    bench.restart(phase, fault, folder, witness)


def settings_damaged(bench: Bench, phase: str) -> None:
    """A settings file that is no TOML: one sentence, nothing touched; with the file mended it starts. This needs a hand."""
    fault = "settings file damaged (a hand mends it)"
    count = bench.ledger.of(phase, fault)
    folder, witness = _used(bench, phase)
    file = folder / "posture-daemon.toml"
    good = file.read_bytes()
    file.write_bytes(good + b"\n[camera\nfps = = \xff\xfe\n")
    count.done += 1
    _must_refuse(bench, phase, fault, folder)
    file.write_bytes(good)
    bench.restart(phase, fault, folder, witness)


def page_damaged(bench: Bench, phase: str) -> None:
    """A page of the database: refused in one sentence that names the way back, and `restore` goes it. This needs a hand.

    What is not in the backup is lost with the page, so only what was acknowledged before the backup is asked for. A page that
    holds nothing but a picture is not noticed by SQLite; then the daemon starts with everything else.
    """
    fault = "database page damaged (restore brings it back)"
    count = bench.ledger.of(phase, fault)
    folder, witness = _used(bench, phase)
    store = Store(folder)
    store.back_up(1_000_000.0, 3)
    store.close()
    scribble(folder / "posture.db", bench.chance, whole_page=True)
    count.done += 1
    daemon = bench.start(folder)
    if daemon.wait_ready() is None:
        kill(daemon.process)
        bench.ledger.landed[phase, "page damaged: refused, restored"] += 1
        _must_refuse(bench, phase, fault, folder)
        command = [sys.executable, "-m", "posture_daemon", "--data-dir", str(folder), "restore", "--yes"]
        variables = environment(PYTHONPATH=str(REPOSITORY))
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY, env=variables)
        if done.returncode:
            count.odd.append(f"restore: {done.stderr}")
        bench.restart(phase, fault, folder, witness)
        return
    bench.ledger.landed[phase, "page damaged: in a picture, not noticed"] += 1
    count.restarts += 1
    kill(daemon.process)


def _used(bench: Bench, phase: str) -> tuple[Path, Witness]:
    """A folder that was used for a while, and whose daemon was killed."""
    folder = bench.folder("damaged", learns=phase == "train")
    witness = Witness(folder, promoting=phase == "train")
    daemon = bench.start(folder)
    with bench.in_use(daemon, witness):
        if phase == "train":
            poll(lambda: _looked(witness))
        wait_a_moment(bench.chance, 0.5)
        kill(daemon.process)
    witness.look()
    return folder, witness


def _must_refuse(bench: Bench, phase: str, fault: str, folder: Path) -> None:
    daemon = bench.start(folder)
    poll(lambda: not is_alive(daemon.process))
    said = [line for line in daemon.log.read_text(errors="replace").splitlines() if line.startswith("posture-daemon: ")]
    if is_alive(daemon.process) or len(said) != 1 or daemon.failed_badly():
        bench.ledger.of(phase, fault).odd.append(f"no refusal in one sentence: {daemon.last_words()}")
    kill(daemon.process)


def _looked(witness: Witness) -> int:
    witness.look()
    return len(witness.decisions)
