"""Large and broken folders through the command line: clear words, bounded time and memory, nothing lost, however it ends."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from posture_daemon.domain import MB, Split
from posture_daemon.store import Store
from tests.builders import undo
from tests.e2e.command import environment
from tests.waiting import allowed_s, wait_until

CLASSES = ("good_posture", "bad_posture", "na")


def write_pictures(folder: Path, count: int) -> bytes:
    """So many small JPEGs, each different in a corner, in three class folders; returns one of them."""
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (48, 64, 3), np.uint8)
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    for number in range(count):
        picture[:8, :8] = random.integers(0, 256, (8, 8, 3), np.uint8)
        file = io.BytesIO()
        PillowImage.fromarray(picture).save(file, "JPEG")
        (folder / CLASSES[number % 3] / f"{number}.jpg").write_bytes(file.getvalue())
    return file.getvalue()


def break_some(folder: Path, whole: bytes, count: int) -> None:
    """So many files that are no pictures, in five ways."""
    ways = (whole[: len(whole) // 2], b"", b"these are words", b"%PDF-1.4 in a wrong coat", b"\xff\xd8" + bytes(500))
    for number in range(count):
        suffix = ".png" if number % 5 == 3 else ".jpg"
        (folder / CLASSES[number % 3] / f"broken{number}{suffix}").write_bytes(ways[number % 5])


MEASURED = """
import re, runpy, sys
from pathlib import Path
peak = Path(sys.argv.pop(1))
try:
    runpy.run_module("posture_daemon", run_name="__main__", alter_sys=True)
finally:
    peak.write_text(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""
"""The command, which leaves its peak memory (kB) in a file; what wait4(2) says begins with that of the forking process."""


def importing(data_dir: Path, folder: Path) -> subprocess.Popen[str]:
    """Begin an import in a process of its own."""
    command = [sys.executable, "-c", MEASURED, str(peak_file(data_dir)), "--data-dir", str(data_dir)]
    command += ["label", "--import", str(folder)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(POSTURE_LABELS__BLOCK_FILES="20")
    )  # fmt: skip


def peak_file(data_dir: Path) -> Path:
    """Where an import leaves its peak memory."""
    return data_dir.with_suffix(".peak")


def finish(process: subprocess.Popen[str]) -> str:
    """What it printed."""
    printed, _ = process.communicate()
    assert process.returncode == 0, printed
    return printed


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Where the data folder will be."""
    return tmp_path / "data"


@pytest.fixture
def half_done(data_dir: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """An import of 3,000 pictures that has got somewhere, and is not done."""
    write_pictures(tmp_path / "pictures", 3000)
    process = importing(data_dir, tmp_path / "pictures")
    wait_until(lambda: (data_dir / "posture.db").exists() and labels(data_dir) > 100, "an import under way")
    yield process
    process.kill()
    process.communicate()


def labels(data_dir: Path) -> int:
    """How many there are now."""
    with closing(Store(data_dir)) as store:
        return store.labels.total()


def counts(data_dir: Path) -> dict[str, dict[Split, int]]:
    """Images by class and split."""
    with closing(Store(data_dir)) as store:
        return store.labels.counts()


@pytest.mark.slow
def test_ten_thousand_files_of_which_a_hundred_are_broken(data_dir: Path, tmp_path: Path) -> None:
    """The others are imported, a few of the broken ones named, all counted by cause; one undo takes all of it back."""
    pictures = tmp_path / "pictures"
    break_some(pictures, write_pictures(pictures, 9_900), 100)
    (pictures / "na" / "folder.jpg").mkdir()
    began = time.monotonic()
    printed = finish(importing(data_dir, pictures))
    assert time.monotonic() - began < allowed_s(120)
    assert int(peak_file(data_dir).read_text()) * 1024 / MB < 400
    lines = printed.splitlines()
    assert lines[0] == "Pictures: 9900 added with a label, 100 unreadable."
    assert "100 files cannot be read and were left out; all others were read." in lines[1]
    assert "20 × cut off in the middle" in lines[1]
    assert "20 × an empty file" in lines[1]
    assert "40 × no picture inside" in lines[1]
    assert "20 × PostScript or PDF" in lines[1]
    assert sum("cannot be read as a picture" in line for line in lines) == 5
    assert lines[-1] == "… and 95 more files; --verbose names them all."
    again = finish(importing(data_dir, pictures))
    assert again.startswith("Nothing changed: 9900 already there, 100 unreadable.")
    store = Store(data_dir)
    undo(store)
    assert store.labels.total() == 0
    store.close()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_import_is_completed_by_a_second_one(
    half_done: subprocess.Popen[str], data_dir: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """What was in stays, whole blocks of it; after the second import everything is as if there had been only one."""
    half_done.send_signal(number)
    printed, _ = half_done.communicate(timeout=300)
    assert half_done.returncode == (-number if number is signal.SIGKILL else 0)
    some = labels(data_dir)
    assert 100 < some < 3000
    assert some % 20 == 0
    if number is not signal.SIGKILL:
        assert f"was stopped. {some} pictures are in, whole; the same import again adds the rest" in printed
        assert "Traceback" not in printed
    printed = finish(importing(data_dir, tmp_path / "pictures"))
    assert printed.startswith(f"Pictures: {3000 - some} added with a label, {some} already there.")
    finish(importing(tmp_path / "other", tmp_path / "pictures"))
    assert counts(data_dir) == counts(tmp_path / "other")
    with closing(Store(data_dir)) as store:
        undo(store)
        assert store.labels.total() == sum(store.queue.counts().values()) == some
        undo(store)
        assert sum(store.queue.counts().values()) == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_said_so(data_dir: Path, tmp_path: Path) -> None:
    """One among others; they are imported."""
    write_pictures(tmp_path / "pictures", 6)
    (tmp_path / "pictures" / "na" / "2.jpg").chmod(0)
    printed = finish(importing(data_dir, tmp_path / "pictures"))
    assert "5 added with a label, 1 unreadable" in printed
    assert "2.jpg cannot be read as a picture (no permission to read it)." in printed
