"""What `dataset doubts` says in words: how many labels it doubts, and how many it could have doubted."""

import pytest

from posture_daemon.domain import Split
from posture_daemon.learning.label_errors import Doubt, LabelCheck
from posture_daemon.reports.label_check import sentences

DOUBT = Doubt(7, "good", "bad", 0.8, Split.TRAIN)


def said(doubts: int, checked: int) -> str:
    """About a hundred labels of which six in ten agree."""
    return " ".join(sentences(LabelCheck((DOUBT,) * doubts, 100, checked, 0.6, 0.04)))


@pytest.mark.parametrize(
    ("doubts", "checked", "words"),
    [
        (1, 100, "1 label is likelier wrong than right."),
        (2, 50, "2 labels are likelier wrong than right."),
        (2, 100, "All 100 labels could be checked"),
        (0, 40, "No label is doubted: of those that could be checked"),
        (0, 40, "40 of 100 labels could be checked"),
        (0, 3, "cannot be checked by this model yet: asked about times that it has not learned, it agrees with 60%"),
        (1, 3, "a slip would have shown in 3 of 100"),
    ],
)
def test_the_list_and_its_reach_are_told(doubts: int, checked: int, words: str) -> None:
    """In plain words, whatever could be checked."""
    assert words in said(doubts, checked)


def test_where_nothing_can_be_checked_no_label_is_called_undoubted() -> None:
    """An empty list is no praise."""
    assert "No label is doubted" not in said(0, 3)


def test_labels_of_a_single_time_cannot_be_checked() -> None:
    """There is nothing that could speak for them."""
    [sentence] = sentences(LabelCheck((), 0, 0, 0.0, 0.0))
    assert "at two times at least" in sentence
