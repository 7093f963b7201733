"""The label page in a real browser, with the keyboard alone; and what goes wrong in a home, with nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete

from posture_daemon.domain import PostureClass, Role, Status
from posture_daemon.service.daemon_status import CameraSaid, DaemonStatus, write_status
from posture_daemon.store import Store
from posture_daemon.store.lock import exclusive
from posture_daemon.store.schema import FrameRow
from posture_daemon.store.status_file import LOCK_NAME
from posture_daemon.ui.web.server import LabelPage
from tests.builders import label
from tests.label_page import START, AlikeFrames, chromium, plain_jpeg, queue_frames, served, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

GUESSES = ["slouching"] * 5 + ["upright"] * 4 + ["away"] * 3 + [None]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that has never seen the page; what a script fails with fails the test."""
    context = browser.new_context()
    errors: list[Any] = []
    context.on("weberror", lambda error: errors.append(error))  # noqa: PLW0108 - Playwright takes no built-in method
    yield context
    context.close()
    assert [str(error.error) for error in errors] == []


@pytest.fixture
def store(store: Store) -> Store:
    """Thirteen frames wait in four groups."""
    queue_frames(store, GUESSES)
    return store


@pytest.fixture
def server(store: Store) -> Iterator[LabelPage]:
    """The page of the store."""
    with served(store) as page:
        yield page


@pytest.fixture
def page(context: BrowserContext, server: LabelPage) -> Page:
    """The page, opened, with its first question."""
    return opened(context, server)


def opened(context: BrowserContext, server: LabelPage, question: bool = True) -> Page:
    """A tab, with the first question in it."""
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.goto(str(server.address))
    if question:
        page.wait_for_selector("#picture img")
    return page


def press(page: Page, *keys: str) -> None:
    """Press keys as fast as they go."""
    for key in keys:
        page.keyboard.press(key)


def message(page: Page, words: str) -> None:
    """Wait until the page says this."""
    until(page, f"document.getElementById('message').textContent.includes({words!r})")


def frame_shown(page: Page) -> int:
    """Which frame the large picture shows."""
    return int(page.get_attribute("#picture", "data-frame") or 0)


def given(store: Store) -> dict[int, str]:
    """The class of each labelled frame."""
    return {image.frame_id: image.class_name for image in store.labels.labelled()}


def arrived(page: Page, store: Store, labels: int) -> None:
    """Wait until the store has so many labels, and the page knows."""
    until(page, "Object.keys(localStorage).every((name) => !name.startsWith('posture-answer'))")
    assert store.labels.total() == labels


def port_of(server: LabelPage) -> int:
    """To come back at."""
    return int(str(server.address).rstrip("/").rpartition(":")[2])


# --- labelling


class LongGroups(AlikeFrames):
    """Groups as they come from a day at the desk."""

    most = 8


@pytest.mark.slow
def test_a_hundred_frames_take_at_most_forty_key_presses(context: BrowserContext, tmp_path: Path) -> None:
    """Groups of four to eight, of which the model is wrong about some, and one that holds two strangers."""
    runs = [("slouching", 7), ("upright", 6), ("away", 4), ("standing", 5), ("upright", 8), ("slouching", 5)] * 3
    guesses = [name for name, length in runs for _ in range(length)][:100]
    truth = dict(enumerate(guesses, start=1))
    truth |= dict.fromkeys(range(8, 14), "standing")  # the whole second group is something else
    truth |= {3: "away", 4: "away"}  # two strangers in the first
    store = Store(tmp_path / "data")
    queue_frames(store, guesses)
    keys = ["ArrowRight", "ArrowRight", "Shift+ArrowRight", "Enter", "3", "4"]
    with served(store, new_labelling=LongGroups) as server:
        page = opened(context, server)
        press(page, *keys)
        while store.queue.counts()[Status.QUEUED] or page.locator("#picture img").count():
            if not page.locator("#picture img").count():
                page.wait_for_timeout(20)
                continue
            press(page, "Enter")
            keys.append("Enter")
            assert len(keys) <= 40, "too many key presses"
        arrived(page, store, 100)
        until(page, "document.getElementById('asked').textContent.startsWith('All done')")
    assert given(store) == truth
    print(f"100 frames with {len(keys)} key presses")  # noqa: T201


