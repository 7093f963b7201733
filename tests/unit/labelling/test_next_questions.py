"""The queue as questions, and one key for alike frames: over a real SQLite file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posture_daemon.domain import Floats, Reason, Status
from posture_daemon.errors import LabelError
from posture_daemon.labelling.session import Answered, Labelling
from posture_daemon.learning.feature_space import POOLED_KEY, pooled_head
from posture_daemon.learning.features import cached_space
from posture_daemon.learning.labelled_pool import labelled_pool
from posture_daemon.settings import LabelSettings, TrainingSettings
from posture_daemon.settings.recipe import Recipe
from posture_daemon.store import Store
from tests.builders import add_frame, add_version, ensure_classes, label, make_store
from tests.checks import classes_of
from tests.fakes.backbone import StandInBackbone

NOW, DAY = 1_700_000_000.0, 86_400.0
SHA = StandInBackbone().sha256
RED, GREEN, MIXED = (0.0, 0.1, 1.0), (0.0, 1.0, 0.1), (0.2, 0.6, 0.55)


@pytest.fixture
def store(store: Store) -> Store:
    """A store whose champion calls green good and red bad."""
    weight = np.array([(0, 10, 0), (0, 0, 10)], np.float32)
    version = add_version(store, pooled_head(3, weight, np.zeros(2, np.float32)), SHA, "good", "bad")
    store.models.promote(version.id, NOW)
    ensure_classes(store, "good", "bad")
    return store


def labelling(store: Store, today: Any = None) -> Labelling:
    """Begin a session; `today` is what has learned today's answers."""
    return Labelling(store, LabelSettings(), lambda: NOW, today=today)


class Today:
    """Stands for the online learner: calls all by a class that the champion lacks, in doubt of the last only; or has no say."""

    def __init__(self, *, learned: bool = True) -> None:
        self._learned = learned

    def say(self, pooled: Floats, backbone_sha256: str) -> tuple[tuple[str, ...], Floats] | None:
        """Sure of all but the last one."""
        assert backbone_sha256 == SHA
        chances = np.tile(np.array([0.01, 0.01, 0.98], np.float32), (len(pooled), 1))
        chances[-1] = (0.01, 0.48, 0.51)
        return (("good", "bad", "away"), chances) if self._learned else None


def see(store: Store, at: float, pooled: Sequence[float] | None, **known_of_it: Any) -> int:
    """Queue a frame with these features."""
    features = {} if pooled is None else {"pooled": np.array(pooled, np.float16), "backbone_sha256": SHA}
    return add_frame(store, at, **features, **known_of_it)


def test_the_frame_that_the_model_doubts_is_asked_first(store: Store) -> None:
    """By what the present champion says of its features, not by what was written when it was kept."""
    see(store, 1.0, RED, confidence=0.5, predicted="good")
    doubtful = see(store, 2.0, MIXED, confidence=1.0, predicted="good")
    see(store, 3.0, GREEN)
    asked = labelling(store)
    first = asked.groups(1)[0]
    assert [frame.id for frame in first.frames] == [doubtful]
    assert asked.next() == first.frames[0]
    assert first.guess == "good"
    assert (
        first.why
        == "the model would say good but is far from sure, and nothing like it has been labelled or asked before it"
    )


def test_alike_frames_come_as_one_group_and_each_frame_once(store: Store) -> None:
    """With the model's present guess."""
    reds = [see(store, float(at), (0.0, 0.1 + at / 200, 1.0)) for at in range(3)]
    green = see(store, 9.0, GREEN)
    groups = labelling(store).groups(10)
    assert sorted(sorted(frame.id for frame in group.frames) for group in groups) == [reds, [green]]
    assert {group.guess for group in groups} == {"good", "bad"}


def test_frames_without_features_come_last_in_their_order(store: Store) -> None:
    """Imported ones, and those of a backbone that was replaced."""
    plain = see(store, 1.0, None, predicted="bad")
    other = add_frame(store, 2.0, pooled=np.ones(3, np.float16), backbone_sha256="another")
    seen = see(store, 3.0, RED)
    groups = labelling(store).groups(10)
    assert [group.frames[0].id for group in groups] == [seen, plain, other]
    assert (groups[1].guess, groups[1].why) == ("bad", "unsure")


