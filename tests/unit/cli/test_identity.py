"""Root on somebody's data becomes that somebody; nobody else may look at the service's."""

import os
import pwd
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from posture_daemon.cli import identity
from posture_daemon.errors import DataFolderError, ServiceError
from tests.other_user import OWNER, SERVICE, needs_root, owned

OWNER_ID = 1000
SERVICE_ENTRY = pwd.struct_passwd(("posture-daemon", "x", 996, 997, "", "/var/lib/posture-daemon", "/usr/sbin/nologin"))


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the real command as root, from a folder that says nothing."""
    root = str(Path(__file__).resolve().parents[3])
    return subprocess.run(
        [sys.executable, "-m", "posture_daemon", *map(str, arguments)], capture_output=True, text=True, check=False, cwd="/",
        env={"PATH": os.environ["PATH"], "HOME": "/root", "PYTHONPATH": root, **environment}, timeout=600,
    )  # fmt: skip


def strangers(folder: Path, uid: int) -> list[Path]:
    """What in a folder does not belong to this user, or can be looked at by others."""
    found = [(path, path.lstat()) for path in (folder, *folder.rglob("*"))]
    return [path for path, seen in found if seen.st_uid != uid or (path != folder and seen.st_mode & 0o077)]


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user of a machine on which the service is installed, and whose data folder belongs to it."""
    monkeypatch.setattr(pwd, "getpwnam", lambda _name: SERVICE_ENTRY)
    monkeypatch.setattr(os, "geteuid", lambda: OWNER_ID)


