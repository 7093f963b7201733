"""The plan of the house holds: few modules in the root, no circle of imports, no file or function that outgrew its room."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from tests.conftest import REPOSITORY

PACKAGE = REPOSITORY / "posture_daemon"
SOURCES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
OLD_PLACES = ("live.py", "daemon.py", "labelling.py", "router.py", "checkup/files.py", "adapters/compare/report.py")


def module_of(path: Path) -> str:
    """The dotted name that a file is imported by."""
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in SOURCES}


def imported(tree: ast.Module) -> Iterator[str]:
    """Modules of ours that a file imports anywhere, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("posture_daemon"):
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield inner if inner in MODULES else str(node.module)


def test_the_root_holds_the_dictionary_the_errors_and_the_seams() -> None:
    """Everything else has a room."""
    modules = {path.name for path in PACKAGE.glob("*.py")}
    assert modules == {"__init__.py", "__main__.py", "domain.py", "errors.py", "ports.py"}


def test_no_imports_go_in_a_circle() -> None:
    """Imports inside functions counted: they hide a circle, they do not open it."""
    graph = {module_of(path): set(imported(tree)) - {module_of(path)} for path, tree in SOURCES.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError and names the circle


def test_no_file_and_no_function_outgrows_a_screen_or_two() -> None:
    """`domain.py` is a dictionary, and better in one book."""
    long_files = [path.name for path in SOURCES if len(path.read_text(encoding="utf-8").splitlines()) > 300]
    functions = (
        f"{path.name}:{node.name}"
        for path, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (node.end_lineno or 0) - node.lineno >= 40
    )
    assert long_files == ["domain.py"]
    assert len(list(functions)) <= 4


def test_untyped_dictionaries_stay_at_the_edge() -> None:
    """Where JSON comes in or goes out a `dict[str, Any]` is honest; inside, values have types."""
    text = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    assert text.count("dict[str, Any]") <= 25


def test_what_a_checkout_keeps_of_moved_modules_has_no_effect(tmp_path: Path) -> None:
    """`git pull` leaves `__pycache__` behind, and folders that hold nothing else."""
    package = tmp_path / "posture_daemon"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "assets"))
    for place in OLD_PLACES:
        stale = package / Path(place).parent / "__pycache__" / f"{Path(place).stem}.{sys.implementation.cache_tag}.pyc"
        stale.parent.mkdir(parents=True, exist_ok=True)
        stale.write_bytes(b"of an earlier version")
    code = "import posture_daemon.cli, posture_daemon.live.capture, posture_daemon.daemon as d; print(d.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout.strip()) == (0, str(package / "daemon" / "__init__.py")), run.stderr
