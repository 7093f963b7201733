"""The owner's folder is copied with their rights, and written with the service's: what attacks on root come to now."""

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from posture_daemon.errors import ServiceError
from posture_daemon.service import takeover
from posture_daemon.service.takeover import take_over, take_settings
from tests.other_user import OWNER, SERVICE, needs_root, owned

pytestmark = needs_root


@pytest.fixture
def home(open_place: Path) -> Path:
    """A data folder of the owner's: a database in WAL mode, a model."""
    folder = owned(open_place / "home", OWNER)
    with closing(sqlite3.connect(folder / "posture.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE labels (id INTEGER)")
        database.execute("INSERT INTO labels VALUES (7)")
        database.commit()
    owned(folder / "models", OWNER)
    owned(folder / "models" / "heads", OWNER)
    owned(folder / "models" / "heads" / "abc.safetensors", OWNER, "head")
    for path in folder.glob("posture.db*"):
        os.chown(path, OWNER.uid, OWNER.gid)
    return folder


@pytest.fixture
def target(open_place: Path) -> Path:
    """Where the service's data will be."""
    return open_place / "state"


@pytest.fixture
def secret(open_place: Path) -> Path:
    """A file that only root may read, such as /etc/shadow."""
    file = open_place / "shadow"
    file.write_text("root's secret")
    file.chmod(0o600)
    return file


def copied(folder: Path) -> dict[str, bytes]:
    """Every file of the service, whose it all is, and that nobody else may look at it."""
    for path in (folder, *folder.rglob("*")):
        found = path.lstat()
        assert (found.st_uid, found.st_gid) == (SERVICE.uid, SERVICE.gid), path
        assert stat.S_ISLNK(found.st_mode) or not found.st_mode & 0o7077, path
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_is_copied_by_its_owner_for_the_service(home: Path, target: Path) -> None:
    """Also what lies in the write-ahead log alone, with another connection open; set-user-ID bits stay behind."""
    (home / "models" / "heads" / "abc.safetensors").chmod(0o6755)
    before = {path.name: path.read_bytes() for path in home.glob("posture.db")}
    with closing(sqlite3.connect(home / "posture.db")) as open_elsewhere:
        open_elsewhere.execute("INSERT INTO labels VALUES (8)")
        open_elsewhere.commit()
        take_over(home, target, SERVICE, OWNER)
        assert (home / "posture.db").read_bytes() == before["posture.db"]
    assert copied(target)["models/heads/abc.safetensors"] == b"head"
    with closing(sqlite3.connect(target / "posture.db")) as database:
        assert database.execute("SELECT id FROM labels").fetchall() == [(7,), (8,)]


def _link(path: Path, secret: Path) -> None:
    path.symlink_to(secret)


def _hard_link(path: Path, secret: Path) -> None:
    os.link(secret, path)


def _pipe(path: Path, _secret: Path) -> None:
    os.mkfifo(path)
    os.chown(path, OWNER.uid, OWNER.gid)


def _device(path: Path, _secret: Path) -> None:
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero never ends


def _folder_link(path: Path, secret: Path) -> None:
    path.symlink_to(secret.parent)


@pytest.mark.parametrize("plant", [_link, _hard_link, _pipe, _device, _folder_link])
@pytest.mark.parametrize("name", ["label.token", "models/heads/new.safetensors", "checkpoints"])
def test_nothing_is_brought_along_that_is_not_the_owners(
    home: Path, target: Path, secret: Path, plant: Callable[[Path, Path], None], name: str
) -> None:
    """A link, a hard link, a pipe, a device in the owner's folder: named, and nothing is in the service's folder."""
    plant(home / name, secret)
    with pytest.raises(ServiceError, match=rf"({home}/)?{Path(name).name}"):
        take_over(home, target, SERVICE, OWNER)
    assert copied(target) == {}


@pytest.mark.parametrize("name", ["posture.db", "posture.db-wal"])
def test_a_database_that_is_a_link_is_not_followed(home: Path, target: Path, secret: Path, name: str) -> None:
    """Nor one that leads to a file that the owner may read."""
    (home / name).unlink(missing_ok=True)
    (home / name).symlink_to(secret)
    with pytest.raises(ServiceError):
        take_over(home, target, SERVICE, OWNER)
    assert copied(target) == {}


def test_a_link_swapped_in_after_every_check_shows_what_the_owner_may_read(
    home: Path, target: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race that no check wins: the whole folder becomes a link to root's in the last moment. The rights decide."""
    closed = secret.parent / "roots"
    closed.mkdir(mode=0o700)
    (closed / "posture.db").write_text("root's")
    sends = takeover._send_all

    def swap(source: Path, *rest: object) -> None:
        monkeypatch.setattr(takeover, "refuse_running", lambda _source: None)
        sends(closed, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(takeover, "_send_all", swap)
    with pytest.raises(ServiceError, match="Permission denied"):
        take_over(home, target, SERVICE, OWNER)
    assert copied(target) == {}


def test_links_in_the_services_folder_lead_root_nowhere(home: Path, target: Path, secret: Path) -> None:
    """Whoever has taken over the daemon plants them where the next `install` will write, delete or give away."""
    precious = secret.parent / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    owned(target, SERVICE)
    for name in (".takeover.partial", "models", "posture.db-wal"):
        (target / name).symlink_to(precious)
        os.lchown(target / name, SERVICE.uid, SERVICE.gid)
    os.link(secret, target / "hard")
    take_over(home, target, SERVICE, OWNER)
    assert (precious.stat().st_uid, (precious / "file").read_text()) == (0, "kept")
    assert sorted(path.name for path in precious.iterdir()) == ["file"]
    assert (secret.stat().st_uid, secret.stat().st_mode & 0o777) == (0, 0o600)
    assert (target / "models").is_symlink()
    with closing(sqlite3.connect(f"file:{target}/posture.db?immutable=1", uri=True)) as database:
        assert database.execute("SELECT count(*) FROM sqlite_master").fetchone() is not None


def test_a_settings_file_is_read_as_its_owner_and_written_as_the_service(
    home: Path, target: Path, secret: Path
) -> None:
    """A link to root's file, a pipe, a file that never ends; then a true one."""
    file = home / "posture-daemon.toml"
    file.symlink_to(secret)
    with pytest.raises(PermissionError):
        take_settings(file, target, SERVICE, OWNER)
    for special in ("/dev/zero", str(home / "pipe")):
        file.unlink()
        if special.endswith("pipe"):
            os.mkfifo(special)
            os.chown(special, OWNER.uid, OWNER.gid)
        file.symlink_to(special)
        with pytest.raises(ServiceError, match="is no file"):
            take_settings(file, target, SERVICE, OWNER)
    file.unlink()
    owned(file, OWNER, 'data_dir = "elsewhere"\n[camera]\nfps = 5\n')
    take_settings(file, target, SERVICE, OWNER)
    assert copied(target)["posture-daemon.toml"].startswith(b"# not for the service: data_dir")


def test_a_planted_settings_link_of_the_services_is_not_written_through(home: Path, target: Path, secret: Path) -> None:
    """The new file must not have been there."""
    owned(home / "posture-daemon.toml", OWNER, "[camera]\nfps = 5\n")
    owned(target, SERVICE)
    (target / "posture-daemon.toml").symlink_to(secret)
    with pytest.raises(FileExistsError):
        take_settings(home / "posture-daemon.toml", target, SERVICE, OWNER)
    assert secret.read_text() == "root's secret"


def test_a_target_in_the_hands_of_others_is_refused(home: Path, open_place: Path) -> None:
    """Whoever can replace the folder could lead root anywhere."""
    theirs = owned(open_place / "theirs", OWNER)
    with pytest.raises(ServiceError, match="Root writes to no place that others can change"):
        take_over(home, theirs / "state", SERVICE, OWNER)
    assert list(theirs.iterdir()) == []
