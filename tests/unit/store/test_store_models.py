"""Model versions: recorded, promoted, rolled back, and their files known by their content."""

from pathlib import Path

import pytest

from posture_daemon.domain import Region
from posture_daemon.errors import ModelError
from posture_daemon.store import Store
from posture_daemon.store.files import sha256_of
from tests.builders import add_backbone, add_champion, add_version, random_head
from tests.checks import sentence


def test_a_version_comes_back_as_it_was_recorded(store: Store) -> None:
    """Classes in the order of the rows, with their roles, lineage, metrics; newest first in the list."""
    parent = add_champion(store, "good", "bad")
    told = {"parent_id": parent.id, "temperature": 1.5, "metrics": {"top1": 0.75}}
    child = add_version(store, random_head(3), "sha", "bad", "good", "standing", **told)
    assert store.models.get(child.id) == child
    assert child.id != parent.id == child.parent_id
    assert [c.name for c in child.classes] == ["bad", "good", "standing"]
    assert (child.temperature, child.metrics["top1"], child.is_base) == (1.5, 0.75, False)
    assert store.models.all() == [child, parent]
    with pytest.raises(ModelError, match="no model version 99"):
        store.models.get(99)


def test_promotion_and_two_rollbacks(store: Store) -> None:
    """The champion before is previous; rolling back swaps the two, and rolling back again swaps them back."""
    assert store.models.champion() is store.models.champion_id() is store.models.previous() is None
    old = add_champion(store, "good", "bad")
    assert store.models.previous() is None
    new = add_version(store, random_head(2, seed=1), "sha", "good", "bad")
    store.models.promote(new.id, 1.0)
    for _ in range(2):
        assert (store.models.champion(), store.models.previous(), store.models.champion_id()) == (new, old, new.id)
        store.models.promote(old.id, 2.0)
        assert (store.models.champion(), store.models.previous()) == (old, new)
        store.models.promote(new.id, 3.0)


def test_a_version_keeps_the_region_that_it_looks_at(store: Store) -> None:
    """And most look at whole pictures."""
    region = Region(0.2, 0.1, 0.6, 0.8)
    looking = add_version(store, random_head(2), "b" * 64, "good", "bad", region=region)
    assert store.models.get(looking.id).region == region
    assert add_champion(store, "good", "bad").region is None


def test_promoting_the_champion_again_keeps_the_previous(store: Store) -> None:
    """Otherwise a repeated command would lose the way back."""
    old = add_champion(store, "good", "bad")
    new = add_version(store, random_head(2, seed=1), "sha", "good", "bad")
    store.models.promote(new.id, 1.0)
    store.models.promote(new.id, 2.0)
    assert store.models.previous() == old


def test_a_version_that_is_not_there_cannot_be_promoted(store: Store) -> None:
    """The champion stays."""
    champion = add_champion(store, "good", "bad")
    with pytest.raises(ModelError, match="no model version 99"):
        store.models.promote(99, 1.0)
    assert store.models.champion() == champion


def test_a_champion_that_changed_meanwhile_is_not_overrun(store: Store) -> None:
    """Promoting in place of one that is no longer champion changes nothing and says so."""
    first = add_champion(store, "good", "bad")
    second, third = (add_version(store, random_head(2, seed=n), "sha", "good", "bad") for n in (1, 2))
    assert store.models.promote(second.id, 1.0, expected=first.id)
    assert not store.models.promote(third.id, 2.0, expected=first.id)
    assert (store.models.champion(), store.models.previous()) == (second, first)


def test_a_damaged_or_missing_head_is_refused(store: Store) -> None:
    """A head is found by its content, so a changed byte shows."""
    data = random_head(2).to_bytes()
    digest = store.models.add_head(data)
    assert store.models.read_head(digest) == data
    path = store.models.head_path(digest)
    path.write_bytes(data[:-1] + b"x")
    with pytest.raises(ModelError, match="does not match its digest"):
        store.models.read_head(digest)
    path.unlink()
    with pytest.raises(ModelError, match=r"cannot be read \(No such file") as error:
        store.models.read_head(digest)
    sentence(error.value)


def test_a_backbone_is_copied_whole_and_once(store: Store, tmp_path: Path) -> None:
    """A copy that was cut off by a crash is replaced; one that is complete is left alone."""
    digest = sha256_of(b"graph")
    target = store.models.backbone_folder(digest)
    cut_off = target.with_name(f".{target.name}.partial")
    cut_off.mkdir(parents=True)
    (cut_off / "rubbish").write_text("")
    add_backbone(store, tmp_path, b"graph")
    assert sorted(path.name for path in target.iterdir()) == ["backbone.json", "backbone.onnx"]
    assert (target / "backbone.onnx").read_bytes() == b"graph"
    (tmp_path / "backbone.onnx").unlink()
    store.models.add_backbone(tmp_path, digest)


@pytest.mark.parametrize("name", ["backbone.onnx", "backbone.json"])
def test_a_damaged_backbone_is_replaced_when_it_is_added_again(store: Store, tmp_path: Path, name: str) -> None:
    """So `models import` mends what it is said to mend."""
    digest = add_backbone(store, tmp_path, b"graph")
    target = store.models.backbone_folder(digest)
    (target / name).write_bytes(b"[]")
    assert not store.models.has_backbone(digest)
    store.models.add_backbone(tmp_path, digest)
    assert store.models.has_backbone(digest)
    assert [path.name for path in target.parent.iterdir()] == [target.name]
