"""The service on a system that really boots: `make service-test`. One line a check, exit code 0 when all hold. Needs root.

    python -m tests.service.boot

An owner has taught by hand; the service is installed, trains in its sandbox, hangs, is killed, stops, survives a reboot and a
power cut, and is removed. What a container cannot show is in docs/service.md.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posture_daemon.bootstrap.demo import SimulatedOwner
from posture_daemon.fake_desk import FakeDesk
from posture_daemon.settings import load_settings
from posture_daemon.store import Store
from tests.bench.shared import tell
from tests.service.container import CACHE, Container, Failed, build, installation, missing
from tests.waiting import allowed_s

SEED = 37
HOME, STATE = Path("/home/owner/posture"), Path("/var/lib/posture-daemon")
SETTINGS = f"""\
data_dir = "{HOME}"
[camera]
address = "fake:desk?seed={SEED}&fps=5&speed=120&start=2026-03-02T16:00"
fps = 5
[queue]
unsure_below = 0.95
duplicate_cosine = 0.999
[labels]
block_length_s = 300
[training]
min_new_labels = 40
views = 1
[schedule]
cooldown_s = 86400
check_every_s = 5
away_s = 0
[limits]
memory_reserve_mb = 100
start_celsius = 105
pause_celsius = 110
stop_celsius = 115
"""
OWNER = 1000
"""The user who has taught by hand."""
LABELS = 60
QUIET_S = 60
WATCHDOG_S, RESTART_S, STOP_S = 30, 10, 5
"""As in the unit."""
SLACK_S = 300
"""For a busy machine."""


@dataclass(frozen=True)
class Kept:
    """What must outlive everything: who is champion, every label, and the frames that waited."""

    champion: str
    labels: frozenset[tuple[Any, ...]]
    frames: frozenset[int]

    def is_in(self, later: Kept) -> bool:
        """Whether nothing is missing in `later`, which may have more frames."""
        return (self.champion, self.labels) == (later.champion, later.labels) and self.frames <= later.frames


class Story:
    """The checks, in order; each returns what the table shows."""

    def __init__(self, program: Path, shown: dict[Path, Path]) -> None:
        self.program = program
        self.container = Container.fresh(shown)
        self.before: Kept | None = None

    def boot(self) -> str:
        """The system boots, and knows nothing of posture-daemon."""
        seconds = self.container.boot()
        assert self.container.run("id", "posture-daemon").returncode != 0
        return f"{seconds:.1f} s"

    def teach_by_hand(self) -> str:
        """A daemon in a terminal keeps frames, and the owner answers them."""
        folder = self.container.root / str(HOME).lstrip("/")
        folder.mkdir(parents=True)
        folder.parent.chmod(0o750)
        (folder / "posture-daemon.toml").write_text(SETTINGS)
        run = f"POSTURE_TRAINING__MIN_NEW_LABELS=10000 exec {self.program} --data-dir {HOME} run"
        self.container.ask("sh", "-c", f"({run}) </dev/null >/var/tmp/by-hand.log 2>&1 & echo $! >/var/tmp/by-hand.pid")
        self.container.wait_for((folder / "status.json").exists, 600)
        settings = load_settings(None, {"data_dir": folder}).settings
        store = Store(folder)
        owner = SimulatedOwner(store, settings, FakeDesk(seed=SEED))
        self.container.wait_for(lambda: (owner.answer_all(), store.labels.total() >= LABELS)[1], 1200)
        self.container.ask("sh", "-c", "kill $(cat /var/tmp/by-hand.pid)")
        self.container.wait_for(lambda: not self._by_hand_runs(), 200)
        store.close()
        return f"{LABELS} labels or more"

    def _by_hand_runs(self) -> bool:
        return self.container.run("sh", "-c", "kill -0 $(cat /var/tmp/by-hand.pid)").returncode == 0

    def install(self) -> str:
        """`service install` returns when the service is ready, and brings the labels along, read as their owner."""
        before = kept(self.container.root / str(HOME).lstrip("/"))
        self.container.ask("chown", "-R", f"{OWNER}:{OWNER}", HOME.parent)
        began = time.monotonic()
        self.container.ask(self.program, "--data-dir", HOME, "service", "install")
        seconds = time.monotonic() - began
        states = {"ActiveState": "active", "UnitFileState": "enabled"}
        assert self.container.shown(*states) == states
        after = kept(self._state())
        assert before.labels == after.labels, "labels are missing"
        heads = [file.stem for file in self._state().glob("models/heads/*")]
        assert any(map(before.champion.startswith, heads)), "the head is missing"
        return f"ready after {seconds:.1f} s, {len(after.labels)} labels came along"

    def install_again(self) -> str:
        """Nothing is written a second time; the service is only started anew."""
        words = self.container.ask("posture-daemon", "service", "install", "--dry-run").splitlines()[1:]
        assert not [line for line in words if "write" in line or "copy" in line or "make" in line], words
        return "; ".join(line.strip() for line in words)

    def is_shut_in(self) -> str:
        """No rights, a filter of system calls, a read-only disk, no homes but the Python that it runs on."""
        pid = self.container.host_pid()
        status = dict(re.findall(r"^(\w+):\t(.*)$", Path(f"/proc/{pid}/status").read_text(), re.M))
        owner = self.container.ask("id", "-u", "posture-daemon")
        assert status["Uid"].split() == [owner] * 4, status["Uid"]
        rights = {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
        assert rights == {"0" * 16}, rights
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        inside = Path(f"/proc/{pid}/root")
        assert not (inside / "home/owner").exists()
        assert not any((inside / "tmp").iterdir()), "the shared /tmp"
        mounts = {line.split()[4]: line.split()[5] for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()}
        assert "ro" in mounts["/"].split(",")
        assert "rw" in mounts[str(STATE)].split(",")
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core")] == [["0", "0"]]
        return "user, no capabilities, seccomp, read-only disk, own /tmp, no homes, no core files"

    def answers(self) -> str:
        """Frames are answered, told by `status` to root, who asks as the service's user."""
        first = self._frames()
        time.sleep(5)
        more = self._frames() - first
        assert more > 5, more
        return f"{more} in 5 s"

    def serves_the_page(self) -> str:
        """The label page answers where the settings say, within the system."""
        page = self._status()["daemon"]["page"]
        program = (
            f"from urllib.request import urlopen; r = urlopen({page!r}, timeout=10); print(r.status, len(r.read()))"
        )
        code, size = self.container.ask(self.program.parent / "python", "-c", program).split()
        assert code == "200"
        return f"{page}: {code}, {size} bytes"

    def trains(self) -> str:
        """The training child lives in the same sandbox: lower priority, memory limit, ONNX Runtime, a new head on disk."""

        def ended() -> dict[str, Any] | None:
            run = self._status()["last_attempt"]
            return run if run and run["outcome"] not in ("running", "DEFERRED") else None

        run = self.container.wait_for(ended, 1200)
        assert run["outcome"] in ("PROMOTED", "KEPT"), run["reason"]
        return f"{run['outcome']}: {run['reason']}"[:90]

    def is_quiet(self) -> str:
        """A minute in which all is well leaves nothing in the journal."""
        self.container.wait_for(lambda: self._lines_since(time.time() - 15) == [], 900)
        since = time.time()
        time.sleep(QUIET_S)
        lines = self._lines_since(since)
        assert not lines, lines
        return f"0 lines in {QUIET_S} s"

    def root_follows_no_link(self) -> str:
        """What the service's user leaves for root, as after an attack on the page: links to the passwords, code in its home."""
        self.container.ask("systemctl", "stop", "posture-daemon")
        packages = STATE / ".local/lib/python3.11/site-packages"
        plant = (
            f'mkdir -p {packages} && echo \'open("/var/tmp/attacked", "w")\' >{packages}/usercustomize.py && '
            f"cp {packages}/usercustomize.py {STATE}/numpy.py && ln -s /etc/shadow {STATE}/training.lock.new && "
            f"rm -f {STATE}/training.lock && ln -s /etc/shadow {STATE}/training.lock && ln -s /etc {STATE}/.takeover.partial"
        )
        self.container.ask(
            "setpriv", "--reuid=posture-daemon", "--regid=posture-daemon", "--clear-groups", "sh", "-c", plant
        )
        before = self.container.ask("sh", "-c", "cat /etc/shadow; stat -c '%u %a' /etc /etc/shadow")
        for words in (["pause", "--hours", "1"], ["resume"], ["train"], ["doctor", "--fix"], ["service", "install"]):
            self.container.run("posture-daemon", *words, timeout_s=600)
        after = self.container.ask("sh", "-c", "cat /etc/shadow; stat -c '%u %a' /etc /etc/shadow")
        assert before == after
        assert not (self.container.root / "var/tmp/attacked").exists()
        names = ("numpy.py", "training.lock.new", "training.lock", ".takeover.partial", ".local")
        self.container.ask("rm", "-rf", *(STATE / name for name in names))
        self.container.ask("systemctl", "restart", "posture-daemon")
        return "nothing of root's was read, changed or given away; no planted code ran"

    def commands_leave_no_strangers_files(self) -> str:
        """What root says to the daemon is done as the service's user, so that the daemon can read it."""
        self.container.ask("posture-daemon", "pause", "--hours", "1")
        self.container.ask("posture-daemon", "resume")
        self.container.ask("posture-daemon", "models", "list")
        user = self.container.ask("id", "-u", "posture-daemon")
        others = [path for path in self._state().rglob("*") if str(path.lstat().st_uid) != user]
        closed = [path for path in self._state().rglob("*") if path.lstat().st_mode & 0o077 and not path.is_symlink()]
        assert not others, others
        return f"all of {STATE} is its own" + (f"; {len(closed)} entries could be read by others" if closed else "")

    def survives_a_hang(self) -> str:
        """The process stands still (SIGSTOP): the watchdog ends it, systemd starts it again, frames are answered."""
        began, pid = time.monotonic(), self.container.host_pid()
        os.kill(pid, signal.SIGSTOP)
        self._is_restarted("1", WATCHDOG_S + RESTART_S + SLACK_S)
        seconds = time.monotonic() - began
        words = self.container.ask("journalctl", "-u", "posture-daemon", "--no-pager", "-o", "cat")
        assert "Watchdog timeout (limit 30s)!" in words
        said = self.container.ask("posture-daemon", "service", "status")
        assert "the watchdog ended it" in said, said
        return f"ready again {seconds:.0f} s after it hung; {self.answers()}"

    def survives_a_kill(self) -> str:
        """SIGKILL, as from the kernel when memory runs out."""
        began = time.monotonic()
        os.kill(self.container.host_pid(), signal.SIGKILL)
        self._is_restarted("2", RESTART_S + SLACK_S)
        return f"ready again after {time.monotonic() - began:.0f} s"

    def stops(self) -> str:
        """`systemctl stop`: within five seconds, in good order, with all that was there before."""
        began = time.monotonic()
        self.container.ask("systemctl", "stop", "posture-daemon")
        seconds = time.monotonic() - began
        assert seconds < allowed_s(STOP_S), seconds
        found = self.container.shown("ActiveState", "Result", "ExecMainStatus")
        assert found == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}, found
        self.before = kept(self._state())
        return f"{seconds:.1f} s, code 0"

    def waits_for_a_camera(self) -> str:
        """A camera that is not there when the machine starts: ready, and it says so."""
        file = self._state() / "posture-daemon.toml"
        text = file.read_text()
        file.write_text(text.replace('address = "fake:desk', 'address = "/dev/video77" # "fake:desk'))
        self.container.ask("systemctl", "start", "posture-daemon")
        said = self.container.wait_for(lambda: self._says("lost"), 300)
        self.container.ask("systemctl", "stop", "posture-daemon")
        file.write_text(text)
        return said

    def survives_a_reboot(self) -> str:
        """Shut down and booted: it runs by itself, with the same champion and every label and frame."""
        self.container.ask("systemctl", "start", "posture-daemon")
        self.container.switch_off()
        return self._is_back()

    def survives_a_power_cut(self) -> str:
        """Every process killed at one moment, then booted."""
        self.container.cut_power()
        return self._is_back()

    def _is_active(self, limit_s: float) -> None:
        self.container.wait_for(lambda: self.container.shown("ActiveState")["ActiveState"] == "active", limit_s)

    def _is_restarted(self, times: str, limit_s: float) -> None:
        self.container.wait_for(lambda: self.container.shown("NRestarts")["NRestarts"] == times, limit_s)
        self._is_active(300)

    def _nothing_is_missing(self) -> Kept:
        after = kept(self._state())
        assert self.before is not None
        assert self.before.is_in(after), "something is missing"
        return after

    def _is_back(self) -> str:
        self.container.boot()
        self._is_active(600)
        after = self._nothing_is_missing()
        return f"{len(after.labels)} labels, {len(after.frames)} frames, the same champion; {self.answers()}"

    def uninstall(self) -> str:
        """The unit and all that came with it have gone, the data are there."""
        said = self.container.ask("posture-daemon", "service", "uninstall")
        assert str(STATE) in said
        left = [path for path in self.container.root.glob("etc/**/*posture-daemon*") if path.name != "posture-daemon"]
        assert not left, left
        assert self.container.shown("LoadState")["LoadState"] == "not-found"
        self._nothing_is_missing()
        return "data kept"

    def purge(self) -> str:
        """Installed again it finds its data; removed with `--purge`, data and user have gone."""
        self.container.ask(self.program, "service", "install")
        self._nothing_is_missing()
        self.container.ask(self.program, "service", "uninstall", "--purge", "--yes")
        assert not self._state().exists()
        assert self.container.run("id", "posture-daemon").returncode != 0
        assert (self.container.root / str(HOME).lstrip("/") / "posture.db").exists()
        return "nothing left but the owner's own folder"

    def _state(self) -> Path:
        return self.container.root / str(STATE).lstrip("/")

    def _status(self) -> dict[str, Any]:
        return dict(json.loads(self.container.ask("posture-daemon", "status", "--json")))

    def _frames(self) -> int:
        return int(((self._status()["daemon"] or {}).get("frames") or {}).get("frames", 0))

    def _says(self, word: str) -> str | None:
        text = self.container.shown("StatusText")["StatusText"]
        return text if word in text else None

    def _lines_since(self, at: float) -> list[str]:
        command = ["journalctl", "-u", "posture-daemon", "--no-pager", "--quiet", "-o", "cat", f"--since=@{at:.3f}"]
        return self.container.ask(*command).splitlines()


