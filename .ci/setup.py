"""Build `.venv` for `make setup`: choose where PyTorch comes from, then install posture-daemon into it.

PyTorch's default wheels for x86 bring gigabytes of CUDA libraries. Without an NVIDIA GPU they are useless, so PyTorch's
own index of CPU wheels is used when it answers. On a Jetson only NVIDIA's build can use the GPU, and is never replaced.
Needs nothing but the standard library; the Makefile has already checked that this is Python 3.10 or newer.
"""

import os
import platform
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
VENV = PROJECT / ".venv"
CPU_INDEX = os.environ.get("TORCH_CPU_INDEX", "https://download.pytorch.org/whl/cpu")
PATIENCE_S = 5.0

PINS = """
from importlib.metadata import version
print(*(f"{name}=={version(name)}" for name in ("torch", "torchvision")), sep="\\n")
if version("numpy").startswith("1."):
    print("numpy<2")
"""
"""Run inside the environment of a Jetson: what pip must not replace, since NVIDIA's torch was built against it."""


class Torch(Enum):
    """Where PyTorch comes from."""

    KEEP = "keep"
    CPU_INDEX = "cpu-index"
    DEFAULT = "default"
    MISSING_ON_JETSON = "missing"


@dataclass(frozen=True)
class Facts:
    """What the choice depends on. `installed`: torch can already be imported in the environment."""

    installed: bool
    system: str
    machine: str
    jetson: bool
    nvidia_gpu: bool


def choose(facts: Facts, index_answers: Callable[[], bool]) -> tuple[Torch, str]:
    """Decide where PyTorch comes from, and say why; the index is asked only when its wheels are wanted."""
    if facts.installed:
        return Torch.KEEP, "PyTorch is installed already and stays as it is"
    if facts.jetson:
        return Torch.MISSING_ON_JETSON, "this is a Jetson, and only NVIDIA's PyTorch can use its GPU"
    if (facts.system, facts.machine) != ("Linux", "x86_64"):
        return Torch.DEFAULT, f"pip's default PyTorch is right for {facts.system} on {facts.machine}"
    if facts.nvidia_gpu:
        return Torch.DEFAULT, "there is an NVIDIA GPU, so pip's default PyTorch (with CUDA) is taken"
    if index_answers():
        return Torch.CPU_INDEX, f"there is no NVIDIA GPU, so PyTorch comes without CUDA from {CPU_INDEX}"
    return Torch.DEFAULT, f"{CPU_INDEX} does not answer, so pip's default PyTorch (several gigabytes) is taken"


def index_answers(index: str = CPU_INDEX, patience_s: float = PATIENCE_S) -> bool:
    """Tell whether the index serves torch. In a thread, since no timeout of Python's covers a slow name server."""
    answers: list[bool] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(f"{index}/torch/", timeout=patience_s) as reply:
                answers.append(reply.status == 200)
        except (OSError, ValueError):  # no network, no such host, a refusal, or not an address
            answers.append(False)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(patience_s)
    return answers == [True]


def is_jetson() -> bool:
    """Tell whether this is NVIDIA's Linux for Tegra."""
    return platform.machine() == "aarch64" and Path("/etc/nv_tegra_release").exists()


def look(python: Path, jetson: bool) -> Facts:
    """Gather the facts about this machine and the environment of `python`."""
    gpu = Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi") is not None
    return Facts(works(python, "import torch, torchvision"), platform.system(), platform.machine(), jetson, gpu)


def works(python: Path, code: str) -> bool:
    """Tell whether `python -c code` succeeds."""
    try:
        return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def make_venv(jetson: bool) -> Path:
    """Return the Python of `.venv`, which is created anew when it is missing or its Python has gone."""
    python = VENV / "bin" / "python"
    if not works(python, "import pip"):
        if not works(Path(sys.executable), "import venv, ensurepip"):
            sys.exit("Python's venv module is missing; on Debian or Ubuntu: apt-get install python3-venv")
        see_nvidias = ["--system-site-packages"] if jetson else []
        run(sys.executable, "-m", "venv", "--clear", *see_nvidias, VENV)
    return python


def run(*command: str | Path) -> None:
    """Run a command, or end with its exit code; it has told why."""
    code = subprocess.run(command, cwd=PROJECT, check=False).returncode
    if code != 0:
        sys.exit(code)


def install(python: Path, jetson: bool) -> None:
    """Install PyTorch as chosen, then the project and its developers' tools."""
    torch, why = choose(look(python, jetson), index_answers)
    if torch is Torch.MISSING_ON_JETSON:
        sys.exit(f"setup: {why}; install it as docs/jetson.md says, then run `make setup` again.")
    print(f"setup: {why}; this can take some minutes.", flush=True)
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet"]
    if torch is Torch.CPU_INDEX:
        wheels = subprocess.run([*pip, "--index-url", CPU_INDEX, "torch", "torchvision"], check=False)
        if wheels.returncode != 0:
            print("setup: that failed, so pip's default PyTorch is taken.", flush=True)
    if jetson:
        pins = subprocess.run([python, "-c", PINS], capture_output=True, text=True, check=True).stdout
        (VENV / "nvidia.txt").write_text(pins, encoding="utf-8")
        pip += ["--constraint", VENV / "nvidia.txt"]
    run(*pip, "--editable", ".[dev]")


def main() -> None:
    """Build `.venv`."""
    jetson = is_jetson()
    python = make_venv(jetson)
    install(python, jetson)


if __name__ == "__main__":
    main()
