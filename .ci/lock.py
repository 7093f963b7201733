"""Write down the very versions and hashes that an installation gets, from what pyproject.toml allows: `make lock`.

    .venv/bin/python .ci/lock.py

Files in pip's format: for any Linux; for JetPack 6, whose libraries are built against numpy 1; for JetPack 7.2 with the
system's OpenCV, which is, too; for the image of each (OpenCV without windows); and for what builds an image and writes the
list of its ingredients. PyTorch and CUDA are left out: they come from the index that fits the machine, as `make setup`, the
installer and the Dockerfiles say. So is jetson-stats, of which a board needs the version that its service has. Of several
versions that fit, those of `.venv` are taken, since the tests ran with them.
"""

import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
COMMENT = (
    "# Made by `make lock` from pyproject.toml. Install it with: pip install --no-deps --require-hashes -r THIS FILE\n"
)
ELSEWHERE = re.compile(r"(torch|torchvision|triton|nvidia-(?!ml-py).*|cuda-.*|jetson-stats|distro|smbus2)==")
"""PyTorch with its CUDA, and jetson-stats with what it alone needs."""

ANY_LINUX = ("--universal", "--python-version=3.10")
JETPACK_6 = ("--constraint=numpy1.in", "--python-version=3.10", "--python-platform=aarch64-manylinux_2_35")
JETPACK_7_CSI = ("--constraint=numpy1.in", "--python-version=3.12", "--python-platform=aarch64-manylinux_2_39")
NO_WINDOWS = ("headless.in", "--override=no-windows.in")
LOCKS = {
    "requirements.txt": ("pyproject.toml", *ANY_LINUX),
    "systemd/requirements-jetpack6.txt": ("pyproject.toml", *JETPACK_6),
    "systemd/requirements-jetpack7-csi.txt": ("pyproject.toml", *JETPACK_7_CSI),
    "docker/requirements.txt": ("pyproject.toml", *NO_WINDOWS, *ANY_LINUX),
    "docker/requirements-jetpack6.txt": ("pyproject.toml", *NO_WINDOWS, *JETPACK_6),
    "docker/requirements-build.txt": ("build.in", *ANY_LINUX),
}
INPUTS = {
    "headless.in": "opencv-python-headless\n",
    "no-windows.in": "opencv-python ; python_version < '3'\n",
    "numpy1.in": "numpy<2\n",
    "build.in": "hatchling\ncyclonedx-bom>=7\n",
}


def main() -> None:
    """Resolve each and write it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        uv = _uv(folder / "tool")
        for file, text in INPUTS.items():
            (folder / file).write_text(text)
        (folder / "pyproject.toml").write_bytes((PROJECT / "pyproject.toml").read_bytes())
        frozen = subprocess.run(
            [sys.executable, "-m", "pip", "freeze"], capture_output=True, text=True, check=True
        ).stdout
        known = "".join(line for line in frozen.splitlines(keepends=True) if re.match(r"[\w.-]+==", line))
        for path, arguments in LOCKS.items():
            entries = _entries(_resolve(uv, folder, arguments, known))
            (PROJECT / path).write_text(COMMENT + "".join(entries))
            print(f"{path}: {len(entries)} packages")


def _uv(folder: Path) -> str:
    """The resolver, in an environment of its own."""
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", "uv"], check=True)
    return str(folder / "bin" / "uv")


def _resolve(uv: str, folder: Path, arguments: tuple[str, ...], known: str) -> str:
    """What uv writes; of what fits it takes the versions that are known, in the output file."""
    (folder / "lock.txt").write_text(known)
    command = [
        uv,
        "pip",
        "compile",
        "--quiet",
        "--generate-hashes",
        "--no-emit-index-url",
        "--no-annotate",
        "--no-header",
    ]
    subprocess.run([*command, *arguments, "--output-file=lock.txt"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return (folder / "lock.txt").read_text()


def _entries(text: str) -> list[str]:
    """Each package with its lines of hashes, but those that come from elsewhere."""
    entries = re.findall(r"^[a-z0-9].*(?:\n +.*)*\n", text, re.M)
    return [entry for entry in entries if not ELSEWHERE.match(entry)]


if __name__ == "__main__":
    main()
