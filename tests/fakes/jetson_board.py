"""A folder that stands for a Jetson: what says which board it is, and stand-ins for the programs that change a system.

The stand-ins write down how they were called, and leave what the real ones would leave, as far as `install-jetson.sh` looks
at it. The script's own Python snippets run for real, on packages of one line.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

PROJECT = Path(__file__).parents[2]
SCRIPT = "systemd/install-jetson.sh"
LOCKS = ("requirements.txt", "systemd/requirements-jetpack6.txt", "systemd/requirements-jetpack7-csi.txt")
ORIN_NANO = "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super"
JP6, JP7 = ("36", "4.7", "3.10"), ("39", "2.0", "3.12")
RELEASE = "# R{} (release), REVISION: {}, GCID: 1, BOARD: generic, EABI: aarch64, DATE: Thu Sep 18 22:54:44 UTC 2025\n"

CATALOGUE: dict[str, tuple[str, list[str]]] = {
    "torch": ("2.9.1", ["filelock", "nvidia-cudss-cu12==0.7.1.6", "nvidia-cublas-cu12", "cuda-toolkit==13.0.3", "triton"]),
    "torchvision": ("0.24.1", ["numpy", "torch==2.9.1", "pillow!=8.3.*,>=5.3.0"]),
    "ultralytics": ("8.4.190", ["torch>=1.8.0", "opencv-python>=4.7.0", "polars>=0.20.0", 'tensorrt; extra == "export"']),
    "ultralytics-thop": ("2.2.3", ["numpy", "torch"]),
    "jetson-stats": ("4.3.2", ["smbus2", "distro"]),
    "posture-daemon": ("0.2.0", requires("posture-daemon") or []),
    "nvidia-cudss-cu12": ("0.7.1.6", ["nvidia-cublas-cu12"]),
}  # fmt: skip
"""Version and dependencies of the packages that matter, as far as they matter; any other has none."""

RECORD = """
say() { echo "${0##*/} $*" >>"$BOARD/calls"; }
may_fail() {
    [ -s "$BOARD/fails" ] || return 0
    ! tail -1 "$BOARD/calls" | sed "s|$BOARD||g" | grep -qF -- "$(cat "$BOARD/fails")" || exit 1
}
"""

ISOLATED = 'if [ "$1" = -I ]; then shift; else echo "${0##*/} $*" >>"$BOARD/not-isolated"; fi'
"""What a stand-in for Python does first: write down a call by which it could load code from the current folder or a home."""

PROGRAMS = {
    "apt-get": 'case "$*" in *" install "*) mkdir -p "$BOARD/apt"; for p; do touch "$BOARD/apt/$p"; done;; esac',
    "dpkg-query": 'for p; do :; done; [ -e "$BOARD/apt/$p" ] && printf "install ok installed"',
    "ldconfig": "",
    "groupadd": "",
    "groupdel": "",
    "systemctl": "",
    "runuser": 'shift 3; exec "$@"',
    "python3": """
        case "$*" in
        *version_info*) echo "$BOARD_PYTHON" ;;
        "-m venv"*)
            for folder; do :; done
            mkdir -p "$folder/bin" "$folder/site"
            touch "$folder/site/pip.py"
            cp "$BOARD/programs/venv-python" "$folder/bin/python" ;;
        *) PYTHONPATH=$BOARD/dist-packages exec "$REAL_PYTHON" -S "$@" ;;
        esac""",
    "venv-python": """
        site=${0%/*}/../site
        case "$*" in
        "-m pip wheel "*)
            id -u >"$BOARD/built-by"
            while [ $# -gt 1 ]; do
                [ "$1" != --wheel-dir ] || touch "$2/posture_daemon-0.2.0-py3-none-any.whl"
                shift
            done ;;
        "-m pip "*) shift 2; exec "$REAL_PYTHON" -S "$BOARD/programs/pip.py" "$site" "$@" ;;
        *) PYTHONPATH=$site:$BOARD/dist-packages exec "$REAL_PYTHON" -S "$@" ;;
        esac""",
    "posture-daemon": """
        unit=$ROOT/etc/systemd/system/posture-daemon.service link=$ROOT/usr/local/bin/posture-daemon
        users=$ROOT/etc/sysusers.d/posture-daemon.conf toml=$ROOT/etc/posture-daemon.toml
        case "$*" in
        "service install"*)
            mkdir -p "$unit.d" "$(dirname "$users")" "$(dirname "$link")" "$ROOT/var/lib/posture-daemon"
            touch "$unit" "$users" "$toml"
            [ -z "$POSTURE_CAMERA__ADDRESS" ] || touch "$unit.d/20-csi.conf"
            ln -sfn "$ROOT/opt/posture-daemon/venv/bin/posture-daemon" "$link" ;;
        "service uninstall"*) rm -r "$unit"* "$users" "$link" "$toml" ;;
        esac""",
    "jtop": 'mkdir -p "$ROOT/etc/systemd/system"; touch "$ROOT/etc/systemd/system/jtop.service"',
}
"""The body of each stand-in, in shell; before it runs, the call is written down, and fails if the test wants that."""

PIP = """
import json, os, pathlib, re, shutil, sys
site, verb, *words = sys.argv[1:]
site, here = pathlib.Path(site), pathlib.Path(__file__).parent
catalogue = json.loads((here / "catalogue.json").read_text())
options = {word: words[i + 1] for i, word in enumerate(words) if word in ("--index-url", "--requirement")}
wanted = [word for word in words if not word.startswith("--") and word not in options.values()]
if "--requirement" in options:
    text = pathlib.Path(options["--requirement"]).read_text().replace("\\\\\\n", " ")
    wanted += [line for line in text.splitlines() if not line.startswith("#")]

def for_this_python(line):
    asked = re.search(r"python_full_version (<|>=) '3[.](\\d+)'", line)
    older = asked and int(os.environ["BOARD_PYTHON"].split(".")[1]) < int(asked[2])
    return not asked or older == (asked[1] == "<")

def folders(name):
    module = name.replace("-", "_")
    return [*site.glob(module), *site.glob(module + "-*")]

def install(line, deep):
    if "--require-hashes" in words and "--hash=sha256:" not in line:
        sys.exit("ERROR: In --require-hashes mode, all requirements must have their hashes: " + line)
    name = "posture-daemon" if "/" in line else re.split(r"[^\\w.-]", line)[0]
    version, needs = catalogue.get(name, ("1.0", []))
    given = re.search("==([^;, ]+)", line)
    write(name, given[1] if given else version, needs, "None" if deep else "'12.6'")
    for need in needs if deep else []:
        if "extra ==" not in need:
            install(need, deep)

def write(name, version, needs, cuda):
    for old in folders(name):
        shutil.rmtree(old)
    module = site / name.replace("-", "_")
    module.mkdir()
    (module / "__init__.py").write_text((here / f"{name}.txt").read_text() if (here / f"{name}.txt").exists() else "")
    (module / "version.py").write_text(f"cuda = {cuda}")
    info = site / f"{module.name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {name}\\nVersion: {version}\\n" + "".join(f"Requires-Dist: {n}\\n" for n in needs))
    library = site / "nvidia" / name / "lib" / "lib.so.0"  # Python 3.12 tells of no file that is not there
    library.parent.mkdir(parents=True, exist_ok=True)
    library.touch()
    (info / "RECORD").write_text(f"{module.name}/__init__.py,,\\nnvidia/{name}/lib/lib.so.0,,\\n")
    for program in {"posture-daemon": ["posture-daemon"], "jetson-stats": ["jtop"]}.get(name, []):
        shutil.copy(here / program, site.parent / "bin" / program)

for line in filter(None, wanted):
    if verb == "uninstall":
        for old in folders(line):
            shutil.rmtree(old)
    elif for_this_python(line):
        install(line, "--no-deps" not in words)
"""

TORCH = """
class Tensor:
    def __matmul__(self, other): return self
    def sum(self): return 1.0
def rand(*_, **__): return Tensor()
tensor = ones = rand
class cuda:
    def get_device_name(_): return "Orin"
__version__ = "2.9.1"
"""
TORCHVISION = """
class ops:
    def nms(*_): pass
"""


class Board:
    """A board, a small checkout of the project, and a way to run its installer there."""

    def __init__(self, folder: Path, release: tuple[str, str, str] | None = JP6, model: str | None = ORIN_NANO) -> None:
        self.folder, self.root, self.checkout = folder, folder / "root", folder / "checkout"
        self.python = "3.10" if release is None else release[2]
        (self.root / "proc/device-tree").mkdir(parents=True)
        (self.root / "etc").mkdir()
        (folder / "dist-packages").mkdir()
        if model is not None:
            (self.root / "proc/device-tree/model").write_text(f"{model}\0")
        if release is not None:
            (self.root / "etc/nv_tegra_release").write_text(RELEASE.format(*release))
        self._check_out()
        self._write_programs()

    def _check_out(self) -> None:
        for file in (SCRIPT, "pyproject.toml", *LOCKS):
            (self.checkout / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / file, self.checkout / file)
        (self.checkout / "posture_daemon").mkdir()
        self.code = self.checkout / "posture_daemon/__init__.py"
        self.code.write_text("")

    def _write_programs(self) -> None:
        programs = self.folder / "programs"
        programs.mkdir()
        for name, body in PROGRAMS.items():
            path = programs / name
            isolated = ISOLATED if "python" in name else ""
            path.write_text(f"#!/bin/sh\n{RECORD}\n{isolated}\nsay \"$@\"\nmay_fail\n{body}\n")  # fmt: skip
            path.chmod(0o755)
        (programs / "pip.py").write_text(PIP)
        (programs / "torch.txt").write_text(TORCH)
        (programs / "torchvision.txt").write_text(TORCHVISION)
        (programs / "catalogue.json").write_text(json.dumps(CATALOGUE))

    def run(self, *arguments: str, fails: str = "") -> subprocess.CompletedProcess[str]:
        """Run the installer; every call of a stand-in that contains `fails` ends with an error."""
        (self.folder / "calls").write_text("")
        (self.folder / "fails").write_text(fails)
        environment = {
            "PATH": f"{self.folder}/programs:/usr/bin:/bin",
            "BOARD": str(self.folder),
            "ROOT": str(self.root),
            "BOARD_PYTHON": self.python,
            "REAL_PYTHON": sys.executable,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.run(
            ["bash", str(self.checkout / SCRIPT), "--root", str(self.root), *arguments],
            env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=600,
        )  # fmt: skip

    @property
    def calls(self) -> list[str]:
        """The calls of the last run that change something, in order, less what is the same in all of them."""
        change = re.compile(
            r"(?:python -m (?=pip )|python3 -m (?=venv )|(?=apt-get|posture-daemon|ldconfig|group|systemctl|jtop))(.*)"
        )
        lines = (self.folder / "calls").read_text().splitlines()
        found = [matched[1] for line in lines if (matched := change.match(line))]
        same = {" --quiet": "", str(self.root): "", str(self.checkout): "CHECKOUT"}
        for text, short in same.items():
            found = [call.replace(text, short).rstrip() for call in found]
        return found

    @property
    def not_isolated(self) -> str:
        """The calls of Python, in all runs, that would load code from the current folder or a home."""
        file = self.folder / "not-isolated"
        return file.read_text() if file.exists() else ""

    @property
    def files(self) -> dict[str, str]:
        """Every file and link under the root, with its content."""
        paths = [Path(folder, name) for folder, _, names in os.walk(self.root) for name in names]
        return {
            str(path.relative_to(self.root)): os.readlink(path) if path.is_symlink() else path.read_text()
            for path in paths
        }

    def installed(self, name: str) -> str | None:
        """The version of a package in the environment; `None` when it is not there."""
        infos = list(self.root.glob(f"opt/posture-daemon/venv/site/{name.replace('-', '_')}-*.dist-info"))
        return infos[0].name.removesuffix(".dist-info").rpartition("-")[2] if infos else None

    def give_package(self, name: str, files: dict[str, str]) -> None:
        """Put a package where the system's Python has its own."""
        folder = self.folder / "dist-packages" / name
        folder.mkdir()
        for file, text in files.items():
            (folder / file).write_text(text)
        info = folder.parent / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
