"""Names of models from outside."""

import shlex
from pathlib import Path

import pytest

from posture_daemon.errors import LabelError
from posture_daemon.labelling.adopted_names import adopt

FILE = Path("my model.pt")


def test_names_are_taken_over_in_the_form_of_classes_that_there_are() -> None:
    """Upper and lower case, and the two forms of an accent, make no second class."""
    names = ["Good_Posture", "kru\u0308mmung", " leaning  left ", "猫背"]
    assert adopt(names, (), ["good_posture"], FILE) == ("good_posture", "krümmung", "leaning left", "猫背")


@pytest.mark.parametrize(
    ("names", "renames", "adopted"),
    [
        (["unknown", "good"], ["unknown=unsure"], ("unsure", "good")),
        (["bad", "bad", "good"], ["1=worse"], ("bad", "worse", "good")),
        (["bad", "", "good"], ["1=away"], ("bad", "away", "good")),
        (["a=b", "a"], ["a=b=c", "a=d"], ("c", "d")),
        (["1", "0"], ["0=zero"], ("1", "zero")),
        (["bad\nposture", "good"], ["0=bad posture"], ("bad posture", "good")),
        (["x" * 300, "good"], ["0=long"], ("long", "good")),
        (["good", "bad"], ["good=bad", "bad=good"], ("bad", "good")),
    ],
)
def test_the_owner_says_what_a_class_is_called_here(
    names: list[str], renames: list[str], adopted: tuple[str, ...]
) -> None:
    """By its name, or by the number of its output where that is not clear."""
    assert adopt(names, renames, (), FILE) == adopted


@pytest.mark.parametrize(
    ("names", "row"),
    [
        (["train", "good"], "train"),
        (["bad [/b]", "good"], "bad [/b]"),
        (["", "good"], "0"),
        (["good", "x" * 300], "1"),
        (["a\x1b]0;owned\x07", "good"], "0"),
        (["Bad", "bad"], "bad"),
        (["bad", "bad"], "1"),
        (["a,b", "good"], "a,b"),
        (["../up", "good"], "../up"),
    ],
)
def test_a_name_that_no_class_can_have_is_refused_with_the_command_that_helps(names: list[str], row: str) -> None:
    """And that command does help."""
    with pytest.raises(LabelError) as caught:
        adopt(names, (), (), FILE)
    words = str(caught.value)
    assert len(words) < 500
    command = words[words.index("posture-daemon models") : words.index(" (--as-base")]
    given = shlex.split(command)
    assert given[:4] == ["posture-daemon", "models", "import", str(FILE)]
    assert given[-1] == f"{row}=NEW"
    assert "NEW" in adopt(names, [given[-1]], (), FILE)


@pytest.mark.parametrize("rename", ["nobody=x", "=x", "good", "7=x", "good=unknown", "good=a/b", "good=bad"])
def test_a_renaming_that_means_nothing_is_refused(rename: str) -> None:
    """In one sentence."""
    with pytest.raises(LabelError, match=r"^[A-Z'-].*\.$|^Two"):
        adopt(["good", "bad"], [rename], (), FILE)


def test_all_names_that_will_not_do_are_named_at_once() -> None:
    """With the renamings that were given already."""
    with pytest.raises(LabelError, match=r"--rename good=fine --rename unknown=NEW1 --rename 2=NEW2 \(--as-base"):
        adopt(["good", "unknown", "", "na"], ["good=fine"], (), FILE)
