"""What the gate is told besides the device: labels, times, the owner, and what the training would take."""

import time
from collections import Counter
from collections.abc import Callable, Sequence

from posture_daemon.domain import MB, Decision, ModelVersion, Outcome, Region, Role, Split, Strategy, TrainingRun
from posture_daemon.ports import ResourceProbe
from posture_daemon.settings import Settings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.training.gate import TrainingFacts, decide, in_window
from posture_daemon.training.job import TrainingJob, out_of_memory_in_a_row
from posture_daemon.training.memory_estimate import expected_bytes
from posture_daemon.training.run_record import Load, RunRecord
from posture_daemon.training.strategies import FitPlan, unable


class GateFacts:
    """Gathers the facts of this moment.

    `away` tells for how many seconds the owner has been away, if anybody can tell; `region` what a challenger shall look at.
    """

    def __init__(
        self,
        store: Store,
        probe: ResourceProbe,
        settings: Settings,
        clock: Callable[[], float],
        away: Callable[[], float | None],
        region: Callable[[], Region | None],
    ) -> None:
        self._store, self._probe, self._settings = store, probe, settings
        self._clock, self._away, self._region = clock, away, region
        self._region_seen_at: float | None = None

    def decide(self, incumbent: ModelVersion, strategy: Strategy) -> Decision:
        """What the gate says now to a training from this incumbent."""
        return decide(self._probe.read(), self._facts(incumbent, strategy), self._settings)

    def _facts(self, incumbent: ModelVersion, strategy: Strategy) -> TrainingFacts:
        labels, runs, training, now = self._store.labels, self._store.runs, self._settings.training, self._clock()
        new, attempts = labels.new(runs.labels_learned()), runs.attempts()
        of_new_session = self._of_new_session() if new else []
        job = self.job(incumbent, strategy, attempts)
        region_changed = _is_new(job.region, incumbent, attempts)
        enough_at = (
            _enough_at(new, training.min_new_labels),
            _enough_at(of_new_session, training.min_session_labels, classes=2),
            self._region_changed_at(now, changed=region_changed),
        )
        return TrainingFacts(
            new_labels=Counter(name for name, _ in new),
            new_session=len(of_new_session) if _enough_at(of_new_session, 0, classes=2) is not None else 0,
            images_per_class=tuple(per_split[Split.TRAIN] for per_split in labels.counts().values()),
            seconds_since_training=now - attempts[0].started_at if attempts else None,
            knows_classes=not incumbent.is_base,
            waiting_s=max((now - at for at in enough_at if at is not None), default=None),
            away_s=self._away(),
            sees_away=any(c.role is Role.AWAY for c in incumbent.classes),
            minute=_minute(now),
            need_bytes=expected_bytes(self.load(incumbent, job), attempts),
            hopeless=max(0, out_of_memory_in_a_row(attempts, strategy) - self._halvings(strategy)),
            paused=self._paused(),
            strategy=strategy.value,
            unable=unable(strategy, self._store, incumbent, job.plan),
            region_changed=region_changed,
        )

    def _region_changed_at(self, now: float, *, changed: bool) -> float | None:
        """When it was first seen to be another than the champion's; nobody writes that down, so a new process begins anew."""
        if not changed:
            self._region_seen_at = None
        elif self._region_seen_at is None:
            self._region_seen_at = now
        return self._region_seen_at

    def _of_new_session(self) -> list[tuple[str, float]]:
        """Class and time of new labels of sessions that no training has learned anything of, in order."""
        labels, learned = self._store.labels, self._store.runs.labels_learned()
        return labels.new(learned, of={image.frame_id for image in labels.of_new_sessions(learned)})

    def job(
        self, incumbent: ModelVersion, strategy: Strategy, attempts: Sequence[TrainingRun] | None = None
    ) -> TrainingJob:
        """What the training process would be told now; after one that ran out of memory, to do less at a time."""
        training = self._settings.training
        job = TrainingJob(
            data_dir=str(self._store.folder),
            incumbent_id=incumbent.id,
            recipe=Recipe.of(training),
            threads=training.threads,
            nice=training.nice,
            out_dir="",
            strategy=strategy,
            plan=FitPlan(**self._settings.strategies.model_dump()),
            max_memory_bytes=self._settings.limits.max_memory_mb * MB,
            region=self._region(),
        )
        known = self._store.runs.attempts() if attempts is None else attempts
        return job.smaller(out_of_memory_in_a_row(known, strategy))

    def _halvings(self, strategy: Strategy) -> int:
        """How often the batch can be halved until it is a single image."""
        batch = self._settings.training.batch if strategy is Strategy.REPLAY else self._settings.strategies.batch
        return batch.bit_length() - 1

    def load(self, incumbent: ModelVersion, job: TrainingJob) -> Load:
        """How large this training is."""
        backbone_bytes, image_size = self._store.models.backbone_size(incumbent.backbone_sha256)
        return Load(
            strategy=job.strategy.value,
            backbone_sha256=incumbent.backbone_sha256,
            backbone_bytes=backbone_bytes,
            image_size=image_size,
            images=self._store.labels.total(),
            views=job.recipe.views,
            batch=job.batch,
            region="" if job.region is None else str(job.region),
        )

    def _paused(self) -> str | None:
        """The owner's pause in words."""
        now = self._clock()
        pause = self._store.pauses.current(now)
        if pause is None:
            return None
        how_long = "" if pause.until is None else f" for another {(pause.until - now) / 60:.0f} min"
        return f"the owner has paused training{how_long}; posture-daemon resume ends that"

    def refusal(self, *, forced: bool) -> Callable[[], str | None]:
        """Why the owner does not want a running training to go on: a pause that began after it, or a window that has closed."""
        pause_then = self._store.pauses.current(self._clock())

        def refusal() -> str | None:
            now = self._clock()
            if self._store.pauses.current(now) != pause_then and (words := self._paused()):
                return words
            closed = not forced and not in_window(self._settings.schedule.windows, _minute(now))
            return f"the time for training ({self._settings.schedule.windows.strip()}) is over" if closed else None

        return refusal


def _enough_at(labels: Sequence[tuple[str, float]], least: int, classes: int = 1) -> float | None:
    """When the label came with which there were so many, of so many classes; `None` while there are not."""
    seen: set[str] = set()
    for number, (name, at) in enumerate(labels, start=1):
        seen.add(name)
        if number >= least and len(seen) >= classes:
            return at
    return None


def _is_new(region: Region | None, incumbent: ModelVersion, attempts: Sequence[TrainingRun]) -> bool:
    """Whether the incumbent looks at another part of the picture, and no challenger for this one was judged against it."""
    judged = (run for run in attempts if run.incumbent_id == incumbent.id and run.outcome is Outcome.KEPT)
    loads = (RunRecord.of(run.metrics).load for run in judged)
    text = "" if region is None else str(region)
    return region != incumbent.region and all(load is None or load.region != text for load in loads)


def _minute(now: float) -> int:
    """Of the local day, 0-1439. Asked anew each time, so a change to summer time or another zone is followed."""
    local = time.localtime(now)
    return local.tm_hour * 60 + local.tm_min
