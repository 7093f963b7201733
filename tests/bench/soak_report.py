"""What a soak saw: the file, the picture, the table.

Judged is *anonymous* memory: what the process has written and what can go nowhere but into swap. The resident set also counts
pages of mapped files (libraries, the model, SQLite's shared memory) that the kernel drops when it needs the room, and the
private set changes when a training child starts or ends, because it shares the same libraries. All are written down.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

WINDOW_S = 600.0
MOST_GROWTH, LEAST_FPS = 0.02, 9.5
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
        writer = csv.DictWriter(file, [field.name for field in fields(Sample)])
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
            float(np.median(values[at <= at[0] + window_s])),
            float(np.median(values[at >= at[-1] - window_s])),
            slope,
        )

    @property
    def share(self) -> float:
        """Of the first."""
        return self.last / self.first - 1


def report(samples: Sequence[Sample], warm_up_s: float) -> int:
    """Print the table; 0 when every bar is met."""
    after = [sample for sample in samples if sample.seconds >= warm_up_s]
    window_s = min(WINDOW_S, (after[-1].seconds - after[0].seconds) / 3)
    first, last = after[0], after[-1]
    fps = (last.frames - first.frames) / (last.seconds - first.seconds)
    print(
        f"{samples[-1].seconds / 60:.0f} minutes, the first {warm_up_s / 60:g} not counted; load {_median(after, 'load'):.1f}"
    )  # noqa: T201
    print(f"{'':34}{'first':>10}{'last':>10}{'change':>9}{'line, an hour':>15}")  # noqa: T201
    good = True
    for name, words in (("anonymous", "memory, anonymous (judged), MB"), ("uss", "memory, private (USS), MB"), ("pss", "memory, proportional (PSS), MB"), ("rss", "resident set (RSS), MB")):  # fmt: skip
        found = Growth.of(after, name, window_s)
        print(
            f"{words:34}{found.first / MB:10.1f}{found.last / MB:10.1f}{found.share:+9.1%}{found.per_hour / MB:+15.2f}"
        )  # noqa: T201
        good &= name != "anonymous" or found.share <= MOST_GROWTH
    for name in ("handles", "threads"):
        found = Growth.of(after, name, window_s)
        seen = sorted({getattr(sample, name) for sample in after})
        print(
            f"{name:34}{found.first:10.0f}{found.last:10.0f}{'':9}{found.per_hour:+15.2f}   seen {seen[0]} to {seen[-1]}"
        )  # noqa: T201
        good &= found.last <= found.first
    swaps = sum(a.model != b.model for a, b in zip(after, after[1:], strict=False))
    print(
        f"frames: {fps:.2f} a second, {last.skipped - first.skipped} of {last.frames - first.frames} missed, longest gap {last.longest_gap_s:.2f} s"
    )  # noqa: T201
    print(
        f"labels {last.labels}, swaps {swaps}, of them rollbacks by hand {last.rollbacks}; model {last.model} answers at the end"
    )  # noqa: T201
    print(f"database {last.database / MB:.1f} MB, WAL at most {max(s.wal for s in samples) / MB:.1f} MB")  # noqa: T201
    good &= fps >= LEAST_FPS
    print("all bars are met" if good else "A BAR IS MISSED")  # noqa: T201
    return 0 if good else 1


def draw(samples: Sequence[Sample], warm_up_s: float, path: Path) -> None:
    """Memory, handles and threads, frames a second, over the minutes."""
    from matplotlib.figure import Figure

    minutes = [sample.seconds / 60 for sample in samples]
    figure = Figure(figsize=(9, 8), layout="constrained")
    memory, counts, frames, files = figure.subplots(4, 1, sharex=True, height_ratios=[3, 2, 2, 2])
    for name, label in (("rss", "resident (RSS)"), ("uss", "private (USS)"), ("anonymous", "anonymous (judged)"), ("children", "its children (PSS)")):  # fmt: skip
        memory.plot(minutes, [getattr(s, name) / MB for s in samples], label=label, linewidth=1)
    memory.set(ylabel="memory, MB", ylim=(0, None))
    for name in ("handles", "threads"):
        counts.plot(minutes, [getattr(s, name) for s in samples], label=name, linewidth=1)
    counts.set(ylabel="number", ylim=(0, None))
    rates = [(b.frames - a.frames) / (b.seconds - a.seconds) for a, b in zip(samples, samples[1:], strict=False)]
    frames.plot(minutes[1:], rates, label="frames answered a second", linewidth=1)
    frames.set(ylabel="1/s", ylim=(0, None))
    files.plot(minutes, [s.database / MB for s in samples], label="database, MB", linewidth=1)
    files.plot(minutes, [s.wal / MB for s in samples], label="WAL, MB", linewidth=1)
    files.plot(minutes, [s.labels / 100 for s in samples], label="labels, hundreds", linewidth=1)
    files.set(xlabel="minutes", ylim=(0, None))
    for axes in (memory, counts, frames, files):
        axes.axvspan(0, warm_up_s / 60, color="0.92")
        axes.legend(loc="lower right", fontsize="small")
        axes.grid(alpha=0.3)
    memory.set_title("The daemon on the fake desk at 10 frames a second, with labels and trainings going on (warm-up in grey)", fontsize="medium")  # fmt: skip
    figure.savefig(path, dpi=110)


def _median(samples: Sequence[Sample], name: str) -> float:
    return float(np.median([getattr(sample, name) for sample in samples]))
