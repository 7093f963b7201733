"""What the label page's server refuses, and how long it waits. Raw bytes over real sockets, as no browser sends them."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest

from posture_daemon.store import Store
from posture_daemon.ui.web import connections, newcomers
from posture_daemon.ui.web.connections import LIMIT_S, MAX_CONNECTIONS, Connection, PageServer, State
from posture_daemon.ui.web.host import host_in, is_loopback, is_same_origin
from posture_daemon.ui.web.link import token_for
from posture_daemon.ui.web.refusals import SECURITY
from posture_daemon.ui.web.server import LabelPage
from posture_daemon.ui.web.session import LabelPageSession
from tests.builders import make_store
from tests.label_page import queue_frames, served
from tests.waiting import LIMIT_S as PATIENCE_S
from tests.waiting import allowed_s, wait_until

HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "
OURS = "X-Posture-Daemon: 1\r\nContent-Type: application/json\r\n"


class Raw:
    """A connection that sends what it is told."""

    def __init__(self, port: int, data: bytes = b"") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.socket.sendall(data)

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def all(self) -> bytes:
        """What comes until the server closes."""
        came = b""
        try:
            while piece := self.socket.recv(65_536):
                came += piece
        except ConnectionResetError:
            pass
        return came

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one answer, which says its length."""
        came = b""
        while b"\r\n\r\n" not in came:
            piece = self.socket.recv(65_536)
            assert piece, f"closed after {came!r}"
            came += piece
        head, _, body = came.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        names = [line.partition(":")[0].lower() for line in lines]
        assert len(names) == len(set(names)), f"a header twice: {names}"
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        assert SECURITY.items() <= headers.items(), head
        assert "cache-control" in headers
        assert "server" not in headers
        length = 0 if first.split()[1] in ("204", "304") else int(headers["content-length"])
        while len(body) < length and (piece := self.socket.recv(65_536)):
            body += piece
        return int(first.split()[1]), headers, body


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelPage]:
    """A page on loopback, with one frame that waits; one for all tests here, which nothing that they send may harm."""
    store = make_store(tmp_path_factory.mktemp("page"))
    queue_frames(store, ["slouching"])
    with served(store) as page:
        yield page
    store.close()


@pytest.fixture(scope="module")
def port(page: LabelPage) -> int:
    """Where it listens."""
    return port_of(page)


