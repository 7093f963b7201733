"""How a version was made, so that it can be understood, and made again, years later."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from posture_daemon.domain import Strategy
from posture_daemon.settings import Settings

OURS = ("posture-daemon", "numpy", "scipy", "onnxruntime")
ULTRALYTICS = ("torch", "ultralytics")


def lineage(strategy: Strategy, settings: Settings, report: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values, ready for JSON: strategy, settings, seed, labels, seconds, bytes of peak memory, software.

    `report` is what the training process said of itself; what it did not say is `None`. `labels` are the frames that were
    learned from, and the SHA-256 of `frame:class` over them, so that a later change of a label shows.
    """
    return {
        "strategy": strategy.value,
        "seed": settings.training.seed,
        "settings": {
            "labels": settings.labels.model_dump(),
            "training": settings.training.model_dump(),
            "strategies": settings.strategies.model_dump(),
            "promotion": settings.promotion.model_dump(),
        },
        "labels": {"frame_ids": report.get("label_ids"), "sha256": report.get("labels_sha256")},
        "seconds": report.get("seconds"),
        "peak_memory_bytes": report.get("peak_memory_bytes"),
        "software": software(strategy),
    }


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
