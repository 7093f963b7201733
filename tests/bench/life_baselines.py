"""What ours is compared with: a nearest class mean that learns each answer at once, and ultralytics that trains each night."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from posture_daemon.domain import Floats, Strategy
from posture_daemon.vision.novelty import unit
from tests.bench.life_days import DWELL_FRAMES, Day
from tests.bench.life_parts import Base
from tests.bench.life_records import Answer, Owner, Shown
from tests.bench.lives import Life, life_before, opened

MEAN_TEMPERATURE = 0.02
"""Of the softmax over cosines, only to have a confidence; it was not fitted to anything."""


def nearest_means(base: Base, before: Sequence[Day], day: Day, answers: Sequence[Answer]) -> tuple[Shown, ...]:
    """Means of the pooled features of all labels, of the days before and of the answers of this day so far."""
    known = [(m.class_name, base.backbone.extract(m.image).pooled) for one in before for m in one.moments]
    today = {moment.number: (moment, base.backbone.extract(moment.image).pooled) for moment in day.moments}
    shown: list[Shown] = []
    given = 0
    names, means = class_means(known)
    for seen, (moment, pooled) in enumerate(today.values()):
        new = [answer for answer in answers if answer.after == seen]
        if new:
            known += [(answer.class_name, today[number][1]) for answer in new for number in answer.moments]
            given += len(new)
            names, means = class_means(known)
        cosines = means @ unit(pooled)
        powers = np.exp((cosines - cosines.max()) / MEAN_TEMPERATURE)
        best = int(cosines.argmax())
        one = Shown(moment.number, moment.class_name, names[best], float(powers[best] / powers.sum()), given)
        shown += [one] * DWELL_FRAMES
    return tuple(shown)


def class_means(known: Sequence[tuple[str, Floats]]) -> tuple[list[str], Floats]:
    """The classes, and a unit vector for each."""
    names = sorted({name for name, _ in known})
    return names, unit(np.array([np.mean([v for n, v in known if n == name], axis=0) for name in names]))


def nightly_ultralytics(base: Base, before: Sequence[Day], day: Day, seed: int, scratch: Path) -> tuple[Shown, ...]:
    """`freeze=10` by ultralytics on each day's new labels, each night, served without a gate; on the day nothing is learned."""
    life_before(base, before, scratch, seed, day, Strategy.FINETUNE)
    with opened(base, scratch, seed, len(before)) as desk:
        lived = Life(desk, Owner("ultralytics", keys=0), seed, len(before)).live(day)
    shutil.rmtree(scratch)
    return lived.shown