def test_what_is_labelled_is_asked_about_last(store: Store) -> None:
    """Two frames are as doubtful as can be; the one that looks like a label waits for the other."""
    label(store, see(store, 0.0, MIXED), "bad")
    alike = see(store, 1.0, MIXED)
    other = see(store, 2.0, (0.9, 0.6, 0.55))
    groups = labelling(store).groups(2)
    assert [[frame.id for frame in group.frames] for group in groups] == [[other], [alike]]
    assert "nothing like it" in groups[0].why
    assert "little like it" in groups[1].why


def test_skipped_frames_are_not_asked_again(store: Store) -> None:
    """Neither alone nor in a group."""
    first, second = see(store, 1.0, RED), see(store, 2.0, (*RED[:2], 0.99))
    session = labelling(store)
    session.skip(first)
    assert [[frame.id for frame in group.frames] for group in session.groups(5)] == [[second]]


def test_a_confident_mistake_is_asked_before_ordinary_frames(store: Store) -> None:
    """What the owner called wrong counts as doubtful whatever the model says, and says why."""
    see(store, 1.0, GREEN)
    wrong = see(store, 2.0, RED, reason=Reason.WRONG, explanation="you said that this was wrong: bad at 99%")
    first = labelling(store).groups(1)[0]
    assert (first.frames[0].id, first.why) == (wrong, "you said that this was wrong: bad at 99%")


def test_what_was_learned_today_guesses_and_doubts(store: Store) -> None:
    """What is asked first, and as what, is the online learner's to tell; where it has no say, the champion's."""
    doubted, last = see(store, 1.0, MIXED), see(store, 2.0, RED)
    found = [
        [(group.frames[0].id, group.guess) for group in labelling(store, today).groups(2)]
        for today in (Today(), Today(learned=False))
    ]
    assert found == [[(last, "away"), (doubted, "away")], [(doubted, "good"), (last, "bad")]]


def test_a_class_that_was_not_answered_today_is_asked_first(store: Store) -> None:
    """All of today's answers are good, those of yesterday bad: what is probably bad comes before a more doubtful good one."""
    for day, class_name, count in ((9, "bad", 6), (10, "good", 2)):
        for second in range(count):
            label(store, see(store, day * DAY + second, None), class_name)
    good = see(store, 10 * DAY + 10, (0.0, 0.55, 0.5))
    bad = see(store, 10 * DAY + 11, (0.0, 0.49, 0.56))
    first, second = labelling(store).groups(2)
    assert [(group.frames[0].id, group.guess) for group in (first, second)] == [(bad, "bad"), (good, "good")]


def test_a_base_asks_for_what_is_different(tmp_path: Path) -> None:
    """It has no guess; doubt is the same everywhere, so distance decides."""
    store = make_store(tmp_path)
    version = add_version(store, pooled_head(3, np.zeros((2, 3), np.float32), np.zeros(2, np.float32)), SHA)
    store.models.promote(version.id, NOW)
    see(store, 1.0, RED)
    see(store, 2.0, (*RED[:2], 0.9))
    green = see(store, 3.0, GREEN)
    groups = labelling(store).groups(2)
    assert green in {frame.id for group in groups for frame in group.frames}
    assert all(group.guess is None and "has no classes yet" in group.why for group in groups)
    store.close()


def test_a_model_whose_file_is_gone_still_lets_label(store: Store) -> None:
    """Then what it said at the time decides."""
    sure, unsure = (
        see(store, at, pooled, confidence=confidence, predicted="bad")
        for at, pooled, confidence in ((1.0, RED, 0.99), (2.0, GREEN, 0.51))
    )
    for file in (store.folder / "models").rglob("*.safetensors"):
        file.unlink()
    assert [group.frames[0].id for group in labelling(store).groups(2)] == [unsure, sure]