def test_each_class_has_a_key_and_the_answer_is_told(page: Page, store: Store) -> None:
    """Digits answer all frames of the group; the message says what happened and how to take it back."""
    press(page, "2")
    message(page, "slouching: 5 frames. U takes it back.")
    press(page, "1")
    arrived(page, store, 9)
    assert given(store) == dict.fromkeys(range(1, 6), "slouching") | dict.fromkeys(range(6, 10), "upright")
    until(page, "document.getElementById('labelled').textContent === '9'")
    until(page, "document.getElementById('training-words').textContent.startsWith('11 more labels')")


@pytest.mark.parametrize("size", [{"width": 360, "height": 740}, {"width": 1280, "height": 600}], ids=["phone", "low"])
def test_what_happened_is_seen_each_time(browser: Browser, server: LabelPage, size: ViewportSize) -> None:
    """On a small screen words leave after a while; the next ones are there again, within the screen and in nobody's way."""
    page = opened(browser.new_context(viewport=size), server)
    press(page, "2")
    message(page, "slouching: 5 frames.")
    page.evaluate("document.getElementById('message').getAnimations().forEach((leaving) => leaving.finish())")
    seen = "document.getElementById('message').checkVisibility({ checkVisibilityCSS: true, checkOpacity: true })"
    assert not page.evaluate(seen)
    press(page, "u")
    message(page, "Taken back: 5 frames.")
    assert page.evaluate(seen)
    box = page.locator("#message").bounding_box()
    assert box is not None
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= size["height"]
    inside = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    assert page.evaluate("(at) => document.elementFromPoint(...at).id", inside) != "message"


def test_enter_without_a_guess_answers_nothing(page: Page, store: Store) -> None:
    """The last frame has none; the page says which keys there are."""
    press(page, "Enter", "Enter", "Enter", "Enter")
    message(page, "There is no guess to accept")
    arrived(page, store, 12)
    assert page.is_disabled("#accept")


def test_a_key_held_down_answers_once(page: Page, store: Store) -> None:
    """Autorepeat of a class key must not label the whole queue."""
    for _ in range(6):
        page.keyboard.down("1")
    page.keyboard.up("1")
    arrived(page, store, 5)


def test_undo_shows_the_frames_again(page: Page, store: Store) -> None:
    """A key pressed at once after U is meant for what comes back, not for what was shown."""
    press(page, "3", "u", "2")
    message(page, "slouching: 5 frames.")
    arrived(page, store, 5)
    assert given(store) == dict.fromkeys(range(1, 6), "slouching")
    press(page, "Enter", "u", "u")
    message(page, "Taken back: 5 frames.")
    arrived(page, store, 0)
    assert frame_shown(page) == 1
    press(page, "u")
    message(page, "There is nothing to take back.")


def test_discard_and_skip(page: Page, store: Store) -> None:
    """Discarded frames teach nothing; skipped ones wait, and come again when the owner asks for them."""
    press(page, "d", "s", "s", "4")
    until(page, "document.getElementById('asked').textContent === 'Nothing else waits.'")
    arrived(page, store, 1)
    assert store.queue.counts() == {Status.QUEUED: 7, Status.LABELLED: 1, Status.DISCARDED: 5}
    page.focus("[data-do=again]")
    press(page, "Enter")
    page.wait_for_selector("#picture img")
    press(page, "1", "3")
    arrived(page, store, 8)


def test_exceptions_are_set_apart_and_asked_about_next(page: Page, store: Store) -> None:
    """Shift with arrows takes a row of them, X one; the rest is answered first."""
    press(page, "ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowLeft")
    assert page.inner_text("#asked") == "Are these 3 all slouching?"
    assert page.locator("#strip .apart").count() == 2
    assert page.get_attribute("#strip button:nth-child(3)", "aria-label") == "Frame 3 of 5, set apart"
    press(page, "Escape")
    assert page.locator("#strip .apart").count() == 0
    press(page, "x", "2")
    assert frame_shown(page) == 3
    press(page, "1")
    arrived(page, store, 5)
    assert given(store) == {1: "slouching", 2: "slouching", 3: "upright", 4: "slouching", 5: "slouching"}


