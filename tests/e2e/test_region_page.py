"""The page of the region in a real browser: a box that is dragged, moved by keys, found, kept, and refused in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from posture_daemon.bootstrap.region import RegionChoice
from posture_daemon.domain import Image, Region
from posture_daemon.fake_desk import FakeDesk
from posture_daemon.settings import Settings, load_settings
from posture_daemon.store import Store
from posture_daemon.ui.web.region_desk import RegionDesk
from posture_daemon.ui.web.server import LabelPage
from posture_daemon.vision.jpeg import encode_jpeg
from tests.builders import add_champion, add_frame, ensure_classes, label
from tests.label_page import chromium, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DESK = FakeDesk(2)
BOX = "document.getElementById('where').textContent"
TOLD = "document.getElementById('told').textContent"
ASK = "fetch('/api/region').then((reply) => reply.json())"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests of this file."""
    with chromium() as found:
        yield found


def seen(name: str = "good_posture", way: int = 0) -> Image:
    """What the camera sees."""
    return DESK.render_pose(name, way, DESK.start + 3600 + 60 * way)


@contextmanager
def region_page(folder: Path) -> Iterator[tuple[LabelPage, RegionChoice, Store]]:
    """The pages of a data folder with a camera."""
    settings = Settings(data_dir=folder, camera={"address": "fake:desk?seed=2"}, ui={"port": 0})
    store, choice = Store(folder), RegionChoice(settings)
    add_champion(store, "good", "bad")
    page = LabelPage(store, settings, desk=RegionDesk(lambda: choice.camera, choice.choose, seen))
    page.start(0)
    try:
        yield page, choice, store
    finally:
        page.stop()
        store.close()


def opened(browser: Browser, page: LabelPage, width: int = 1200) -> Page:
    """A tab in which the picture is there."""
    tab = browser.new_page(viewport={"width": width, "height": 800})
    tab.goto(f"{page.address}region")
    until(tab, "document.body?.dataset.ready === 'yes' && !document.getElementById('box').hidden")
    return tab


def dragged(tab: Page, from_: tuple[float, float], to: tuple[float, float]) -> None:
    """From one place of the picture to another, as shares of it."""
    at = tab.locator("#stage").bounding_box()
    assert at is not None
    places = [(at["x"] + x * at["width"], at["y"] + y * at["height"]) for x, y in (from_, to)]
    tab.mouse.move(*places[0])
    tab.mouse.down()
    tab.mouse.move(*places[1], steps=4)
    tab.mouse.up()


def test_a_box_is_drawn_and_kept(browser: Browser, tmp_path: Path) -> None:
    """By its corner, then as a whole; it cannot leave the picture; the settings file has it, for this camera."""
    with region_page(tmp_path) as (page, choice, _):
        tab = opened(browser, page)
        assert tab.evaluate(BOX) == "The whole picture"
        dragged(tab, (0.99, 0.985), (0.49, 0.585))
        dragged(tab, (0.2, 0.2), (0.4, 0.1))
        until(tab, f"{BOX}.startsWith('Left 20 %, top 0 %, width 50 %')")
        tab.click("#save")
        until(tab, f"{TOLD}.startsWith('Kept.')")
        assert "The next training looks at this box" in tab.evaluate(TOLD)
        tab.close()
    found = choice()
    assert found is not None
    assert (found.x, found.y) == (pytest.approx(0.2, abs=0.02), 0.0)
    assert (found.width, found.height) == (pytest.approx(0.5, abs=0.02), pytest.approx(0.6, abs=0.02))
    loaded = load_settings(None, {"data_dir": tmp_path, "camera.address": "fake:desk?seed=2"})
    assert loaded.settings.camera.seen == found


def test_the_keyboard_is_enough(browser: Browser, tmp_path: Path) -> None:
    """Arrows move the box by a hundredth, with Shift they change its size; buttons are reached by Tab; a phone has room."""
    with region_page(tmp_path) as (page, choice, _):
        choice.choose(Region(0.2, 0.2, 0.5, 0.5))
        tab = opened(browser, page, width=360)
        tab.focus("#box")
        for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowLeft", "Shift+ArrowDown"):
            tab.keyboard.press(key)
        assert tab.evaluate(BOX) == "Left 22 %, top 19 %, width 49 %, height 51 %"
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        tab.keyboard.press("Tab")
        tab.keyboard.press("Enter")
        until(tab, f"{TOLD}.startsWith('Kept.')")
        assert choice() == Region(0.22, 0.19, 0.49, 0.51)
        tab.click("#whole")
        until(tab, f"{BOX} === 'The whole picture'")
        assert (choice(), choice.is_open) == (None, False)
        tab.close()


def test_it_finds_where_the_owner_sits(browser: Browser, tmp_path: Path) -> None:
    """From labelled pictures; without them it says what to do. Nothing is kept before the owner says so."""
    with region_page(tmp_path) as (page, choice, store):
        tab = opened(browser, page)
        tab.click("#propose")
        until(tab, f"{TOLD}.includes('teach first, or draw the box yourself')")
        ensure_classes(store, "good", "bad", "away")
        for number in range(12):
            name, pose = (("good", "good_posture"), ("bad", "bad_posture"), ("away", "na"))[number % 3]
            frame = add_frame(store, float(number), encode_jpeg(seen(pose, number // 3), 640, 88))
            label(store, frame, name, float(number))
        tab.click("#propose")
        until(tab, f"{TOLD}.startsWith('Found')")
        assert "Left 29 %" in tab.evaluate(BOX)
        assert choice() is None
        tab.close()


def test_a_tab_that_nobody_sees_asks_for_no_pictures(browser: Browser, tmp_path: Path) -> None:
    """It goes on when it is seen again."""
    with region_page(tmp_path) as (page, _, _):
        tab = browser.new_page()
        tab.clock.install()
        tab.goto(f"{page.address}region")
        until(tab, "!document.getElementById('box').hidden")
        tab.evaluate("Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true })")
        tab.evaluate(ASK)  # what was asked before is known once this has come back
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.clock.run_for(5000)
        tab.evaluate(ASK)
        assert [url.partition("?")[0] for url in asked] == [f"{page.address}api/region"]
        tab.evaluate("delete document.visibilityState")
        with tab.expect_request("**/api/region/picture?*"):
            tab.clock.run_for(1000)
        tab.close()


def test_what_is_no_region_is_refused(browser: Browser, tmp_path: Path) -> None:
    """By the server as well, in one sentence."""
    with region_page(tmp_path) as (page, choice, _):
        tab = opened(browser, page)
        for text in ("0.5,0,0.6,1", "0.5,0.5,0.003,0.003", "left"):
            said = tab.evaluate(
                """(region) => fetch('/api/region', { method: 'POST', body: JSON.stringify({ region }),
                headers: { 'content-type': 'application/json', 'x-posture-daemon': 'label' } })
                .then(async (reply) => [reply.status, (await reply.json()).error])""",
                text,
            )
            assert said[0] == 400
            assert "region" in said[1]
        assert choice() is None
        tab.close()
