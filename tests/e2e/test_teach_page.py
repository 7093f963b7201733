"""The teaching page in a real browser: a drawn person does what is asked, and a model of their own answers at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from posture_daemon.bootstrap.guided_capture import open_guided_capture
from posture_daemon.bootstrap.models import open_store
from posture_daemon.errors import CameraError
from posture_daemon.integrity.model_recovery import install
from posture_daemon.labelling.guided_capture import GuidedCapture
from posture_daemon.labelling.pose_likeness import PoseDoubt
from posture_daemon.settings import Settings
from posture_daemon.store.model_copies import STARTER
from posture_daemon.ui.web.server import LabelPage
from tests.label_page import chromium, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PACE = 8.0
CLASSES = ("good_posture", "bad_posture", "na", "standing")


class Hasty:
    """A teaching whose seconds pass faster, as its obedient person's do."""

    def __init__(self, teaching: GuidedCapture) -> None:
        self._teaching = teaching
        self.picture, self.go_on = teaching.picture, teaching.go_on

    @property
    def state(self):  # type: ignore[no-untyped-def]
        """As the real one."""
        return self._teaching.state

    def run(self, stop):  # type: ignore[no-untyped-def]
        """On a faster clock."""
        return self._teaching.run(stop, lambda: PACE * time.monotonic())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests of this file."""
    with chromium() as found:
        yield found


@contextmanager
def lesson_page(folder: Path, refused: str | None = None) -> Iterator[LabelPage]:
    """The pages of a new data folder, with a camera that obeys, or that cannot be opened."""
    values = Settings(data_dir=folder, camera={"address": "fake:desk?seed=5"}, ui={"port": 0}, training={"views": 1})

    @contextmanager
    def open_(names: Sequence[str] | None) -> Iterator[Hasty]:
        if refused is not None:
            raise CameraError(refused)
        with open_guided_capture(values, names or CLASSES, 4.0, PACE) as teaching:
            yield Hasty(teaching)

    store = open_store(values)
    # It knows no posture, so the first model is the owner's, whatever moved before the camera.
    install(store, STARTER, "a base", as_base=True)
    page = LabelPage(store, values, open_guided_capture=open_)  # type: ignore[arg-type]
    page.start(0)
    try:
        yield page
    finally:
        page.stop()
        store.close()


def opened(browser: Browser, page: LabelPage, path: str = "teach", width: int = 1200) -> Page:
    """A tab."""
    tab = browser.new_page(viewport={"width": width, "height": 800})
    tab.goto(f"{page.address}{path}")
    return tab


@pytest.mark.slow
def test_a_lesson_from_the_first_key_to_the_personal_model(browser: Browser, tmp_path: Path) -> None:
    """Enter begins; the sentence, the countdown and the live picture show; the end tells in words how good the model is."""
    with lesson_page(tmp_path) as page:
        tab = opened(browser, page, "")
        tab.click("#to-teach")
        until(tab, "document.body?.dataset.ready === 'yes'")
        tab.keyboard.press("Enter")
        until(tab, "document.getElementById('sentence').textContent.startsWith('Sit well')")
        until(tab, "!document.getElementById('live').hidden && document.getElementById('live').naturalWidth > 100")
        until(tab, "document.querySelector('#kept b') && Number(document.querySelector('#kept b').textContent) > 0")
        until(tab, "document.getElementById('sees').textContent.startsWith('I see: ')")
        tab.keyboard.press("Escape")
        until(tab, "document.getElementById('said').textContent.includes('Its exam')")
        assert "from now on" in tab.inner_text("#said")
        until(tab, "!document.getElementById('start').hidden")
        assert tab.is_visible("#start")
        tab.close()


def test_before_it_begins_the_poses_are_listed_and_one_can_be_left_out(browser: Browser, tmp_path: Path) -> None:
    """With the time of the lesson that is left; without any there is nothing to begin. Stopped, it says what was kept."""
    with lesson_page(tmp_path) as page:
        tab = opened(browser, page)
        until(tab, "document.body?.dataset.ready === 'yes'")
        assert "8 poses, 88 seconds" in tab.inner_text("#takes")
        assert tab.locator("#poses li").count() == len(CLASSES)
        assert "Now slump" in tab.inner_text("#poses")
        for name in ("standing", "bad_posture", "na"):
            tab.get_by_label(name).uncheck()
            if name == "standing":
                until(tab, "document.getElementById('takes').textContent.startsWith('6 poses, 66 seconds')")
        tab.get_by_label("good_posture").uncheck()
        until(tab, "document.getElementById('start').disabled")
        tab.get_by_label("good_posture").check()
        tab.get_by_label("na").check()
        until(tab, "!document.getElementById('start').disabled")
        tab.click("#start")
        until(tab, "document.getElementById('pose-number').textContent === 'Pose 1 of 4'")
        tab.click("#stop")
        until(
            tab,
            "/^(Nothing was|1 picture is|[0-9]+ pictures are) kept/.test(document.getElementById('said').textContent)",
        )
        tab.close()


@pytest.mark.slow
def test_doubtful_pictures_are_shown_and_dropped(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A contact sheet before anything is learned; what was dropped is offered again at the end."""
    doubt = PoseDoubt(
        "'good_posture' and 'bad_posture' look the same to the camera here.", ("good_posture", "bad_posture")
    )
    monkeypatch.setattr("posture_daemon.labelling.lesson_frames.pose_doubts", lambda _poses: (doubt,))
    with lesson_page(tmp_path) as page:
        tab = opened(browser, page)
        until(tab, "document.body?.dataset.ready === 'yes'")
        tab.keyboard.press("Enter")
        until(tab, "document.getElementById('said').textContent.includes('look the same')")
        until(tab, "[...document.querySelectorAll('#sheet img')].some((image) => image.naturalWidth > 100)")
        assert tab.locator("#sheet section").count() == len(CLASSES)
        tab.get_by_label("Drop the pictures of bad_posture").click()
        assert tab.get_by_label("Drop the pictures of bad_posture").get_attribute("aria-pressed") == "true"
        tab.click("#go-on")
        until(tab, "document.getElementById('again').textContent.includes('bad_posture')")
        assert "'bad_posture' were dropped" in tab.inner_text("#said")
        tab.close()


