"""The server's side of the teaching page: the lesson to come, what the camera sees before it, and what it is told."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from posture_daemon.domain import Frame
from posture_daemon.integrity.model_recovery import install
from posture_daemon.labelling.guided_capture_state import GuidedCaptureState, Phase, PoseResult
from posture_daemon.labelling.pose_likeness import PoseDoubt
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.model_copies import STARTER, STARTER_SOURCE
from posture_daemon.ui.web.server import LabelPage
from posture_daemon.vision.jpeg import decode
from tests.builders import add_frame, coloured_frame
from tests.waiting import wait_until

OURS = {"x-posture-daemon": "label", "content-type": "application/json"}
DOUBT = PoseDoubt("'good' and 'bad' look the same to the camera here.", ("good", "bad"))


class Lesson:
    """Stands in for a guided capture that waits where the test puts it."""

    def __init__(self, state: GuidedCaptureState) -> None:
        self.state = state
        self.dropped: list[tuple[str, ...]] = []

    def picture(self) -> None:
        """No frame of its own."""

    def go_on(self, drop: Sequence[str] = ()) -> None:
        """Remember it, and end."""
        self.dropped.append(tuple(drop))

    def run(self, stop: Any) -> None:
        """Until it is told to go on, or stopped."""
        wait_until(lambda: stop.is_set() or self.dropped, "the end of the lesson")
        exam = (PoseResult("bad", 6, 6), PoseResult("good", 0, 6, "bad"))
        run = SimpleNamespace(outcome=None, reason="so", challenger_id=2, incumbent_id=1)
        self.state = GuidedCaptureState(Phase.DONE, None, 4, 4, frames={"good": 9}, run=run, exam=exam)  # type: ignore[arg-type]


@contextmanager
def page_of(store: Store, lesson: Lesson | None = None, address: str = "fake:desk") -> Iterator[LabelPage]:
    """The pages of this store, with this lesson; the camera shows a green picture."""

    @contextmanager
    def open_(_names: Sequence[str] | None) -> Iterator[Any]:
        yield lesson

    settings = Settings(data_dir=store.folder, camera={"address": address}, ui={"port": 0})
    seen = Frame(coloured_frame("good", 1), 0.0, 1)
    page = LabelPage(store, settings, open_guided_capture=open_, look=lambda: seen)
    page.start(0)
    try:
        yield page
    finally:
        page.stop()


def ask(page: LabelPage, path: str, body: Any = None) -> bytes:
    """What the page is told."""
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(f"{page.address}{path}", data, OURS), timeout=60) as reply:
        return bytes(reply.read())


@pytest.fixture
def drawn(store: Store) -> Store:
    """A store with the starter."""
    install(store, STARTER, STARTER_SOURCE, as_base=False)
    return store


def test_the_lesson_to_come_is_told_with_its_time(drawn: Store) -> None:
    """For the owner's classes, and for those that are left; a name that no class can have is refused in one sentence."""
    with page_of(drawn) as page:
        whole = json.loads(ask(page, "api/teach/plan"))
        part = json.loads(ask(page, "api/teach/plan?class=good_posture&class=na"))
        assert (whole["poses"], part["poses"]) == (2 * len(whole["classes"]), 4)
        assert part["seconds"] < whole["seconds"] < 100
        assert [len(one["sentences"]) for one in part["classes"]] == [2, 2]
        with pytest.raises(HTTPError) as refused:
            ask(page, "api/teach/plan?class=a/b")
        assert refused.value.code == 400
        assert "'a/b'" in json.loads(refused.value.read())["error"]


def test_before_a_lesson_the_page_shows_what_the_camera_sees(drawn: Store) -> None:
    """The frames that the daemon has anyway."""
    with page_of(drawn) as page:
        image = decode(ask(page, "api/teach/picture"))
        assert image.mean(axis=(0, 1)).argmax() == 1  # green
        assert image.shape == (48, 48, 3)


def test_doubtful_pictures_come_with_their_ids_and_what_is_dropped_is_told(drawn: Store) -> None:
    """And at the end what is to be shown again."""
    ids = tuple(add_frame(drawn, float(at)) for at in range(9))
    frames, shown = {"good": 9, "bad": 0}, tuple((id_, float(at)) for at, id_ in enumerate(ids))
    lesson = Lesson(
        GuidedCaptureState(Phase.REVIEW, None, 4, 4, frames=frames, sheet={"good": shown, "bad": ()}, doubts=(DOUBT,))
    )
    with page_of(drawn, lesson) as page:
        ask(page, "api/teach", {"classes": None})
        wait_until(lambda: json.loads(ask(page, "api/teach"))["phase"] == "look at them", "the pictures")
        said = json.loads(ask(page, "api/teach"))
        assert said["doubts"] == [DOUBT.sentence]
        assert said["sheet"] == {"good": [[ids[n], float(n)] for n in (0, 2, 3, 5, 6, 8)], "bad": []}
        ask(page, "api/teach/go-on", {"drop": ["bad"]})
        wait_until(lambda: json.loads(ask(page, "api/teach"))["over"], "the end")
        said = json.loads(ask(page, "api/teach"))
        assert lesson.dropped == [("bad",)]
        assert said["again"] == ["good"]
        assert said["words"][0].startswith("It cannot see 'good' yet")


def test_pictures_that_are_gone_meanwhile_do_not_end_the_look_at_the_others(drawn: Store) -> None:
    """As after an undo and an eviction: the page goes on, with a picture less."""
    kept = add_frame(drawn, 1.0)
    sheet = {"good": ((kept, 1.0), (kept + 1, 2.0))}
    with page_of(drawn, Lesson(GuidedCaptureState(Phase.REVIEW, None, 4, 4, sheet=sheet, doubts=(DOUBT,)))) as page:
        ask(page, "api/teach", {"classes": None})
        wait_until(lambda: json.loads(ask(page, "api/teach"))["phase"] == "look at them", "the pictures")
        assert json.loads(ask(page, "api/teach"))["sheet"] == {"good": [[kept, 1.0], [kept + 1, 2.0]]}
        assert ask(page, f"picture/{kept}?at=1.0") == b"jpeg 1.0"
        with pytest.raises(HTTPError) as refused:
            ask(page, f"picture/{kept + 1}?at=2.0")
        assert (refused.value.code, "evicted" in json.loads(refused.value.read())["error"]) == (404, True)


@pytest.mark.parametrize(("address", "warned"), [("0", True), ("fake:desk?seed=2", False)])
def test_both_pages_say_that_the_starter_knows_drawn_people_only(drawn: Store, address: str, warned: bool) -> None:
    """Before a camera that films real ones."""
    with page_of(drawn, address=address) as page:
        assert all((b"only ever seen drawn people" in ask(page, path)) is warned for path in ("", "teach"))
