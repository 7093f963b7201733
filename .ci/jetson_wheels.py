"""Get what docker/Dockerfile.jetson installs for its platform, CPython 3.10 on 64-bit ARM, without such a machine.

    .venv/bin/python .ci/jetson_wheels.py

Each package of the lock file for JetPack 6 must have a wheel with one of its hashes, and numpy must be of version 1. Needs
Python 3.10 and a package index; prints a line a direct dependency, exits 1 if one has no wheel, or is in no lock file.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from torch_free import PROJECT, find_python

LOCK = PROJECT / "docker" / "requirements-jetpack6.txt"
BY_ITSELF = "jetson-stats"
"""The Dockerfile installs it in the version that the board's service has."""

ELSEWHERE = {"torch", "torchvision", "opencv-python"}
"""From NVIDIA's index; and OpenCV is the build without windows."""

GLIBC_MINORS = range(17, 36)
"""JetPack 6 has glibc 2.35."""


def main() -> None:
    """Resolve, print, judge."""
    interpreter = find_python("3.10")
    if interpreter is None:
        sys.exit("jetson-wheels: there is no Python 3.10 here.")
    with tempfile.TemporaryDirectory() as folder:
        python = str(Path(folder) / "venv" / "bin" / "python")
        run(interpreter, "-m", "venv", str(Path(folder) / "venv"))
        run(python, "-m", "pip", "install", "--quiet", "--upgrade", "pip")
        found = {
            **resolve(python, Path(folder), "--no-deps", "--require-hashes", "--requirement", str(LOCK)),
            **resolve(python, Path(folder), "--no-deps", BY_ITSELF),
        }
    wanted = set(direct()) - ELSEWHERE
    for name in sorted(wanted & set(found)):
        print(f"{name:24} {found[name]}")
    print(f"and {len(found) - len(wanted & set(found))} that these need")
    if missing := sorted(wanted - set(found)):
        sys.exit(f"jetson-wheels: {', '.join(missing)} is not in {LOCK.name}; write it anew: make lock.")
    if not found["numpy"].startswith("numpy-1."):
        sys.exit("jetson-wheels: NVIDIA's libraries are built against numpy 1.")
    print(f"jetson-wheels: {len(found)} wheels for CPython 3.10 on aarch64, with the hashes of {LOCK.name}")


def direct() -> Iterator[str]:
    """Our own dependencies, by name."""
    for line in requires("posture-daemon") or ():
        requirement = Requirement(line)
        if "extra" not in str(requirement.marker):
            yield requirement.name.lower()
    yield "opencv-python-headless"


def resolve(python: str, folder: Path, *what: str) -> Mapping[str, str]:
    """The file of each package that pip would install, by name. Exits with pip's words if it cannot."""
    report = folder / "report.json"
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in GLIBC_MINORS]
    run(
        python, "-m", "pip", "install", "--quiet", "--dry-run", "--report", str(report), "--only-binary=:all:",
        "--python-version=3.10", "--implementation=cp", "--abi=cp310", "--abi=abi3", "--abi=none",
        "--target", str(folder / "none"), *platforms, "--platform=manylinux2014_aarch64", "--platform=linux_aarch64", *what,
    )  # fmt: skip
    chosen = json.loads(report.read_text())["install"]
    return {item["metadata"]["name"].lower(): item["download_info"]["url"].rpartition("/")[2] for item in chosen}


def run(*command: str) -> None:
    """Run a command, or end with its words."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"jetson-wheels: {done.stderr.strip()[-2000:]}")


if __name__ == "__main__":
    main()