@pytest.fixture(autouse=True)
def _no_word_of_the_server(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever is sent, the log stays empty."""
    caplog.set_level(logging.INFO)
    yield
    assert [r.getMessage() for r in caplog.records if r.name.startswith(("uvicorn", "posture", "asyncio"))] == []


def port_of(page: LabelPage) -> int:
    """Where a page listens."""
    return int(str(page.address).rstrip("/").rpartition(":")[2])


def request(line: str, *headers: str, host: str | None = "127.0.0.1", body: str = "") -> bytes:
    """A request, byte for byte."""
    named = [] if host is None else [f"Host: {host}"]
    return "\r\n".join([line, *named, *headers, "", body]).encode("latin-1")


def said(port: int, data: bytes) -> int:
    """The status of the answer, which has all headers."""
    with Raw(port, data) as raw:
        return raw.answer()[0]


def held(port: int) -> int:
    """Connections to the page that this process, which serves it, has open."""
    ours = psutil.Process().net_connections("tcp")
    return sum(one.status == "ESTABLISHED" and one.laddr.port == port for one in ours)


# --- names of hosts


LOOPBACK = ["localhost", "LocalHost", "127.0.0.1", "127.8.9.1", "127.255.255.255", "::1"]
NOT_LOOPBACK = [
    *(
        "localhost.",
        "127.0.0.1.",
        "127.1",
        "127.0.0.1.evil.com",
        "127.0.0.256",
        "127.0.0.01",
        "2130706433",
        "0x7f.0.0.1",
    ),
    *("::ffff:127.0.0.1", "::1%lo", "0:0:0:0:0:0:0:1", "[::1]", "::", "0.0.0.0", "", " localhost", "localhost\n"),
    *("١27.0.0.1", "ｌocalhost", "localhost.evil.example", "128.0.0.1", "jetson.local", "evil@localhost"),
]


@pytest.mark.parametrize(
    ("host", "is_so"), (dict.fromkeys(LOOPBACK, True) | dict.fromkeys(NOT_LOOPBACK, False)).items()
)
def test_one_pattern_says_what_is_loopback(host: str, is_so: bool) -> None:
    """And nothing that only some programs would read as it."""
    assert is_loopback(host) is is_so


MALFORMED = [
    *(
        "",
        " ",
        "[::1",
        "::1",
        "[::1]]",
        "[]",
        "[::1%25lo]",
        "localhost:99999",
        "localhost:0",
        "localhost:",
        "localhost:08760",
    ),
    *(
        "localhost:8760:1",
        "localhost.",
        ".localhost",
        "evil..com",
        "user@localhost",
        "localhost/",
        "localhost#",
        "localhost?x",
    ),
    *(
        "loc\xe4lhost",
        "local host",
        "localhost,evil.com",
        "-",
        "a" * 300,
        "[127.0.0.1]",
        "localhost:８",
        "local\thost",
        "*",
    ),
]


@pytest.mark.parametrize("host", MALFORMED)
def test_a_malformed_host_names_nobody(host: str) -> None:
    """Nothing is guessed from it."""
    assert host_in(host) is None


def test_a_well_formed_host_is_its_name() -> None:
    """With a port or without."""
    named = {
        "jetson:8760": "jetson",
        "[::1]:1": "::1",
        "[0:0::1]": "::1",
        "my_box.lan": "my_box.lan",
        "10.0.0.7": "10.0.0.7",
    }
    assert {text: host_in(text) for text in named} == named


def test_the_same_origin_is_the_same_host_and_port() -> None:
    """Whatever scheme a proxy before the page speaks."""
    assert is_same_origin("http://jetson:8760", "jetson:8760")
    assert is_same_origin("https://Jetson", "jetson")
    odd = ("null", "", "http://", "jetson:8760", "http://jetson", "http://jetson:8760/", "http://jetson:8760@evil.com")
    odd += ("http://evil@jetson:8760", "ftp://jetson:8760", "http://jetson:8760 http://evil.com", "http://jetson:8761")
    assert not any(is_same_origin(origin, "jetson:8760") for origin in odd)


# --- what is refused


@pytest.mark.parametrize("host", [*(h for h in MALFORMED if h.isascii() and len(h) < 300), "loc\xe4lhost"])
def test_a_malformed_host_is_refused(port: int, host: str) -> None:
    """With all headers, and before anything is looked up."""
    assert said(port, request("GET / HTTP/1.1", host=host)) == 400


FOREIGN = ("127.0.0.1.evil.com", "evil.com", "localhost.evil.com:8760", "10.0.0.7", "[::ffff:127.0.0.1]", "127.1", "0")


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_host_is_refused(port: int, host: str) -> None:
    """DNS rebinding, by names and by other spellings."""
    assert said(port, request("GET / HTTP/1.1", host=host)) == 421


BAD_ORIGINS = (
    "null", "", "http://evil.com", "http://localhost@evil", "http://evil@127.0.0.1", "http://127.0.0.1:1", "http://127.0.0.1/",
    "https://127.0.0.1.evil.com", "http://[::1", "file://", "chrome-extension://abc", "http://127.0.0.1, http://evil.com",
    "http://127.0.0.1 http://127.0.0.1", "http://127.0.0.1\xa0", "//127.0.0.1", "http:127.0.0.1", "http://127.0.0.1.",
)  # fmt: skip


@pytest.mark.parametrize("origin", BAD_ORIGINS)
def test_another_origin_is_refused(port: int, origin: str) -> None:
    """For looking as for changing."""
    assert said(port, request("GET /api/state HTTP/1.1", f"Origin: {origin}")) == 403
    body = '{"key": "another-origin"}'
    length = f"Content-Length: {len(body)}"
    assert said(port, request("POST /api/undo HTTP/1.1", length, f"{OURS}Origin: {origin}", body=body)) == 403


HOST = "Host: 127.0.0.1"
FORMS = {
    "no host": (request("GET / HTTP/1.1", host=None), 400),
    "no host, HTTP/1.0": (request("GET / HTTP/1.0", host=None), 400),
    "two hosts": (request("GET / HTTP/1.1", HOST), 400),
    "two hosts, HTTP/1.0": (request("GET / HTTP/1.0", HOST), 400),
    "two origins": (request("GET / HTTP/1.1", "Origin: http://127.0.0.1", "Origin: http://127.0.0.1"), 400),
    "the target of a proxy": (request("GET http://127.0.0.1/ HTTP/1.1"), 400),
    "a target without a slash": (request("GET api/state HTTP/1.1"), 400),
    "everything": (request("OPTIONS * HTTP/1.1"), 400),
    "CONNECT": (request("CONNECT evil.com:443 HTTP/1.1"), 400),
    "CONNECT to a path": (request("CONNECT /api/state HTTP/1.1"), 400),
    "TRACE": (request("TRACE / HTTP/1.1"), 403),
    "TRACE of ours": (request("TRACE / HTTP/1.1", OURS.strip()), 405),
    "DELETE of ours": (request("DELETE /api/undo HTTP/1.1", OURS.strip()), 405),
    "another host behind the slashes": (request("GET //evil.com/%2e%2e HTTP/1.1"), 404),
    "a slash in code": (request("GET /%2Fevil.com/ HTTP/1.1"), 404),
    "a backslash": (request("GET /\\evil.com HTTP/1.1"), 404),
    "a slash too many": (request("GET /teach/ HTTP/1.1"), 404),
    "a zero byte": (request("GET /static/label.js%00 HTTP/1.1"), 404),
    "up from static": (request("GET /static/../app.py HTTP/1.1"), 404),
    "up from static in code": (request("GET /static/%2e%2e/app.py HTTP/1.1"), 404),
    "up from static twice coded": (request("GET /static/%252e%252e/app.py HTTP/1.1"), 404),
    "a digit of another script": (request("GET /picture/%D9%A1?at=1 HTTP/1.1"), 404),
    "no UTF-8": (request("GET /%ff%fe HTTP/1.1"), 404),
    "a byte that is no ASCII": (request("GET /\xe4 HTTP/1.1"), 400),
    "a long path": (request(f"GET /{'a' * 3000} HTTP/1.1"), 414),
    "a long query": (request(f"GET /?{'a=1&' * 800} HTTP/1.1"), 414),
    "a very long target": (request(f"GET /{'a' * 100_000} HTTP/1.1"), 414),
    "an endless target": (b"GET /" + b"a" * 3_000_000, 400),
    "an endless header": (request("GET / HTTP/1.1", "X: " + "a" * 3_000_000), 400),
    "many headers": (request("GET / HTTP/1.1", *(f"X-{n}: 1" for n in range(100))), 431),
    "large headers": (request("GET / HTTP/1.1", *(f"X-{n}: {'a' * 1000}" for n in range(30))), 431),
    "a header without a name": (request("GET / HTTP/1.1", ": x"), 400),
    "a space before the colon": (request("GET / HTTP/1.1", "X : x"), 400),
    "a zero byte in a header": (request("GET / HTTP/1.1", "X: a\0b"), 400),
    "HTTP/2 without asking": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "HTTP/9": (request("GET / HTTP/9.9"), 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n", 400),
    "two kinds of length": (
        request("POST /api/undo HTTP/1.1", OURS + "Content-Length: 2\r\nTransfer-Encoding: chunked", body="0\r\n\r\n"), 400,
    ),
    "two lengths": (request("POST /api/undo HTTP/1.1", OURS + "Content-Length: 2\r\nContent-Length: 3", body="{} "), 400),
    "chunks of HTTP/1.0": (request("POST /api/undo HTTP/1.0", OURS + "Transfer-Encoding: chunked", body="0\r\n\r\n"), 400),
    "another encoding": (request("POST /api/undo HTTP/1.1", OURS + "Transfer-Encoding: gzip, chunked"), 400),
    "a length below nothing": (request("POST /api/undo HTTP/1.1", OURS + "Content-Length: -1"), 400),
    "a length in words": (request("POST /api/undo HTTP/1.1", OURS + "Content-Length: two"), 400),
    "a length of a length": (request("POST /api/undo HTTP/1.1", OURS + f"Content-Length: {'9' * 5000}"), 400),
    "a body larger than allowed": (request("POST /api/undo HTTP/1.1", OURS + "Content-Length: 100001"), 413),
    "GET with a body larger than allowed": (request("GET / HTTP/1.1", "Content-Length: 999999999"), 413),
    "a chunk of no size": (request("POST /api/undo HTTP/1.1", OURS + "Transfer-Encoding: chunked", body="zz\r\n"), 400),
    "deep JSON": (
        request("POST /api/undo HTTP/1.1", OURS + "Content-Length: 90000", body="[" * 90_000), 400,
    ),
    "a number without end": (
        request("POST /api/undo HTTP/1.1", OURS + "Content-Length: 90000", body="9" * 90_000), 400,
    ),
    "half a letter": (
        request("POST /api/classes HTTP/1.1", OURS + "Content-Length: 18", body='{"name": "\\ud800"}'), 422,
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_what_no_browser_sends_is_refused_with_all_headers(port: int, form: str) -> None:
    """By whichever part of the server sees it first."""
    data, status = FORMS[form]
    assert said(port, data) == status


ALLOWED = {
    "HTTP/1.0": request("GET /api/state HTTP/1.0"),
    "an upgrade to HTTP/2": request(
        "GET /api/state HTTP/1.1", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"
    ),
    "an upgrade to a web socket": request(
        "GET /api/state HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"
    ),
    "small chunks": request(
        "POST /api/undo HTTP/1.1",
        OURS + "Transfer-Encoding: chunked",
        body='17\r\n{"key": "small-chunks"}\r\n0\r\n\r\n',
    ),
    "the same length twice": request(
        "POST /api/undo HTTP/1.1", OURS + "Content-Length: 23\r\nContent-Length: 23", body='{"key": "small-chunks"}'
    ),
    "a link from another site": request("GET / HTTP/1.1", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"),
    "localhost in capitals": request("GET / HTTP/1.1", host="LOCALHOST:9000"),
}


@pytest.mark.parametrize("form", ALLOWED)
def test_what_is_unusual_but_right_is_answered(port: int, form: str) -> None:
    """As if it were usual: no upgrade is needed for anything."""
    assert said(port, ALLOWED[form]) == 200


def test_other_answers_have_all_headers(port: int) -> None:
    """Files, files that have not changed, no picture, wrong fields, HEAD."""
    with Raw(port, request("GET /static/label.js HTTP/1.1")) as raw:
        status, headers, _ = raw.answer()
        assert status == 200
        raw.socket.sendall(request("GET /static/label.js HTTP/1.1", f"If-None-Match: {headers['etag']}"))
        assert raw.answer()[0] == 304
        raw.socket.sendall(request("GET /api/groups?limit=x HTTP/1.1"))
        assert raw.answer()[0] == 422
    with Raw(port, request("HEAD /static/label.js HTTP/1.1", "Connection: close")) as raw:
        head = raw.all()
        assert head.startswith(b"HTTP/1.1 200")
        assert all(f"\r\n{name}: {value}\r\n".encode() in head for name, value in SECURITY.items())
        assert head.endswith(b"\r\n\r\n")


def test_an_error_of_ours_has_all_headers(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even one that nobody foresaw; the log has it."""
    monkeypatch.setattr(LabelPageSession, "state", lambda _self: 1 / 0)
    logging.getLogger("uvicorn.error").disabled = True  # its traceback is right, and seen by nobody here
    try:
        assert said(port, request("GET /api/state HTTP/1.1")) == 500
    finally:
        logging.getLogger("uvicorn.error").disabled = False


def test_the_secret_leads_to_no_other_host(store: Store) -> None:
    """The redirect that takes it out of the address stays on this server, and nothing changes by a link."""
    with served(store, host="0.0.0.0") as page:
        port, secret = port_of(page), token_for(store.folder, "0.0.0.0")
        for path in ("//evil.com/..", "/%2Fevil.com", "/\\evil.com", "http://evil.com/", "/%0d%0aLocation:x"):
            with Raw(port, request(f"GET {path}?token={secret} HTTP/1.1", host="jetson")) as raw:
                status, headers, _ = raw.answer()
            assert (status in (400, 404), "location" in headers) == (True, False), path
        with Raw(port, request(f"GET /teach?token={secret} HTTP/1.1", host="evil.com:1")) as raw:
            status, headers, _ = raw.answer()
        assert (status, headers["location"]) == (303, "/teach")
        assert said(port, request(f"POST /api/undo?token={secret} HTTP/1.1", OURS.strip(), host="jetson")) == 401
        for cookie in (
            f"posture_label={secret[:-1]}",
            f"xposture_label={secret}",
            f'posture_label="{secret}"',
            "\\" * 9000,
        ):
            assert said(port, request("GET / HTTP/1.1", f"Cookie: {cookie}", host="jetson")) == 401
        assert said(port, request("GET / HTTP/1.1", f"Cookie: a=b; posture_label={secret}", host="jetson")) == 200


# --- how long a client may take


def test_requests_in_one_piece_are_answered_in_their_order(port: int) -> None:
    """Pipelining; the last of them ends the connection."""
    with Raw(
        port, request("GET /api/state HTTP/1.1") * 3 + request("GET /nothing HTTP/1.1", "Connection: close")
    ) as raw:
        came = raw.all()
    assert came.count(b"HTTP/1.1 200 ") == 3
    assert came.index(b"HTTP/1.1 404 ") > came.rindex(b"HTTP/1.1 200 ")


def test_who_has_said_all_still_gets_the_answer(port: int) -> None:
    """A client that closes its own direction, such as `nc -N`; but not for half a request."""
    with Raw(port, request("GET /api/state HTTP/1.1")) as raw:
        raw.socket.shutdown(socket.SHUT_WR)
        assert raw.all().startswith(b"HTTP/1.1 200 ")
    for half in (HALF, request("POST /api/undo HTTP/1.1", OURS + "Content-Length: 100", body="{")):
        with Raw(port, half) as raw:
            raw.socket.shutdown(socket.SHUT_WR)
            assert raw.answer()[0] == 400


def test_chunks_are_counted(port: int) -> None:
    """A body without a length is refused as soon as it is too large, though its sender goes on for ever."""
    head = request("POST /api/undo HTTP/1.1", OURS + "Transfer-Encoding: chunked")
    with Raw(port, head) as raw:
        sender = threading.Thread(target=_send_for_ever, args=(raw.socket, b"1000\r\n" + b" " * 0x1000 + b"\r\n"))
        sender.start()
        assert raw.answer()[0] == 413
        assert raw.all() == b""
        sender.join(PATIENCE_S)
        assert not sender.is_alive()


def _send_for_ever(to: socket.socket, data: bytes) -> None:
    """Until the other side closes; what does not happen is a test that does not end."""
    with suppress(ConnectionError):
        while True:
            to.sendall(data)


HALF_BODY = request("POST /api/undo HTTP/1.1", OURS + "Content-Length: 100", body="{")


@pytest.mark.parametrize(("state", "begin"), [(State.HEAD, HALF), (State.BODY, HALF_BODY)])
def test_half_a_request_has_its_time_and_no_more(
    port: int, monkeypatch: pytest.MonkeyPatch, state: State, begin: bytes
) -> None:
    """However often another byte of it arrives."""
    monkeypatch.setitem(LIMIT_S, state, 0.5)
    with Raw(port, begin) as raw:
        began = time.monotonic()
        raw.socket.settimeout(0.05)
        while True:
            try:
                raw.socket.send(b" ")
                came = raw.socket.recv(65_536)
                break
            except TimeoutError:
                assert time.monotonic() - began < PATIENCE_S
        assert came.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize(("state", "begin"), [(State.HEAD, b""), (State.IDLE, request("GET /api/state HTTP/1.1"))])
def test_who_says_nothing_is_told_nothing(
    port: int, monkeypatch: pytest.MonkeyPatch, state: State, begin: bytes
) -> None:
    """A browser opens connections that it may need; an answer there would be taken for one to its next request."""
    monkeypatch.setitem(LIMIT_S, state, 0.3)
    with Raw(port, begin) as raw:
        assert raw.all().count(b"HTTP/1.1") == bool(begin)


def test_an_answer_that_nobody_takes_ends(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests without reading: what does not fit into the network's buffers is not kept for ever."""
    monkeypatch.setitem(LIMIT_S, State.ANSWER, 0.3)
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", port))
        lazy.settimeout(PATIENCE_S)
        _send_for_ever(lazy, request("GET /static/label.js HTTP/1.1"))


# --- how many clients there may be


def test_a_thousand_half_requests_leave_room_for_the_owner(port: int) -> None:
    """The oldest of them go, or what finds no place; the owner is answered at once, and no handle is left when all are gone."""
    before = psutil.Process().num_fds()
    crowd = [Raw(port, HALF) for _ in range(300)]
    try:
        for _ in range(5):
            began = time.monotonic()
            assert said(port, request("GET / HTTP/1.1")) == 200
            assert time.monotonic() - began < allowed_s(1.0)
        wait_until(lambda: held(port) <= MAX_CONNECTIONS, "room for the owner")
        assert crowd[0].all() == b""  # the oldest, for the first of the owner's requests
        assert crowd[-1].all() == b""
    finally:
        for one in crowd:
            one.socket.close()
    wait_until(lambda: psutil.Process().num_fds() <= before + 15, "the end of all connections")  # and SQLite's own


@dataclass
class Slow:
    """Answers that are being made until `go` is set; `here` counts them."""

    go: threading.Event = field(default_factory=threading.Event)
    here: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def state(self) -> dict[str, Any]:
        """Instead of the page's own."""
        self.here.release()
        assert self.go.wait(PATIENCE_S)
        return {}

    def ask(self, port: int, times: int) -> list[Raw]:
        """So many requests, each of which is being answered."""
        asked = [Raw(port, request("GET /api/state HTTP/1.1")) for _ in range(times)]
        for _ in asked:
            assert self.here.acquire(timeout=PATIENCE_S)
        return asked


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    """`GET /api/state` takes as long as the test likes, and there are three places."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    slow = Slow()
    monkeypatch.setattr(LabelPageSession, "state", slow.state)
    yield slow
    slow.go.set()


def test_who_waits_for_an_answer_is_not_sent_away(port: int, monkeypatch: pytest.MonkeyPatch, slow: Slow) -> None:
    """Where all are being answered, a new one is closed without a word, and the next one has its turn."""
    monkeypatch.setattr(newcomers, "ARRIVE_S", 0.2)
    waiting = slow.ask(port, 3)
    with Raw(port) as late:
        assert late.all() == b""
    slow.go.set()
    assert [one.answer()[0] for one in waiting] == [200] * 3
    for one in waiting:
        one.socket.close()
    assert said(port, request("GET /api/groups HTTP/1.1")) == 200


def test_who_has_sent_all_is_not_sent_away_unread(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many others come before the page has read it: who has done its part keeps nobody waiting."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    monkeypatch.setattr(newcomers, "TURN_S", 2 * PATIENCE_S)
    made: list[Connection] = []
    begin = Connection.connection_made

    def begin_unread(self: Connection, transport: Any) -> None:
        begin(self, transport)
        self.loop.call_soon(transport.pause_reading)
        made.append(self)

    monkeypatch.setattr(Connection, "connection_made", begin_unread)
    wait_until(lambda: held(port) == 0, "the end of what was before")
    crowd = [Raw(port, request("GET /api/groups HTTP/1.1")) for _ in range(3)]
    wait_until(lambda: len(made) == 3, "all places taken")
    monkeypatch.setattr(Connection, "connection_made", begin)
    rooms: list[bool] = []
    has_room = PageServer._has_room
    monkeypatch.setattr(PageServer, "_has_room", lambda *given: rooms.append(has_room(*given)) or rooms[-1])
    with Raw(port, request("GET /api/groups HTTP/1.1")) as late:
        wait_until(lambda: bool(rooms), "one more")
        assert rooms[0] is False
        for one in made:
            one.loop.call_soon_threadsafe(one.transport.resume_reading)
        assert [one.answer()[0] for one in (*crowd, late)] == [200] * 4
    for raw in crowd:
        raw.socket.close()


@pytest.fixture
def crowded(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All places are held by others, none of whom has waited long enough to give theirs to half a request."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    monkeypatch.setattr(newcomers, "MAX_WAIT_S", 2 * PATIENCE_S)
    monkeypatch.setattr(newcomers, "ARRIVE_S", 2 * PATIENCE_S)
    monkeypatch.setitem(LIMIT_S, State.IDLE, 2 * PATIENCE_S)
    crowd = [Raw(port, request("GET /api/state HTTP/1.1")) for _ in range(4)]
    crowd[-1].answer()
    yield
    for one in crowd:
        one.socket.close()
    wait_until(lambda: held(port) == 0, "the end of the crowd")


UNDO = (request("POST /api/undo HTTP/1.1", OURS + "Content-Length: 25"), b'{"key": ', b'"piece by piece"}')


@pytest.mark.usefixtures("crowded")
@pytest.mark.parametrize(
    "pieces", [[request("GET / HTTP/1.1")], [HALF, b"y\r\n\r\n"], UNDO], ids=["one", "head", "body"]
)
def test_who_is_looked_at_before_the_request_has_come_is_served(port: int, pieces: list[bytes]) -> None:
    """A client connects, sends the head and sends the body; however busy, the page may look between any two of these."""
    with Raw(port) as owner:
        for piece in pieces:
            assert said(port, request("GET /api/state HTTP/1.1")) == 200  # who came later: the owner has been looked at
            owner.socket.sendall(piece)
        assert owner.answer()[0] == 200


@pytest.mark.usefixtures("crowded")
def test_few_wait_at_the_door_and_the_first_leaves_first(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crowd that never sends all is let go without a word, and who sends all meanwhile is served."""
    monkeypatch.setattr(newcomers, "MAX_NEWCOMERS", 5)
    monkeypatch.setattr(newcomers, "ARRIVE_S", 2 * PATIENCE_S)
    crowd = [Raw(port, (HALF, HALF_BODY, b"\x16\x03\x01", b"")[number % 4]) for number in range(12)]
    with Raw(port) as owner:
        assert [one.all() for one in crowd[:8]] == [b""] * 8
        owner.socket.sendall(request("GET / HTTP/1.1"))
        assert owner.answer()[0] == 200
        crowd[-1].socket.sendall(request("GET / HTTP/1.1"))
        assert crowd[-1].answer()[0] == 200
    for one in crowd:
        one.socket.close()


@pytest.mark.usefixtures("crowded")
def test_who_never_sends_all_leaves_after_a_while(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an answer, since nothing was made of what came."""
    monkeypatch.setattr(newcomers, "ARRIVE_S", 0.2)
    for data in (b"", HALF, HALF_BODY):
        with Raw(port, data) as raw:
            assert raw.all() == b""


def test_a_request_that_comes_while_all_are_answered_waits_for_its_turn(
    port: int, monkeypatch: pytest.MonkeyPatch, slow: Slow
) -> None:
    """Nobody can give their place then, but soon somebody can."""
    monkeypatch.setattr(newcomers, "TURN_S", 2 * PATIENCE_S)
    all_places = slow.ask(port, 3)
    with Raw(port, request("GET /api/groups HTTP/1.1")) as late:
        wait_until(lambda: held(port) == 4, "one more")
        slow.go.set()
        assert late.answer()[0] == 200
    for one in all_places:
        one.socket.close()


def test_more_work_than_it_can_do_is_refused(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks and does not wait leaves work behind, which is bounded, too."""
    monkeypatch.setattr("posture_daemon.ui.web.guard.MAX_RUNNING", 0)
    assert said(port, request("GET /api/state HTTP/1.1")) == 503
    assert said(port, request("GET / HTTP/1.1", host="evil.com")) == 421


def test_it_stops_at_once_among_half_requests(store: Store) -> None:
    """In whatever state its clients are."""
    with served(store) as page:
        port = port_of(page)
        crowd = [Raw(port, data) for data in (HALF, HALF_BODY, b"", b"\0\r\n\r\n", request("GET / HTTP/1.1"))]
        assert said(port, request("GET / HTTP/1.1")) == 200
    for one in crowd:
        one.all()
        one.socket.close()
    assert page._thread is not None
    assert not page._thread.is_alive()
