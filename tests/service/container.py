"""A whole small system in a folder, booted by systemd-nspawn: its own PID 1, journal, users and network, this host's kernel."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.waiting import poll

PROJECT = Path(__file__).resolve().parents[2]
CACHE = PROJECT / ".cache" / "service-test"

PACKAGES = ("systemd", "systemd-sysv", "dbus", "python3", "libgl1", "libglib2.0-0")
"""Beside Debian's smallest system: what boots it, and the libraries that Python and the OpenCV wheel load."""

CODE = ("posture_daemon", "systemd")
"""What of the checkout an editable installation runs from."""

BOOT_S = 600.0


class Failed(Exception):
    """The system could not be built, booted or asked."""


def build() -> Path:
    """The system that every test begins from: this host's distribution, from the mirror that its apt is set up with. Kept."""
    codename, mirror = _codename(), _mirror()
    of = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:8]
    base = CACHE / f"base-{codename}-{of}"
    if (base / ".complete").exists():
        return base
    partial = CACHE / f"{base.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    command = ["nice", "-n", "10", "debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    done = subprocess.run([*command, codename, str(partial), mirror], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"debootstrap failed: {(done.stdout + done.stderr)[-800:]}")
    (partial / ".complete").touch()
    partial.rename(base)
    return base


def _codename() -> str:
    found = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.M)
    if found is None:
        raise Failed("/etc/os-release names no release, so debootstrap does not know what to build.")
    return found[1]


def _mirror() -> str:
    """Where apt of this host gets the release from."""
    wanted = ["apt-get", "indextargets", "--no-release-info", "--format", "$(SITE) $(RELEASE)", "Created-By: Packages"]
    lines = subprocess.run(wanted, capture_output=True, text=True, check=True).stdout.splitlines()
    sites = [site for site, _, release in (line.partition(" ") for line in lines) if release == _codename()]
    if not sites:
        raise Failed("apt of this host is not set up for its own release.")
    return sites[0]


def installation() -> tuple[Path, dict[Path, Path]]:
    """Where the program is called in the system, and what of this host is shown there, read-only: inside → here.

    Everything is at its own place, as `make setup` left it: the environment, the checkout that it was made from, the Python.
    """
    ask = "import posture_daemon, sys; print(posture_daemon.__path__[0]); print(sys.prefix); print(sys.base_prefix)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    said = subprocess.run(
        [sys.executable, "-c", ask], cwd="/", env=environment, stdout=subprocess.PIPE, check=True
    ).stdout
    package, prefix, base = map(Path, said.decode().split("\n")[:3])
    venv = Path(re.match(r"#!(.*)/bin/python", (prefix / "bin/posture-daemon").read_text())[1])  # type: ignore[index]
    shown = {package.parent / name: PROJECT / name for name in CODE} | {venv: prefix.resolve()}
    if base != Path("/usr"):
        shown[base] = base
    return venv / "bin" / "posture-daemon", shown


class Container:
    """One system that is booted, asked, switched off, booted again. Its clock is the host's, its network its own."""

    def __init__(self, root: Path, shown: dict[Path, Path]) -> None:
        self.root = root
        self._shown = shown
        self._nspawn: subprocess.Popen[bytes] | None = None

    @classmethod
    def fresh(cls, shown: dict[Path, Path]) -> Container:
        """A copy of the base, whose journal is kept on its disk and whose /root is closed to others."""
        base, root = build(), CACHE / "machine"
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(root)], check=True)
        (root / "var/log/journal").mkdir(exist_ok=True)
        (root / "root").chmod(0o700)
        return cls(root, shown)

    def boot(self) -> float:
        """Boot, and wait until all is started; the seconds that took."""
        began = time.monotonic()
        binds = [f"--bind-ro={here}:{inside}" for inside, here in self._shown.items()]
        command = ["systemd-nspawn", "-q", "--register=no", "--keep-unit", "--private-network", "-D", str(self.root)]
        with (CACHE / "console.log").open("ab") as console:
            command += [*binds, "--boot"]
            self._nspawn = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        up = ("running", "degraded")
        self.wait_for(lambda: self.run("systemctl", "is-system-running").stdout.strip() in up, BOOT_S)
        return time.monotonic() - began

    @property
    def leader(self) -> int | None:
        """The host's number of the system's process 1."""
        if self._nspawn is None:
            return None
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children")
        return next((int(pid) for pid in children.read_text().split()), None) if children.exists() else None

    def run(self, *command: object, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command in the system as its root, as a person at its console would."""
        return subprocess.run(
            ["nsenter", "-t", str(self.leader or -1), "-m", "-u", "-i", "-n", "-p", "--wdns=/", *map(str, command)],
            capture_output=True, text=True, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"},
        )  # fmt: skip

    def ask(self, *command: object, timeout_s: float = 120) -> str:
        """What a command says; raises `Failed` with its words when it fails."""
        done = self.run(*command, timeout_s=timeout_s)
        if done.returncode != 0:
            raise Failed(f"{' '.join(map(str, command))}: {(done.stderr or done.stdout).strip()[-600:]}")
        return done.stdout.strip()

    def shown(self, *properties: str) -> dict[str, str]:
        """Properties of the service as systemd shows them."""
        lines = self.ask("systemctl", "show", "posture-daemon", f"--property={','.join(properties)}").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def host_pid(self) -> int:
        """The host's number of the service's main process."""
        pid = self.shown("MainPID")["MainPID"]
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                found = re.search(r"^NSpid:\s+(\d+)\s+(\d+)$", status.read_text(), re.M)
                same = os.readlink(status.parent / "ns/pid") == os.readlink(f"/proc/{self.leader}/ns/pid")
            except OSError:
                continue
            if found and same and found[2] == pid:
                return int(found[1])
        raise Failed(f"no process here is process {pid} of the system")

    def switch_off(self) -> None:
        """Shut down in good order."""
        self.run("systemctl", "poweroff")
        self._end(60)

    def cut_power(self) -> None:
        """All processes end at once, in the middle of whatever they do; what the kernel has not written yet is not lost."""
        if self.leader is not None:
            os.kill(self.leader, signal.SIGKILL)
        self._end(20)

    def wait_for(self, condition: Callable[[], Any], limit_s: float) -> Any:
        """Poll until the condition gives something true, and return it; `Failed` after the limit."""
        found = poll(lambda: self._is_up() and condition(), limit_s, every_s=0.25)
        if not found:
            raise Failed(f"it did not happen within {limit_s:g} s")
        return found

    def _is_up(self) -> bool:
        if self._nspawn is None or self._nspawn.poll() is not None:
            raise Failed(f"the system is not up; its console: {_tail(CACHE / 'console.log')}")
        return True

    def close(self) -> None:
        """Whatever happened, nothing goes on running."""
        if self._nspawn is not None and self._nspawn.poll() is None:
            self.cut_power()

    def _end(self, limit_s: float) -> None:
        assert self._nspawn is not None
        try:
            self._nspawn.wait(limit_s)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait()
            raise Failed(f"the system did not end within {limit_s:g} s") from None
        self._nspawn = None


def missing(tools: Sequence[str] = ("debootstrap", "systemd-nspawn", "nsenter")) -> list[str]:
    """What is not installed on this host."""
    return [tool for tool in tools if shutil.which(tool) is None]


def _tail(file: Path) -> str:
    return file.read_text(errors="replace")[-400:] if file.exists() else ""
