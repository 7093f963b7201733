"""Data folders of any name: what is written for one is in it, and nowhere else."""

import os
import sqlite3
from pathlib import Path

import pytest

from posture_daemon.bootstrap.models import open_store
from posture_daemon.errors import DataFolderError
from posture_daemon.integrity.checkup import look
from posture_daemon.settings import load_settings
from posture_daemon.store import Store
from posture_daemon.store.database import FILE_NAME
from posture_daemon.store.restore import restore

NAMES = [
    b"a?b", b"a?c", b"a#b", b"100%", b"%20", b"%(here)s", b"a;b:c", b"a&b=c", b"a b", b"trail ", b" lead", b"it's", b'"q"',
    b"new\nline", b"-dash", b"[x]", b"[bold]", "é".encode(), "e\u0301".encode(), b"\xff\xfe", b"$HOME", b"back\\slash", b"*",
    b"~x", b"{a}", b"x.zip", b":memory:", b"file:x", b"x\x1b[31my", b"...", b"x" * 200,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_data_folder_may_have_any_name(name: bytes, tmp_path: Path) -> None:
    """Opened, backed up, examined and restored, all of it lies in the folder of that name."""
    folder = tmp_path / os.fsdecode(name)
    settings = load_settings(None, {"data_dir": folder}).settings
    assert settings.data_dir == folder
    store = open_store(settings)
    store.pauses.begin(1.0, None)
    backup = store.back_up(1e9, keep=2)
    store.close()
    restored = restore(folder, backup, 1e9)
    look(settings, 1e9)
    assert restored.aside is not None
    assert [found.name for found in tmp_path.iterdir()] == [folder.name]
    assert {FILE_NAME, "models", "backups"} <= set(os.listdir(folder))
    with sqlite3.connect(os.fsencode(folder / FILE_NAME)) as file:
        assert file.execute("SELECT count(*) FROM model_versions").fetchone() == (1,)
    file.close()


def test_two_folders_share_nothing(tmp_path: Path) -> None:
    """A question mark once ended the name of the database."""
    for name in ("a?b", "a?c", "a"):
        Store(tmp_path / name).close()
    assert sorted(os.listdir(tmp_path)) == ["a", "a?b", "a?c"]


def test_a_folder_behind_a_link_is_that_folder(tmp_path: Path) -> None:
    """Both names mean one database."""
    (tmp_path / "link").symlink_to("real?")
    (tmp_path / "real?").mkdir()
    first, second = (Store(tmp_path / name) for name in ("link", "real?"))
    first.pauses.begin(1.0, None)
    assert second.pauses.current(2.0) is not None
    first.close()
    second.close()


@pytest.mark.parametrize(("first", "second"), [("a", "a/b/c"), ("a", "a/backups"), ("a/b", "a"), ("a", "link/b")])
def test_no_data_folder_within_another(first: str, second: str, tmp_path: Path) -> None:
    """What tidies up in one would meet the files of the other."""
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    open_store(load_settings(None, {"data_dir": tmp_path / first}).settings).close()
    before = sorted(path.name for path in (tmp_path / "a").rglob("*"))
    with pytest.raises(DataFolderError, match="another data folder"):
        open_store(load_settings(None, {"data_dir": tmp_path / second}).settings)
    assert sorted(path.name for path in (tmp_path / "a").rglob("*")) == before


def test_a_path_too_long_for_sqlite_is_named(tmp_path: Path) -> None:
    """SQLite itself says that the folder is not writable; a backup goes nowhere else either."""
    deep = tmp_path.joinpath(*["x" * 100] * 5)
    with pytest.raises(DataFolderError, match="longer path than the 400 bytes"):
        open_store(load_settings(None, {"data_dir": deep}).settings)
    store = Store(tmp_path / "a")
    with pytest.raises(DataFolderError, match="longer path than the 400 bytes"):
        store.back_up(1e9, 2, deep)
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
