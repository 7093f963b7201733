"""What a soak saw: the file, the picture, the table.

Judged is *anonymous* memory: what the process has written and what can go nowhere but into swap. The resident set also counts
pages of mapped files (libraries, the model, SQLite's shared memory) that the kernel drops when it needs the room, and the
private set changes when a training child starts or ends, because it shares the same libraries. All are written down.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path

import numpy as np

WINDOW_S = 600.0
MAX_GROWTH, MIN_FPS = 0.02, 9.5
MB = 1e6


@dataclass(frozen=True)
class Sample:
    """One look from outside; memory in bytes, frames and labels since the start."""

    seconds: float
    rss: int
    pss: int
    uss: int
    anonymous: int
    children: int
    handles: int
    threads: int
    frames: int
    skipped: int
    longest_gap_s: float
    model: int
    labels: int
    rollbacks: int
    database: int
    wal: int
    load: float


def write_csv(path: Path, samples: Sequence[Sample]) -> None:
    """One line a look."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Sample)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(sample) for sample in samples)


def read_csv(path: Path) -> list[Sample]:
    """What `write_csv` wrote."""
    kinds = {field.name: float if field.type == "float" else int for field in fields(Sample)}
    with path.open(newline="") as file:
        return [Sample(**{k: kinds[k](v) for k, v in row.items()}) for row in csv.DictReader(file)]  # type: ignore[arg-type]


@dataclass(frozen=True)
class Growth:
    """From the first window after the warm-up to the last window: medians, and the line through all that lies after it."""

    first: float
    last: float
    per_hour: float

    @classmethod
    def of(cls, samples: Sequence[Sample], name: str, window_s: float) -> Growth:
        """Of one column."""
        at = np.array([s.seconds for s in samples])
        values = np.array([getattr(s, name) for s in samples], np.float64)
        slope = float(np.polyfit(at, values, 1)[0]) * 3600
        return cls(
            float(np.median(values[at <= at[0] + window_s])), float(np.median(values[at >= at[-1] - window_s])), slope
        )

    @property
    def share(self) -> float:
        """Of the first."""
        return self.last / self.first - 1


MEMORY = {
    "anonymous": "anonymous memory (judged), MB",
    "uss": "private memory (USS), MB",
    "pss": "proportional memory (PSS), MB",
    "rss": "resident set (RSS), MB",
}


def report(samples: Sequence[Sample], warm_up_s: float) -> int:
    """Print the table; 0 when every bar is met."""
    after = [sample for sample in samples if sample.seconds >= warm_up_s]
    window_s = min(WINDOW_S, (after[-1].seconds - after[0].seconds) / 3)
    grown = {name: Growth.of(after, name, window_s) for name in (*MEMORY, "handles", "threads")}
    fps = (after[-1].frames - after[0].frames) / (after[-1].seconds - after[0].seconds)
    good = (
        grown["anonymous"].share <= MAX_GROWTH
        and all(grown[name].last <= grown[name].first for name in ("handles", "threads"))
        and fps >= MIN_FPS
    )
    lines = [*_heading(samples, after, warm_up_s), *_growth(after, grown), *_flow(after, fps)]
    lines.append("all bars are met" if good else "A BAR IS MISSED")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if good else 1


def _heading(samples: Sequence[Sample], after: Sequence[Sample], warm_up_s: float) -> list[str]:
    load = np.median([sample.load for sample in after])
    whole = samples[-1].seconds / 60
    return [
        f"{whole:.0f} minutes, the first {warm_up_s / 60:g} not counted; load of the machine {load:.1f}",
        f"{'':34}{'first':>10}{'last':>10}{'change':>9}{'line, an hour':>15}",
    ]


def _growth(after: Sequence[Sample], grown: Mapping[str, Growth]) -> Iterator[str]:
    for name, words in MEMORY.items():
        found = grown[name]
        yield f"{words:34}{found.first / MB:10.1f}{found.last / MB:10.1f}{found.share:+9.1%}{found.per_hour / MB:+15.2f}"
    for name in ("handles", "threads"):
        found, seen = grown[name], [getattr(sample, name) for sample in after]
        counts = f"{name:34}{found.first:10.0f}{found.last:10.0f}{'':9}{found.per_hour:+15.2f}"
        yield f"{counts}   seen {min(seen)} to {max(seen)}"


def _flow(after: Sequence[Sample], fps: float) -> Iterator[str]:
    first, last = after[0], after[-1]
    frames, missed = last.frames - first.frames, last.skipped - first.skipped
    swaps = sum(a.model != b.model for a, b in pairwise(after))
    yield f"frames: {fps:.2f} a second, {missed} of {frames + missed} missed, longest gap {last.longest_gap_s:.2f} s"
    yield f"labels {last.labels}, swaps {swaps}, rollbacks by hand {last.rollbacks}; model {last.model} at the end"
    yield f"database {last.database / MB:.1f} MB, WAL at most {max(s.wal for s in after) / MB:.1f} MB"


LINES = {
    "memory, MB": {
        "rss": "resident (RSS)",
        "uss": "private (USS)",
        "anonymous": "anonymous (judged)",
        "children": "children (PSS)",
    },
    "number": {"handles": "handles", "threads": "threads"},
    "1/s": {"rate": "frames answered a second"},
    "MB, hundreds": {"database": "database", "wal": "WAL", "labels": "labels, hundreds"},
}


def draw(samples: Sequence[Sample], warm_up_s: float, path: Path) -> None:
    """Memory, handles and threads, frames a second, files and labels, over the minutes."""
    from matplotlib.figure import Figure

    minutes = [sample.seconds / 60 for sample in samples]
    figure = Figure(figsize=(9, 8), layout="constrained")
    rows = figure.subplots(len(LINES), 1, sharex=True, height_ratios=[3, 2, 2, 2])
    for axes, (unit, lines) in zip(rows, LINES.items(), strict=True):
        for name, label in lines.items():
            axes.plot(minutes, _column(samples, name), label=label, linewidth=1)
        axes.axvspan(0, warm_up_s / 60, color="0.92")
        axes.set(ylabel=unit, ylim=(0, None))
        axes.legend(loc="lower right", fontsize="small")
        axes.grid(alpha=0.3)
    rows[0].set_title("On the fake desk, labels and trainings going on (grey: warm-up)", fontsize="medium")
    rows[-1].set_xlabel("minutes")
    figure.savefig(path, dpi=110)


def _column(samples: Sequence[Sample], name: str) -> list[float]:
    if name == "rate":
        rates = [(b.frames - a.frames) / (b.seconds - a.seconds) for a, b in pairwise(samples)]
        return [rates[0], *rates]
    scale = {"handles": 1.0, "threads": 1.0, "labels": 100.0}.get(name, MB)
    return [getattr(sample, name) / scale for sample in samples]
