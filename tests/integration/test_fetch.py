import hashlib
import json
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from posture_daemon.adapters.checkpoints import fetch as fetching
from posture_daemon.adapters.checkpoints import web
from posture_daemon.adapters.checkpoints.fetch import fetch
from posture_daemon.errors import DownloadError
from tests.tls import self_made, server_context

CONTENT = np.random.default_rng(0).bytes(1_000_000)
NAME = "yolo11n-cls"
OFFLINE = "https://127.0.0.1:1/release"
"""Nobody listens on port 1."""


@dataclass
class Release:
    """A web server that publishes `CONTENT` as yolo11n-cls.pt, and can be told to misbehave."""

    trusted: ssl.SSLContext
    url: str = ""
    digest: str | None = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
    content: bytes = CONTENT
    understands_range: bool = True
    cut_after: int | None = None
    file_exists: bool = True
    ranges: list[str | None] = field(default_factory=list)
    asset: dict[str, object] = field(default_factory=dict)
    instead: Callable[[BaseHTTPRequestHandler], None] | None = None
    """What it does in place of the description."""
    instead_of_file: Callable[[BaseHTTPRequestHandler], None] | None = None
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def api_url(self) -> str:
        """Address of the release's description."""
        return f"{self.url}/release"

    def description(self) -> bytes:
        """GitHub's JSON, as far as it matters."""
        asset = {"name": f"{NAME}.pt", "size": len(CONTENT), "browser_download_url": f"{self.url}/file"}
        asset |= {"digest": self.digest, **self.asset}
        return json.dumps({"assets": [{"name": "other.pt"}, asset]}).encode()

    def fetch(self, folder: Path, name: str = NAME, address: str | None = None, **more: object) -> Path:
        """The download from here, trusting this server."""
        return fetch(name, folder, release_api_url=address or self.api_url, trusted=self.trusted, **more)  # type: ignore[arg-type]


class Handler(BaseHTTPRequestHandler):
    """Serves the `Release` that is attached to the server."""

    def do_GET(self) -> None:
        """Answer the description or the file."""
        release: Release = self.server.release  # type: ignore[attr-defined]
        if self.path == "/release":
            return release.instead(self) if release.instead else self.answer(200, release.description())
        if not release.file_exists:
            return self.send_error(404)
        return release.instead_of_file(self) if release.instead_of_file else self._answer_file(release)

    def _answer_file(self, release: Release) -> None:
        wanted = self.headers.get("Range")
        release.ranges.append(wanted)
        start = int(re.findall(r"\d+", wanted)[0]) if wanted and release.understands_range else 0
        known = {"Content-Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"} if start else {}
        self.answer(206 if start else 200, release.content[start:], release.cut_after, **known)

    def answer(self, status: int, body: bytes, cut_after: int | None = None, **headers: str) -> None:
        """A whole answer, or the beginning of one."""
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body[:cut_after])

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


