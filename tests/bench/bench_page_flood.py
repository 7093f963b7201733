"""The label page and its daemon while somebody holds, drips or reopens a thousand connections.

    python tests/bench/bench_page_flood.py [--connections 1010] [--seconds 60] [--host 127.0.0.1] [--alone]

The real daemon (`--alone`: `posture-daemon label` without one) on the fake desk, with the 1,024 file handles that systemd
gives. From outside, every half second: how long the owner's page takes, how old `status.json` is, and its handles. The exit
code says whether the bars are met: the page within 1 s, the status never older than 3 s, at most 10 new lines in the log.
"""

import argparse
import http.client
import itertools
import multiprocessing
import resource
import selectors
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from posture_daemon.ui.web.link import token_for
from tests.bench.shared import Daemon, tell
from tests.e2e.command import environment
from tests.waiting import wait_until

HANDLES = 1024
HALF_HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "
HALF_BODY = (
    b"POST /api/undo HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Posture-Daemon: label\r\n"
    b"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"
)
WHOLE = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
CHUNKED = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
TLS = b"\x16\x03\x01"

TABLE = (
    "| attack | page, worst s | median s | not answered | status, oldest s | handles before, most, after | log lines "
    "| opened | open at the end |",
    "|---|---|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True)
class Attack:
    """What each connection sends first, then every `drip_s` seconds; whether it comes again when it was closed.

    Where there are `others`, connections send these and `first` in turn.
    """

    name: str
    first: bytes
    drip: bytes = b""
    drip_s: float = 0.0
    again: bool = False
    others: tuple[bytes, ...] = ()


ATTACKS = (
    Attack("half a head", HALF_HEAD),
    Attack("nothing at all", b""),
    Attack("head, a byte each 9 s", HALF_HEAD, b"x", 9.0),
    Attack("head, a byte each 0.5 s", HALF_HEAD, b"x", 0.5, again=True),
    Attack("body, a byte each 9 s", HALF_BODY, b" ", 9.0),
    Attack("half a head, again at once", HALF_HEAD, again=True),
    Attack("half a body, again at once", HALF_BODY, again=True),
    Attack("answers that nobody reads", WHOLE * 40, again=True),
    Attack("a bit of all, again at once", HALF_HEAD, again=True, others=(WHOLE, HALF_BODY, CHUNKED, TLS, b"")),
)


class Crowd(multiprocessing.Process):
    """Holds connections to a port as an attack says, from a process of its own."""

    def __init__(self, address: tuple[str, int], attack: Attack, size: int) -> None:
        super().__init__(daemon=True)
        self.address, self.attack, self.size = address, attack, size
        self.opened, self.alive = multiprocessing.Value("i", 0), multiprocessing.Value("i", 0)
        self._ends = multiprocessing.Event()
        self._held: set[socket.socket] = set()
        self._firsts = itertools.cycle((attack.first, *attack.others))

    def run(self) -> None:
        """Open all, then keep it up."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
        self._selector = selectors.DefaultSelector()
        drip_at = time.monotonic() + self.attack.drip_s
        for _ in range(self.size):
            self._open()
        while not self._ends.is_set():
            for key, _ in self._selector.select(0.05):
                self._read(key.fileobj)  # type: ignore[arg-type]
            if self.attack.drip and time.monotonic() >= drip_at:
                drip_at = time.monotonic() + self.attack.drip_s
                for one in list(self._held):
                    self._send(one, self.attack.drip)
        self.alive.value = len(self._held)

    def end(self) -> int:
        """Close all; how many were still open."""
        self._ends.set()
        self.join()
        return int(self.alive.value)

    def _open(self) -> None:
        try:
            one = socket.create_connection(self.address, timeout=3)
        except OSError:
            return
        one.setblocking(False)
        self.opened.value += 1
        self._held.add(one)
        self._selector.register(one, selectors.EVENT_READ)
        self._send(one, next(self._firsts))

    def _send(self, one: socket.socket, data: bytes) -> None:
        try:
            one.send(data)
        except OSError:
            self._lose(one)

    def _read(self, one: socket.socket) -> None:
        if self.attack.first.startswith(WHOLE) and self.attack.again:
            try:
                if one.recv(1, socket.MSG_PEEK):
                    self._selector.unregister(one)  # it is there, and stays there
                    return
            except OSError:
                pass
            self._lose(one)
            return
        try:
            if one.recv(4096):
                return
        except OSError:
            pass
        self._lose(one)

    def _lose(self, one: socket.socket) -> None:
        if one not in self._held:
            return
        self._held.discard(one)
        with suppress(KeyError):
            self._selector.unregister(one)
        one.close()
        if self.attack.again and not self._ends.is_set():
            self._open()


@dataclass
class Seen:
    """The worst of a stretch of time."""

    page_s: list[float] = field(default_factory=list)
    failed: int = 0
    status_s: float = 0.0
    handles: int = 0


def watch(seconds: float, ask: Callable[[], float], status: Path | None, process: psutil.Process) -> Seen:
    """Look every half second as the owner does, and at the status far more often."""
    seen, end, ask_at = Seen(), time.monotonic() + seconds, 0.0
    while time.monotonic() < end:
        if status is not None:
            seen.status_s = max(seen.status_s, time.time() - status.stat().st_mtime)
        seen.handles = max(seen.handles, process.num_fds())
        if time.monotonic() >= ask_at:
            try:
                seen.page_s.append(ask())
            except OSError:
                seen.failed += 1
            ask_at = time.monotonic() + 0.5
        time.sleep(0.05)
    return seen


def owner(address: tuple[str, int], cookie: str) -> float:
    """Seconds that the whole page takes on a new connection."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(*address, timeout=10)
    connection.request("GET", "/", headers={"cookie": cookie})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise OSError(f"status {answer.status}")
    return time.monotonic() - began


def main() -> int:
    """Run each attack for a while."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=1010)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=18760)
    parser.add_argument("--only", default="")
    parser.add_argument("--alone", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = f'[camera]\naddress = "fake:desk"\nfps = 10\n[ui]\nhost = "{wanted.host}"\nport = {wanted.port}\n'
        daemon = Daemon(folder, settings, environment(OMP_NUM_THREADS="1"))
        if wanted.alone:
            daemon.run("camera")  # any command makes the folder
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (HANDLES, hard))
        daemon.start() if not wanted.alone else start_label(daemon)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        try:
            return attack_all(daemon, wanted)
        finally:
            tell(f"exit code {daemon.stop()}")


def start_label(daemon: Daemon) -> None:
    """The page of the command, whose log is what it prints."""
    import subprocess

    with (daemon.folder / "daemon.log").open("wb") as log:
        daemon.process = subprocess.Popen([*daemon.command, "label"], stdout=log, stderr=log)


def attack_all(daemon: Daemon, wanted: argparse.Namespace) -> int:
    """Print a row for each attack; 1 when a bar was missed."""
    assert daemon.process is not None
    process, address = psutil.Process(daemon.process.pid), ("127.0.0.1", wanted.port)

    def answers() -> bool:
        try:
            return owner(address, cookie()) > 0
        except OSError:
            return False

    def cookie() -> str:
        return f"posture_label={token_for(daemon.folder, wanted.host)}"

    wait_until(answers, "the page")
    status = None if wanted.alone else daemon.folder / "status.json"
    if status is not None:
        wait_until(status.exists, "the status")
    time.sleep(5)
    tell(*TABLE)
    bad = 0
    for attack in (Attack("none", b""), *ATTACKS):
        if wanted.only and wanted.only not in attack.name:
            continue
        lines, before = daemon.log().count("\n"), process.num_fds()
        crowd = Crowd(address, attack, 0 if attack.name == "none" else wanted.connections)
        crowd.start()
        seen = watch(10 if attack.name == "none" else wanted.seconds, lambda: owner(address, cookie()), status, process)
        alive = crowd.end()
        new = daemon.log().count("\n") - lines
        time.sleep(3)
        pages = sorted(seen.page_s) or [float("nan")]
        tell(
            f"| {attack.name} | {pages[-1]:.3f} | {pages[len(pages) // 2]:.3f} | {seen.failed} | {seen.status_s:.2f} "
            f"| {before}, {seen.handles}, {process.num_fds()} | {new} | {crowd.opened.value} | {alive} |"
        )
        bad += seen.failed > 0 or pages[-1] > 1.0 or seen.status_s > 3.0 or new > 10
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
