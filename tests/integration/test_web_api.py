"""The label page's server: what it answers, what it refuses, and that nothing is answered twice. Real HTTP, real SQLite."""

import http.client
import json
import logging
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from posture_daemon.domain import PostureClass, Role, Status
from posture_daemon.errors import DataFolderError, PageError
from posture_daemon.labelling.session import Labelling
from posture_daemon.service.daemon_status import CameraSaid, DaemonStatus, OnlineState, write_status
from posture_daemon.store import Store
from posture_daemon.store.lock import exclusive
from posture_daemon.store.status_file import LOCK_NAME
from posture_daemon.ui.web import guard
from posture_daemon.ui.web.link import TOKEN_NAME, address_of, link_to, token_for
from posture_daemon.ui.web.server import LabelPage
from tests.builders import add_champion, add_frame, label
from tests.label_page import START, plain_jpeg, queue_frames, served, settings_of

OURS = {"x-posture-daemon": "label", "content-type": "application/json"}
GUESSES = ["slouching"] * 3 + ["upright"] * 2 + [None]


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Client:
    """Speaks to a page as a browser does, or as none should."""

    def __init__(self, page: LabelPage) -> None:
        self.host = str(page.address).removeprefix("http://").rstrip("/")
        self.keys = iter(f"key-{number:08d}" for number in range(1000))

    def get(self, path: str, **headers: str) -> Reply:
        """GET; underscores in the names of headers stand for hyphens."""
        return self.send("GET", path, None, headers)

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        """POST JSON as the page does."""
        return self.send("POST", path, json.dumps(body), OURS | headers)

    def send(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Reply:
        """Any request; redirects are not followed."""
        connection = http.client.HTTPConnection(self.host, timeout=200)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            reply = connection.getresponse()
            return Reply(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def groups(self) -> list[dict[str, Any]]:
        """The next questions."""
        return list(self.get("/api/groups?limit=20").json["groups"])

    def answer(self, frames: list[dict[str, Any]], class_name: str | None, key: str = "") -> Reply:
        """Answer frames as they came in a group."""
        return self.post("/api/answers", self._about(frames, key) | {"class": class_name})

    def skip(self, frames: list[dict[str, Any]]) -> Reply:
        """Leave frames for later."""
        return self.post("/api/skips", self._about(frames))

    def _about(self, frames: list[dict[str, Any]], key: str = "") -> dict[str, Any]:
        return {"key": key or next(self.keys), "frames": [[frame["id"], frame["at"]] for frame in frames]}

    def undo(self, key: str = "", step: int | None = None) -> Any:
        """Take back the last step, or the one that the reply asked about."""
        return self.post("/api/undo", {"key": key or next(self.keys), "step": step}).json

    def redo(self) -> Any:
        """Do again what was taken back."""
        return self.post("/api/redo", {"key": next(self.keys)}).json


@pytest.fixture
def store(store: Store) -> Store:
    """Six frames wait: the model calls three slouching and two upright, and has no guess for one."""
    queue_frames(store, GUESSES)
    return store


@pytest.fixture
def client(store: Store) -> Iterator[Client]:
    """The page of the store, served."""
    with served(store) as page:
        yield Client(page)


def classes_given(store: Store) -> list[str]:
    """Classes of the labelled frames, in the order of capture."""
    return [image.class_name for image in store.labels.labelled()]


# --- what it answers


def test_the_page_tells_what_happened_while_nobody_was_there(client: Client, store: Store) -> None:
    """As text, whatever it holds, until it was seen."""
    store.incidents.add("Model 2 <b>cannot</b> answer.", 0.0)
    assert b": Model 2 &lt;b&gt;cannot&lt;/b&gt; answer.</p>" in client.get("/").body
    store.incidents.see(1.0)
    assert b"incident" not in client.get("/").body


def test_the_page_needs_nothing_from_elsewhere(client: Client) -> None:
    """One page, whose styles and scripts are all here and load."""
    page = client.get("/")
    assert page.status == 200
    assert not re.search(r"https?://", page.body.decode())
    paths = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
    assert len(paths) > 5
    for path in paths:
        found = client.get(path)
        assert found.status == 200, path
        assert not re.findall(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z]+\.", found.body.decode()), path


def test_a_group_is_answered_in_one_step_and_taken_back_in_one(store: Store, client: Client) -> None:
    """Three alike frames, one request; after undo all three wait again, and come back in the reply."""
    group = client.groups()[0]
    assert (len(group["frames"]), group["guess"]) == (3, "slouching")
    done = client.answer(group["frames"], "slouching").json
    assert (len(done["done"]), done["already"], done["gone"]) == (3, {}, [])
    assert classes_given(store) == ["slouching"] * 3
    undone = client.undo()
    assert undone["undone"] == "answer"
    assert undone["frames"] == group["frames"]
    assert classes_given(store) == []
    assert client.undo() == {"undone": None, "frames": [], "kept": None}


def test_the_real_questions_are_served(store: Store) -> None:
    """Whatever `labelling` makes of the queue: each waiting frame is asked about once, and can be answered."""
    with served(store, new_labelling=Labelling) as page:
        client = Client(page)
        frames = [frame for group in client.groups() for frame in group["frames"]]
        assert sorted(frame["id"] for frame in frames) == [1, 2, 3, 4, 5, 6]
        assert len(client.answer(frames, "standing").json["done"]) == 6
        assert client.groups() == []


def test_the_numbers_follow(client: Client) -> None:
    """Waiting, labelled, discarded, and labels until the next training."""
    first, second, third = (group["frames"] for group in client.groups())
    client.answer(first, "slouching")
    client.answer(third, None)
    state = client.get("/api/state").json
    assert (state["queued"], state["labelled"], state["discarded"]) == (2, 3, 1)
    assert state["until_training"] == state["training_needs"] - 3
    assert [c["key"] for c in state["classes"]] == ["1", "2", "3", "4"]
    assert second


def test_the_trouble_of_a_running_camera_is_told(store: Store, client: Client) -> None:
    """While a daemon runs that cannot see; what one said that has ended is old news."""
    sentence = "camera 0 shows a black picture: take the cover off the lens."
    write_status(store.folder, DaemonStatus(pid=1, camera=CameraSaid(error=sentence)))
    assert client.get("/api/state").json["camera"] is None
    with exclusive(store.folder / LOCK_NAME):
        assert client.get("/api/state").json["camera"] == sentence
        write_status(store.folder, DaemonStatus(pid=1, camera=CameraSaid(error=None)))
        assert client.get("/api/state").json["camera"] is None
        (store.folder / "status.json").write_text("{")
        assert client.get("/api/state").json["camera"] is None


def test_who_answers_today_is_told(store: Store, client: Client) -> None:
    """In the words of the running daemon; nothing while none runs, or while nothing was answered."""
    words = "learned from 5 answers today"
    write_status(store.folder, DaemonStatus(pid=1, online=OnlineState(5, True, words)))
    assert client.get("/api/state").json["today"] == ""
    with exclusive(store.folder / LOCK_NAME):
        assert client.get("/api/state").json["today"] == words
        write_status(store.folder, DaemonStatus(pid=1, online=OnlineState()))
        assert client.get("/api/state").json["today"] == ""


def test_a_class_beyond_the_last_key_has_a_button_only(store: Store, client: Client) -> None:
    """Keys are never those of a command."""
    for number in range(30):
        store.labels.ensure_class(PostureClass(f"class{number}", Role.NEUTRAL), START)
    keys = [c["key"] for c in client.get("/api/state").json["classes"]]
    assert keys[-1] == ""
    assert not set(keys) & set("dsunxzq")
    assert len(set(keys) - {""}) == len([key for key in keys if key])


def test_the_classes_of_the_champion_are_offered(store: Store, client: Client) -> None:
    """As in the terminal: those that only the model knows become the owner's."""
    add_champion(store, "good", "kneeling")
    assert "kneeling" in [c["name"] for c in client.get("/api/state").json["classes"]]


def test_a_picture_stays_in_the_browser_and_nowhere_between(store: Store, client: Client) -> None:
    """JPEG as stored; no proxy may keep it, the browser need not ask again; answers are kept by nobody."""
    frame = client.groups()[0]["frames"][0]
    picture = client.get(f"/picture/{frame['id']}?at={frame['at']}")
    assert picture.body == store.queue.jpeg(frame["id"]) == plain_jpeg("slouching", 0)
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.headers["cache-control"].startswith("private,")
    assert "immutable" in picture.headers["cache-control"]
    assert client.get("/api/state").headers["cache-control"] == "no-store"


def test_skipped_frames_are_not_asked_about_until_the_owner_wants_to(client: Client) -> None:
    """They wait; undo brings the last ones back, `ask-again` all of them."""
    first, second, _ = (group["frames"] for group in client.groups())
    client.skip(first)
    client.skip(second)
    assert client.get("/api/groups").json["skipped"] == 5
    assert len(client.groups()) == 1
    assert client.undo()["frames"] == second
    assert len(client.groups()) == 2
    client.post("/api/ask-again", {})
    assert len(client.groups()) == 3


def test_undo_goes_back_in_time_over_skips_and_answers(store: Store, client: Client) -> None:
    """A skip before an answer is not undone in its place."""
    first, second, _ = (group["frames"] for group in client.groups())
    client.skip(first)
    client.answer(second, "upright")
    assert client.get("/api/groups").json["skipped"] == 3
    assert client.undo()["frames"] == second
    assert client.undo()["undone"] is None
    assert classes_given(store) == []


def test_undo_of_a_changed_label_says_that_the_older_one_is_back(store: Store, client: Client) -> None:
    """A frame that was relabelled elsewhere does not wait after undo, and is not asked about."""
    [frame_id] = [frame["id"] for frame in client.groups()[2]["frames"]]
    label(store, frame_id, "upright")
    label(store, frame_id, "standing")
    asked = client.undo()
    assert (asked["undone"], "standing" in asked["words"], classes_given(store)) == ("ask", True, ["standing"])
    undone = client.undo(step=asked["step"])
    assert (undone["undone"], undone["frames"], undone["kept"]) == ("answer", [], frame_id)
    assert classes_given(store) == ["upright"]


# --- twice, late, in vain


def test_an_answer_that_comes_twice_is_carried_out_once(store: Store, client: Client) -> None:
    """The same key gets the same reply, even after the owner has taken the answer back."""
    frames = client.groups()[0]["frames"]
    first = client.answer(frames, "upright", "the-same-key").json
    assert client.answer(frames, "upright", "the-same-key").json == first
    client.undo("undo-once")
    client.undo("undo-once")
    assert client.answer(frames, "upright", "the-same-key").json == first
    assert classes_given(store) == []


def test_an_answer_of_somebody_else_stays(store: Store, client: Client) -> None:
    """Whoever was faster is named by the class; the other frames of the group are answered."""
    frames = client.groups()[0]["frames"]
    client.answer(frames[:1], "upright")
    label(store, frames[1]["id"], None)
    reply = client.answer(frames, "slouching").json
    assert reply["already"] == {str(frames[0]["id"]): "upright", str(frames[1]["id"]): None}
    assert reply["done"] == [frames[2]["id"]]
    assert classes_given(store) == ["upright", "slouching"]


def test_answers_from_many_threads_are_all_kept(store: Store, client: Client) -> None:
    """As two people with fast fingers; each frame is answered once."""
    frames = [frame for group in client.groups() for frame in group["frames"]]
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: client.answer(frames, "upright", f"thread-{n:04d}").json, range(8)))
    assert sorted(len(reply["done"]) for reply in replies) == [0] * 7 + [6]
    assert all(set(reply["already"].values()) <= {"upright"} for reply in replies)
    assert store.labels.total() == 6


