"""The set-up scripts: where PyTorch comes from, and what the torch-free environments hold."""

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).parents[3]


def script(name: str) -> ModuleType:
    """Import a script of `.ci/`, which is no package."""
    spec = importlib.util.spec_from_file_location(f"ci_{name}", PROJECT / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


setup = script("setup")
torch_free = script("torch_free")

PC = setup.Facts(installed=False, system="Linux", machine="x86_64", jetson=False, nvidia_gpu=False)


class Index(BaseHTTPRequestHandler):
    """An index of wheels that serves torch and nothing else."""

    def do_GET(self) -> None:
        """Answer as a package index does."""
        self.send_response(200 if self.path == "/whl/cpu/torch/" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """Serve a local stand-in for PyTorch's site."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def never() -> bool:
    """Stand for an index that must not be asked."""
    raise AssertionError("asked the index without need")


class TestChoice:
    @pytest.mark.parametrize(
        ("facts", "expected"),
        [
            (replace(PC, installed=True), setup.Torch.KEEP),
            (replace(PC, installed=True, machine="aarch64", jetson=True), setup.Torch.KEEP),
            (replace(PC, machine="aarch64", jetson=True), setup.Torch.MISSING_ON_JETSON),
            (replace(PC, machine="aarch64"), setup.Torch.DEFAULT),
            (replace(PC, system="Darwin"), setup.Torch.DEFAULT),
            (replace(PC, nvidia_gpu=True), setup.Torch.DEFAULT),
        ],
    )
    def test_without_asking(self, facts: object, expected: object) -> None:
        """What is installed stays, a Jetson gets NVIDIA's own, and only a PC without a GPU asks the CPU index."""
        assert setup.choose(facts, never)[0] is expected

    @pytest.mark.parametrize(("answers", "expected"), [(True, "CPU_INDEX"), (False, "DEFAULT")])
    def test_pc_without_gpu(self, answers: bool, expected: str) -> None:
        """A PC without an NVIDIA GPU takes the CPU wheels if their index answers, else what pip finds."""
        assert setup.choose(PC, lambda: answers)[0] is setup.Torch[expected]


class TestIndex:
    def test_answers(self, server: str) -> None:
        """An index counts only if it serves torch."""
        assert setup.index_answers(f"{server}/whl/cpu")
        assert not setup.index_answers(f"{server}/elsewhere")

    @pytest.mark.parametrize("index", ["http://127.0.0.1:1", "http://no-such-host.invalid", "nonsense", "file:///none"])
    def test_no_answer(self, index: str) -> None:
        """A refusal, an unknown host or a mistyped address is a no, not an error."""
        assert not setup.index_answers(index, patience_s=2)

    def test_hangs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A name server or index that hangs is given up after the patience."""
        held = threading.Event()

        def hang(*_: object, **__: object) -> None:
            held.wait()
            raise OSError

        monkeypatch.setattr(setup.urllib.request, "urlopen", hang)
        assert not setup.index_answers("http://slow", patience_s=0.05)
        held.set()


FAKE_PYTHON = """#!/bin/sh
echo "$@" >> "$0.log"
case "$*" in *"import torch"*) exit 1;; *--index-url*) exit ${INDEX_EXIT:-0};; esac
"""

INSTALL = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import setup
look = setup.look
setup.look = lambda python, jetson: setup.Facts(look(python, jetson).installed, "Linux", "x86_64", False, False)
setup.install(Path(sys.argv[2]), jetson=False)
"""


class TestInstall:
    def install(self, folder: Path, index: str, **environment: str) -> tuple[str, list[str]]:
        """Run the installation on a machine without a GPU, with a Python that only writes down what pip is asked."""
        python = folder / "python"
        python.write_text(FAKE_PYTHON)
        python.chmod(0o755)
        command = [sys.executable, "-c", INSTALL, str(PROJECT / ".ci"), str(python)]
        env = {**os.environ, "TORCH_CPU_INDEX": index, **environment}
        run = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        calls = Path(f"{python}.log").read_text().splitlines()
        return run.stdout, [call.replace("-m pip install --quiet ", "") for call in calls if "pip" in call]

    def test_index_answers(self, tmp_path: Path, server: str) -> None:
        """PyTorch comes from the CPU index first, then everything else from pip's own."""
        said, calls = self.install(tmp_path, f"{server}/whl/cpu")
        assert calls == [f"--index-url {server}/whl/cpu torch torchvision", "--editable .[dev]"]
        assert said.startswith(f"setup: there is no NVIDIA GPU, so PyTorch comes without CUDA from {server}/whl/cpu; ")

    @pytest.mark.parametrize(
        ("index", "code", "tried", "why"),
        [("elsewhere", "0", 0, "does not answer"), ("whl/cpu", "1", 1, "that failed")],
    )
    def test_index_is_no_help(self, tmp_path: Path, server: str, index: str, code: str, tried: int, why: str) -> None:
        """Silent, or without a wheel after all: one installation brings everything, and the reason is said."""
        said, calls = self.install(tmp_path, f"{server}/{index}", INDEX_EXIT=code)
        assert calls[tried:] == ["--editable .[dev]"]
        assert why in said


