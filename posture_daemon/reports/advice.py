"""What should I show it next? One to three sentences, the most useful first.

First what cannot be learned, then what cannot be judged, then what is known badly, then what was never seen. Only rows and the
record of the champion's training are read, so that `status` can say it at any time.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from posture_daemon.domain import UNKNOWN, PostureClass, Reason, Role, Split
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.queue import CAMERA_SOURCE
from posture_daemon.training.run_record import RunRecord

MAX_SENTENCES = 3
LOW_RECALL = 0.8
"""Share of a class's holdout images that are right, below which it is worth a sentence."""
TELLS_APART = 0.6
"""Share that is right on left-out days, below which it cannot be said to tell the classes apart."""
MIN_TIMED_FRAMES = 20
"""Labelled camera frames of a class from which it is worth asking at what times they were taken."""
MAX_NARROW_HOURS = 4
"""Hours of the day that a class was seen in, up to which it has seen one light only."""
MIN_SAME_GUESS = 5
"""Waiting frames with the same guess from which they are worth a sentence."""


@dataclass(frozen=True)
class ClassStats:
    """Labelled images and time blocks of one class, per split; a block counts for every class that it has images of."""

    posture_class: PostureClass
    images: Mapping[Split, int]
    blocks: Mapping[Split, int]

    def shape_json(self, found: Any) -> Any:
        """Name and role beside the numbers."""
        return {**found.pop("posture_class"), **found}


def advice(store: Store, settings: Settings) -> list[str]:
    """At most three sentences; never none."""
    classes = _classes(store)
    labels = class_stats(store, classes)
    if not any(sum(c.images.values()) for c in labels):
        return ["Label a few frames of each posture, and of the empty chair."]
    found = [
        *_not_learned(labels),
        *_not_judged(labels),
        *_cannot_tell(store),
        *_no_away(classes),
        *_badly_known(store, settings.promotion.min_class_images),
        *_one_light(store),
        *_waiting(store),
    ]
    return found[:MAX_SENTENCES] or [_smallest(labels)]


def _classes(store: Store) -> list[PostureClass]:
    """The owner's, and those that only the champion knows; a front end makes them the owner's with the first label."""
    owned, champion = store.labels.classes(), store.models.champion()
    names = {c.name for c in owned}
    return [*owned, *(c for c in (champion.classes if champion else ()) if c.name not in names)]


def class_stats(store: Store, classes: Sequence[PostureClass]) -> tuple[ClassStats, ...]:
    """How much is labelled of each class."""
    counts, blocks = store.labels.counts(), store.labels.block_counts()
    nothing = dict.fromkeys(Split, 0)
    return tuple(
        ClassStats(c, counts.get(c.name, nothing), {split: blocks.get((c.name, split), 0) for split in Split})
        for c in classes
    )


def _not_learned(labels: Sequence[ClassStats]) -> Iterator[str]:
    for c in sorted(labels, key=lambda c: sum(c.images.values())):
        if not c.images[Split.TRAIN]:
            yield f"Most useful next: any images of '{c.posture_class.name}', of which there are none to learn from."


def _not_judged(labels: Sequence[ClassStats]) -> Iterator[str]:
    for c in sorted(labels, key=lambda c: -c.images[Split.TRAIN]):
        if c.images[Split.TRAIN] and not c.images[Split.HOLDOUT]:
            name = c.posture_class.name
            yield f"Show it '{name}' at another hour or day: that will be held out, and only then can it be judged."


def _cannot_tell(store: Store) -> Iterator[str]:
    """Where left-out days say that it does not know these classes on a day that it has not seen."""
    champion = store.models.champion()
    report = None if champion is None else RunRecord.of(champion.metrics).report
    if champion is None or report is None or report.new_day is None or report.new_day.top1 >= TELLS_APART:
        return
    names = ", ".join(f"'{c.name}'" for c in champion.classes)
    yield (
        f"On a day without answers it cannot tell {names} apart: {report.new_day.top1:.0%} right on days left out in turn. "
        "What helps: fewer classes that look more different, the camera nearer to you, a larger model, a few answers each day."
    )


def _no_away(classes: list[PostureClass]) -> Iterator[str]:
    if not any(c.role is Role.AWAY for c in classes):
        yield (
            "Teach it the empty chair: posture-daemon classes add away, then label some frames without you. Until then it "
            "takes your absence for a posture."
        )


def _badly_known(store: Store, few: int) -> Iterator[str]:
    """From the holdout of the champion's own training, the worst first."""
    champion = store.models.champion()
    seen = None if champion is None else RunRecord.of(champion.metrics).challenger
    if seen is None:
        return
    shares = {name: right / images for name, (right, images) in seen.per_class().items() if images >= few}
    for name in sorted((n for n in shares if shares[n] < LOW_RECALL), key=lambda n: shares[n]):
        row = seen.confusion[seen.classes.index(name)]
        wrong = {other: number for other, number in zip(seen.classes, row, strict=True) if other != name}
        other = max(wrong, key=lambda n: wrong[n])
        yield (
            f"Label more of '{name}' and '{other}' where they look alike: it takes {wrong[other]} of {sum(row)} held-out "
            f"images of '{name}' for '{other}'."
        )


def _one_light(store: Store) -> Iterator[str]:
    """Days and hours of the camera's own frames; the times of imported pictures may be made up."""
    times: dict[str, list[datetime]] = {}
    for origin in store.origins.all():
        if origin.class_name is not None and origin.source == CAMERA_SOURCE:
            times.setdefault(origin.class_name, []).append(datetime.fromtimestamp(origin.captured_at))
    for name, seen in sorted(times.items(), key=lambda one: -len(one[1])):
        hours = sorted({time.hour for time in seen})
        if len(seen) < MIN_TIMED_FRAMES:
            continue
        if len({time.date() for time in seen}) == 1:
            yield f"Show it '{name}' on another day: all {len(seen)} labelled frames are of one day."
        elif hours[-1] - hours[0] < MAX_NARROW_HOURS:
            when = f"between {hours[0]} and {hours[-1] + 1} o'clock"
            yield f"Show it '{name}' at another time of day: all {len(seen)} labelled frames were taken {when}."


def _waiting(store: Store) -> Iterator[str]:
    """What the model asks about most."""
    unsure = [frame.predicted for frame in store.queue.waiting() if frame.reason == Reason.UNCERTAIN.value]
    for name, number in Counter(one for one in unsure if one not in (None, UNKNOWN)).most_common(1):
        if number >= MIN_SAME_GUESS:
            yield f"Answer what waits: it is unsure of {len(unsure)} frames, most often ({number}) whether it is '{name}'."


def _smallest(labels: Sequence[ClassStats]) -> str:
    least = min(labels, key=lambda c: (c.blocks[Split.HOLDOUT], c.images[Split.HOLDOUT], c.images[Split.TRAIN]))
    return f"Most useful next: images of '{least.posture_class.name}' from other sessions."