@pytest.mark.usefixtures("as_user")
class TestOrdinaryUser:
    def test_is_told_to_use_sudo(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """With the very words to type."""
        monkeypatch.setattr(identity, "_owner_of", lambda _folder: SERVICE_ENTRY.pw_uid)
        monkeypatch.setattr(sys, "argv", ["/usr/local/bin/posture-daemon", "status"])
        with pytest.raises(DataFolderError, match="ask with: sudo /usr/local/bin/posture-daemon status"):
            identity.go_on_as_owner(tmp_path)

    def test_has_a_folder_of_their_own(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Then the service is not asked; nor for a folder that is not there yet."""
        monkeypatch.setattr(identity, "_owner_of", lambda _folder: OWNER_ID)
        identity.go_on_as_owner(tmp_path)
        identity.go_on_as_owner(tmp_path / "none")


@needs_root
@pytest.mark.parametrize("there", [True, False], ids=["a folder", "a folder that will be made"])
def test_what_root_writes_in_somebodys_folder_is_theirs(open_place: Path, there: bool) -> None:
    """No file of root's, which a daemon that runs as them could not write, and none that others may read."""
    folder = owned(open_place / "home", OWNER) / "posture"
    if there:
        owned(folder, OWNER)
        folder.chmod(0o700)
    done = command("--data-dir", folder, "backup" if there else "pause", *([] if there else ["--hours", "1"]))
    if there:
        assert "no database" in done.stderr
        done = command("--data-dir", folder, "pause", "--hours", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "posture.db").exists()
    assert strangers(folder, OWNER.uid) == []


@pytest.mark.slow
@needs_root
def test_links_in_somebodys_folder_lead_root_nowhere(open_place: Path) -> None:
    """The lock, the database, the settings file: each was written or read through by root."""
    secret = open_place / "shadow"
    secret.write_text("[camera]\nfps = 7\n")
    secret.chmod(0o600)
    for name in ("posture.db", "training.lock", "posture-daemon.toml"):
        folder = owned(open_place / f"with {name}", OWNER)
        (folder / name).symlink_to(secret)
        done = command("--data-dir", folder, "config", "show")
        assert "= 7" not in done.stdout
        command("--data-dir", folder, "pause", "--hours", "1")
    assert secret.read_text() == "[camera]\nfps = 7\n"
    assert secret.stat().st_uid == 0


@needs_root
def test_root_has_no_right_of_its_own_left(open_place: Path) -> None:
    """What only root may read cannot be imported into somebody's data, by a link of theirs or by its own name."""
    folder = owned(open_place / "posture", OWNER)
    secret = open_place / "closed"
    secret.mkdir(mode=0o700)
    (secret / "model.pt").write_bytes(b"root's")
    done = command("--data-dir", folder, "models", "import", secret / "model.pt", SUDO_USER="owner")
    assert done.returncode == 1
    assert f"this command works as {OWNER.name}" in done.stderr
    assert done.stderr.count("\n") == 1
    assert str(secret) in done.stderr


@needs_root
def test_roots_own_folder_in_a_home_is_refused(open_place: Path) -> None:
    """What a careless sudo left there once: whoever owns the home can replace it."""
    folder = owned(open_place / "home", OWNER) / "posture"
    folder.mkdir()
    done = command("--data-dir", folder, "status")
    assert done.returncode == 1
    assert f"sudo chown -hR {OWNER.name}: {folder}" in done.stderr
    assert list(folder.iterdir()) == []


@needs_root
@pytest.mark.parametrize("how", ["its owner", "its mode"])
def test_root_goes_by_no_settings_of_others(open_place: Path, how: str) -> None:
    """A file that somebody else can change says which camera root opens, and where it writes."""
    (open_place / "data").mkdir(mode=0o700)
    file = open_place / "settings.toml"
    file.write_text(f'data_dir = "{open_place}/data"\n')
    assert command("--config", file, "config", "show").returncode == 0
    if how == "its owner":
        os.chown(file, OWNER.uid, OWNER.gid)
    else:
        file.chmod(0o646)
    done = command("--config", file, "config", "show")
    assert done.returncode == 1
    assert "Root goes by no settings that others can change" in done.stderr
    assert list((open_place / "data").iterdir()) == []


@needs_root
def test_settings_of_theirs_hold_for_their_data(open_place: Path) -> None:
    """Named outright by root, with a data folder of theirs: root is them, and they may say what they like."""
    data = owned(open_place / "data", OWNER)
    file = owned(open_place / "settings.toml", OWNER, f'data_dir = "{data}"\n[camera]\nfps = 7\n')
    done = command("--config", file, "config", "show")
    assert done.returncode == 0, done.stderr
    assert "camera.fps" in done.stdout


@needs_root
def test_the_home_that_sudo_left_is_forgotten(open_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some sudo keep HOME: then caches, settings of libraries and plugins would be those of whoever called it."""
    home = owned(open_place / "home", OWNER)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setattr(sys, "path", ["/usr/lib"])
    identity.begin_as_root()
    assert os.environ["HOME"] == pwd.getpwuid(0).pw_dir
    assert "XDG_CONFIG_HOME" not in os.environ


@needs_root
def test_code_from_somebodys_home_is_refused(open_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python found it there before our first line; nothing more is loaded from it."""
    packages = owned(open_place / "home", OWNER) / ".local/lib/python3.11/site-packages"
    packages.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(packages)])
    with pytest.raises(ServiceError, match=f"load code from {packages}.*sudo -H"):
        identity.begin_as_root()


@needs_root
def test_where_root_may_not_become_anybody_it_says_so(open_place: Path) -> None:
    """As in a container without capabilities; nothing is written as root instead."""
    folder = owned(open_place / "posture", SERVICE)
    folder.chmod(0o777)
    root = str(Path(__file__).resolve().parents[3])
    words = [sys.executable, "-m", "posture_daemon", "--data-dir", str(folder), "pause", "--hours", "1"]
    done = subprocess.run(
        ["setpriv", "--bounding-set=-all,+dac_override", "--inh-caps=-all", *words], capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": root, "HOME": "/root"}, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert done.stderr.count("\n") == 1
    assert list(folder.iterdir()) == []


def test_a_settings_file_of_ours_is_fine(tmp_path: Path) -> None:
    """Root's own, or anybody's who is not root."""
    file = tmp_path / "settings.toml"
    file.write_text("")
    file.chmod(stat.S_IRUSR | stat.S_IWUSR)
    identity.refuse_settings_of_others(file)
    identity.refuse_settings_of_others(None)


@pytest.mark.slow
@needs_root
@pytest.mark.parametrize(
    "words",
    [
        ["backup", "--to"],
        ["dataset", "export"],
        ["label", "--export"],
        ["models", "export"],
        ["restore"],
        ["compare", "--out"],
    ],
    ids=" ".join,
)
def test_root_writes_nothing_of_its_own_into_the_hands_of_others(open_place: Path, words: list[str]) -> None:
    """A name that can be guessed there may be a link by then; also of a backup that is read, since SQLite writes beside it."""
    own, theirs = open_place / "own", owned(open_place / "theirs", OWNER)
    own.mkdir(mode=0o700)
    assert command("--data-dir", own, "backup").returncode in (0, 1)
    command("--data-dir", own, "pause", "--hours", "1")
    owned(theirs / "one", OWNER, "x")
    done = command("--data-dir", own, *words, theirs / ("one" if words == ["restore"] else "new"))
    assert done.returncode == 1
    assert f"take a folder of root's, and give the result away: sudo chown -R {OWNER.name}:" in done.stderr
    assert [path.name for path in theirs.iterdir()] == ["one"]


@needs_root
def test_temporary_files_of_root_are_not_made_in_a_folder_of_others(
    open_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sudo -E` keeps TMPDIR; whoever owns that folder can replace what root makes in it."""
    for place, stays in ((owned(open_place / "theirs", OWNER), False), (Path("/var/tmp"), True)):
        monkeypatch.setenv("TMPDIR", str(place))
        identity.begin_as_root()
        assert ("TMPDIR" in os.environ) is stays
