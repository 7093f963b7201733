"""The lock, and files that are written whole or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from posture_daemon.store import files as store_files
from posture_daemon.store.files import write_durably
from posture_daemon.store.lock import exclusive, is_held, owner_of, taken_at
from tests.checks import raising

TRY = "import sys\nfrom pathlib import Path\nfrom posture_daemon.store.lock import exclusive\n"
HOLD = TRY + "with exclusive(Path(sys.argv[1])) as held:\n    print(held, flush=True)\n    sys.stdin.read()\n"


def test_a_second_process_cannot_take_the_lock_and_gets_it_when_the_first_is_killed(tmp_path: Path) -> None:
    """The kernel keeps the lock, so not even SIGKILL leaves it behind; the file tells people who has it."""
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "True\n"
        with exclusive(path) as held:
            assert held is False
        assert owner_of(path) == holder.pid
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with exclusive(path) as held:
        assert held is True
        assert owner_of(path) == os.getpid()


def test_what_a_lock_file_says_holds_nobody_back(tmp_path: Path) -> None:
    """Neither the number of a process that runs, nor nonsense: the kernel knows who holds it."""
    path = tmp_path / "daemon.lock"
    for text in ("1\n", "nonsense", ""):
        path.write_text(text)
        assert not is_held(path)
        with exclusive(path) as alone:
            assert alone


def test_the_lock_also_holds_within_one_process(tmp_path: Path) -> None:
    """Two threads of the daemon do not train at once; the lock is free after the block."""
    with exclusive(tmp_path / "lock") as first, exclusive(tmp_path / "lock") as second:
        assert (first, second) == (True, False)
    with exclusive(tmp_path / "lock") as again:
        assert again
    assert owner_of(tmp_path / "nowhere") is None


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """The folder is created, the old content gone, and nothing else is left in the folder."""
    path = tmp_path / "new" / "file"
    write_durably(path, b"old and long")
    write_durably(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Whether the disk fails while writing or while renaming."""
    path = tmp_path / "file"
    write_durably(path, b"old")
    monkeypatch.setattr(store_files.os, step, raising(OSError("no space left")))
    with pytest.raises(OSError, match="no space left"):
        write_durably(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_content_is_on_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order that survives a power cut: write, fsync the file, rename, fsync the folder."""
    steps = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        steps.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        real_fsync(descriptor)

    def rename(source: str, target: Path) -> None:
        assert Path(source).read_bytes() == b"data"
        steps.append("rename")
        real_replace(source, target)

    monkeypatch.setattr(store_files.os, "fsync", fsync)
    monkeypatch.setattr(store_files.os, "replace", rename)
    write_durably(tmp_path / "file", b"data")
    assert steps == ["file", "rename", "folder"]


def test_a_lock_file_tells_when_it_was_last_taken(tmp_path: Path) -> None:
    """Never, then a time that every new owner moves on; to look takes no lock, and a try that fails is no taking."""
    lock = tmp_path / "lock"
    assert taken_at(lock) is None
    with exclusive(lock):
        os.utime(lock, ns=(5, 5))
        with exclusive(lock) as alone:
            assert not alone
        assert taken_at(lock) == 5
    with exclusive(lock) as alone:
        assert alone
        assert (taken_at(lock) or 0) > 5