def kept(folder: Path) -> Kept:
    """Read from a copy, so that nothing here touches the files of the service."""
    with tempfile.TemporaryDirectory() as copy:
        for file in folder.glob("posture.db*"):
            shutil.copy(file, copy)
        with closing(sqlite3.connect(Path(copy) / "posture.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            [(champion,)] = database.execute(
                "SELECT head_sha256 FROM model_roles JOIN model_versions ON id = version_id WHERE role = 'champion'"
            )
            labels = frozenset(database.execute("SELECT frame_id, class_id FROM labels"))
            frames = frozenset(id_ for (id_,) in database.execute("SELECT id FROM frames"))
    return Kept(champion, labels, frames)


def main() -> int:
    """Run the checks in order; after a failure the rest would mean nothing."""
    if os.geteuid() != 0 or missing():
        sys.stderr.write(f"service-test needs root, and {' and '.join(missing()) or 'has all else'}\n")
        return 1
    began = time.monotonic()
    build()
    tell(f"the small system: {time.monotonic() - began:.0f} s (kept in {CACHE})")
    story = Story(*installation())
    checks: list[Callable[[], str]] = [
        story.boot, story.teach_by_hand, story.install, story.install_again, story.is_shut_in, story.answers,
        story.serves_the_page, story.trains, story.is_quiet, story.commands_leave_no_strangers_files,
        story.root_follows_no_link, story.survives_a_hang, story.survives_a_kill, story.stops, story.waits_for_a_camera,
        story.survives_a_reboot, story.survives_a_power_cut, story.uninstall, story.purge,
    ]  # fmt: skip
    good = 0
    try:
        for check in checks:
            good += _told(check)
            if good != checks.index(check) + 1:
                break
    finally:
        story.container.close()
    tell(f"{good} passed, {len(checks) - good} failed")
    return 0 if good == len(checks) else 1


def _told(check: Callable[[], str]) -> bool:
    """Do one check and print its line."""
    began = time.monotonic()
    try:
        found, good = check(), True
    except (Failed, AssertionError) as error:
        found, good = str(error) or "a bare assertion", False
    name, seconds = check.__name__.replace("_", " "), time.monotonic() - began
    tell(f"{'ok  ' if good else 'FAIL'} {seconds:6.1f} s  {name}: {found}")
    return good


if __name__ == "__main__":
    sys.exit(main())