@pytest.mark.slow
def test_a_lesson_that_is_stopped_keeps_what_it_has(browser: Browser, tmp_path: Path) -> None:
    """Escape, and a second tab sees the same; nothing is trained."""
    with lesson_page(tmp_path) as page:
        tab, other = opened(browser, page), opened(browser, page, width=360)
        until(tab, "document.body?.dataset.ready === 'yes'")
        tab.keyboard.press("Enter")
        until(tab, "document.querySelector('#kept b') && Number(document.querySelector('#kept b').textContent) > 0")
        until(other, "!document.getElementById('stop').hidden")
        assert other.evaluate("document.documentElement.scrollWidth <= innerWidth")
        tab.keyboard.press("Escape")
        until(tab, "document.getElementById('said').textContent.includes('Nothing was trained')")
        until(other, "document.getElementById('sentence').textContent === 'Stopped.'")
        tab.close()
        other.close()


def test_a_camera_that_cannot_be_opened_is_said_in_words(browser: Browser, tmp_path: Path) -> None:
    """And it can be tried again."""
    with lesson_page(tmp_path, "The camera 0 cannot be opened: is it plugged in?") as page:
        tab = opened(browser, page)
        until(tab, "document.body?.dataset.ready === 'yes'")
        tab.click("#start")
        until(tab, "!document.getElementById('away').hidden")
        assert tab.inner_text("#away") == "The camera 0 cannot be opened: is it plugged in?"
        assert tab.is_visible("#start")
        tab.close()