def test_arrows_look_at_other_frames_and_other_groups(page: Page, store: Store) -> None:
    """Nothing is answered by looking; what is shown is what is answered."""
    press(page, "ArrowRight", "ArrowRight", "ArrowLeft")
    assert frame_shown(page) == 2
    press(page, "ArrowDown", "ArrowDown")
    assert frame_shown(page) == 10
    press(page, "ArrowUp", "Enter")
    arrived(page, store, 4)
    assert set(given(store)) == {6, 7, 8, 9}
    assert frame_shown(page) == 10


def test_zoom_and_help(page: Page, store: Store) -> None:
    """Z or Space fills the window, keys go on working; ? lists them, Escape closes."""
    press(page, " ")
    frame = "document.getElementById('frame')"
    assert page.evaluate(f"[{frame}.offsetWidth, {frame}.offsetHeight]") == page.evaluate("[innerWidth, innerHeight]")
    press(page, "Enter")
    assert page.get_attribute("#zoom", "aria-pressed") == "true"
    press(page, "z", "?")
    assert page.is_visible("#help")
    press(page, "2", "Escape")
    assert not page.is_visible("#help")
    arrived(page, store, 5)


@pytest.mark.slow
def test_undo_asks_before_it_goes_back_beyond_this_sitting(page: Page, store: Store) -> None:
    """It says what and from when; Escape and the button that has the focus leave it, the other one takes it back, then redo."""
    label(store, 13, "standing")
    press(page, "2")
    arrived(page, store, 6)
    press(page, "u")
    message(page, "Taken back: 5 frames. It was the answer to 5 pictures of ")
    assert "slouching" in page.inner_text("#message")
    for leave in ("Escape", "Enter"):
        press(page, "u")
        page.wait_for_selector("#ask-undo[open]")
        assert page.inner_text("#undo-words").startswith("That takes back the answer to 1 picture of ")
        assert "(standing)" in page.inner_text("#undo-words")
        press(page, leave)
        message(page, "Nothing was taken back.")
        assert given(store) == {13: "standing"}
    press(page, "u")
    page.click("#undo-yes")
    message(page, "Taken back: 1 frame.")
    assert given(store) == {}
    assert frame_shown(page) == 13
    press(page, "Shift+U")
    message(page, "Done again: the answer to 1 picture of ")
    assert given(store) == {13: "standing"}
    assert frame_shown(page) == 1


@pytest.mark.slow
def test_redo_and_a_mistyped_class(page: Page, store: Store) -> None:
    """The class goes with its answer and comes back with it; where nothing was undone, nothing is done again."""
    press(page, "n")
    page.keyboard.insert_text("slouchng")
    press(page, "Enter")
    message(page, "slouchng: 5 frames.")
    arrived(page, store, 5)
    press(page, "u")
    message(page, "and the new class slouchng")
    until(page, "document.querySelector('[data-class=slouchng]') === null")
    assert [c.name for c in store.labels.classes()] == ["upright", "slouching", "away", "standing"]
    press(page, "Shift+U")
    message(page, "Done again: the answer to 5 pictures of ")
    until(page, "document.querySelector('[data-class=slouchng]') !== null")
    assert set(given(store).values()) == {"slouchng"}
    press(page, "Shift+U")
    message(page, "There is nothing to do again.")


# --- new classes


def test_a_new_class_and_names_that_will_not_do(page: Page, store: Store) -> None:
    """Slashes, emoji and taken names get words in the form, which keeps what was typed; the frames wait meanwhile."""
    press(page, "n")
    letters = "may only have letters"
    for name, words in (("a/b", letters), ("😀", letters), ("Upright", "already a class")):
        page.keyboard.insert_text(name)
        press(page, "Enter")
        until(page, f"document.getElementById('name-error').textContent.includes({words!r})")
        assert page.input_value("#name") == name
        press(page, "Control+a")
    page.keyboard.insert_text("kneeling")
    press(page, "Enter")
    message(page, "kneeling: 5 frames.")
    arrived(page, store, 5)
    assert set(given(store).values()) == {"kneeling"}
    assert page.inner_text("[data-class=kneeling] .name") == "kneeling"
    press(page, "5")
    arrived(page, store, 9)


