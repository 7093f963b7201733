"""A disk that is full, and one that the kernel has made read-only: real file systems, mounted for the purpose (as root)."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.bench import Bench, wait_a_moment
from tests.faults.processes import is_alive, kill
from tests.faults.witness import Witness
from tests.waiting import poll

FULL, READ_ONLY = "disk full", "disk read-only"
SIZE_MB = 48


def why_not() -> str | None:
    """Why file systems cannot be mounted here; `None` when they can."""
    if os.geteuid() != 0:
        return "file systems can only be mounted by root"
    with_loop = shutil.which("mkfs.ext4") and shutil.which("e2fsck") and Path("/dev/loop-control").exists()
    return None if with_loop else "there is no mkfs.ext4, or no loop device"


def disk_full(bench: Bench, phase: str) -> None:
    """Filled to the last byte while frames are kept and labels given, for a while; then there is room again."""
    count = bench.ledger.of(phase, FULL)
    with _tmpfs(bench.place / "small") as small:
        folder = bench.folder("data", learns=phase == "train", inside=small)
        witness = Witness(folder, promoting=phase == "train")
        daemon = bench.start(folder)
        with bench.in_use(daemon, witness) as owner:
            if owner is None:
                count.odd.append(f"no start: {daemon.last_words()}")
                return
            wait_a_moment(bench.chance, 1.0)
            filler = _fill(small)
            count.done += 1
            wait_a_moment(bench.chance, 3.0)
            if not is_alive(daemon.process):
                count.hands += 1
                count.odd.append(f"it ended: {daemon.last_words()}")
            if bench.chance.random() < 0.5:  # the power goes while the disk is full, and is back before there is room
                kill(daemon.process)
                _start_on_full(bench, phase, folder)
                filler.unlink()
            else:
                filler.unlink()
                bench.goes_on(phase, FULL, daemon, owner, witness)
        count.orphans += len(kill(daemon.process))
        bench.restart(phase, FULL, folder, witness)


def disk_read_only(bench: Bench, phase: str) -> None:
    """The kernel finds an error and makes the file system read-only under a running daemon; mended at the next boot."""
    count = bench.ledger.of(phase, READ_ONLY)
    image = bench.place / "disk.img"
    mount = bench.place / "disk"
    with image.open("wb") as file:
        file.truncate(SIZE_MB * 1024 * 1024)
    _run("mkfs.ext4", "-q", "-F", image)
    with _ext4(image, mount):
        folder = bench.folder("data", learns=phase == "train", inside=mount)
        _run(
            "sync", "-f", mount
        )  # the copy was ours; what is written from now on, the daemon must bring to the disk itself
        witness = Witness(folder, promoting=phase == "train")
        daemon = bench.start(folder)
        with bench.in_use(daemon, witness) as owner:
            if owner is None:
                count.odd.append(f"no start: {daemon.last_words()}")
                return
            wait_a_moment(bench.chance, 1.0)
            _make_read_only(mount)
            count.done += 1
            wait_a_moment(bench.chance, 3.0)
            if not is_alive(daemon.process):
                count.hands += 1
                count.odd.append(f"it ended: {daemon.last_words()}")
        count.orphans += len(kill(daemon.process))
        again = bench.start(folder)
        if again.wait_ready() is None and again.failed_badly():
            count.odd.append(f"a traceback on a read-only disk: {again.last_words()}")
        kill(again.process)
    _run("e2fsck", "-fy", image, codes=(0, 1))
    with _ext4(image, mount):
        bench.restart(phase, READ_ONLY, folder, witness)


def _start_on_full(bench: Bench, phase: str, folder: Path) -> None:
    """It may refuse in a sentence, or run; systemd would ask again."""
    daemon = bench.start(folder)
    if daemon.wait_ready() is None and daemon.failed_badly():
        bench.ledger.of(phase, FULL).odd.append(f"a traceback on a full disk: {daemon.last_words()}")
    kill(daemon.process)


def _fill(place: Path) -> Path:
    """Write a file until nothing more goes, byte by byte at the end."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2
    return filler


def _make_read_only(mount: Path) -> None:
    """Frozen meanwhile, since of a write in that very moment the kernel says that it is on the disk when it is not."""
    source = subprocess.run(["findmnt", "-n", "-o", "SOURCE", str(mount)], capture_output=True, text=True, check=True)
    _run("fsfreeze", "--freeze", mount)
    try:
        Path("/sys/fs/ext4", Path(source.stdout.strip()).name, "trigger_fs_error").write_text("1")
    finally:
        _run("fsfreeze", "--unfreeze", mount)


@contextmanager
def _tmpfs(mount: Path) -> Iterator[Path]:
    mount.mkdir(exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", mount)
    try:
        yield mount
    finally:
        _run("umount", mount)


@contextmanager
def _ext4(image: Path, mount: Path) -> Iterator[None]:
    mount.mkdir(exist_ok=True)
    _run("mount", "-o", "loop,errors=remount-ro", image, mount)
    try:
        yield
    finally:
        _run("umount", mount)
        poll(lambda: not _loops(image), 200)  # else the next mount may see what the device remembers of the old content


def _loops(image: Path) -> str:
    return subprocess.run(["losetup", "-j", str(image)], capture_output=True, text=True, check=True).stdout


def _run(*command: object, codes: tuple[int, ...] = (0,)) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode not in codes:
        raise RuntimeError(f"{command[0]}: {done.stderr}")