def test_an_evicted_frame_is_gone_and_its_successor_is_not_meant(store: Store, client: Client) -> None:
    """SQLite gives the id of the newest frame again once it is deleted; the page saw another picture under it."""
    [frame] = client.groups()[2]["frames"]
    store.queue.evict(0, 10**9)
    assert client.get(f"/picture/{frame['id']}?at={frame['at']}").status == 404
    for number in range(len(GUESSES)):
        add_frame(store, START + 9000 + number)
    assert store.queue.get(frame["id"]).status is Status.QUEUED
    assert client.get(f"/picture/{frame['id']}?at={frame['at']}").status == 404
    assert client.answer([frame], "upright").json == {"done": [], "already": {}, "gone": [frame["id"]]}
    assert store.labels.total() == 0


def test_a_class_that_is_gone_is_refused_and_nothing_changes(store: Store, client: Client) -> None:
    """For example renamed in another window; the page puts the frames back."""
    reply = client.answer(client.groups()[0]["frames"], "renamed")
    assert reply.status == 400
    assert "renamed" in reply.json["error"]
    assert store.labels.total() == 0


def test_a_full_disk_is_for_later_not_a_refusal(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page keeps what it gets 503 for and sends it again."""
    frames = client.groups()[0]["frames"]

    def full(*_: object) -> None:
        raise DataFolderError("The database cannot grow because the disk is full; free some space.")

    with monkeypatch.context() as patch:
        patch.setattr("posture_daemon.labelling.session.Labelling.answer_group", full)
        reply = client.answer(frames, "upright", "kept-for-later")
        assert (reply.status, reply.json["error"].split(";")[0][-4:]) == (503, "full")
    assert len(client.answer(frames, "upright", "kept-for-later").json["done"]) == 3


# --- bad input


BAD_NAMES = dict.fromkeys(("good/bad", "../etc", "happy 😀", "😀", "<script>"), "may only have letters")
BAD_NAMES |= {
    "": "1 to 40 characters",
    "x" * 41: "1 to 40 characters",
    "Upright": "already a class",
    "train": "reserved",
}


@pytest.mark.parametrize(("name", "words"), BAD_NAMES.items())
def test_a_bad_class_name_is_refused_in_words(client: Client, name: str, words: str) -> None:
    """The sentence is the one that the terminal says; no class is created."""
    before = client.get("/api/state").json["classes"]
    reply = client.post("/api/classes", {"name": name, "role": None})
    assert (reply.status, words in reply.json["error"]) == (400, True), reply.body
    assert client.get("/api/state").json["classes"] == before


def test_a_new_class_with_an_umlaut_is_answered_with(store: Store, client: Client) -> None:
    """And with the role that was chosen."""
    assert client.post("/api/classes", {"name": "schräg", "role": "bad"}).json == {"name": "schräg"}
    client.answer(client.groups()[0]["frames"], "schräg")
    assert classes_given(store) == ["schräg"] * 3
    assert client.get("/api/state").json["classes"][-1] == {"name": "schräg", "role": "bad", "key": "5"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"key": "short", "frames": [[1, 0.0]], "class": "upright"},
        {"key": "long-enough", "frames": [], "class": "upright"},
        {"key": "long-enough", "frames": [[1, 0.0]] * 1001, "class": "upright"},
        {"key": "long-enough", "frames": [["x", 0.0]], "class": "upright"},
        {"key": "long-enough", "frames": [[2**70, 0.0]], "class": "upright"},
        {"key": "long-enough", "frames": [[1, 0.0]], "class": 7},
        {"key": "long-enough", "frames": [[1, 0.0]]},
        [],
    ],
)
def test_what_no_page_sends_is_refused_in_words(store: Store, client: Client, body: Any) -> None:
    """A sentence, and nothing changed."""
    reply = client.post("/api/answers", body)
    assert reply.status == 422
    assert "reload" in reply.json["error"]
    assert store.labels.total() == 0


WRONG = ("/api/groups?limit=0", "/api/groups?limit=x", "/picture/x?at=1", "/picture/1", f"/picture/{2**70}?at=1")
NOTHING = ("/docs", "/openapi.json", "/static/../app.py", "/static/%2e%2e/app.py", "/nothing")


@pytest.mark.parametrize(("path", "status"), (dict.fromkeys(WRONG, 422) | dict.fromkeys(NOTHING, 404)).items())
def test_addresses_that_no_page_asks_for(client: Client, path: str, status: int) -> None:
    """Refused, not failed; no documentation that loads scripts from elsewhere, no files beside the static ones."""
    assert client.get(path).status == status


def test_a_huge_body_is_not_read(client: Client) -> None:
    """Nor one that does not say how long it is; what is small may come in chunks."""
    assert client.post("/api/answers", {"key": "x" * 200_000}).status == 413
    for size, status in ((150_000, 413), (1000, 422)):
        connection = http.client.HTTPConnection(client.host, timeout=200)
        connection.request("POST", "/api/undo", iter([b"{}" + b" " * size]), OURS, encode_chunked=True)
        assert connection.getresponse().status == status
        connection.close()


# --- who may ask


def test_other_sites_cannot_post(store: Store, client: Client) -> None:
    """Without the header of our scripts, from another origin, or cross-site: refused before anything is read."""
    body = {"key": "undo-from-outside"}
    client.answer(client.groups()[0]["frames"][:1], "upright")
    for headers in ({"origin": "http://evil.example"}, {"origin": "null"}, {"sec_fetch_site": "cross-site"}):
        assert client.post("/api/undo", body, **headers).status == 403
    assert client.send("POST", "/api/undo", json.dumps(body), {"content-type": "text/plain"}).status == 403
    assert store.labels.total() == 1
    assert client.post("/api/undo", body, origin=f"http://{client.host}", sec_fetch_site="same-origin").status == 200
    assert store.labels.total() == 0


def test_a_foreign_name_for_this_computer_is_refused(client: Client) -> None:
    """DNS rebinding: the browser believes that it speaks to evil.example."""
    for host in ("evil.example", "evil.example:8760", "127.0.0.1.evil.example", "192.168.1.5:8760"):
        assert client.get("/", host=host).status == 421, host
    for host in ("localhost:1234", "127.0.0.1", "[::1]:8760"):
        assert client.get("/", host=host).status == 200, host


def test_every_reply_forbids_what_the_page_does_not_need(client: Client) -> None:
    """Also refusals: no scripts but ours, no frames, no use as an image of another site."""
    for path in ("/", "/api/state", "/static/label.js", "/nothing"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers
    assert client.get("/", host="evil.example").headers["x-frame-options"] == "DENY"


def test_from_other_devices_the_link_must_have_the_secret(store: Store) -> None:
    """Once; then a cookie has it, and the address no longer shows it."""
    with served(store, host="0.0.0.0") as page:
        client = Client(page)
        client.host = f"127.0.0.1:{client.host.rpartition(':')[2]}"
        secret = token_for(store.folder, "0.0.0.0")
        for path in ("/", "/?token=wrong", "/?token=%C3%A4", "/api/state", "/picture/1?at=1", "/static/label.js"):
            refused = client.get(path)
            assert refused.status == 401, path
            assert b"posture-daemon label" in refused.body
            assert "set-cookie" not in refused.headers
        welcome = client.get(f"/?token={secret}")
        assert (welcome.status, welcome.headers["location"]) == (303, "/")
        assert {"HttpOnly", "SameSite=lax"} <= set(welcome.headers["set-cookie"].split("; "))
        cookie = welcome.headers["set-cookie"].split(";")[0]
        assert client.get("/", cookie=cookie).status == 200
        assert client.post("/api/undo", {"key": "with-the-cookie"}, cookie=cookie).status == 200
        evil = client.post("/api/undo", {"key": "with-the-cookie"}, cookie=cookie, origin="http://evil.example")
        assert evil.status == 403


def test_the_secret_is_kept_privately_and_stays(tmp_path: Path) -> None:
    """Only its owner can read the file; the next start has the same, so that links go on working."""
    secret = token_for(tmp_path, "0.0.0.0")
    assert secret is not None
    assert len(secret) >= 32
    assert stat.S_IMODE((tmp_path / TOKEN_NAME).stat().st_mode) == 0o600
    assert token_for(tmp_path, "192.168.1.5") == secret
    assert token_for(tmp_path, "localhost") is None
    for damaged in (b"", b"\xff\xfe\x00", b"short", secret.encode() + b"\x00\x00"):
        (tmp_path / TOKEN_NAME).write_bytes(damaged)
        new = token_for(tmp_path, "0.0.0.0")
        assert new is not None
        assert len(new) >= 32
        assert new.encode() != damaged


def test_links_can_be_typed(tmp_path: Path) -> None:
    """IPv6 in brackets; for all addresses stands one of ours; a port that a container publishes has the secret, too."""
    assert address_of("::1", 8760) == "http://[::1]:8760/"
    assert "0.0.0.0" not in address_of("0.0.0.0", 8760)
    assert link_to("http://[::1]:8760/", tmp_path, "::1") == "http://[::1]:8760/"
    with_secret = f"http://jetson:8760/?token={token_for(tmp_path, 'jetson')}"
    assert link_to("http://jetson:8760/", tmp_path, "127.0.0.1") == with_secret
    published = f"http://127.0.0.1:9000/?token={token_for(tmp_path, '0.0.0.0')}"
    assert link_to("http://127.0.0.1:9000/", tmp_path, "0.0.0.0") == published


# --- starting and stopping


def test_a_taken_port_is_one_sentence(store: Store) -> None:
    """With the address and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        page = LabelPage(store, settings_of(store.folder, port=port))
        with pytest.raises(PageError, match=rf"127\.0\.0\.1:{port}.*in use.*ui\.port.*\.$"):
            page.start()
        assert page.address is None
        page.stop()


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid"])
def test_an_address_that_is_not_ours_is_one_sentence(store: Store, host: str) -> None:
    """The daemon logs it and goes on."""
    with pytest.raises(PageError, match=host):
        LabelPage(store, settings_of(store.folder, host=host)).start()


def test_it_stops_at_once_and_can_be_served_again_at_the_same_port(store: Store) -> None:
    """With a connection kept open, as browsers do; no line of the server's own is logged."""
    with served(store) as page:
        port = int(str(page.address).rstrip("/").rpartition(":")[2])
        lazy = http.client.HTTPConnection("127.0.0.1", port, timeout=200)
        lazy.request("GET", "/api/state")
        assert lazy.getresponse().read()
    assert page.address is None
    with served(store, port) as page:
        assert Client(page).get("/api/state").status == 200
    lazy.close()


def test_nothing_is_logged_when_all_is_well(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """A daemon's log is for the daemon."""
    caplog.set_level(logging.DEBUG)
    with served(store) as page:
        Client(page).get("/")
        Client(page).get("/nothing")
    assert [r for r in caplog.records if r.name.startswith(("uvicorn", "posture_daemon", "fastapi"))] == []


def test_signals_stay_with_the_daemon(store: Store) -> None:
    """The server in its thread installs no handler."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with served(store) as page:
        Client(page).get("/api/state")
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_commands_that_do_not_label_load_no_web_server() -> None:
    """`import posture_daemon.cli` stays quick, and so does the bootstrap of a training."""
    code = "import sys, posture_daemon.cli, posture_daemon.bootstrap.daemon; print({'fastapi', 'uvicorn'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_the_largest_answer_fits() -> None:
    """A thousand frames with long numbers are below the limit of a body."""
    frames = [[10**12 + number, 1_772_438_400.123456] for number in range(1000)]
    assert len(json.dumps({"key": "k" * 64, "frames": frames, "class": "x" * 40})) < guard.MAX_BODY_BYTES


# --- what an undo takes back, and how far


def test_what_is_not_of_this_sitting_is_asked_about_first(store: Store, client: Client) -> None:
    """Labelled in the terminal, say: the reply says what and from when, nothing changes until the same step comes back."""
    group = client.groups()[0]["frames"]
    label(store, group[0]["id"], "upright")
    asked = client.undo()
    assert (asked["undone"], asked["frames"], store.labels.total()) == ("ask", [], 1)
    assert asked["words"].startswith("the answer to 1 picture of ")
    assert "upright" in asked["words"]
    assert client.undo(step=asked["step"] + 1)["undone"] == "ask"
    assert client.undo(step=asked["step"])["undone"] == "answer"
    assert store.labels.total() == 0


def test_another_server_is_another_sitting(store: Store) -> None:
    """The answers of yesterday's page are asked about; those of this one are not."""
    with served(store) as page:
        first = Client(page)
        first.answer(first.groups()[0]["frames"], "upright")
    with served(store) as page:
        second = Client(page)
        second.answer(second.groups()[0]["frames"], "slouching")
        assert second.undo()["undone"] == "answer"
        assert second.undo()["undone"] == "ask"
    assert classes_given(store) == ["upright"] * 3


def test_redo_does_again_what_was_undone(store: Store, client: Client) -> None:
    """Step by step, with who answered and when; a new answer ends it."""
    first, second, _ = (group["frames"] for group in client.groups())
    client.answer(first, "slouching")
    client.answer(second, None)
    before = store.labels.state(), [(o.frame_id, o.class_name, o.labelled_at) for o in store.origins.all()]
    client.undo(), client.undo()
    assert client.redo()["frames"] == first
    done = client.redo()
    assert [frame["id"] for frame in done["frames"]] == [frame["id"] for frame in second]
    assert "discarded" in done["redone"]
    assert (store.labels.state(), [(o.frame_id, o.class_name, o.labelled_at) for o in store.origins.all()]) == before
    assert client.redo() == {"redone": None, "frames": []}
    client.undo()
    client.answer(second, "upright")
    assert client.redo()["redone"] is None


def test_a_mistyped_class_goes_with_its_answer(store: Store, client: Client) -> None:
    """When nothing else uses it, also when other answers came between; redo brings both back."""
    first, second, third = (group["frames"] for group in client.groups())
    before = client.get("/api/state").json["classes"]
    client.post("/api/classes", {"name": "slouchng", "role": "bad"})
    client.answer(first, "upright")
    client.answer(second, "slouchng")
    client.answer(third, "slouchng")
    client.undo()
    assert client.get("/api/state").json["classes"] != before  # the second group has it
    undone = client.undo()
    assert "the new class slouchng" in undone["words"]
    assert client.get("/api/state").json["classes"] == before
    client.redo()
    assert client.get("/api/state").json["classes"][-1] == {"name": "slouchng", "role": "bad", "key": "5"}
    assert classes_given(store).count("slouchng") == len(second)
    client.undo()
    assert client.post("/api/classes", {"name": "slouchng", "role": None}).status == 200


def test_a_class_that_was_only_named_is_a_step_of_its_own(client: Client) -> None:
    """U takes it back, by its name."""
    before = client.get("/api/state").json["classes"]
    client.post("/api/classes", {"name": "kneelng", "role": None})
    assert "the new class kneelng" in client.undo()["words"]
    assert client.get("/api/state").json["classes"] == before
    assert "kneelng" in client.redo()["redone"]
