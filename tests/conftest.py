"""Fixtures that several test files use: real data, an imported model, a zoo of checkpoints."""

import importlib.util
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from posture_daemon.adapters.checkpoints import ImportedCheckpoint, import_checkpoint
from posture_daemon.store import Store
from tests.builders import make_store

REPOSITORY = Path(__file__).resolve().parent.parent
ZOO_SCRIPT = REPOSITORY / "tests" / "ultralytics_zoo.py"


class Heartbeat:
    """Prints which test goes on, once a minute, past what pytest captures."""

    EVERY_S = 60.0

    def __init__(self) -> None:
        self._stderr = os.dup(2)
        self._name, self._began = "", time.monotonic()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def tell_of(self, name: str) -> None:
        """A test begins; with no name, none goes on."""
        self._name, self._began = name, time.monotonic()

    def _beat(self) -> None:
        while True:
            time.sleep(self.EVERY_S)
            seconds = time.monotonic() - self._began
            if self._name and seconds > self.EVERY_S:
                os.write(self._stderr, f"\n{self._name} goes on after {seconds:.0f} s\n".encode())


HEARTBEAT = pytest.StashKey[Heartbeat]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin to tell."""
    config.stash[HEARTBEAT] = Heartbeat()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Tell of this test while it goes on."""
    item.config.stash[HEARTBEAT].tell_of(item.nodeid)
    try:
        return (yield)
    finally:
        item.config.stash[HEARTBEAT].tell_of("")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: at the end no worker is left alone with one."""
    items.sort(key=lambda item: -max((mark.kwargs.get("seconds", 0) for mark in item.iter_markers("slow")), default=0))


@pytest.fixture(autouse=True)
def log_level() -> Iterator[None]:
    """A command that runs inside the tests sets how much is logged; the next test begins as if it had not."""
    level = logging.getLogger("posture_daemon").level
    yield
    logging.getLogger("posture_daemon").setLevel(level)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real frames and weights beside the repository; tests only read it."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{folder} is missing, but must be present in CI")
        pytest.skip(f"{folder} is not there: no real frames to measure on")
    return folder


@pytest.fixture(scope="session")
def shared_weights(shared_data: Path) -> Path:
    """A real YOLO11n-cls checkpoint: rock, paper, scissors on a backbone from ImageNet."""
    return shared_data / "weights" / "yolo11n-cls-3class.pt"


@pytest.fixture(scope="session")
def imported_base(shared_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> ImportedCheckpoint:
    """The real checkpoint in two parts, at 224 pixels. Do not change its files."""
    return import_checkpoint(shared_weights, tmp_path_factory.mktemp("base"), image_size=224)


@pytest.fixture(scope="session")
def run_ultralytics() -> Callable[..., None]:
    """Call it with the arguments of one action of `ultralytics_zoo.py`; skips where ultralytics is not installed."""
    if not all(importlib.util.find_spec(name) for name in ("torch", "ultralytics")):
        pytest.skip("torch and ultralytics are not installed")

    def run(*arguments: object) -> None:
        subprocess.run([sys.executable, str(ZOO_SCRIPT), *map(str, arguments)], check=True, timeout=2000)

    return run


@pytest.fixture(scope="session")
def zoo(run_ultralytics: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small checkpoints that ultralytics wrote, with random weights; see `ultralytics_zoo.py`."""
    folder = tmp_path_factory.mktemp("zoo")
    run_ultralytics("make", folder)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A new store in `tmp_path / "data"`; a test file may put into it what its tests begin with."""
    opened = make_store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder of ours that other users may enter, too: pytest's own folders are closed to them."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        os.chmod(place, 0o755)
        yield Path(place)