class Server(ThreadingHTTPServer):
    """Over TLS; the handshake is the thread's, and what a client breaks off is no news."""

    daemon_threads = True
    release: Release
    context: ssl.SSLContext

    def finish_request(self, request: socket.socket, address: object) -> None:  # type: ignore[override]
        """Wrap, then serve."""
        with suppress(OSError), self.context.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, address)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Self-made."""
    return self_made(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def release(certificate: tuple[Path, Path]) -> Iterator[Release]:
    """A server on a free port of this computer."""
    release = Release(ssl.create_default_context(cafile=certificate[0]))
    with Server(("127.0.0.1", 0), Handler) as server:
        server.release, server.context = release, server_context(*certificate)
        release.url = f"https://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield release
        release.over.set()
        server.shutdown()
        thread.join()


def test_a_download_arrives_whole_under_its_name(release: Release, tmp_path: Path) -> None:
    """The file is complete, nothing else is left, progress ran up to the full size."""
    seen: list[tuple[int, int]] = []
    path = release.fetch(tmp_path / "new", progress=lambda *now: seen.append(now))
    assert path == tmp_path / "new" / "yolo11n-cls.pt"
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)


def test_what_is_there_already_is_not_downloaded_again(release: Release, tmp_path: Path) -> None:
    """A second call only compares the checksum."""
    release.fetch(tmp_path)
    release.fetch(tmp_path)
    assert release.ranges == [None]


def test_a_wrong_checksum_leaves_no_file(release: Release, tmp_path: Path) -> None:
    """What was sent is thrown away, under its final name and its temporary one."""
    release.content = bytes(len(CONTENT))
    with pytest.raises(DownloadError, match="does not match its SHA-256 and was thrown away"):
        release.fetch(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cut_connection_is_continued_by_the_next_call(release: Release, tmp_path: Path) -> None:
    """The second call asks for the rest only."""
    release.cut_after = 300_000
    with pytest.raises(DownloadError, match="cut off after 300000 of 1000000 bytes; run the same command again"):
        release.fetch(tmp_path)
    release.cut_after = None
    path = release.fetch(tmp_path)
    assert release.ranges == [None, "bytes=300000-"]
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("part", "asked"),
    [
        pytest.param(CONTENT[:1000], ["bytes=1000-"], id="replaced, not doubled, by a server without ranges"),
        pytest.param(CONTENT, [], id="complete after a crash before the rename: only checked"),
        pytest.param(CONTENT + b"x", [None], id="too long to be the beginning of this file: thrown away and said"),
    ],
)
def test_a_part_that_is_there(
    release: Release, tmp_path: Path, caplog: pytest.LogCaptureFixture, part: bytes, asked: list[str | None]
) -> None:
    """It ends as the whole file."""
    release.understands_range = False
    (tmp_path / f"{NAME}.pt.part").write_bytes(part)
    assert release.fetch(tmp_path).read_bytes() == CONTENT
    assert release.ranges == asked
    assert ("thrown away" in caplog.text) is (len(part) > len(CONTENT))


def test_without_a_published_checksum_the_user_must_give_one(release: Release, tmp_path: Path) -> None:
    """Nothing is downloaded on trust; a digest of the user's own is accepted, in either case of letters, if it is one."""
    release.digest = None
    with pytest.raises(DownloadError, match=r"no checksum for .*--sha256"):
        release.fetch(tmp_path)
    with pytest.raises(DownloadError, match="'abc' is no SHA-256"):
        release.fetch(tmp_path, sha256="abc")
    assert release.ranges == []
    own = hashlib.sha256(CONTENT).hexdigest().upper()
    assert release.fetch(tmp_path, sha256=own).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("name", "address", "words"),
    [
        pytest.param(NAME, "{url}/release", r"/file answered 404 Not Found; ", id="missing file"),
        pytest.param("yolo11x-cls", "{url}/release", r"has no file yolo11x-cls\.pt", id="release without the model"),
        pytest.param(NAME, OFFLINE, "cannot be reached .*is this device online", id="offline"),
        pytest.param(NAME, "file:///etc/passwd", "begins with https://", id="a description could be a local file"),
        pytest.param(
            NAME, "http://127.0.0.1/release", "begins with https://", id="a description that is not encrypted"
        ),
        pytest.param(NAME, "ftp://127.0.0.1/release", "begins with https://", id="another protocol"),
        pytest.param(NAME, "https://", "it has no server", id="no server"),
        pytest.param(NAME, "https://127.0.0.1:99999/", "its server or its port is none", id="no port"),
        pytest.param(NAME, "https://127.0.0.1:0/", "its port is none", id="a port that nobody has"),
        pytest.param(NAME, "https://[::1", "its server or its port is none", id="half a server"),
        pytest.param(NAME, "https://me@127.0.0.1/", "a name or a password before the server", id="with a user"),
        pytest.param(NAME, "https://127.0.0.1/\u00fc", "letters that are not ASCII", id="a letter that no address has"),
        pytest.param("yolov8n-cls", OFFLINE, "not one of the models", id="another family"),
        pytest.param("../../etc/passwd", OFFLINE, "not one of the models", id="a path is no name"),
        pytest.param("yolo11n", OFFLINE, "not one of the models", id="a detector"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(
    release: Release, tmp_path: Path, name: str, address: str, words: str
) -> None:
    """It says why; no name becomes a path or an address before it is checked."""
    release.file_exists = False
    with pytest.raises(DownloadError, match=words):
        release.fetch(tmp_path, name, address.format(url=release.url))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("asset", "words"),
    [
        pytest.param({"size": -1}, "its size or its SHA-256 is none", id="a size below zero"),
        pytest.param({"size": 10**15}, "its size or its SHA-256 is none", id="a size of a petabyte"),
        pytest.param({"size": "many"}, "its size or its SHA-256 is none", id="a word for a size"),
        pytest.param({"digest": "sha256:../../x"}, "its size or its SHA-256 is none", id="a path for a digest"),
        pytest.param({"digest": "md5:" + 32 * "0"}, "its size or its SHA-256 is none", id="another kind of digest"),
        pytest.param({"browser_download_url": "http://127.0.0.1/x"}, "begins with https://", id="a file not encrypted"),
        pytest.param(
            {"browser_download_url": "file:///etc/passwd"}, "begins with https://", id="a file of this device"
        ),
        pytest.param({"browser_download_url": None}, "begins with https://", id="no address"),
        pytest.param({"name": f"../../{NAME}.pt"}, "has no file", id="a path for a name"),
        pytest.param({"size": 999_999}, "sends '1000000' bytes instead of 999999", id="a file of another length"),
    ],
)
def test_a_description_that_cannot_be_true_is_one_sentence(
    release: Release, tmp_path: Path, asset: dict[str, object], words: str
) -> None:
    """Nothing is written, whatever it claims."""
    release.asset = asset
    with pytest.raises(DownloadError, match=words) as caught:
        release.fetch(tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    "text",
    [
        b"", b"<html>log in</html>", b"[]", b"3", b"{}", b'{"assets": {}}', b'{"message": "API rate limit"}', b"\xff\xfe",
        100_000 * b"[", b"\x1f\x8b\x08" + bytes(1000),
    ],
    ids=["nothing", "a page", "a list", "a number", "empty", "an object of assets", "a refusal", "no text", "deep", "packed"],
)  # fmt: skip
def test_an_answer_that_is_no_description_is_one_sentence(release: Release, tmp_path: Path, text: bytes) -> None:
    """A login page of a hotel's network, for example."""
    release.instead = lambda handler: handler.answer(200, text)  # type: ignore[attr-defined]
    with pytest.raises(DownloadError, match="did not answer with the description of a release"):
        release.fetch(tmp_path)
    assert list(tmp_path.iterdir()) == []


def redirect(to: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer that leads elsewhere."""
    return lambda handler: handler.answer(302, b"", Location=to)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("to", "words"),
    [
        pytest.param("/release", "from one address to the next without end", id="to itself"),
        pytest.param("http://127.0.0.1/release", "begins with https://", id="to what is not encrypted"),
        pytest.param("file:///etc/passwd", "begins with https://", id="to a file of this device"),
        pytest.param("https://127.0.0.1:1/", "cannot be reached", id="to nobody"),
        pytest.param(" ", "answered 302, which leads elsewhere, without an address", id="to nothing"),
        pytest.param("https://[::1", "answered 302, which leads elsewhere, without an address", id="to half a server"),
        pytest.param("https://me:pw@127.0.0.1:1/", "a name or a password before the server", id="to a user"),
    ],
)
def test_a_redirect_leads_to_https_only_and_not_for_ever(release: Release, tmp_path: Path, to: str, words: str) -> None:
    """Each is one sentence."""
    release.instead = redirect(to)
    with pytest.raises(DownloadError, match=words):
        release.fetch(tmp_path)


def test_a_redirect_without_an_address_says_so(release: Release, tmp_path: Path) -> None:
    """Not that it goes on for ever, which it does not."""
    release.instead = lambda handler: handler.answer(302, b"")  # type: ignore[attr-defined]
    with pytest.raises(DownloadError, match=r"/release answered 302, which leads elsewhere, without an address"):
        release.fetch(tmp_path)


SECRET = "hunter2secret"
SIGNED = f"https://me:{SECRET}@127.0.0.1:1/{SECRET}{40 * 'x'}/{SECRET}?X-Signature={SECRET}#{SECRET}"


@pytest.mark.parametrize("scheme", ["https", "http", "ftp", "file", "data", "s3"])
@pytest.mark.parametrize("user", ["", f"me:{SECRET}@"])
def test_no_sentence_holds_the_secrets_of_an_address_from_elsewhere(
    release: Release, tmp_path: Path, scheme: str, user: str
) -> None:
    """Whether a redirect or a description names it: no user, no signature, no key in its path."""
    address = SIGNED.replace("https", scheme, 1).replace(f"me:{SECRET}@", user)
    said = []
    for release.instead, release.asset in ((redirect(address), {}), (None, {"browser_download_url": address})):
        with pytest.raises(DownloadError) as caught:
            release.fetch(tmp_path)
        said.append(str(caught.value))
    release.asset, release.instead_of_file = {}, redirect(address)
    with pytest.raises(DownloadError) as caught:
        release.fetch(tmp_path)
    assert SECRET not in " ".join([*said, str(caught.value)])


def test_the_file_behind_a_signed_address_fails_without_its_signature(release: Release, tmp_path: Path) -> None:
    """A refusal, a wrong length, a file that is cut off and one of another checksum."""
    release.asset = {"browser_download_url": f"{release.url}/file?X-Signature={SECRET}"}
    said = []
    for release.cut_after, release.content, release.file_exists in (
        (1000, CONTENT, True),
        (None, CONTENT[:-1], True),
        (None, bytes(len(CONTENT)), True),
        (None, CONTENT, False),
    ):
        (tmp_path / f"{NAME}.pt.part").unlink(missing_ok=True)
        with pytest.raises(DownloadError, match=r"/file\?… ") as caught:
            release.fetch(tmp_path)
        said.append(str(caught.value))
    assert len(set(said)) == 4
    assert SECRET not in " ".join(said)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (fetching.RELEASE_API_URL, fetching.RELEASE_API_URL),
        ("https://me:pw@host:8443/a/b.pt?token=1", "https://host:8443/a/b.pt?…"),
        ("https://host/bot123:ABC/file", "https://host/…"),
        ("https://host/" + 30 * "a" + "/file", "https://host/…"),
        ("https://host/f00dcafe1234/file", "https://host/…"),
        ("https://[::1]:8443/a", "https://[::1]:8443/a"),
        ("https://host", "https://host"),
        ("me:pw@host/a", "That address"),
        ("https://host:pw/a", "That address"),
        ("https://\x1b[31m/a", "That address"),
    ],
)
def test_an_address_is_shown_by_its_server_and_its_plain_parts(address: str, words: str) -> None:
    """Enough to know whom to ask."""
    assert web.shown(address) == words


@pytest.mark.parametrize("form", ["sha256:{}", "SHA256:{}", " {}\n", "sha-256={}"])
def test_a_checksum_is_taken_as_it_is_shown(release: Release, tmp_path: Path, form: str) -> None:
    """GitHub writes its kind before it."""
    release.digest = None
    own = form.format(hashlib.sha256(CONTENT).hexdigest())
    assert release.fetch(tmp_path, sha256=own).read_bytes() == CONTENT


def test_a_folder_with_the_name_of_the_file_is_named_before_anything_is_fetched(
    release: Release, tmp_path: Path
) -> None:
    """Not its temporary name, and not after a hundred megabytes."""
    (tmp_path / f"{NAME}.pt").mkdir()
    with pytest.raises(DownloadError, match=rf"/{NAME}\.pt is a folder, and the download would have that name"):
        release.fetch(tmp_path)
    assert release.ranges == []
    assert [path.name for path in tmp_path.iterdir()] == [f"{NAME}.pt"]


@pytest.mark.parametrize("content", [b"mine", CONTENT[:1000], CONTENT])
@pytest.mark.parametrize("make", [Path.symlink_to, Path.hardlink_to])
def test_a_part_that_is_a_link_is_neither_followed_nor_removed(
    release: Release, tmp_path: Path, make: Callable[[Path, Path], None], content: bytes
) -> None:
    """Whatever it leads to stays as it was, also where that would be the whole file."""
    mine, part = tmp_path / "mine", tmp_path / "downloads" / f"{NAME}.pt.part"
    mine.write_bytes(content)
    part.parent.mkdir()
    make(part, mine)
    with pytest.raises(DownloadError, match=rf"{NAME}\.pt\.part is a link, but a download is written there; remove it"):
        release.fetch(part.parent)
    assert mine.read_bytes() == content
    assert [path.name for path in part.parent.iterdir()] == [part.name]


def test_a_part_that_leads_nowhere_makes_no_file_there(release: Release, tmp_path: Path) -> None:
    """A dangling link is one, too."""
    (tmp_path / f"{NAME}.pt.part").symlink_to(tmp_path / "made")
    with pytest.raises(DownloadError, match="is a link, but a download is written there"):
        release.fetch(tmp_path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("make", [Path.symlink_to, Path.hardlink_to])
def test_a_link_that_appears_during_the_download_is_not_followed(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path, Path], None]
) -> None:
    """What is written into is looked at once more when it is open."""
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    make(tmp_path / f"{NAME}.pt.part", mine)
    monkeypatch.setattr(fetching, "_length", lambda part: 0)
    with pytest.raises(DownloadError):
        release.fetch(tmp_path)
    assert mine.read_bytes() == b"mine"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_a_part_that_is_no_file_is_one_sentence(release: Release, tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A folder or a pipe: it never waits."""
    make(tmp_path / f"{NAME}.pt.part")
    with pytest.raises(DownloadError, match="is no ordinary file, but a download is written there"):
        release.fetch(tmp_path)


def test_a_redirect_is_followed(release: Release, tmp_path: Path) -> None:
    """GitHub sends its files from another server."""
    release.asset = {"browser_download_url": f"{release.url}/first"}
    ways = {"/first": redirect("/second")}

    def file(handler: BaseHTTPRequestHandler) -> None:
        ways.pop(handler.path, lambda handler: handler._answer_file(release))(handler)  # type: ignore[attr-defined]

    release.instead_of_file = file
    assert release.fetch(tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("status", [403, 404, 429, 500, 503])
def test_a_refusal_of_the_server_is_one_sentence(release: Release, tmp_path: Path, status: int) -> None:
    """With its number."""
    release.instead = lambda handler: handler.send_error(status, "no\x1b[31m")
    with pytest.raises(DownloadError, match=rf"/release answered {status} no.*; try again later\.") as caught:
        release.fetch(tmp_path)
    assert str(caught.value).isprintable()


def test_a_server_that_nobody_vouches_for_is_left(release: Release, tmp_path: Path) -> None:
    """Its certificate is self-made, and this time nobody was told to trust it."""
    with pytest.raises(DownloadError, match="no certificate that this device trusts"):
        fetch(NAME, tmp_path, release_api_url=release.api_url)


def test_a_server_without_encryption_behind_https_is_one_sentence(tmp_path: Path) -> None:
    """The port of an ordinary web server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        with pytest.raises(DownloadError, match="cannot be reached"):
            fetch(NAME, tmp_path, release_api_url=f"https://127.0.0.1:{server.server_port}/")


def drip(handler: BaseHTTPRequestHandler, over: threading.Event, piece: bytes) -> None:
    """Send a piece again and again until the test is over or the other side has gone."""
    with suppress(OSError):
        while not over.wait(0.02):
            handler.wfile.write(piece)


def test_a_head_that_never_ends_is_left_in_time(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte of it would begin the patience with a silent server anew."""
    monkeypatch.setattr(fetching, "DESCRIPTION_S", 0.3)
    release.instead = lambda handler: drip(handler, release.over, b"H")
    with pytest.raises(DownloadError, match="no whole answer within 0 s"):
        release.fetch(tmp_path)


def test_a_description_that_drips_is_left_in_time(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the head."""

    def slowly(handler: BaseHTTPRequestHandler) -> None:
        handler.answer(200, b"[", Content_Length="100000")  # type: ignore[attr-defined]
        drip(handler, release.over, b"[")

    monkeypatch.setattr(fetching, "DESCRIPTION_S", 0.5)
    release.instead = slowly
    with pytest.raises(DownloadError, match="was cut off; try again later"):
        release.fetch(tmp_path)


def test_a_description_without_an_end_is_left(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no length, and goes on and on."""

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with suppress(OSError):
            while not release.over.is_set():
                handler.wfile.write(bytes(100_000))

    monkeypatch.setattr(fetching, "DESCRIPTION_MB", 1)
    release.instead = endless
    with pytest.raises(DownloadError, match="it has no end"):
        release.fetch(tmp_path)


def test_a_file_that_drips_is_left_and_continued(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came stays as a part, and the next call asks for the rest."""

    def slowly(handler: BaseHTTPRequestHandler) -> None:
        handler.answer(200, CONTENT, 1000)  # type: ignore[attr-defined]
        drip(handler, release.over, b"x")

    monkeypatch.setattr(fetching, "SLOWLY_S", 0.3)
    release.instead_of_file = slowly
    with pytest.raises(DownloadError, match=r"cut off after \d+ of 1000000 bytes; run the same command again"):
        release.fetch(tmp_path)
    assert (tmp_path / f"{NAME}.pt.part").read_bytes().startswith(CONTENT[:1000])


def test_a_file_without_a_length_is_read_to_its_size_and_no_further(release: Release, tmp_path: Path) -> None:
    """What comes after it is not taken."""

    def lengthless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(CONTENT + b"more")

    release.instead_of_file = lengthless
    assert release.fetch(tmp_path).read_bytes() == CONTENT


def test_a_rest_of_another_place_is_not_appended(release: Release, tmp_path: Path) -> None:
    """A server that answers another range than was asked for sends the whole file instead, as far as we know."""
    (tmp_path / f"{NAME}.pt.part").write_bytes(CONTENT[:1000])
    release.instead_of_file = (
        lambda handler: handler.answer(  # type: ignore[attr-defined]
            206, CONTENT[:10], Content_Range="bytes 0-9/1000000"
        )
    )
    with pytest.raises(DownloadError, match="sends '10' bytes instead of 1000000"):
        release.fetch(tmp_path)
    assert (tmp_path / f"{NAME}.pt.part").read_bytes() == CONTENT[:1000]


def test_an_unwritable_folder_is_one_sentence(release: Release, tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "occupied").write_text("")
    with pytest.raises(DownloadError, match="cannot be written"):
        release.fetch(tmp_path / "occupied")


def test_the_patience_with_a_silent_server_is_shorter_than_that_for_all() -> None:
    """Else it would mean nothing."""
    assert web.SILENCE_S < fetching.DESCRIPTION_S < fetching.FILE_S
