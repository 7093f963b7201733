"""How a version was made, so that it can be understood, and made again, years later."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from posture_daemon.domain import Strategy
from posture_daemon.learning.training_report import TrainingReport
from posture_daemon.settings import Settings

OURS = ("posture-daemon", "numpy", "scipy", "onnxruntime")
ULTRALYTICS = ("torch", "ultralytics")


@dataclass(frozen=True)
class LearnedLabels:
    """The frames that were learned from; the SHA-256 of `frame:class` over them shows a later change of a label."""

    frame_ids: tuple[int, ...] | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Lineage:
    """As the version keeps it. `None` or empty is what was not written down; `settings` are by section, `seconds` by stage."""

    strategy: str = "unknown"
    seed: int | None = None
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    labels: LearnedLabels = field(default_factory=LearnedLabels)
    seconds: Mapping[str, float] | None = None
    peak_memory_bytes: int | None = None
    software: Mapping[str, str] = field(default_factory=dict)


def lineage(strategy: Strategy, settings: Settings, report: TrainingReport) -> Lineage:
    """How a version came to be; `report` is what the training process said of itself."""
    sections = ("labels", "training", "strategies", "promotion")
    return Lineage(
        strategy=strategy.value,
        seed=settings.training.seed,
        settings={name: getattr(settings, name).model_dump() for name in sections},
        labels=LearnedLabels(report.label_ids, report.labels_sha256),
        seconds=report.seconds or None,
        peak_memory_bytes=report.peak_memory_bytes,
        software=software(strategy),
    )


def software(strategy: Strategy) -> dict[str, str]:
    """Versions of what this strategy is computed with; found without importing any of it."""
    names = OURS if strategy is Strategy.REPLAY else (*OURS, *ULTRALYTICS)
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found
