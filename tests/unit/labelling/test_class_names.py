"""The one rule for names of classes."""

import unicodedata

import pytest

from posture_daemon.datasets.folder_names import is_of_other_programs, split_of
from posture_daemon.domain import PostureClass, Role
from posture_daemon.errors import LabelError
from posture_daemon.labelling.class_names import (
    MAX_NAME_LENGTH,
    RESERVED_NAMES,
    SPLIT_WORDS,
    check,
    find,
    flaw_of,
    folder_flaw_of,
    key_of,
    listed,
)
from posture_daemon.labelling.classes import ClassChanges
from posture_daemon.labelling.session import Labelling
from posture_daemon.settings import LabelSettings
from posture_daemon.store import Store
from tests.builders import ensure_classes

NFD = unicodedata.normalize("NFD", "Krümmung")


@pytest.fixture
def labelling(store: Store) -> Labelling:
    """A session on classes that there are."""
    ensure_classes(store, "good", "bad")
    return Labelling(store, LabelSettings(), lambda: 1.0)


@pytest.mark.parametrize(
    "name",
    ["a", "A-1_b.c", "schräg", "x" * MAX_NAME_LENGTH, "leaning left", "[bold]", "good (new)", "don't", "猫背", "姿勢 悪い",
     "سيئة", "चित्र", "é", "a+b", "_tmp", "2nd", "[red] x", "Sitzt schlecht!", "100%", "$HOME"[1:], "na", "none"],
)  # fmt: skip
def test_names_of_letters_digits_spaces_and_punctuation_are_kept_as_typed(labelling: Labelling, name: str) -> None:
    """Letters of any script; what looks like markup is a name like any other."""
    assert labelling.add_class(name).name == name


@pytest.mark.parametrize(
    "name",
    ["", "   ", "x" * (MAX_NAME_LENGTH + 1), ".hidden", "..", "a/b", "[/]", "a\\b", "a\n", "a\tb", "a\0b", "GOOD", "Unknown",
     "\x1b[31mred", "a\x9b2Jb", "a\u202eb", "a\u2066b", "a\u200bb", "a\u200db", "\ufeffa", "a\u2028b", "\u0301a", "a\udcff",
     "-rf", "ends.", "a:b", "a*", "a?", 'a"b', "a<b", "a|b", "a,b", "con", "NUL.txt", "Lpt1", "\u3164", "a\ufe0f", "😀",
     "a\ue000", "Train", "VALIDATION", "Discarded", " unknown ", "ｕnknown\x7f"],
)  # fmt: skip
def test_other_class_names_are_refused_in_one_sentence_that_can_be_printed(labelling: Labelling, name: str) -> None:
    """Too long, no folder name somewhere, reserved, taken, invisible, or what a terminal would obey."""
    before = labelling.classes()
    with pytest.raises(LabelError, match=r"(?s)^[A-Z'].*\.$"):
        labelling.add_class(name)
    assert labelling.classes() == before


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_reserved_names_are_refused(labelling: Labelling, name: str) -> None:
    """They mean something else as posture or as folder, in any case."""
    for form in (name, name.upper(), f" {name.title()} "):
        with pytest.raises(LabelError, match="reserved"):
            labelling.add_class(form)


def test_every_folder_that_holds_no_class_is_reserved() -> None:
    """Else a class would be lost when its export is read again."""
    for name in (*SPLIT_WORDS, "Tests", "TEST"):
        assert split_of(name) is not None
        assert "reserved" in (flaw_of(name) or "")
    for name in ("Runs", "Thumbs", "lost+found", "RECYCLER", "checkpoints", "@eaDir", "x@SynoEAStream"):
        assert is_of_other_programs(name)
        assert "reserved" in (flaw_of(name) or "")


