"""The settings that decide what a training computes; the caches of features are named by them."""

from __future__ import annotations

from dataclasses import dataclass

from posture_daemon.settings import TrainingSettings


@dataclass(frozen=True)
class Recipe:
    """The settings that shape a training."""

    seed: int
    views: int
    flip: bool
    min_images_per_class: int
    threads: int = 2
    max_cache_mb: float = 500.0
    cache_bits: int = 16
    batch: int = 8

    @classmethod
    def of(cls, training: TrainingSettings) -> Recipe:
        """As the settings say."""
        return cls(**{name: getattr(training, name) for name in cls.__dataclass_fields__})