def test_features_of_imported_pictures_come_from_the_cache(store: Store) -> None:
    """What a training has computed counts as labelled; what nobody computed is left out."""
    recipe = Recipe.of(TrainingSettings())
    frames = [add_frame(store, float(at), source="import:x", reason=Reason.IMPORTED) for at in range(2)]
    for frame in frames:
        label(store, frame, "good")
    image = next(image for image in store.labels.labelled() if image.frame_id == frames[0])
    space = cached_space(store, SHA, POOLED_KEY, 3, recipe)
    space.put([(image.sha256, 0)], np.array([RED], np.float32))
    found = labelled_pool(store, SHA, 3, recipe)
    np.testing.assert_allclose(found.features, [RED], atol=1e-3)
    assert found.blocks.tolist() == [image.block_id]
    assert len(labelled_pool(store, SHA, 3, recipe, most=1).features) == 0, "only the newest are looked at"


def test_one_key_answers_a_group_and_one_undo_takes_it_back(store: Store) -> None:
    """All of its frames, and nothing that was answered before it."""
    earlier = see(store, 0.0, GREEN)
    group = [see(store, float(at), RED) for at in (1, 2, 3)]
    session = labelling(store)
    session.answer(earlier, "good")
    assert session.answer_group(group, "bad") == Answered(tuple(group), {}, ())
    assert session.undo() is not None
    assert {store.queue.get(frame).status for frame in group} == {Status.QUEUED}
    assert [image.frame_id for image in store.labels.labelled()] == [earlier]


def test_a_group_can_be_discarded(store: Store) -> None:
    """Also in one step."""
    group = [see(store, float(at), RED) for at in (1, 2)]
    session = labelling(store)
    assert session.answer_group(group, None).done == tuple(group)
    assert session.progress().discarded == 2
    session.undo()
    assert session.progress().queued == 2


def test_frames_that_were_evicted_meanwhile_are_named_and_the_rest_is_answered(store: Store) -> None:
    """The daemon goes on keeping and evicting while the owner thinks."""
    kept, gone = see(store, 1.0, RED, usefulness=0.9), see(store, 2.0, RED, usefulness=0.1)
    session = labelling(store)
    assert store.queue.evict(1, 10**9) == 1
    assert session.answer_group([gone, kept], "bad") == Answered((kept,), {}, (gone,))


def test_an_answer_that_somebody_else_gave_meanwhile_stands(store: Store) -> None:
    """It is reported with its class; so is one that was discarded; undo takes back only what this key did."""
    mine, theirs, discarded = (see(store, float(at), RED) for at in range(3))
    other = labelling(store)
    other.answer(theirs, "good")
    other.discard(discarded)
    session = labelling(store)
    answered = session.answer_group([mine, theirs, discarded, mine], "bad")
    assert answered == Answered((mine,), {theirs: "good", discarded: None}, ())
    session.undo()
    assert classes_of(store) == {theirs: "good"}


def test_an_unknown_class_answers_nothing(store: Store) -> None:
    """Not even the first frame."""
    group = [see(store, float(at), RED) for at in (1, 2)]
    with pytest.raises(LabelError, match="no class 'bda'"):
        labelling(store).answer_group(group, "bda")
    assert labelling(store).progress().queued == 2


def test_what_is_called_wrong_is_labelled_once_the_daemon_has_kept_it(store: Store) -> None:
    """The daemon answers while the command sleeps; the request leaves nothing behind."""
    frame = see(store, 1.0, RED, reason=Reason.WRONG)
    session = labelling(store)
    assert session.call_wrong("good", lambda _s: store.corrections.keep(store.corrections.open(NOW), frame)) == frame
    assert [(i.frame_id, i.class_name) for i in store.labels.labelled()] == [(frame, "good")]
    assert store.corrections.open(NOW) == []


def test_without_a_daemon_nothing_is_left_behind(store: Store) -> None:
    """One sentence says what to do; a misspelt class asks for nothing."""
    slept: list[float] = []
    with pytest.raises(LabelError, match=r"No running daemon has answered.*\.$"):
        labelling(store).call_wrong(None, slept.append)
    assert sum(slept) == pytest.approx(5.0)
    assert store.corrections.open(NOW) == []
    with pytest.raises(LabelError, match="no class 'bda'"):
        labelling(store).call_wrong("bda", slept.append)


def test_a_stale_request_is_not_met(store: Store) -> None:
    """A minute later another picture is shown; one from the future of a wrong clock is none either."""
    request = store.corrections.ask(NOW)
    assert store.corrections.open(NOW + 29) == [request]
    assert store.corrections.open(NOW + 60) == store.corrections.open(NOW - 3600) == []
