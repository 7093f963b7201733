import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from posture_daemon.adapters.checkpoints.fetch import fetch
from posture_daemon.errors import DownloadError

CONTENT = np.random.default_rng(0).bytes(1_000_000)
NAME = "yolo11n-cls"
OFFLINE = "http://127.0.0.1:1/release"
"""Nobody listens on port 1."""


@dataclass
class Release:
    """A web server that publishes `CONTENT` as yolo11n-cls.pt, and can be told to misbehave."""

    url: str = ""
    digest: str | None = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
    content: bytes = CONTENT
    understands_range: bool = True
    cut_after: int | None = None
    file_exists: bool = True
    ranges: list[str | None] = field(default_factory=list)

    @property
    def api_url(self) -> str:
        """Address of the release's description."""
        return f"{self.url}/release"

    def description(self) -> bytes:
        """GitHub's JSON, as far as it matters."""
        asset = {"name": f"{NAME}.pt", "size": len(CONTENT), "browser_download_url": f"{self.url}/file"}
        return json.dumps({"assets": [{"name": "other.pt"}, {**asset, "digest": self.digest}]}).encode()


class Handler(BaseHTTPRequestHandler):
    """Serves the `Release` that is attached to the server."""

    def do_GET(self) -> None:
        """Answer the description or the file."""
        release: Release = self.server.release  # type: ignore[attr-defined]
        if self.path == "/release":
            self._answer(200, release.description())
        elif not release.file_exists:
            self.send_error(404)
        else:
            self._answer_file(release)

    def _answer_file(self, release: Release) -> None:
        wanted = self.headers.get("Range")
        release.ranges.append(wanted)
        start = int(re.findall(r"\d+", wanted)[0]) if wanted and release.understands_range else 0
        self._answer(206 if start else 200, release.content[start:], release.cut_after)

    def _answer(self, status: int, body: bytes, cut_after: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut_after])

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture
def release() -> Iterator[Release]:
    """A server on a free port of this computer."""
    release = Release()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.release = release  # type: ignore[attr-defined]
        release.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield release
        server.shutdown()
        thread.join()


def test_a_download_arrives_whole_under_its_name(release: Release, tmp_path: Path) -> None:
    """The file is complete, nothing else is left, progress ran up to the full size."""
    seen: list[tuple[int, int]] = []
    path = fetch(NAME, tmp_path / "new", release_api_url=release.api_url, progress=lambda *now: seen.append(now))
    assert path == tmp_path / "new" / "yolo11n-cls.pt"
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)


def test_what_is_there_already_is_not_downloaded_again(release: Release, tmp_path: Path) -> None:
    """A second call only compares the checksum."""
    fetch(NAME, tmp_path, release_api_url=release.api_url)
    fetch(NAME, tmp_path, release_api_url=release.api_url)
    assert release.ranges == [None]


def test_a_wrong_checksum_leaves_no_file(release: Release, tmp_path: Path) -> None:
    """What was sent is thrown away, under its final name and its temporary one."""
    release.content = bytes(len(CONTENT))
    with pytest.raises(DownloadError, match="does not match its SHA-256 and was thrown away"):
        fetch(NAME, tmp_path, release_api_url=release.api_url)
    assert list(tmp_path.iterdir()) == []


def test_a_cut_connection_is_continued_by_the_next_call(release: Release, tmp_path: Path) -> None:
    """The second call asks for the rest only."""
    release.cut_after = 300_000
    with pytest.raises(DownloadError, match="cut off after 300000 of 1000000 bytes; run the same command again"):
        fetch(NAME, tmp_path, release_api_url=release.api_url)
    release.cut_after = None
    path = fetch(NAME, tmp_path, release_api_url=release.api_url)
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
    assert fetch(NAME, tmp_path, release_api_url=release.api_url).read_bytes() == CONTENT
    assert release.ranges == asked
    assert ("thrown away" in caplog.text) is (len(part) > len(CONTENT))


def test_without_a_published_checksum_the_user_must_give_one(release: Release, tmp_path: Path) -> None:
    """Nothing is downloaded on trust; a digest of the user's own is accepted, in either case of letters."""
    release.digest = None
    with pytest.raises(DownloadError, match=r"no checksum for .*--sha256"):
        fetch(NAME, tmp_path, release_api_url=release.api_url)
    assert release.ranges == []
    own = hashlib.sha256(CONTENT).hexdigest().upper()
    assert fetch(NAME, tmp_path, release_api_url=release.api_url, sha256=own).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("name", "address", "words"),
    [
        pytest.param(NAME, "{url}/release", r"/file answered 404 Not Found\.", id="missing file"),
        pytest.param("yolo11x-cls", "{url}/release", r"has no file yolo11x-cls\.pt", id="release without the model"),
        pytest.param(NAME, OFFLINE, "cannot be reached .*is this device online", id="offline"),
        pytest.param(NAME, "file:///etc/passwd", "not a web address", id="a description could point at a local file"),
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
        fetch(name, tmp_path, release_api_url=address.format(url=release.url))


def test_a_page_that_is_no_description_is_one_sentence(release: Release, tmp_path: Path) -> None:
    """A login page of a hotel's network, for example."""
    with pytest.raises(DownloadError, match="did not answer with the description of a release"):
        fetch(NAME, tmp_path, release_api_url=f"{release.url}/file")


def test_an_unwritable_folder_is_one_sentence(release: Release, tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "occupied").write_text("")
    with pytest.raises(DownloadError, match="cannot be written"):
        fetch(NAME, tmp_path / "occupied", release_api_url=release.api_url)