def test_a_form_that_is_left_creates_nothing(page: Page, store: Store) -> None:
    """Escape; letters typed into the form are no commands."""
    press(page, "n", "d", "u", "1", "Escape")
    assert not page.is_visible("#new-class")
    assert [c.name for c in store.labels.classes()] == ["upright", "slouching", "away", "standing"]
    assert store.queue.counts()[Status.QUEUED] == 13


# --- reload, tabs, other people


def test_reload_goes_on_where_the_work_is(page: Page, store: Store) -> None:
    """Answered frames do not come again, skipped ones neither; undo still knows the last group."""
    press(page, "Enter", "s")
    arrived(page, store, 5)
    page.reload()
    page.wait_for_selector("#picture img")
    assert frame_shown(page) == 10
    press(page, "u", "u")
    message(page, "Taken back: 5 frames.")
    arrived(page, store, 0)
    assert frame_shown(page) == 1


def test_two_tabs_never_answer_a_frame_twice(context: BrowserContext, server: LabelPage, store: Store) -> None:
    """The second answer is told in words which class the frames keep."""
    first, second = opened(context, server), opened(context, server)
    press(first, "ArrowRight", "x", "2")
    arrived(first, store, 4)
    press(second, "1")
    message(second, "4 frames were answered as slouching by somebody else meanwhile and keep that.")
    arrived(second, store, 5)
    assert given(store) == {1: "slouching", 2: "upright", 3: "slouching", 4: "slouching", 5: "slouching"}
    second.bring_to_front()
    press(second, "Enter")
    until(first, "document.getElementById('labelled').textContent === '9'")


def test_two_people_at_once(browser: Browser, server: LabelPage, store: Store) -> None:
    """Each with a browser of their own, one after the other on the same groups: all is labelled, once."""
    contexts = [browser.new_context() for _ in range(2)]
    pages = [opened(context, server) for context in contexts]
    for _ in range(3):
        for page in pages:
            press(page, "Enter")
    for page in pages:
        arrived(page, store, 12)
    assert given(store) == {number: name for number, name in enumerate(GUESSES, start=1) if name}
    for context in contexts:
        context.close()


def test_a_discarded_frame_stays_discarded(page: Page, store: Store) -> None:
    """Somebody threw it away in another place; the words say so."""
    for frame_id in range(1, 6):
        label(store, frame_id, None)
    press(page, "1")
    message(page, "5 frames were discarded by somebody else meanwhile.")
    assert store.labels.total() == 0


def test_a_class_that_went_away_puts_the_frames_back(page: Page, store: Store) -> None:
    """Renamed on the command line meanwhile: nothing is lost, the new name has a button."""
    store.classes.rename("slouching", "slumped")
    press(page, "2")
    message(page, "The frames wait again.")
    until(page, "document.querySelector('[data-class=slumped]') !== null")
    assert frame_shown(page) == 1
    press(page, "2")
    arrived(page, store, 5)
    assert set(given(store).values()) == {"slumped"}


# --- what goes wrong


def test_a_frame_evicted_while_it_is_shown(page: Page, store: Store) -> None:
    """The answer finds nothing, the page says so and goes on."""
    with store.database.write() as session:  # as the daemon does when the queue is full
        session.execute(delete(FrameRow).where(FrameRow.id <= 5))
    press(page, "1")
    message(page, "5 frames had left the queue to make room, so there was nothing to answer.")
    press(page, "Enter")
    arrived(page, store, 4)


def test_a_picture_that_is_gone_before_it_is_shown(context: BrowserContext, server: LabelPage, store: Store) -> None:
    """It is left out, with one sentence; the others of its group are asked about."""
    page = context.new_page()
    page.route("**/picture/1?*", lambda route: route.fulfill(status=404, body="{}"))
    page.goto(str(server.address))
    message(page, "Frame 1 is gone from the queue")
    assert frame_shown(page) == 2
    press(page, "Enter")
    arrived(page, store, 4)