@pytest.mark.parametrize("name", ["COM¹", "lpt²", "Com³.good", "com0", "con .txt", "AUX . x", "CONIN$", "conout$"])
def test_every_device_of_windows_is_reserved(name: str) -> None:
    """Also by the digits of Latin-1, with a dot and spaces behind it: no such folder can be made there."""
    assert "reserved" in (flaw_of(name) or "")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("  leaning left ", "leaning left"), ("leaning   left", "leaning left"), ("a\u00a0b", "a b"),
     ("姿勢\u3000悪い", "姿勢 悪い"),
     (NFD, "Krümmung"), ("e\u0301", "é")],
)  # fmt: skip
def test_a_name_is_kept_composed_and_with_single_spaces(typed: str, kept: str) -> None:
    """However a keyboard or a disk writes it."""
    assert check(typed) == kept


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Good", "gOOD"),
        ("krümmung", NFD),
        ("KRÜMMUNG", NFD),
        ("Fuß", "FUSS"),
        ("a b", " A  B "),
        ("ΣΑΣ", "σας"),
        ("İ", "i̇"),
    ],
)
def test_case_and_form_of_letters_make_no_second_class(labelling: Labelling, one: str, other: str) -> None:
    """One rule for both, everywhere; what was there first keeps its name."""
    assert key_of(one) == key_of(other)
    if find(one, ["good", "bad"]) is None:
        labelling.add_class(one)
    with pytest.raises(LabelError, match="already a class"):
        labelling.add_class(other)
    assert find(other, [c.name for c in labelling.classes()]) is not None


def test_an_exact_name_comes_before_one_in_another_case() -> None:
    """Older versions could store both."""
    assert find("bad", ["Bad", "bad"]) == "bad"
    assert find("BAD", ["Bad", "bad"]) == "Bad"
    assert find("worse", ["Bad", "bad"]) is None


def test_what_an_older_version_stored_is_found_answered_and_can_be_renamed(store: Store) -> None:
    """Names that break the rule keep working."""
    for old in ("a/b", "x" * 300, "Bad", "bad", "two\nlines", "train"):
        store.labels.ensure_class(PostureClass(old, Role.BAD), 1.0)
    labelling = Labelling(store, LabelSettings(), lambda: 1.0)
    assert [labelling.find_class(one.name) for one in labelling.classes()] == labelling.classes()
    changes = ClassChanges(store, LabelSettings(), lambda: 1.0)
    assert changes.rename("a/b", "a or b") == ("a/b", "a or b")
    assert changes.rename("bad", "worse") == ("bad", "worse")
    assert "two\nlines" in [line.posture_class.name for line in changes.all()]


def test_classes_are_changed_under_any_form_of_their_name(store: Store) -> None:
    """`classes rename GOOD Good` changes how it is written; `role`, `merge` and `delete` find it too."""
    ensure_classes(store, "good", "krümmung")
    changes = ClassChanges(store, LabelSettings(), lambda: 1.0)
    assert changes.rename("GOOD", "Good") == ("good", "Good")
    assert changes.set_role(NFD.lower(), Role.BAD) == "krümmung"
    assert changes.plan_merge(NFD.upper(), "gOOd").sentences[0] == "Merging 'krümmung' into 'Good':"
    with pytest.raises(LabelError, match="itself"):
        changes.plan_merge("good", "GOOD")


def test_a_deleted_class_comes_back_under_the_name_that_models_know(store: Store) -> None:
    """And its name is nobody else's, in any case."""
    ensure_classes(store, "Slump", "other")
    store.classes.retire("Slump", next(iter(store.queue.counts())), 2.0)
    changes = ClassChanges(store, LabelSettings(), lambda: 3.0)
    with pytest.raises(LabelError, match=r"classes add Slump\.$"):
        changes.rename("other", "slump")
    assert changes.add("SLUMP").name == "Slump"


@pytest.mark.parametrize(
    ("name", "possible"),
    [("a b", True), ("[red] x", True), ("a/b", False), ("a\0b", False), ("x" * 256, False), ("é" * 130, False), (".a", False),
     ("", False), ("Test", False), ("uncategorized", False), ("unknown", True), ("a\udcff", False)],
)  # fmt: skip
def test_only_what_no_folder_can_be_called_is_left_out_of_an_export(name: str, possible: bool) -> None:
    """Of names that an older version stored."""
    assert (folder_flaw_of(name) is None) is possible


def test_a_list_of_names_is_cut_at_commas_only() -> None:
    """Spaces belong to the names."""
    assert listed("leaning left, good ,, é") == ["leaning left", "good", "é"]


def test_what_is_odd_in_a_name_is_called_by_its_number() -> None:
    """It may be one that nobody sees; what the name holds is cleaned where the sentence is printed."""
    assert flaw_of("a;\x1bb") == "The class name 'a;\x1bb' holds a control character or no text (U+001B)"
