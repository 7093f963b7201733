"""What a training costs the frames: the real daemon on a replay camera, a cold training beside it, and the swap after it.

    python tests/bench/bench_coexist.py [--data ../shared/data] [--fps 10] [--quiet-s 20]

One daemon, watched from outside once a second. First nothing but frames, then a training that computes every view of 1,387
pictures anew and ends in a promotion, then the new champion. All three are compared in this one run. Run it on two cores
that do nothing else; it takes about a minute and a half.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.shared import DATA, WEIGHTS, Daemon, machine, options, tell, tell_table, verdict

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


def main() -> int:
    """Measure, print the table, and fail when a bar is missed."""
    given = options(__doc__, data=DATA, fps=10.0, quiet_s=20.0)
    frames = given.data.resolve() / "front_webcam" / "later_session" / "good_posture"
    with tempfile.TemporaryDirectory(prefix="coexist-") as folder:
        daemon = Daemon(Path(folder), SETTINGS.format(frames=frames, fps=given.fps))
        daemon.ask("models", "import", given.data / WEIGHTS, "--as-base")
        daemon.ask("label", "--import", given.data / "front_webcam" / "first_sessions")
        return measure(daemon, given.fps, given.quiet_s)


def measure(daemon: Daemon, fps: float, quiet_s: float) -> int:
    """One run: quiet, training, swap."""
    daemon.ask("pause")
    daemon.start()
    try:
        wait(lambda: daemon.status().get("frames", {}).get("frames", 0) > 5 * fps, daemon)
        quiet = stretch(daemon, quiet_s)
        daemon.ask("resume")
        base = daemon.status()["model"]
        wait(lambda: daemon.status()["model"] != base, daemon)
        after = stretch(daemon, quiet_s)
    finally:
        daemon.stop()
    return report(quiet, json.loads(daemon.ask("status", "--json"))["last_attempt"], after, daemon.status(), fps)


def wait(condition: Callable[[], bool], daemon: Daemon) -> None:
    """Until it holds, with words when it never does."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > end or (daemon.process is not None and daemon.process.poll() is not None):
            sys.exit(f"the daemon did not get there:\n{daemon.log()[-2000:]}")
        time.sleep(0.2)


def stretch(daemon: Daemon, seconds: float) -> Stretch:
    """Count for so long, from one word of the daemon to another."""
    first = daemon.status()
    time.sleep(seconds)
    last = daemon.status()
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
    tell(f"one run; {machine()}")
    tell_table((name, value, bar, "" if good and not bar else verdict(good)) for name, value, bar, good in rows)
    return 0 if all(row[3] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
