"""The page of a comparison: one HTML file that needs nothing else, and the same numbers as JSON."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from posture_daemon.comparison.charts import bar_chart, confusion_chart, curve_chart
from posture_daemon.comparison.scores import INCUMBENT, Result
from posture_daemon.domain import Strategy
from posture_daemon.store.files import write_durably
from posture_daemon.store.json_values import as_json

REPORT, RESULTS = "report.html", "results.json"

ABOUT: Mapping[str, tuple[str, str]] = {
    INCUMBENT: ("the model before", "what the others start from and are measured against"),
    Strategy.SCRATCH.value: ("base model, all images", "the whole network, from the base model, on old and new images"),
    Strategy.ALL.value: ("incumbent, all images", "the whole network, from the incumbent, on old and new images"),
    Strategy.NEW.value: ("incumbent, new images", "the whole network, from the incumbent, on the new images alone"),
    Strategy.FINETUNE.value: (
        "incumbent, new images, freeze=10",
        "the head alone, from the incumbent, on the new images alone, at a lower learning rate",
    ),
    Strategy.REPLAY.value: (
        "cached features, all images",
        "ours: the head alone, on cached features of old and new images, solved directly",
    ),
}
"""In a few words, and in a sentence."""


@dataclass(frozen=True)
class Facts:
    """What the page tells of the comparison itself. `counts` are images by split (`old`, `new`, `val`, `test`) and class."""

    source: str
    base: str
    image_size: int
    trained_incumbent: bool
    counts: Mapping[str, Mapping[str, int]]
    seed: int
    plan: Mapping[str, Any]
    software: Mapping[str, str]
    notes: tuple[str, ...]


def write_report(out: Path, facts: Facts, results: Sequence[Result]) -> Path:
    """Write `report.html` and `results.json` into `out`; returns the path of the page."""
    plain = as_json({"facts": facts, "machine": machine(), "results": results})
    write_durably(out / RESULTS, (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode())
    write_durably(out / REPORT, _page(facts, results).encode())
    return out / REPORT


def machine() -> dict[str, str | int | None]:
    """Where it was measured."""
    return {"machine": platform.machine(), "cores": os.cpu_count()}


def _page(facts: Facts, results: Sequence[Result]) -> str:
    loader = PackageLoader("posture_daemon.comparison", "")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["share"] = lambda value: "–" if value is None else f"{value:.3f}"
    environment.filters["seconds"] = seconds_text
    judged = [result for result in results if result.scores]
    trained = [result for result in judged if result.seconds is not None]
    splits = [split for split in ("val", "test") if any(split in result.scores for result in judged)]
    classes = list(dict.fromkeys(name for counts in facts.counts.values() for name in counts))
    matrices = {
        split: [(r.name, confusion_chart(r.scores[split])) for r in judged if split in r.scores] for split in splits
    }
    return environment.get_template("report.html.j2").render(
        facts=facts, results=results, about=ABOUT, splits=splits, classes=classes, matrices=matrices,
        split_names={"val": "validation", "test": "test"}, best=_best(judged, splits), machine=machine(),
        bars=_bars(trained, splits), curve=curve_chart(trained) if any(r.curve for r in trained) else None,
        few_classes=len(classes) <= 5,
    )  # fmt: skip


def _bars(trained: Sequence[Result], splits: Sequence[str]) -> list[str]:
    """Accuracy, time and memory, side by side; accuracy on the test split when there is one."""
    if not trained:
        return []
    split = splits[-1]
    name = {"val": "validation", "test": "test"}[split]
    top1 = [(r.name, r.scores[split].top1, f"{r.scores[split].top1:.3f}") for r in trained if split in r.scores]
    seconds = [(r.name, r.seconds or 0.0, seconds_text(r.seconds)) for r in trained]
    memory = [
        (r.name, (r.peak_memory_bytes or 0) / 1e6, f"{(r.peak_memory_bytes or 0) / 1e6:,.0f} MB") for r in trained
    ]
    return [bar_chart(f"Top-1 on {name}", top1, 1.25), bar_chart("Time", seconds), bar_chart("Peak memory", memory)]


def _best(judged: Sequence[Result], splits: Sequence[str]) -> dict[str, set[str]]:
    """Names of the strategies with the highest top-1 on each split; ties share it."""
    best = {}
    for split in splits:
        top1 = {r.name: r.scores[split].top1 for r in judged if split in r.scores and r.seconds is not None}
        best[split] = {name for name, value in top1.items() if value == max(top1.values())}
    return best


def seconds_text(value: float | None) -> str:
    """Three digits at most."""
    if value is None:
        return "–"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s" if value < 100 else f"{value:,.0f} s"
