"""Every fault of the catalogue is told in one sentence and costs nothing, and `docs/faults.md` says so word by word."""

import ast
from pathlib import Path

import pytest

from tests.faults.catalogue import FAULTS
from tests.faults.fault import Fault, as_told, meet, place
from tests.faults.page import row, written
from tests.faults.survived import SURVIVED, Survived

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "faults.md").read_text(encoding="utf-8")
MIN_FAULTS = 25


def marked(fault: Fault) -> object:
    """The fault as a parameter, marked where it needs torch."""
    return pytest.param(fault, id=fault.name, marks=[pytest.mark.torch] if fault.torch else [])


@pytest.mark.parametrize("fault", [marked(fault) for fault in FAULTS])
def test_it_is_told_in_one_sentence_and_costs_nothing(
    fault: Fault, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """What is wrong, where, and what to do; a failing exit code; no traceback; every row and file as before."""

    def zoo() -> Path:
        folder: Path = request.getfixturevalue("zoo")
        return folder

    with place(tmp_path, zoo) as at:
        said, unchanged = meet(fault, at)
        told = as_told(said, at)
    assert said.code == fault.code, said
    assert "Traceback" not in said.out + said.err
    assert len(said.lines) == 1, said
    assert told.endswith((".", "?")), told
    assert fault.where in told
    assert fault.advice in told
    assert unchanged, "the data folder is not as it was before"
    assert row(fault, told) in PAGE.splitlines(), f"docs/faults.md does not say so: run make docs\n{told}"


def test_the_page_lists_the_catalogue_and_nothing_else() -> None:
    """Its rows are those of the catalogue in the same order; at least as many kinds of fault as were promised."""
    lines = iter(PAGE.splitlines())
    found = [(fault, next((line for line in lines if line.startswith(f"| {fault.title} | ")), "")) for fault in FAULTS]
    assert written(found) == PAGE, "run make docs"
    assert len(FAULTS) >= MIN_FAULTS
    assert len({fault.name for fault in FAULTS}) == len({fault.title for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("one", SURVIVED, ids=lambda one: one.title)
def test_what_the_daemon_survives_is_what_a_test_has_seen(one: Survived) -> None:
    """The line is one of the program's, and the test that is named looks for it."""
    code = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "posture_daemon").rglob("*.py"))
    for part in one.says.split("…"):
        assert part.strip(" :().").partition("%")[0] in code
    assert one.proof in one.says
    assert one.proof in source_of(one.test)


def source_of(test: str) -> str:
    """The text of a test function."""
    file, _, name = test.partition("::")
    text = (REPOSITORY / "tests" / file).read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return str(ast.get_source_segment(text, node))
    raise AssertionError(f"there is no test {test}")