class TestJetson:
    JETSON = replace(PC, machine="aarch64", jetson=True, nvidia_gpu=True)

    def test_nvidias_torch_is_pinned(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """NVIDIA's PyTorch, and the numpy that it was built with, are pinned while the rest is installed."""
        python = tmp_path / "python"
        python.write_text("""#!/bin/sh\necho "$@" >> "$0.log"\ncase "$2" in *version*) echo torch==2.5.0a0;; esac\n""")
        python.chmod(0o755)
        monkeypatch.setattr(setup, "VENV", tmp_path)
        monkeypatch.setattr(setup, "look", lambda *_: replace(self.JETSON, installed=True))
        setup.install(python, jetson=True)
        pip = Path(f"{python}.log").read_text().splitlines()[-1]
        assert pip == f"-m pip install --quiet --constraint {tmp_path}/nvidia.txt --editable .[dev]"
        assert (tmp_path / "nvidia.txt").read_text() == "torch==2.5.0a0\n"

    def test_missing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without NVIDIA's PyTorch nothing is installed, and the page that tells how to get it exists."""
        monkeypatch.setattr(setup, "look", lambda *_: self.JETSON)
        with pytest.raises(SystemExit, match=r"this is a Jetson.*docs/jetson\.md"):
            setup.install(tmp_path / "python", jetson=True)
        assert (PROJECT / "docs/jetson.md").exists()

    def test_pins(self) -> None:
        """What is pinned are versions that pip understands; run here on stand-ins for the packages."""
        versions = {"torch": "2.5.0a0+nv24.8", "torchvision": "0.20.0a0", "numpy": "1.26.4"}
        stand_ins = f"import importlib.metadata as m; m.version = {versions}.get\n"
        run = subprocess.run([sys.executable, "-c", stand_ins + setup.PINS], capture_output=True, text=True, check=True)
        assert run.stdout.split() == ["torch==2.5.0a0+nv24.8", "torchvision==0.20.0a0", "numpy<2"]


class TestTorchFree:
    def test_light(self) -> None:
        """The light environments take the project's own list, less what is heavy; conditions on the machine stay."""
        required = [
            "numpy>=1.23",
            "torch>=2.4",
            "onnx>=1.16",
            "onnxruntime>=1.18",
            "pydantic-settings[toml]>=2.6",
            "jetson-stats>=4.3; platform_machine == 'aarch64'",
            "pytest>=8.2; extra == 'dev'",
            'mypy>=1.13; extra == "dev"',
        ]
        assert torch_free.light(required) == [
            "numpy>=1.23",
            "onnx>=1.16",
            "onnxruntime>=1.18",
            "pydantic-settings[toml]>=2.6",
            "jetson-stats>=4.3; platform_machine == 'aarch64'",
            "pytest>=8.2",
        ]

    def test_missing_python(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        """A Python that is not there is skipped with a word, but fails the CI machine."""
        monkeypatch.delenv("CI", raising=False)
        assert torch_free.test("3.99", []) == 0
        assert capsys.readouterr().out == "torch-free tests: there is no Python 3.99 here; skipped\n"
        monkeypatch.setenv("CI", "true")
        assert torch_free.test("3.99", []) == 1


def test_old_python_is_told(tmp_path: Path) -> None:
    """`make setup` with a Python that is too old ends with one sentence, before anything is built."""
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    (tmp_path / ".ci").mkdir()
    for name in ("Makefile", "pyproject.toml", ".ci/setup.py"):
        (tmp_path / name).write_bytes((PROJECT / name).read_bytes())
    run = subprocess.run(["make", "setup", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "posture-daemon needs Python 3.10 or newer; name one with: make setup PYTHON=python3.12" in run.stderr
    assert not (tmp_path / ".venv").exists()
