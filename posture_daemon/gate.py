"""May this device train now? A pure function: numbers in, go or the reasons out. An unknown that matters closes the gate."""

from __future__ import annotations

from dataclasses import dataclass

from posture_daemon.domain import Decision, Resources, Verdict
from posture_daemon.settings import TrainingSettings

MB = 1_000_000


@dataclass(frozen=True)
class TrainingFacts:
    """What the store knows: labels given since the last training, images per class, and how long ago that training was.

    `knows_classes` is False while the champion is a base: then one class is not enough to tell anything apart.
    """

    new_labels: int
    images_per_class: tuple[int, ...]
    seconds_since_training: float | None  # None: never trained
    knows_classes: bool = True


def decide(resources: Resources, facts: TrainingFacts, settings: TrainingSettings) -> Decision:
    """Every condition with its number and its limit."""
    return Decision(
        (
            _labels(facts, settings),
            _classes(facts, settings),
            _cooldown(facts, settings),
            *has_room(resources, settings).verdicts,
        )
    )


def has_room(resources: Resources, settings: TrainingSettings) -> Decision:
    """What the device itself has to say, without the labels: memory and temperature."""
    return Decision((_memory(resources, settings), _temperature(resources, settings)))


def _labels(facts: TrainingFacts, settings: TrainingSettings) -> Verdict:
    text = f"{facts.new_labels} new labels (at least {settings.min_new_labels})"
    return Verdict("labels", facts.new_labels >= settings.min_new_labels, text)


def _classes(facts: TrainingFacts, settings: TrainingSettings) -> Verdict:
    ready = sum(count >= settings.min_images_per_class for count in facts.images_per_class)
    least = 1 if facts.knows_classes else 2
    text = f"{ready} classes with {settings.min_images_per_class} images or more (at least {least})"
    return Verdict("classes", ready >= least, text)


def _cooldown(facts: TrainingFacts, settings: TrainingSettings) -> Verdict:
    since = facts.seconds_since_training
    if since is None:
        return Verdict("cool-down", True, "never trained before")
    text = f"last training {since:.0f} s ago (at least {settings.cooldown_s:.0f} s)"
    # A clock that was set back must not lock training for ever.
    return Verdict("cool-down", since >= settings.cooldown_s or since < 0, text)


def _memory(resources: Resources, settings: TrainingSettings) -> Verdict:
    available = resources.memory_available_bytes
    if available is None:
        return Verdict("memory", False, "available memory is unknown")
    text = f"{available // MB} MB of memory available (at least {settings.memory_reserve_mb} MB)"
    return Verdict("memory", available >= settings.memory_reserve_mb * MB, text)


def _temperature(resources: Resources, settings: TrainingSettings) -> Verdict:
    limit = settings.temperature_limit_celsius
    if resources.thermal_zones_seen == 0:
        return Verdict("temperature", True, "this machine has no thermal zones")
    if not resources.temperatures_celsius:
        return Verdict("temperature", False, f"none of {resources.thermal_zones_seen} thermal zones can be read")
    zone, hottest = max(resources.temperatures_celsius.items(), key=lambda item: item[1])
    return Verdict("temperature", hottest <= limit, f"hottest zone {zone} {hottest:.1f} °C (at most {limit:.1f} °C)")
