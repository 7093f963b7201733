"""One attempt to learn: gate → train → evaluate → promote or keep. Every ending is a row with its reason."""

import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from posture_daemon.domain import Decision, Failure, ModelVersion, Outcome, Region, Strategy, TrainingRun, Verdict
from posture_daemon.errors import ModelError, PostureError, TrainingCancelled, TrainingOutOfMemory
from posture_daemon.ports import ResourceProbe, Trainer
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.json_values import as_json
from posture_daemon.store.lock import TRAINING_LOCK, exclusive
from posture_daemon.training.gate_facts import GateFacts
from posture_daemon.training.job import TrainingJob
from posture_daemon.training.lineage import Lineage, lineage
from posture_daemon.training.promotion import NEW_DAY, PROVISIONAL, is_provisional, judge
from posture_daemon.training.run_monitor import RunMonitor
from posture_daemon.training.run_record import RunRecord, TrainingResult

log = logging.getLogger(__name__)

FOLDER_PREFIX = ".training-"
BUSY = Verdict("alone", False, "another training is running on this data folder", protects=True)
OVERTAKEN = Verdict(
    "same champion",
    False,
    "another model was made champion during the training, and the challenger was not judged against it",
)


class Retrainer:
    """Runs attempts, one at a time over all processes of the data folder.

    `away` tells for how many seconds the owner has been away, `None` when they are not or nobody can tell; `region` what part
    of the picture challengers look at, by default as the settings say.
    """

    def __init__(
        self,
        store: Store,
        trainer: Trainer,
        probe: ResourceProbe,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        away: Callable[[], float | None] = lambda: None,
        region: Callable[[], Region | None] | None = None,
    ) -> None:
        self._store, self._trainer, self._probe, self._settings = store, trainer, probe, settings
        self._clock, self._monotonic = clock, monotonic
        self._gate = GateFacts(store, probe, settings, clock, away, region or (lambda: settings.camera.seen))

    def decide(self, strategy: Strategy | None = None) -> Decision:
        """What the gate says now; the strategy is that of the settings unless given. Raises `ModelError` without a champion."""
        return self._gate.decide(self._incumbent(), strategy or Strategy(self._settings.training.strategy))

    def run(self, trigger: str, *, force: bool = False, strategy: Strategy | None = None) -> TrainingRun:
        """Attempt to learn now, as the settings say unless a `strategy` is given.

        `force` skips what is the owner's to decide: never what protects the device, nor the holdout.

        Raises `ModelError` when there is no champion to start from; any failure of the training itself is an outcome.
        """
        strategy = strategy or Strategy(self._settings.training.strategy)
        with exclusive(self._store.folder / TRAINING_LOCK) as alone:
            incumbent = self._incumbent()
            decision = self._gate.decide(incumbent, strategy) if alone else Decision((BUSY,))
            if alone:
                self._clear_interrupted()
            counting = [verdict for verdict in decision.verdicts if verdict.protects or not force]
            if not all(verdict.passed for verdict in counting):
                return self._store.runs.defer(trigger, decision, incumbent.id, self._clock())
            return self._attempt(trigger, decision, incumbent, self._gate.job(incumbent, strategy), forced=force)

    def recover(self) -> None:
        """Close what a process that died has left open. Leaves everything alone while another process trains."""
        with exclusive(self._store.folder / TRAINING_LOCK) as alone:
            if alone:
                self._clear_interrupted()

    def _incumbent(self) -> ModelVersion:
        incumbent = self._store.models.champion()
        if incumbent is None:
            raise ModelError(
                "There is no champion to learn from; import a model first: posture-daemon models import FILE.pt."
            )
        return incumbent

    def _clear_interrupted(self) -> None:
        """Nobody else trains, so an open run is a dead one, and so is the folder of one."""
        self._store.runs.close_interrupted(self._clock())
        for folder in self._store.folder.glob(f"{FOLDER_PREFIX}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _attempt(
        self, trigger: str, decision: Decision, incumbent: ModelVersion, job: TrainingJob, *, forced: bool
    ) -> TrainingRun:
        runs, load = self._store.runs, self._gate.load(incumbent, job)
        run_id = runs.begin(trigger, decision, incumbent.id, self._clock(), {"load": as_json(load)})
        log.info("training run %d started (%s)", run_id, trigger)
        refusal = self._gate.refusal(forced=forced)
        monitor = RunMonitor(run_id, self._store, self._probe, self._settings, refusal, self._clock, self._monotonic)
        outcome, reason, failure = Outcome.FAILED, "", Failure.OTHER
        try:
            with tempfile.TemporaryDirectory(
                prefix=FOLDER_PREFIX, dir=self._store.folder, ignore_cleanup_errors=True
            ) as folder:
                return self._train_and_judge(monitor, incumbent, replace(job, out_dir=folder))
        except TrainingCancelled as error:
            outcome, reason = Outcome.DEFERRED, str(error)
        except TrainingOutOfMemory as error:
            reason, failure = str(error), Failure.OUT_OF_MEMORY
        except (PostureError, OSError) as error:
            reason, failure = str(error), monitor.failure or Failure.OTHER
        except Exception as error:  # a trainer that writes nonsense must not leave the run open
            log.exception("training run %d failed unexpectedly", run_id)
            reason = f"The training failed unexpectedly ({type(error).__name__}: {error}); see the log."
        failed = {"failure": failure.value} if outcome is Outcome.FAILED else {}
        log.info("training run %d ended: %s, %s", run_id, outcome.value, reason)
        return runs.finish(run_id, outcome, reason, self._clock(), {**as_json(monitor.course()), **failed})

    def _train_and_judge(self, monitor: RunMonitor, incumbent: ModelVersion, job: TrainingJob) -> TrainingRun:
        folder = Path(job.out_dir)
        request = folder / "request.json"
        request.write_text(job.to_json())
        result = TrainingResult.from_json(self._trainer.train(request, monitor.supervise).read_text())
        made_of = lineage(job.strategy, self._settings, result.report)
        version = self._register(result, incumbent, folder, made_of, job.region)
        self._store.runs.propose(monitor.run_id, version.id)  # a crash after the promotion must not call it a failure
        # The champion may change meanwhile; `promote` looks again.
        knows, knew = [c.name for c in result.classes], [c.name for c in incumbent.classes]
        verdict = judge(result.moments, knows, knew, self._settings.promotion, behind=_behind(incumbent, result))
        if verdict.passed and not self._promote(version, incumbent):
            verdict = Decision((OVERTAKEN,))
        outcome = Outcome.PROMOTED if verdict.passed else Outcome.KEPT
        metrics = {**result.for_run(), **as_json(monitor.course(result.report.peak_memory_bytes))}
        log.info("training run %d ended: %s, %s", monitor.run_id, outcome.value, verdict.reason)
        return self._store.runs.finish(monitor.run_id, outcome, verdict.reason, self._clock(), metrics, version.id)

    def _promote(self, version: ModelVersion, incumbent: ModelVersion) -> bool:
        """Nothing is watched against a base: it has no answers that could be better."""
        watched = self._settings.watch.enabled and not incumbent.is_base
        return self._store.models.promote(version.id, self._clock(), expected=incumbent.id, watched=watched)

    def _register(
        self, result: TrainingResult, incumbent: ModelVersion, folder: Path, made_of: Lineage, region: Region | None
    ) -> ModelVersion:
        """Files first, then the row: a crash in between leaves at worst a file that nobody points to."""
        backbone_sha256 = incumbent.backbone_sha256
        if result.backbone is not None:  # a strategy that moves the backbone has made a new one, in this folder
            backbone_sha256 = result.backbone.sha256
            self._store.models.add_backbone(folder / result.backbone.folder, backbone_sha256)
        head_sha256 = self._store.models.add_head((folder / result.head).read_bytes())
        return self._store.models.add_version(
            ModelVersion(
                id=0,
                created_at=self._clock(),
                parent_id=incumbent.id,
                backbone_sha256=backbone_sha256,
                head_sha256=head_sha256,
                classes=result.classes,
                temperature=result.temperature,
                source="fine-tune",
                metrics=result.for_version(),
                lineage=as_json(made_of),
                region=region,
            )
        )


def _behind(incumbent: ModelVersion, result: TrainingResult) -> str | None:
    """Why the challenger need only be no worse, in words; `None` where it must be better."""
    report = RunRecord.of(incumbent.metrics).report  # of an imported one nothing is known
    if report is not None and report.moments is not None and is_provisional(report.moments):
        return PROVISIONAL
    return NEW_DAY if result.report.new_session else None
