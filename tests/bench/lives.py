"""One life with the product: days that were lived before are imported, then a day comes as it comes, picture by picture.

Each picture goes through the capture loop; what is **shown** is written down frame by frame, before its answer. The owner knows
the truth, and presses keys at set places of the day: a key answers the first question of the queue. The scheduled jobs look at
the gate within a virtual minute of an answer, and through the evening.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from posture_daemon.datasets.importing import import_folder
from posture_daemon.domain import ModelVersion, Outcome, TrainingRun
from posture_daemon.reports.advice import advice
from tests.bench.life_days import DWELL_FRAMES, FRAME_S, Day, Moment, day_starts, key_places
from tests.bench.life_parts import Base, Desk, copy_folder
from tests.bench.life_records import Answer, Choice, LivedDay, Owner, Shown, promised
from tests.fakes.clock import Clock

EVENING_LOOKS, HOUR_S = 5, 3600.0
"""After the last picture the computer stays on for so many hours; the jobs look once in each."""

IDLE_LOOK_S = 600.0
"""The daemon's jobs look each minute. Without an answer only time changes what they find, so here they look less often."""

MIN_JUDGED = 10
"""Later pictures of a day, of two classes, from which they are worth judging two models by."""


@dataclass(eq=False)
class _Diary:
    """The day so far."""

    day: Day
    next_day: Day | None
    shown: list[Shown] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    seen: int = 0
    unasked: int = 0
    rolled_back: int = 0


