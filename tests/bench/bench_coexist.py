"""What a training costs the frames: the real daemon on a replay camera, a cold training beside it, and the swap after it.

    python tests/bench/bench_coexist.py [--data ../shared/data] [--fps 10] [--quiet-s 20]

One daemon, watched from outside once a second. First nothing but frames, then a training that computes every view of 1,387
pictures anew and ends in a promotion, then the new champion. All three are compared in this one run. Run it on two cores
that do nothing else; it takes about a minute and a half.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
LIMIT_S = 300.0

SETTINGS = """\
[camera]
address = "replay:{frames}?fps={fps}&loop=true"
fps = {fps}
[queue]
max_per_minute = 60
[training]
prepare_s = 0
[schedule]
check_every_s = 2
cooldown_s = 0
away_s = 0
backup_every_h = 0
"""


@dataclass
class Stretch:
    """Frames between two looks at the daemon's own counts."""

    seconds: float
    frames: int
    lost: int

    @property
    def fps(self) -> float:
        """Frames answered a second."""
        return self.frames / self.seconds


class Daemon:
    """The real one, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.command = [sys.executable, "-m", "posture_daemon", "--data-dir", str(folder)]
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, *arguments: str) -> str:
        """One command to its end."""
        done = subprocess.run([*self.command, *arguments], capture_output=True, text=True, check=False, cwd=REPOSITORY)
        if done.returncode:
            sys.exit(f"{' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def start(self) -> None:
        """Begin to watch."""
        log = (self.folder / "daemon.log").open("wb")
        self.process = subprocess.Popen([*self.command, "run"], stdout=log, stderr=log, cwd=REPOSITORY)

    def status(self) -> dict[str, Any]:
        """What it said within the last second; empty before its first word."""
        try:
            found: dict[str, Any] = json.loads((self.folder / "status.json").read_text())
        except (OSError, ValueError):
            return {}
        return found


def main() -> int:
    """Measure, print the table, and fail when a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--fps", type=float, default=10.0)
    parser.add_argument("--quiet-s", type=float, default=20.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coexist-") as folder:
        return measure(Daemon(Path(folder)), options)


def measure(daemon: Daemon, options: argparse.Namespace) -> int:
    """One run: quiet, training, swap."""
    frames = options.data.resolve() / "front_webcam" / "later_session" / "good_posture"
    (daemon.folder / "posture-daemon.toml").write_text(SETTINGS.format(frames=frames, fps=options.fps))
    daemon.run("models", "import", str(options.data / "weights" / "yolo11n-cls-3class.pt"), "--as-base")
    daemon.run("label", "--import", str(options.data / "front_webcam" / "first_sessions"))
    daemon.run("pause")
    daemon.start()
    try:
        wait(lambda: daemon.status().get("frames", {}).get("frames", 0) > 5 * options.fps, daemon)
        quiet = stretch(daemon, options.quiet_s)
        daemon.run("resume")
        base = daemon.status()["model"]
        wait(lambda: daemon.status()["model"] != base, daemon)
        swapped = daemon.status()
        time.sleep(options.quiet_s)
        after = between(swapped, daemon.status())
    finally:
        if daemon.process is not None:
            daemon.process.terminate()
            daemon.process.wait(10)
    return report(
        quiet, json.loads(daemon.run("status", "--json"))["last_attempt"], after, daemon.status(), options.fps
    )


def wait(condition: Any, daemon: Daemon) -> None:
    """Until it holds, with words when it never does."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > end or (daemon.process is not None and daemon.process.poll() is not None):
            sys.exit(f"the daemon did not get there:\n{(daemon.folder / 'daemon.log').read_text()[-2000:]}")
        time.sleep(0.2)


def stretch(daemon: Daemon, seconds: float) -> Stretch:
    """Count for so long."""
    first = daemon.status()
    time.sleep(seconds)
    return between(first, daemon.status())


def between(first: dict[str, Any], last: dict[str, Any]) -> Stretch:
    """From one word of the daemon to another."""
    frames, skipped = (last["frames"][name] - first["frames"][name] for name in ("frames", "skipped"))
    return Stretch(last["written_at"] - first["written_at"], frames, skipped)


def report(quiet: Stretch, run: dict[str, Any], after: Stretch, end: dict[str, Any], fps: float) -> int:
    """The table, and whether all bars are met."""
    during, metrics = run["metrics"]["frames"]["during"], run["metrics"]
    ratio, before = during["fps"] / quiet.fps, metrics["frames"]["before"]
    gap, lost = end["frames"]["longest_gap_s"], end["frames"]["skipped"]
    rows = [
        ("frames/s, nothing else", f"{quiet.fps:.2f}", f"camera gives {fps:g}", True),
        ("frames/s, training", f"{during['fps']:.2f} ({ratio:.1%})", ">= 95 %", ratio >= 0.95),
        ("longest gap, whole run", f"{gap:.2f} s", "<= 0.5 s", gap <= 0.5),
        ("frames lost, whole run, the swap included", str(lost), "0", lost == 0),
        ("frames/s after the swap", f"{after.fps:.2f}", "", True),
        ("a prediction, before / training", f"{before['latency_ms']} / {during['latency_ms']} ms", "", True),
        ("training", f"{metrics['ran_s']:.0f} s, {run['outcome']}", "", run["outcome"] == "PROMOTED"),
        ("its peak memory", f"{metrics['peak_memory_bytes'] / 1e6:.0f} MB", "", True),
    ]  # fmt: skip
    for name, value, bar, good in rows:
        print(f"{name:44}{value:>22}   {bar:16}{'pass' if good and bar else '' if good else 'FAIL'}")  # noqa: T201
    return 0 if all(row[3] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
