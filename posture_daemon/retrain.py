"""One attempt to learn: gate → train → evaluate → promote or keep. Every ending is a row with its reason."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from posture_daemon.domain import (
    Decision,
    ModelVersion,
    Outcome,
    PostureClass,
    Role,
    Split,
    Strategy,
    TrainingRun,
    Verdict,
)
from posture_daemon.errors import ModelError, PostureError, TrainingCancelled
from posture_daemon.gate import TrainingFacts, decide
from posture_daemon.learning.features import Recipe
from posture_daemon.learning.lineage import lineage
from posture_daemon.learning.strategies import FitPlan
from posture_daemon.ports import ResourceProbe, Trainer
from posture_daemon.promotion import Answers, judge
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.lock import TRAINING_LOCK, exclusive

log = logging.getLogger(__name__)

FOLDER_PREFIX = "training-"


@dataclass(frozen=True)
class TrainingJob:
    """What the training process is told, as JSON."""

    data_dir: str
    incumbent_id: int
    recipe: Recipe
    threads: int
    nice: int
    out_dir: str
    strategy: Strategy = Strategy.REPLAY
    plan: FitPlan = field(default_factory=FitPlan)

    def to_json(self) -> str:
        """For the request file."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> TrainingJob:
        """Read the request file."""
        data = json.loads(text)
        parts = {"recipe": Recipe(**data["recipe"]), "plan": FitPlan(**data["plan"])}
        return cls(**{**data, **parts, "strategy": Strategy(data["strategy"])})


