"""Another part of the picture: what the gate is told of one that a challenger was judged on."""

from posture_daemon.domain import ModelVersion, Outcome, Region, Strategy
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.training.gate_facts import GateFacts
from tests.builders import add_champion, add_version, decided, label_days, random_head
from tests.fakes.backbone import StandInBackbone
from tests.fakes.probe import StandInProbe

NOW = 1_000_000.0
BOX, OTHER = Region(0.2, 0.1, 0.6, 0.8), Region(0.3, 0.1, 0.6, 0.8)


def is_reason_enough(store: Store, incumbent: ModelVersion, region: Region) -> bool:
    """Whether the gate asks for no new labels to look at this region, all labels being learned."""
    settings = Settings(data_dir=store.folder)
    facts = GateFacts(store, StandInProbe(), settings, lambda: NOW, lambda: None, lambda: region)
    decision = facts.decide(incumbent, Strategy.REPLAY)
    return next(verdict.passed for verdict in decision.verdicts if verdict.name == "labels")


def attempt(store: Store, incumbent: ModelVersion, region: Region, outcome: Outcome = Outcome.KEPT) -> None:
    """A training for this region from the incumbent: its challenger was no better, unless it ended otherwise."""
    load = {
        "strategy": "replay", "backbone_sha256": incumbent.backbone_sha256, "backbone_bytes": 0, "image_size": 32,
        "images": 12, "views": 2, "batch": 8, "region": str(region),
    }  # fmt: skip
    run_id = store.runs.begin("test", decided(), incumbent.id, NOW, {"load": load})
    store.runs.finish(run_id, outcome, "", NOW)


def test_a_region_that_was_no_better_is_tried_again_against_another_champion(store: Store) -> None:
    """What it was worth beside the one before says nothing of the one of now; beside the very same it is not tried again."""
    label_days(store, "good", "bad")
    first = add_champion(store, "good", "bad")
    attempt(store, first, BOX)
    assert not is_reason_enough(store, first, BOX)
    assert is_reason_enough(store, first, OTHER)
    second = add_version(store, random_head(2, seed=5), StandInBackbone().sha256, "good", "bad")
    assert is_reason_enough(store, second, BOX)
    attempt(store, second, BOX)
    assert not is_reason_enough(store, second, BOX)


def test_a_training_that_failed_has_judged_no_region(store: Store) -> None:
    """So it is still a reason to train, though all labels were learned for another one."""
    label_days(store, "good", "bad")
    champion = add_champion(store, "good", "bad")
    attempt(store, champion, OTHER)
    attempt(store, champion, BOX, Outcome.FAILED)
    assert is_reason_enough(store, champion, BOX)
