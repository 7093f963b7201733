"""Resolve what docker/Dockerfile.jetson installs for its platform, CPython 3.10 on 64-bit ARM, without such a machine.

    .venv/bin/python .ci/jetson_wheels.py

Where NVIDIA's PyTorch would be, stand-ins of the same version are installed, so this also shows that pip leaves them, and
numpy 1, alone. Needs Python 3.10 and a package index; prints a line a direct dependency, exits 1 if one has no wheel.
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from torch_free import find_python

STAND_INS = {"torch": "2.5.0a0+872d972e41.nv24.8", "torchvision": "0.20.0a0+afc54f7", "numpy": "1.26.4"}
"""What JetPack 6 has (NVIDIA's torch 24.08 and its torchvision), each as an empty wheel; only versions matter here."""

EXTRA = ("jetson-stats", "opencv-python-headless")
"""What the Dockerfile adds; the condition of jetson-stats in pyproject.toml is not true on this machine."""

GLIBC_MINORS = range(17, 36)
"""JetPack 6 has glibc 2.35."""


def main() -> None:
    """Resolve, print, judge."""
    interpreter = find_python("3.10")
    if interpreter is None:
        sys.exit("jetson-wheels: there is no Python 3.10 here.")
    with tempfile.TemporaryDirectory() as folder:
        found = resolve(interpreter, Path(folder))
    replaced = sorted(set(STAND_INS) & set(found))
    for name in sorted(set(direct()) - set(STAND_INS)):
        print(f"{name:24} {found[name]}")
    print(f"and {len(found) - len(set(direct()) & set(found))} that these need")
    if replaced:
        sys.exit(f"jetson-wheels: pip would replace {', '.join(replaced)}.")
    print(f"jetson-wheels: {len(found)} wheels for CPython 3.10 on aarch64; {', '.join(STAND_INS)} left alone")


def direct() -> Iterator[str]:
    """Our own dependencies, by name."""
    for line in requires("posture-daemon") or ():
        requirement = Requirement(line)
        if "extra" not in str(requirement.marker):
            yield requirement.name.lower()
    yield from EXTRA


def resolve(interpreter: str, folder: Path) -> Mapping[str, str]:
    """The file of each package that pip would install besides the stand-ins, by name. Exits with pip's words if it cannot."""
    python, report = str(folder / "venv" / "bin" / "python"), folder / "report.json"
    run(interpreter, "-m", "venv", str(folder / "venv"))
    run(python, "-m", "pip", "install", "--quiet", "--upgrade", "pip")
    wheels = [stand_in(folder, name, version) for name, version in STAND_INS.items()]
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", *wheels)
    (folder / "nvidia.txt").write_text("".join(f"{name}=={version}\n" for name, version in STAND_INS.items()))
    lines = [line for line in requires("posture-daemon") or () if "extra" not in line]
    (folder / "requirements.txt").write_text("\n".join([*lines, *EXTRA]))
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in GLIBC_MINORS]
    run(
        python, "-m", "pip", "install", "--quiet", "--dry-run", "--report", str(report), "--only-binary=:all:",
        "--python-version=3.10", "--implementation=cp", "--abi=cp310", "--abi=abi3", "--abi=none",
        *platforms, "--platform=manylinux2014_aarch64", "--platform=linux_aarch64",
        "--constraint", str(folder / "nvidia.txt"), "--requirement", str(folder / "requirements.txt"),
    )  # fmt: skip
    chosen = json.loads(report.read_text())["install"]
    return {item["metadata"]["name"].lower(): item["download_info"]["url"].rpartition("/")[2] for item in chosen}


def stand_in(folder: Path, name: str, version: str) -> str:
    """An empty wheel."""
    wheel, info = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: none\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return str(wheel)


def run(*command: str) -> None:
    """Run a command, or end with its words."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"jetson-wheels: {done.stderr.strip()[-2000:]}")


if __name__ == "__main__":
    main()