class Retrainer:
    """Runs attempts, one at a time over all processes of the data folder."""

    def __init__(
        self,
        store: Store,
        trainer: Trainer,
        probe: ResourceProbe,
        settings: Settings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._trainer, self._probe, self._settings, self._clock = store, trainer, probe, settings, clock

    def decide(self) -> Decision:
        """What the gate says now."""
        return decide(self._probe.read(), self._facts(), self._settings.training)

    def run(self, trigger: str, *, force: bool = False, strategy: Strategy = Strategy.REPLAY) -> TrainingRun:
        """Attempt to learn now. `force` skips the gate, never the holdout.

        Raises `ModelError` when there is no champion to start from; any failure of the training itself is an outcome.
        """
        with exclusive(self._store.folder / TRAINING_LOCK) as alone:
            incumbent = self._store.models.champion()
            if incumbent is None:
                raise ModelError(
                    "There is no champion to learn from; import a model first: posture-daemon models import FILE.pt."
                )
            decision = self.decide() if alone else _busy()
            if alone:
                self._clear_interrupted()
            if not decision.passed and not (force and alone):
                return self._store.runs.defer(trigger, decision, incumbent.id, self._clock())
            return self._attempt(trigger, decision, incumbent, strategy)

    def _clear_interrupted(self) -> None:
        """Nobody else trains, so an open run is a dead one, and so is the folder of one."""
        self._store.runs.close_interrupted(self._clock())
        for folder in self._store.folder.glob(f"{FOLDER_PREFIX}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _facts(self) -> TrainingFacts:
        runs, labels = self._store.runs, self._store.labels
        learned_at = runs.last_started(Outcome.KEPT, Outcome.PROMOTED)
        attempted_at = runs.last_started(Outcome.KEPT, Outcome.PROMOTED, Outcome.FAILED)
        champion = self._store.models.champion()
        return TrainingFacts(
            new_labels=labels.total() if learned_at is None else labels.new_since(learned_at),
            images_per_class=tuple(per_split[Split.TRAIN] for per_split in labels.counts().values()),
            seconds_since_training=None if attempted_at is None else self._clock() - attempted_at,
            knows_classes=champion is not None and not champion.is_base,
        )

    def _attempt(self, trigger: str, decision: Decision, incumbent: ModelVersion, strategy: Strategy) -> TrainingRun:
        run_id = self._store.runs.begin(trigger, decision, incumbent.id, self._clock())
        log.info("training run %d started (%s): %s", run_id, trigger, decision.reason)
        try:
            with tempfile.TemporaryDirectory(
                prefix=FOLDER_PREFIX, dir=self._store.folder, ignore_cleanup_errors=True
            ) as folder:
                run = self._train_and_judge(run_id, incumbent, Path(folder), strategy)
        except TrainingCancelled as error:
            run = self._store.runs.finish(run_id, Outcome.DEFERRED, str(error), self._clock())
        except (PostureError, OSError) as error:
            run = self._store.runs.finish(run_id, Outcome.FAILED, str(error), self._clock())
        except Exception as error:  # a trainer that writes nonsense must not leave the run open
            log.exception("training run %d failed unexpectedly", run_id)
            reason = f"The training failed unexpectedly ({type(error).__name__}: {error}); see the log."
            run = self._store.runs.finish(run_id, Outcome.FAILED, reason, self._clock())
        log.info("training run %d ended: %s, %s", run_id, run.outcome.value if run.outcome else "", run.reason)
        return run

    def _train_and_judge(self, run_id: int, incumbent: ModelVersion, folder: Path, strategy: Strategy) -> TrainingRun:
        result = self._train(incumbent, folder, strategy)
        made_of = lineage(strategy, self._settings, result["report"])
        result["report"].pop("label_ids", None)  # of the version, not of every row that mentions it
        version = self._register(result, incumbent, folder, made_of)
        verdict = self._judge(result, incumbent)
        if verdict.passed and not self._promote(version, incumbent):
            verdict = _overtaken()
        outcome = Outcome.PROMOTED if verdict.passed else Outcome.KEPT
        return self._store.runs.finish(
            run_id, outcome, verdict.reason, self._clock(), {k: result[k] for k in result if k != "head"}, version.id
        )

    def _promote(self, version: ModelVersion, incumbent: ModelVersion) -> bool:
        """Nothing is watched against a base: it has no answers that could be better."""
        watched = self._settings.watch.enabled and not incumbent.is_base
        return self._store.models.promote(version.id, self._clock(), expected=incumbent.id, watched=watched)

    def _judge(self, result: dict[str, Any], incumbent: ModelVersion) -> Decision:
        """What the holdout says. The champion may change meanwhile; `promote` looks again."""
        knows, knew = [c["name"] for c in result["classes"]], [c.name for c in incumbent.classes]
        return judge(Answers.from_json(result["answers"]), knows, knew, self._settings.promotion)

    def _train(self, incumbent: ModelVersion, folder: Path, strategy: Strategy) -> dict[str, Any]:
        training = self._settings.training
        job = TrainingJob(
            str(self._store.folder),
            incumbent.id,
            Recipe.of(training),
            training.threads,
            training.nice,
            str(folder),
            strategy,
            FitPlan(**self._settings.strategies.model_dump()),
        )
        request = folder / "request.json"
        request.write_text(job.to_json())
        result: dict[str, Any] = json.loads(self._trainer.train(request, training.timeout_s).read_text())
        return result

    def _register(
        self, result: dict[str, Any], incumbent: ModelVersion, folder: Path, made_of: dict[str, Any]
    ) -> ModelVersion:
        """Files first, then the row: a crash in between leaves at worst a file that nobody points to."""
        backbone_sha256 = incumbent.backbone_sha256
        if "backbone" in result:  # a strategy that moves the backbone has made a new one, in this folder
            backbone_sha256 = result["backbone"]["sha256"]
            self._store.models.add_backbone(folder / result["backbone"]["folder"], backbone_sha256)
        head_sha256 = self._store.models.add_head((folder / result["head"]).read_bytes())
        return self._store.models.add_version(
            ModelVersion(
                id=0,
                created_at=self._clock(),
                parent_id=incumbent.id,
                backbone_sha256=backbone_sha256,
                head_sha256=head_sha256,
                classes=tuple(PostureClass(c["name"], Role(c["role"])) for c in result["classes"]),
                temperature=result["temperature"],
                source="fine-tune",
                metrics={name: result[name] for name in ("challenger", "test", "report") if result.get(name)},
                lineage=made_of,
            )
        )


def _busy() -> Decision:
    return Decision((Verdict("alone", False, "another training is running on this data folder"),))


def _overtaken() -> Decision:
    text = "another model was made champion during the training, and the challenger was not judged against it"
    return Decision((Verdict("same champion", False, text),))