class Life:
    """One owner at one desk, day after day. With `always` each answer retrains, and the challenger is served without a gate."""

    def __init__(self, desk: Desk, owner: Owner, seed: int, first_day: int = 0, *, always: bool = False) -> None:
        self.desk, self._owner, self._always = desk, owner, always
        self._seed, self._rng = seed, Random()
        self._starts = iter(day_starts(10_000)[first_day:])
        self._kept: dict[float, tuple[str, int, str]] = {}
        self._looked_at, self._answered = 0.0, False
        self._oracle: ModelVersion | None = None

    def import_day(self, day: Day, next_day: Day | None, strategy: Any = None) -> LivedDay:
        """A day that was lived and labelled before: its folder is imported, and the evening trains on it."""
        diary = _Diary(day, next_day, seen=len(day.moments))
        self.desk.clock.now = next(self._starts) + 10 * HOUR_S
        promise, fresh = self._promise(day)
        import_folder(self.desk.store, self.desk.settings, day.folder, self.desk.clock.now)
        if strategy is None:
            self._evening(diary)
        else:
            self._train_and_serve(diary, strategy)
        return self._written(diary, promise, fresh)

    def live(self, day: Day, next_day: Day | None = None) -> LivedDay:
        """A day as it comes."""
        diary, begins = _Diary(day, next_day), next(self._starts)
        self._rng.seed(f"{self._seed} {self._owner.name} {day.name}")
        self.desk.clock.now = begins
        promise, fresh = self._promise(day)
        places = key_places(len(day.moments), self._owner.keys, self._owner.until)
        self._oracle = self.desk.store.models.champion() if self._always else None
        for moment in day.moments:
            self._show(moment, begins, diary)
            for _ in range(places[diary.seen]):
                self._press(diary)
            self._look(diary)
        self._evening(diary)
        return self._written(diary, promise, fresh)

    def _promise(self, day: Day) -> tuple[float | None, float | None]:
        """Of the champion for a day, and what comes true."""
        version = self.desk.store.models.champion()
        if version is None or version.is_base:
            return None, None
        return promised(version), self._top1(version, day.moments)

    def _written(self, diary: _Diary, promise: float | None, fresh: float | None) -> LivedDay:
        return LivedDay(
            diary.day.name,
            len(diary.day.moments),
            tuple(diary.shown),
            tuple(diary.answers),
            tuple(diary.choices),
            diary.unasked,
            self.desk.labelling.progress().queued,
            promise,
            fresh,
            diary.rolled_back,
            tuple(advice(self.desk.store, self.desk.settings)),
        )

    def _show(self, moment: Moment, begins: float, diary: _Diary) -> None:
        """Before the camera for some frames, each written down as it is shown."""
        oracle = None
        if self._oracle is not None and not self._oracle.is_base:
            oracle = self.desk.called(self._oracle, [moment.image])[0]
        for number in range(DWELL_FRAMES):
            self.desk.clock.now = max(self.desk.clock.now, begins + moment.at + number * FRAME_S)
            self._kept[self.desk.clock.now] = (diary.day.name, moment.number, moment.class_name)
            self.desk.source.give(moment.image, self.desk.clock.now)
            failed = self.desk.loop.counts.failed
            self.desk.loop.step()
            if self.desk.loop.counts.failed > failed or self.desk.loop.last is None:
                raise RuntimeError(
                    f"The capture loop failed at picture {moment.number} of {diary.day.name}; see the log."
                )
            last, state = self.desk.loop.last, self.desk.loop.state
            settled = state.posture if state is not None and number == DWELL_FRAMES - 1 else None
            said = (last.label, last.confidence, len(diary.answers), settled, oracle, last.answers > 0, last.familiar)
            diary.shown.append(Shown(moment.number, moment.class_name, *said))
        diary.seen += 1

    def _press(self, diary: _Diary) -> None:
        """One key: the first question of the queue, as the page asks it. Frames of the group of another class are left."""
        questions = self.desk.labelling.groups(1)
        if not questions:
            diary.unasked += 1
            return
        frames = questions[0].frames
        truth = self._kept[frames[0].captured_at][2]
        alike = [frame for frame in frames if self._kept[frame.captured_at][2] == truth]
        name = self._typed(truth)
        self.desk.labelling.answer_group([frame.id for frame in alike], name)
        self._answered = True
        look_s = self._learn_at_once()
        if self._always:
            self._train_and_serve(diary)
        places = [self._kept[frame.captured_at] for frame in alike]
        today = tuple(number for day, number, _ in places if day == diary.day.name)
        diary.answers.append(Answer(diary.seen, today, name, look_s))

    def _typed(self, truth: str) -> str:
        """What the owner types, who knows the truth."""
        others = [c.name for c in self.desk.labelling.classes() if c.name != truth]
        return self._rng.choice(others) if others and self._rng.random() < self._owner.mistypes else truth

    def _learn_at_once(self) -> float | None:
        """The fast learner's look, if the product has one; seconds."""
        if self.desk.online is None:
            return None
        began = time.perf_counter()
        self.desk.online.look()
        return time.perf_counter() - began

    def _look(self, diary: _Diary) -> None:
        """The scheduled jobs, when they are due and something may have changed since they looked last."""
        since_s = self.desk.clock.now - self._looked_at
        news = self._answered and since_s >= self.desk.settings.schedule.check_every_s
        if self._always or not (news or since_s >= IDLE_LOOK_S):
            return
        self._looked_at, self._answered = self.desk.clock.now, False
        self._judged(self.desk.retrainer.run("schedule"), diary)
        self.desk.store.confidences.add(self.desk.loop.confidences.take())
        diary.rolled_back += self.desk.watcher.check() is not None
        self.desk.follower.follow()

    def _evening(self, diary: _Diary) -> None:
        """No picture comes any more; the jobs go on for some hours."""
        self.desk.loop.step()
        for _ in range(EVENING_LOOKS):
            self.desk.clock.now += HOUR_S
            self.desk.loop.step()
            self._look(diary)
        self.desk.recalibrator.check()
        self.desk.follower.follow()

    def _train_and_serve(self, diary: _Diary, strategy: Any = None) -> None:
        """Train whatever the gate says, and serve what comes of it, whatever the judgement says."""
        more = {} if strategy is None else {"strategy": strategy}
        run = self.desk.retrainer.run("bench", force=True, **more)
        if run.challenger_id is None:
            return
        self._judged(run, diary)
        self.desk.store.models.promote(run.challenger_id, self.desk.clock.now)
        self.desk.follower.follow()
        if self._oracle is not None:
            self._oracle = self._better(self._oracle, self.desk.store.models.get(run.challenger_id), diary)

    def _better(self, one: ModelVersion, other: ModelVersion, diary: _Diary) -> ModelVersion:
        """The better one on the rest of the day, by its truth."""
        rest = diary.day.moments[diary.seen :]
        return other if not rest or one.is_base or self._top1(other, rest) > self._top1(one, rest) else one

    def _judged(self, run: TrainingRun, diary: _Diary) -> None:
        """Write down what came of a training, and what the rest of the day and the next day say of it."""
        if run.outcome is Outcome.FAILED:
            raise RuntimeError(f"A training failed: {run.reason}")
        if run.challenger_id is None or run.incumbent_id is None or run.outcome is Outcome.DEFERRED:
            return
        before, after = (self.desk.store.models.get(number) for number in (run.incumbent_id, run.challenger_id))
        rest = diary.day.moments[diary.seen :]
        tomorrow = () if diary.next_day is None else diary.next_day.moments
        judged = [
            (self._top1(before, moments), self._top1(after, moments))
            if _can_judge(moments) and not before.is_base
            else None
            for moments in (rest, tomorrow)
        ]
        diary.choices.append(Choice(run.outcome is Outcome.PROMOTED, diary.seen, run.reason, judged[0], judged[1]))

    def _top1(self, version: ModelVersion, moments: Sequence[Moment]) -> float:
        called = self.desk.called(version, [moment.image for moment in moments])
        return sum(name == m.class_name for name, m in zip(called, moments, strict=True)) / len(moments)


def _can_judge(moments: Sequence[Moment]) -> bool:
    return len(moments) >= MIN_JUDGED and len({moment.class_name for moment in moments}) >= 2


@contextmanager
def opened(base: Base, folder: Path, seed: int, first_day: int, *, at_once: bool = True) -> Iterator[Desk]:
    """A desk on this data folder, on the evening before its day `first_day`."""
    desk = Desk(base, folder, Clock(day_starts(first_day + 1)[first_day] - 10 * HOUR_S), seed, at_once=at_once)
    try:
        yield desk
    finally:
        desk.close()


def life_before(
    base: Base, days: Sequence[Day], to: Path, seed: int, then: Day | None, strategy: Any = None
) -> list[LivedDay]:
    """A data folder of who has lived and labelled these days, one after the other; `then` comes next."""
    copy_folder(base.folder, to, base.cache)
    with opened(base, to, seed, 0) as desk:
        life = Life(desk, Owner("importer"), seed)
        followers: list[Day | None] = [*days[1:], then]
        return [life.import_day(day, after, strategy) for day, after in zip(days, followers, strict=True)]
