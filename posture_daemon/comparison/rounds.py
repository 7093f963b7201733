"""One strategy after the other, each in a process of its own; what is finished is kept and not run again."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

from posture_daemon.adapters.backbone.on_demand import backbone_of
from posture_daemon.adapters.trainer.child import RESULT
from posture_daemon.adapters.trainer.process import SubprocessTrainer
from posture_daemon.comparison.scores import INCUMBENT, Result, Scores, dataset_digest, key_of, score
from posture_daemon.comparison.workspace import Workspace, learn_later
from posture_daemon.domain import ModelVersion, Split, Strategy
from posture_daemon.errors import TrainingError
from posture_daemon.settings import Settings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from posture_daemon.store.files import write_durably
from posture_daemon.store.json_files import read_json
from posture_daemon.store.json_values import as_json, from_json
from posture_daemon.training.job import TrainingJob
from posture_daemon.training.lineage import software
from posture_daemon.training.run_control import at_most
from posture_daemon.training.run_record import TrainingResult
from posture_daemon.training.strategies import FitPlan, learned_at
from posture_daemon.vision.head import Head

SPLITS = {"val": Split.HOLDOUT, "test": Split.TEST}

Say = Callable[[str], None]
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Rounds:
    """Where results are kept, and how every strategy is run. `say` is told of progress, in words."""

    workspace: Workspace
    out: Path
    settings: Settings
    plan: FitPlan
    recipe: Recipe
    say: Say

    def run(self, strategies: Sequence[Strategy]) -> Iterator[Result]:
        """The incumbent's result first, then that of each strategy, as they are finished."""
        incumbent = self._incumbent()
        store = self.workspace.store
        digest = dataset_digest(store.labels.labelled(), store.labels.labelled(learned_at(store, incumbent)))
        facts = (digest, incumbent.feature_key, incumbent.head_sha256)
        yield self._kept(INCUMBENT, facts, lambda key: _judged_incumbent(store, incumbent, key))
        for strategy in strategies:
            yield self._kept(strategy.value, facts, lambda key, s=strategy: self._result(s, incumbent, key))  # type: ignore[misc]

    def _kept(self, name: str, facts: Sequence[str], make: Callable[[str], Result]) -> Result:
        """The result under this name, made now unless it was made before from the same facts."""
        key = self._key(name, *facts)
        path = self.out / "results" / f"{name}.json"
        known = _read(Result, path)
        if known is not None and known.key == key:
            self.say(f"{name}: kept from before")
            return known
        self.say(f"{name}: starting")
        result = make(key)
        if result.failure is None:
            write_durably(path, json.dumps(as_json(result), indent=1).encode())
        return result

    def _key(self, name: str, *facts: str) -> str:
        return key_of(name, facts, asdict(self.plan), asdict(self.recipe), software(Strategy.ALL))

    def _incumbent(self) -> ModelVersion:
        """For a folder: the base, trained from scratch on the old part, unless an earlier comparison did the same."""
        workspace = self.workspace
        if workspace.later is None:
            return workspace.start
        digest = dataset_digest(workspace.store.labels.labelled(), [])
        key = self._key(INCUMBENT, digest, workspace.start.feature_key)
        folder = self.out / INCUMBENT
        if _read(dict, folder / "key.json") != {"key": key}:
            self.say("incumbent: training from scratch on the old part")
            shutil.rmtree(folder, ignore_errors=True)
            self._train(Strategy.SCRATCH, workspace.start, folder)
            write_durably(folder / "key.json", json.dumps({"key": key}).encode())
        left = TrainingResult.from_json((folder / RESULT).read_text())
        return learn_later(workspace, _install(workspace.store, folder, left, workspace.start), self.settings)

    def _result(self, strategy: Strategy, incumbent: ModelVersion, key: str) -> Result:
        folder = self.workspace.store.folder / f"round-{strategy.value}"
        began = time.monotonic()
        try:
            done = self._train(strategy, incumbent, folder)
        except TrainingError as error:
            return Result(strategy.value, key, failure=str(error))
        seconds = time.monotonic() - began
        trained = _install(self.workspace.store, folder, done, incumbent)
        shutil.rmtree(folder)
        report = done.report
        return Result(
            strategy.value,
            key,
            seconds=round(seconds, 3),
            seconds_per_epoch=report.seconds_per_epoch,
            best_epoch=report.best_epoch,
            curve=report.curve or (),
            peak_memory_bytes=report.peak_memory_bytes,
            train_images=report.train_images,
            scores=_scores(self.workspace.store, trained),
        )

    def _train(self, strategy: Strategy, incumbent: ModelVersion, folder: Path) -> TrainingResult:
        """Run the training child in `folder`; leaves the result, the head and a new backbone there."""
        folder.mkdir(parents=True)
        training = self.settings.training
        job = TrainingJob(
            str(self.workspace.store.folder), incumbent.id, self.recipe, training.threads, training.nice, str(folder),
            strategy, self.plan, region=incumbent.region,
        )  # fmt: skip
        request = folder / "request.json"
        request.write_text(job.to_json())
        trainer = SubprocessTrainer(lambda line: self.say(f"{strategy.value}: {line}"))
        result = TrainingResult.from_json(trainer.train(request, at_most(training.timeout_s)).read_text())
        for scratch in ("dataset", "ultralytics"):
            shutil.rmtree(folder / scratch, ignore_errors=True)
        (folder / "start.pt").unlink(missing_ok=True)
        return result


def _read(kind: type[Value], path: Path) -> Value | None:
    """What was kept; `None` when it is missing, damaged or of another version, so that it is made anew."""
    try:
        return from_json(kind, read_json(path))
    except (OSError, ValueError):
        return None


def _install(store: Store, folder: Path, result: TrainingResult, incumbent: ModelVersion) -> ModelVersion:
    """What a training left in `folder` as a version, its files in the store but without a row of its own."""
    backbone_sha256 = incumbent.backbone_sha256
    if result.backbone is not None:
        backbone_sha256 = result.backbone.sha256
        store.models.add_backbone(folder / result.backbone.folder, backbone_sha256)
    head_sha256 = store.models.add_head((folder / result.head).read_bytes())
    found = ModelVersion(0, 0.0, None, backbone_sha256, head_sha256, result.classes, result.temperature, "compare")
    return replace(found, region=incumbent.region)


def _judged_incumbent(store: Store, incumbent: ModelVersion, key: str) -> Result:
    if incumbent.is_base:
        return Result(INCUMBENT, key, failure="The incumbent is a base that knows none of the classes.")
    return replace(Result(INCUMBENT, key), scores=_scores(store, incumbent))


def _scores(store: Store, version: ModelVersion) -> dict[str, Scores]:
    backbone = backbone_of(store, version)
    head = Head.from_bytes(store.models.read_head(version.head_sha256))
    names = [c.name for c in version.classes]
    found = {n: score(store, split, head, backbone, names, version.temperature) for n, split in SPLITS.items()}
    return {name: scores for name, scores in found.items() if scores is not None}
