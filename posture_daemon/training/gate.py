"""May this device train now? A pure function: numbers in, go or the reasons out. An unknown that matters closes the gate."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from posture_daemon.device.limits import has_room
from posture_daemon.device.resources import Resources
from posture_daemon.domain import Decision, Strategy, Verdict
from posture_daemon.settings import ScheduleSettings, Settings, TrainingSettings

MAX_DOUBLINGS = 6
"""Doublings of the cool-down after trainings that ran out of memory: at most 64 times."""


@dataclass(frozen=True)
class TrainingFacts:
    """What is known besides the device.

    `new_labels` are those given since the last training, by class; `waiting_s` is how long there have been enough of them, or
    the region has been another. `new_session` labels are of sessions that nothing was learned of yet: a new day needs fewer.
    `images_per_class` are training images. `knows_classes` is False while the champion is a base: then one class is not
    enough to tell anything apart. `away_s` is how long the owner has been away, `None` when they are not or nobody can tell;
    `sees_away` is False while the champion has no class that means away.
    `minute` is of the local day, 0-1439. `need_bytes` is what the training is expected to take at its peak.
    `hopeless` counts the trainings in a row that ran out of memory although they could not be made smaller.
    `paused` says in words that the owner wants no training now, `unable` that this strategy cannot be carried out here. With
    `region_changed` the owner has chosen another part of the
    picture than the champion looks at.
    """

    new_labels: Mapping[str, int] = field(default_factory=dict)
    new_session: int = 0
    images_per_class: tuple[int, ...] = ()
    seconds_since_training: float | None = None  # None: never trained
    knows_classes: bool = True
    waiting_s: float | None = None
    away_s: float | None = None
    sees_away: bool = True
    minute: int = 720
    need_bytes: int = 0
    hopeless: int = 0
    paused: str | None = None
    strategy: str = Strategy.REPLAY.value
    unable: str | None = None
    region_changed: bool = False


def decide(resources: Resources, facts: TrainingFacts, settings: Settings) -> Decision:
    """Every condition with its number and its limit."""
    schedule = settings.schedule
    return Decision(
        (
            _paused(facts),
            _strategy(facts),
            _labels(facts, settings.training),
            _classes(facts, settings.training),
            _cooldown(facts, schedule),
            _window(facts, schedule),
            _away(facts, schedule),
            *has_room(resources, settings.limits, facts.need_bytes).verdicts,
        )
    )


def in_window(windows: str, minute: int) -> bool:
    """Whether a minute of the day lies in one of the `windows`, such as "12:00-13:00, 22:00-06:00"; in none at all: always.

    A window that ends before it begins goes over midnight; one that ends when it begins is the whole day.
    """
    times = [int(hours) * 60 + int(minutes) for hours, minutes in re.findall(r"(\d+):(\d+)", windows)]
    spans = list(zip(times[::2], times[1::2], strict=True))
    return not spans or any(
        begin <= minute < end if begin < end else minute >= begin or minute < end for begin, end in spans
    )


def _paused(facts: TrainingFacts) -> Verdict:
    return Verdict("owner", facts.paused is None, facts.paused or "the owner has not paused training")


def _strategy(facts: TrainingFacts) -> Verdict:
    """Not even `--force` trains by what is not there: it would fail, and each time anew."""
    ours = facts.strategy == Strategy.REPLAY.value
    text = f"learns by {facts.strategy}, {'ours' if ours else 'run by ultralytics'}"
    return Verdict("strategy", facts.unable is None, facts.unable or text, facts.strategy, protects=True)


def _labels(facts: TrainingFacts, settings: TrainingSettings) -> Verdict:
    total, least = sum(facts.new_labels.values()), settings.min_new_labels
    each = ", ".join(f"{name} {count}" for name, count in facts.new_labels.items() if count)
    text = f"{total} new labels{f': {each}' if each else ''} (at least {least})"
    if total < least and facts.new_session >= settings.min_session_labels:
        of_day = f"{facts.new_session} of a day that it knows nothing of (at least {settings.min_session_labels})"
        return Verdict("labels", True, f"{text}; {of_day}", total, least)
    if facts.region_changed:
        return Verdict("labels", True, f"the part of the picture to look at has changed; {text}", total, least)
    return Verdict("labels", total >= least, text, total, least)


def _classes(facts: TrainingFacts, settings: TrainingSettings) -> Verdict:
    ready = sum(count >= settings.min_images_per_class for count in facts.images_per_class)
    least = 1 if facts.knows_classes else 2
    text = f"{ready} classes with {settings.min_images_per_class} images or more (at least {least})"
    return Verdict("classes", ready >= least, text, ready, least)


def _cooldown(facts: TrainingFacts, schedule: ScheduleSettings) -> Verdict:
    since, least = facts.seconds_since_training, schedule.cooldown_s * 2 ** min(facts.hopeless, MAX_DOUBLINGS)
    if since is None:
        return Verdict("cool-down", True, "never trained before")
    why = f", longer after {facts.hopeless} that ran out of memory" if facts.hopeless else ""
    text = f"last training {since:.0f} s ago (at least {least:.0f} s{why})"
    # A clock that was set back must not lock training for ever.
    return Verdict("cool-down", since >= least or since < 0, text, since, least)


def _window(facts: TrainingFacts, schedule: ScheduleSettings) -> Verdict:
    now = f"{facts.minute // 60:02d}:{facts.minute % 60:02d}"
    wanted = schedule.windows.strip() or "at any time"
    return Verdict("time", in_window(schedule.windows, facts.minute), f"it is {now} (training {wanted})", now, wanted)


def _away(facts: TrainingFacts, schedule: ScheduleSettings) -> Verdict:
    away, waiting, least = facts.away_s, facts.waiting_s, schedule.away_s
    if least == 0:
        return Verdict("away", True, "the owner need not be away", away, 0.0)
    if away is not None and away >= least:
        return Verdict("away", True, f"owner away for {away:.0f} s (at least {least:.0f} s)", away, least)
    if not facts.sees_away:
        return Verdict("away", True, "the model cannot tell yet whether the owner is away", None, least)
    seen = "owner not seen to be away" if away is None else f"owner away for {away:.0f} s"
    limit = f"at least {least:.0f} s, or {schedule.away_patience_s:.0f} s of waiting"
    if waiting is None:
        return Verdict("away", False, f"{seen} ({limit})", away, least)
    what = "another part of the picture waits" if facts.region_changed else "enough labels wait"
    text = f"{seen}, {what} for {waiting:.0f} s ({limit})"
    # As with the cool-down: labels from the future wait for nobody.
    return Verdict("away", waiting >= schedule.away_patience_s or waiting < 0, text, away, least)
