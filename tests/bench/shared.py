"""What the benches share: their options, the machine that they name, a daemon seen from outside, and how numbers are told."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY.parent / "shared" / "data"
WEIGHTS = Path("weights", "yolo11n-cls-3class.pt")


def options(about: str | None, hidden: Collection[str] = (), **defaults: Any) -> argparse.Namespace:
    """The command line: an option for each default, of its type; `None` stands for a path that may be left out."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    for name, default in defaults.items():
        kind: dict[str, Any] = {"type": Path if default is None else type(default), "default": default}
        if isinstance(default, bool):
            kind = {"action": "store_true"}
        elif isinstance(default, list):
            kind = {"nargs": "+", "choices": default, "default": default}
        shown = argparse.SUPPRESS if name in hidden else "default: %(default)s"
        parser.add_argument(f"--{name.replace('_', '-')}", help=shown, **kind)
    return parser.parse_args()


def machine() -> str:
    """The processor, how many cores of it may be used, how busy they are, and the Python."""
    names = [line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    processor = (names or [platform.machine()])[0]
    return f"{processor}, {cores} cores, load {load:.1f}, Python {platform.python_version()}"


def tell(*lines: str) -> None:
    """Print at once, also into a pipe."""
    for line in lines:
        sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.flush()


def tell_table(rows: Iterable[Sequence[str]]) -> None:
    """One line a row, its cells below each other."""
    table = [*rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    tell(*("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table))


def verdict(good: bool) -> str:
    """For the last column."""
    return "pass" if good else "FAIL"


def spread(values: Sequence[float], digits: int) -> str:
    """Mean and standard deviation over the runs."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.{digits}f} ± {deviation:.{digits}f}"


class Daemon:
    """The real one on a data folder, in a process of its own."""

    def __init__(self, folder: Path, settings: str, environment: dict[str, str] | None = None) -> None:
        self.folder, self._environment = folder, environment
        self.command = [sys.executable, "-m", "posture_daemon", "--data-dir", str(folder)]
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "posture-daemon.toml").write_text(settings)

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """One command to its end."""
        command = [*self.command, *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=REPOSITORY, env=self._environment
        )

    def ask(self, *arguments: object) -> str:
        """What a command prints; the bench ends when it fails."""
        done = self.run(*arguments)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr}")
        return done.stdout

    def start(self) -> None:
        """Begin to watch."""
        with (self.folder / "daemon.log").open("wb") as log:
            self.process = subprocess.Popen(
                [*self.command, "run"], stdout=log, stderr=log, cwd=REPOSITORY, env=self._environment
            )

    def stop(self, limit_s: float = 30.0) -> int:
        """SIGTERM; its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(limit_s)

    def status(self) -> dict[str, Any]:
        """What it said within the last second; empty before its first word."""
        try:
            return dict(json.loads((self.folder / "status.json").read_text()))
        except (OSError, ValueError):
            return {}

    def log(self) -> str:
        """All that it has said."""
        return (self.folder / "daemon.log").read_text(errors="replace")