def test_a_damaged_picture_can_be_discarded(context: BrowserContext, tmp_path: Path) -> None:
    """Words stand in its place."""
    store = Store(tmp_path / "data")
    queue_frames(store, ["upright"], [b"no picture"])
    with served(store) as server:
        page = opened(context, server, question=False)
        until(page, "document.getElementById('picture').textContent.includes('cannot be shown')")
        press(page, "d")
        until(page, "document.getElementById('asked').textContent.startsWith('All done')")
        arrived(page, store, 0)
        assert store.queue.counts()[Status.DISCARDED] == 1


@pytest.mark.slow
def test_answers_outlive_a_restart_of_the_server(context: BrowserContext, store: Store) -> None:
    """The daemon is away: the page goes on, says that it keeps the answers, and sends each once when it is back."""
    with served(store) as server:
        page, port = opened(context, server), port_of(server)
        until(page, "performance.getEntriesByType('resource').filter((e) => e.name.includes('/picture/')).length >= 10")
    press(page, "Enter", "Enter", "3")
    until(page, "document.getElementById('away').textContent.includes('3 answers are kept in this browser')")
    press(page, "u")
    message(page, "Taken back: 3 frames.")
    press(page, "3", "d")
    until(page, "document.getElementById('asked').textContent.startsWith('The next question comes when')")
    assert store.labels.total() == 0
    with served(store, port):
        message(page, "The server is back, and has every answer.")
        arrived(page, store, 12)
        assert not page.is_visible("#away")
        assert set(given(store).values()) == {"slouching", "upright", "away"}
        until(page, "document.getElementById('asked').textContent.startsWith('All done')")
        press(page, "u", "u")
        message(page, "Taken back: 3 frames.")


def test_answers_outlive_a_reload_while_the_server_is_away(context: BrowserContext, store: Store) -> None:
    """Even if the page is closed: the next one sends what it finds."""
    with served(store) as server:
        page, port = opened(context, server), port_of(server)
    press(page, "Enter")
    until(page, "document.getElementById('away').textContent.includes('1 answer is kept')")
    page.close()
    with served(store, port) as server:
        page = opened(context, server)
        arrived(page, store, 5)
        until(page, "document.getElementById('picture').dataset.frame === '6'")


def test_a_reply_that_is_lost_does_not_double_the_answer(page: Page, store: Store) -> None:
    """The server had carried it out; the page sends it again, and undo takes it back in one step."""
    lost: list[str] = []

    def lose(route: Any) -> None:
        if not lost:
            lost.append(route.fetch().text())
            route.abort()
        else:
            route.continue_()

    page.route("**/api/answers", lose)
    press(page, "Enter")
    until(page, "document.getElementById('away').textContent.includes('1 answer is kept')")
    message(page, "The server is back")
    arrived(page, store, 5)
    press(page, "u")
    message(page, "Taken back: 5 frames.")
    arrived(page, store, 0)


def test_frames_that_arrive_are_shown_by_themselves(context: BrowserContext, tmp_path: Path) -> None:
    """An empty queue is no dead end, and is looked at now and then, not all the time."""
    store = Store(tmp_path / "data")
    queue_frames(store, [])
    with served(store) as server:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(str(server.address))
        until(page, "document.getElementById('asked').textContent.startsWith('All done')")
        page.wait_for_timeout(1500)
        assert len([url for url in asked if "/api/groups" in url]) <= 2
        queue_frames(store, ["upright"])
        until(page, "document.querySelector('#picture img') !== null")


@pytest.mark.slow
def test_a_camera_in_trouble_is_told_where_its_frames_would_come(context: BrowserContext, tmp_path: Path) -> None:
    """Instead of promising frames to somebody who left the cap on the lens; it goes when the camera sees again."""
    store = Store(tmp_path / "data")
    queue_frames(store, [])
    said = "document.getElementById('why').textContent"
    with exclusive(store.folder / LOCK_NAME), served(store) as server:
        write_status(store.folder, DaemonStatus(pid=1, camera=CameraSaid(error="camera 0 shows a black picture.")))
        page = opened(context, server, question=False)
        until(page, f"{said} === 'No new frames come: camera 0 shows a black picture.'")
        write_status(store.folder, DaemonStatus(pid=1, camera=CameraSaid(error=None)))
        until(page, f"{said}.startsWith('The camera')")


