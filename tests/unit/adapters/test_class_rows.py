"""Names of a checkpoint belong to the rows of its head by their key."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from posture_daemon.adapters.checkpoints.class_rows import names_by_row
from posture_daemon.errors import CheckpointRefused

ABC = ("a", "b", "c")


class Stored(SimpleNamespace):
    """An object of the archive, which may be a key."""

    __hash__ = object.__hash__


def scalar(kind: str, raw: bytes) -> Stored:
    """A numpy scalar as the archive leaves it: nothing was called."""
    encoded = Stored(origin="_codecs.encode", args=(raw.decode("latin1"), "latin1"))
    dtype = Stored(origin="numpy.dtype", args=(kind, False, True), state={"state": (3, "<", None)})
    return Stored(origin="numpy._core.multiarray.scalar", args=(dtype, encoded))


@pytest.mark.parametrize(
    "names",
    [
        ["a", "b", "c"],
        ("a", "b", "c"),
        {0: "a", 1: "b", 2: "c"},
        {2: "c", 0: "a", 1: "b"},
        {"0": "a", "1": "b", "2": "c"},
        {"2": "c", 1: "b", 0.0: "a"},
        {"02": "c", " 1 ": "b", "0": "a"},
        {np.int64(1): "b", np.int64(0): "a", np.int64(2): "c"},
        [np.str_("a"), b"b", "c"],
    ],
)
def test_the_key_says_the_row_whatever_its_order_or_type(names: Any) -> None:
    """A name in the wrong row would turn good posture into bad."""
    assert names_by_row(names, 3, "x.pt") == ABC


def test_numbers_of_numpy_are_keys_too() -> None:
    """As a pickle holds them: a type and eight bytes."""
    names = {scalar("i8", (2 - n).to_bytes(8, "little")): name for n, name in enumerate("cba")}
    assert names_by_row(names, 3, "x.pt") == ABC
    assert names_by_row([scalar("U1", "a".encode("utf-32-le")), 7, None], 3, "x.pt") == ("a", "7", "")


def array(kind: str, data: object, *shape: int) -> Stored:
    """An array of numpy as the archive leaves it."""
    raw = Stored(origin="_codecs.encode", args=(data.decode("latin1"), "latin1")) if isinstance(data, bytes) else data
    dtype = Stored(origin="numpy.dtype", args=(kind, False, True), state={"state": (3, "<", None)})
    return Stored(origin="numpy._core.multiarray._reconstruct", state={"state": (1, shape or (3,), dtype, False, raw)})


@pytest.mark.parametrize(
    "names",
    [
        array("U1", "abc".encode("utf-32-le")),
        array("S1", b"abc"),
        array("O8", ["a", scalar("U1", "b".encode("utf-32-le")), "c"]),
    ],
)
def test_an_array_of_numpy_is_a_list_of_names(names: Any) -> None:
    """Texts, bytes, or objects."""
    assert names_by_row(names, 3, "x.pt") == ABC


@pytest.mark.parametrize(
    "names",
    [
        array("U1", b"short"),
        array("U1", "abc".encode("utf-32-le"), 3, 1),
        array("U1", "abc".encode("utf-32-le"), 10**9),
        array("V4", bytes(12)),
        array("O8", b"abc"),
        Stored(origin="numpy._core.multiarray._reconstruct", state={}),
    ],
)
def test_an_array_that_contradicts_itself_is_no_list(names: Any) -> None:
    """One sentence, and no memory for what it claims."""
    with pytest.raises(CheckpointRefused, match=r"^x\.pt is damaged: the names of its classes are no list\.$"):
        names_by_row(names, 3, "x.pt")


def test_half_a_character_in_a_name_is_replaced() -> None:
    """It could not be written down."""
    assert names_by_row(["a\ud800", "b"], 2, "x.pt") == ("a?", "b")


@pytest.mark.parametrize("names", [None, [], {}, ()])
def test_without_names_a_row_is_called_by_its_number(names: Any) -> None:
    """As ultralytics does it; such a model is a base."""
    assert names_by_row(names, 3, "x.pt") == ("0", "1", "2")


@pytest.mark.parametrize("names", [{0: "a", 2: "c"}, {2: "c", 0: "a", 1: None}, {0: "a", 1: ["b"], 2: "c"}])
def test_a_row_without_a_name_has_none(names: Any) -> None:
    """It can be named at the import; no other row moves into its place."""
    assert names_by_row(names, 3, "x.pt") == ("a", "", "c")


def test_one_name_twice_is_left_to_the_import() -> None:
    """Which can tell the two apart by their rows."""
    assert names_by_row({0: "a", 1: "a", 2: "c"}, 3, "x.pt") == ("a", "a", "c")


@pytest.mark.parametrize(
    "names",
    [
        {1: "a", 2: "b", 3: "c"},
        ["a", "b", "c", "d"],
        {"a": 0, "b": 1, "c": 2},
        {0: "a", "0": "b", 1: "c"},
        {0: "a", 0.5: "b"},
        {-1: "c", 0: "a", 1: "b"},
        {(0,): "a"},
        "abc",
        {"a", "b", "c"},
        3,
        {scalar("O8", b"x" * 8): "a"},
        {"9" * 5000: "a"},
    ],
)
def test_names_that_belong_to_no_row_are_refused(names: Any) -> None:
    """One sentence; guessing could turn good posture into bad."""
    with pytest.raises(CheckpointRefused, match=r"^x\.pt is damaged: .*\.$"):
        names_by_row(names, 3, "x.pt")
