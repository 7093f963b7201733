"""Child processes load their code from this package and the environment, and from nowhere else."""

import os
import subprocess
from pathlib import Path

import pytest

import posture_daemon
from posture_daemon.adapters.child_process import command, isolated


@pytest.mark.parametrize("name", ["numpy.py", "json.py", "runpy.py", "posture_daemon/__init__.py", "sitecustomize.py"])
def test_nothing_is_loaded_from_where_it_stands(tmp_path: Path, name: str) -> None:
    """The folder in which root happened to call `train` is anybody's; `python -m` would look there first."""
    planted, touched = tmp_path / name, tmp_path / "touched"
    planted.parent.mkdir(exist_ok=True)
    planted.write_text(f"import pathlib; pathlib.Path({str(touched)!r}).touch()\n")
    inherited = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": str(planted), "HOME": str(tmp_path)}
    done = subprocess.run(
        [*isolated("posture_daemon"), "--version"],
        cwd=tmp_path,
        env=inherited,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, f"posture-daemon {posture_daemon.__version__}"), done.stderr
    assert not touched.exists()


def test_it_runs_the_module_of_this_package_with_its_arguments() -> None:
    """Even where another one is installed; the last argument is who started it."""
    assert command("posture_daemon.adapters.trainer.child", "a") == [
        *isolated("posture_daemon.adapters.trainer.child"), "a", str(os.getpid()),
    ]  # fmt: skip
    said = subprocess.run(
        [*isolated("posture_daemon.cli.nothing")], capture_output=True, text=True, check=False, cwd="/"
    )
    assert "No module named posture_daemon.cli.nothing" in said.stderr