# --- phones, and people who see, press or hear otherwise


def test_a_phone_shows_it_all_without_scrolling_sideways(browser: Browser, server: LabelPage, store: Store) -> None:
    """360 pixels wide: no horizontal scroll, nothing to press is smaller than 40 pixels, fingers answer."""
    phone = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page = opened(phone, server)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth") == 360
    small = "[...document.querySelectorAll('button')].filter((b) => b.offsetParent && b.offsetHeight < 40).length"
    assert page.evaluate(small) == 0
    assert page.evaluate("document.getElementById('commands').getBoundingClientRect().bottom <= 740")
    page.tap("[data-class=slouching]")
    page.tap("#accept")
    page.tap("#strip button:nth-child(2)")
    assert frame_shown(page) == 11
    page.tap("[data-do=undo]")
    message(page, "Taken back: 4 frames.")
    arrived(page, store, 5)
    page.tap("[data-do=new]")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    phone.close()


def test_long_names_do_not_break_the_page(browser: Browser, server: LabelPage, store: Store) -> None:
    """Forty letters without a space, on a phone."""
    store.labels.ensure_class(PostureClass("w" * 40, Role.NEUTRAL), START)
    phone = browser.new_context(viewport={"width": 360, "height": 740})
    assert opened(phone, server).evaluate("document.documentElement.scrollWidth") == 360
    phone.close()


def test_every_control_has_a_name_and_every_key_a_button(page: Page) -> None:
    """What a screen reader hears; single keys can be turned off, for those who speak to their computer."""
    nameless = """[...document.querySelectorAll('button, input, select, img, progress')].filter((e) => !(
        e.getAttribute('aria-label') || e.labels?.length || e.textContent.trim() || e.hasAttribute('alt')))
        .map((e) => e.outerHTML)"""
    assert page.evaluate(nameless) == []
    done = page.evaluate("[...document.querySelectorAll('[data-do]')].map((b) => b.dataset.do)")
    assert set(done) == {
        "accept",
        "new",
        "discard",
        "skip",
        "undo",
        "redo",
        "apart",
        "zoom",
        "previous",
        "next",
        "help",
    }
    assert page.get_attribute("html", "lang") == "en"
    press(page, "?")
    page.uncheck("#letters")
    press(page, "Escape", "1", "d", "Enter")
    assert page.inner_text("#message") == ""


def test_tab_walks_through_the_page_in_the_order_of_reading(page: Page, store: Store) -> None:
    """Help, the frame of the strip that is shown, the guess, classes, commands; focus is visible; Enter presses."""
    words = []
    for _ in range(8):
        press(page, "Tab")
        name = page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.innerText")
        words.append(" ".join(name.split()))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert words[:3] == ["Help", "Frame 1 of 5", "Enter Yes, slouching"]
    assert [word.split()[1] for word in words[3:7]] == ["upright", "slouching", "away", "standing"]
    assert words[7] == "N New class"
    press(page, "Shift+Tab", "Shift+Tab", "Shift+Tab", "Enter")
    message(page, "slouching: 5 frames.")
    arrived(page, store, 5)


def test_nothing_is_asked_of_any_other_machine(context: BrowserContext, server: LabelPage) -> None:
    """All requests go to the page's own address, and nothing breaks its Content-Security-Policy."""
    asked: list[str] = []
    said: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.on("console", lambda line: said.append(line.text))
    page = opened(context, server)
    press(page, "Enter", "?", "Escape", "n", "Escape", "z")
    page.wait_for_timeout(300)
    assert asked
    assert all(url.startswith(str(server.address)) for url in asked)
    assert said == []


def test_the_pictures_are_those_of_the_frames(page: Page, store: Store) -> None:
    """What is shown under a number is what is stored under it."""
    fetched = "fetch(document.querySelector('#picture img').src).then((reply) => reply.arrayBuffer())"
    shown = page.evaluate(f"{fetched}.then((bytes) => [...new Uint8Array(bytes)])")
    assert bytes(shown) == store.queue.jpeg(frame_shown(page)) == plain_jpeg("slouching", 0)
