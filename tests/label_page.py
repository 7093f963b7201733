"""The label page for tests: a real server on a real store, alike frames in groups, and the system's Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from posture_daemon.domain import NewFrame, PostureClass, Reason, Role
from posture_daemon.labelling.next_questions import Group
from posture_daemon.labelling.session import Labelling
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.ui.web.server import LabelPage
from posture_daemon.vision.jpeg import encode_jpeg
from tests.builders import HOLDOUT_EVERY
from tests.waiting import LIMIT_S, poll

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

START = 1_772_438_400.0
"""Monday, 2 March 2026, 08:00 UTC."""

CLASSES = {"upright": Role.GOOD, "slouching": Role.BAD, "away": Role.AWAY, "standing": Role.NEUTRAL}
COLOURS = {"upright": (90, 160, 60), "slouching": (60, 90, 190), "away": (170, 120, 60), "standing": (150, 150, 60)}
"""BGR of the plain pictures."""

ARGUMENTS = [
    "--no-sandbox", "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic",
]  # fmt: skip


class AlikeFrames(Labelling):
    """Asks about runs of frames that the model calls the same, at most `most` at once."""

    most = 5

    def groups(self, limit: int) -> list[Group]:
        """Neighbours in time with one guess."""
        waiting = self._store.queue.waiting(len(self._skipped) + limit * self.most)
        runs: list[list[Any]] = []
        for frame in (f for f in waiting if f.id not in self._skipped):
            alike = runs and runs[-1][0].predicted == frame.predicted and len(runs[-1]) < self.most
            runs[-1].append(frame) if alike else runs.append([frame])
        return [Group(tuple(run), run[0].predicted, run[0].explanation) for run in runs[:limit]]


def settings_of(folder: Path, **ui: Any) -> Settings:
    """Settings for a page on any free port."""
    return Settings(data_dir=folder, ui={"port": 0, **ui})


def plain_jpeg(class_name: str, number: int) -> bytes:
    """A small picture in the colour of a class with its number on it; each is another."""
    picture = np.full((180, 320, 3), COLOURS[class_name], np.uint8)
    cv2.putText(picture, str(number), (20, 110), cv2.FONT_HERSHEY_SIMPLEX, 2.5, (255, 255, 255), 6)
    return encode_jpeg(picture, 640, 88)


def queue_frames(store: Store, guesses: Sequence[str | None], jpegs: Sequence[bytes] | None = None) -> None:
    """Let a frame wait for each guess, a minute apart, in one transaction; the owner's classes are there."""
    for name, role in CLASSES.items():
        store.labels.ensure_class(PostureClass(name, role), START)
    frames = []
    for number, guess in enumerate(guesses):
        jpeg = jpegs[number] if jpegs else plain_jpeg(guess or "standing", number)
        confidence = None if guess is None else 0.5 + number % 40 / 100
        about = (Reason.UNCERTAIN, "unsure between two classes", guess, confidence)
        frames.append((NewFrame(jpeg, START + 60 * number, "camera", *about), None))
    for first in range(0, len(frames), 500):
        store.imports.add_block(frames[first : first + 500], None, START, HOLDOUT_EVERY)


@contextmanager
def served(store: Store, port: int = 0, new_labelling: Any = AlikeFrames, **ui: Any) -> Iterator[LabelPage]:
    """The page of a store, for the block."""
    page = LabelPage(store, settings_of(store.folder, **ui), new_labelling=new_labelling)
    page.start(port)
    try:
        yield page
    finally:
        page.stop()


def until(page: Page, expression: str, limit_s: float = LIMIT_S) -> None:
    """Wait until a JavaScript expression is true; Playwright's own way needs `eval`, which the page rightly forbids."""
    if not poll(lambda: page.evaluate(expression) or page.wait_for_timeout(10), limit_s, what=expression, every_s=0):
        raise AssertionError(f"not within {limit_s:g} s: {expression}; the page says: {page.inner_text('body')}")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium through Playwright; without one the test is skipped, but fails on the CI machine."""
    sync_api = pytest.importorskip("playwright.sync_api")
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if found is None:
        words = "there is no Chromium here to open the label page in (apt-get install chromium)"
        pytest.fail(words) if os.environ.get("CI") == "true" else pytest.skip(words)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
