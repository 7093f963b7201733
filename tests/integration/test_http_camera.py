"""Cameras over HTTP as people have them: real sockets, every envelope, every refusal, and one sentence on each."""

import gzip
import hashlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from posture_daemon.adapters.cameras import open_camera
from posture_daemon.adapters.cameras.http_camera import HttpCamera
from posture_daemon.adapters.cameras.network_patience import NetworkPatience
from posture_daemon.errors import CameraError, CameraRefused
from tests.fakes.raw_camera import Answer, RawCamera, head, jpeg, part
from tests.fakes.scripted_camera import scene
from tests.waiting import allowed_s

QUICK = NetworkPatience(open_s=10.0, read_s=10.0, polls_per_s=1000.0)
STREAM = part(jpeg(2)) * 3


def first(url: str, patience: NetworkPatience = QUICK, count: int = 1) -> list[np.ndarray]:
    """The first pictures of a camera."""
    with closing(open_camera(url, patience)) as camera:
        camera.open()
        frames = [camera.read() for _ in range(count)]
    return [frame.image for frame in frames if frame is not None]


def refused(answer: Answer | bytes, user: str = "", patience: NetworkPatience = QUICK, path: str = "/video") -> str:
    """The sentence on a camera that gives nothing."""
    with RawCamera(answer) as camera, pytest.raises(CameraError) as caught:
        first(camera.url(path, user), patience)
    assert str(caught.value).endswith(".")
    return str(caught.value)


def chunked(body: bytes) -> bytes:
    """The body in chunks, one with an extension."""
    pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
    return b"".join(b"%x;a=b\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        head() + STREAM,
        head('multipart/x-mixed-replace; boundary="frame"') + STREAM,
        head("multipart/x-mixed-replace") + STREAM,
        head("multipart/x-mixed-replace;boundary=another") + STREAM,
        head(None) + STREAM,
        head("text/plain") + STREAM,
        head("video/x-motion-jpeg") + STREAM,
        head("application/octet-stream") + jpeg(2) * 3,
        head() + STREAM.removeprefix(b"--frame\r\n"),
        head() + STREAM.replace(b"\r\n", b"\n"),
        (head() + STREAM).replace(b"HTTP/1.0 200 OK\r\n", b"HTTP/1.0 200 OK\n").replace(b"frame\r\n\r\n", b"frame\n\n", 1),
        head().replace(b"1.0", b"1.1").replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n") + chunked(STREAM),
        head("image/jpeg", "200 OK", f"Content-Length: {len(jpeg(2))}") + jpeg(2),
        head("image/jpeg") + jpeg(2),
        head("application/octet-stream") + jpeg(2),
        head(None, "200 OK", f"Content-Length: {len(jpeg(2))}") + jpeg(2),
        head("image/jpeg", "200 OK", f"Content-Length: {len(jpeg(2)) - 2}") + jpeg(2)[:-2],
        head("image/jpeg", "200 OK", "Content-Encoding: gzip") + gzip.compress(jpeg(2)),
        head("multipart/x-mixed-replace", "200 OK", "Content-Encoding: deflate") + zlib.compress(STREAM),
        head() + part(jpeg(0)[:900]) + part(jpeg(2)),
        head("multipart/x-mixed-replace", "200 OK", "Content-Length: 0") + STREAM,
        head(status="206 Partial Content") + STREAM,
    ],
)  # fmt: skip
def test_a_picture_is_read_from_any_envelope(answer: bytes) -> None:
    """Boundaries, headers and line ends may be wrong or missing, compressed or in chunks; the picture is the sent one."""
    with RawCamera(answer) as camera:
        image = first(camera.url())[0]
    assert np.array_equal(image, cv2.imdecode(np.frombuffer(jpeg(2), np.uint8), cv2.IMREAD_COLOR))


@pytest.mark.parametrize("content_type", ["image/jpeg", "application/octet-stream", None])
def test_stills_are_asked_for_again_and_again(content_type: str | None) -> None:
    """One picture an answer, at most so many times a second; a picture that was there before is no new one."""
    numbers = iter((1, 1, 2, 2, 2, 3))

    def answer(to: socket.socket, _head: str) -> None:
        to.sendall(head(content_type) + jpeg(next(numbers)))

    patience = NetworkPatience(open_s=10.0, read_s=10.0, polls_per_s=50.0)
    began = time.monotonic()
    with RawCamera(answer) as camera:
        images = first(camera.url("/snapshot.jpg"), patience, count=3)
    assert [image.tobytes() for image in images] == [
        cv2.imdecode(np.frombuffer(jpeg(number), np.uint8), cv2.IMREAD_COLOR).tobytes() for number in (1, 2, 3)
    ]
    assert len(camera.heads) == 6
    assert time.monotonic() - began >= 5 / 50


def test_a_still_whose_connection_stays_open_is_not_waited_for() -> None:
    """A server that keeps the connection, and sends nothing more."""
    numbers = iter(range(10))

    def answer(to: socket.socket, _head: str) -> None:
        to.sendall(head("image/jpeg") + jpeg(next(numbers)))
        camera.over.wait()

    with RawCamera(answer) as camera:
        assert len(first(camera.url(), count=3)) == 3


def test_a_still_that_does_not_change_is_told() -> None:
    """It is no new picture, however often it is sent."""
    with (
        RawCamera(head("image/jpeg") + jpeg(1)) as camera,
        pytest.raises(CameraError, match="gives the same picture again"),
    ):
        first(camera.url(), NetworkPatience(open_s=5.0, read_s=0.3, polls_per_s=100.0), count=2)


def test_the_picture_may_turn_and_be_grey() -> None:
    """Every picture has its own size; one without colours is BGR too."""
    tall = cv2.imencode(".jpg", np.zeros((64, 48, 3), np.uint8))[1].tobytes()
    grey = cv2.imencode(".jpg", np.full((48, 64), 90, np.uint8))[1].tobytes()
    pictures = iter((jpeg(), tall, grey))
    with RawCamera(lambda to, _: to.sendall(head("image/jpeg") + next(pictures))) as camera:
        shapes = [image.shape for image in first(camera.url(), count=3)]
    assert shapes == [(48, 64, 3), (64, 48, 3), (48, 64, 3)]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (head("text/html") + b"<html>login</html>", "sends a web page and no pictures"),
        (head(None) + b"\r\n <!DOCTYPE html><html>", "sends a web page and no pictures"),
        (head("application/json") + b'{"error": "no such stream"}', r"without a JPEG picture \(application/json\)"),
        (head() + b"", "answers without a JPEG picture"),
        (head("image/png") + cv2.imencode(".png", scene(0))[1].tobytes(), "sends PNG pictures, and only JPEG is read"),
        (
            head() + b"--frame\r\nContent-Type: image/webp\r\n\r\nRIFF\x20\0\0\0WEBPVP8 " + bytes(9000),
            "sends WEBP pictures",
        ),
        (head("image/avif") + b"\0\0\0\x20ftypavif" + bytes(50), "sends AVIF pictures, and only JPEG is read"),
        (head("image/jp2") + b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(50), "sends JPEG 2000 or JPEG XL pictures"),
        (head(None) + b'<?xml version="1.0"?><ResponseStatus/>', "answers without a JPEG picture, so"),
        (head("image/jpeg", "200 OK", "Content-Length: 9999") + jpeg(0)[:500], "hung up before a whole picture"),
        (head(status="404 Not Found"), "nothing at this path"),
        (head(status="503 Service Unavailable"), "too busy"),
        (head(status="500 Oops"), r"an error of its own \(500\)"),
        (head(status="418 Teapot"), "refuses with status 418"),
        (head(status="304 Not Modified"), "refuses with status 304"),
        (head(None, "302 Found", "Location: /video"), "sends on and on"),
        (head(None, "302 Found", "Location: http://elsewhere.example/"), "sends on to another host"),
        (head(None, "302 Found"), "sends on"),
        (b"RTSP/1.0 400 Bad Request\r\n\r\n", "write rtsp:// instead"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "does not answer in HTTP"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not answer in HTTP"),
        (b"", "hung up without an answer"),
        (head() + b"HTTP/1.0 200 OK\r\n" * 1_100_000, "malformed stream: 16 MB without one whole JPEG"),
    ],
)
def test_what_is_no_stream_is_told_at_once(answer: bytes, words: str) -> None:
    """One sentence that says which of these it was."""
    assert re.search(words, refused(answer))


@pytest.mark.parametrize(
    ("status", "user", "words"),
    [
        ("401 Unauthorized", "", "wants a user and a password: write http://USER:PASSWORD@HOST/PATH."),
        ("401 Unauthorized", "me:s3cret", "refuses the user or the password: check both."),
        ("401 Unauthorized", "me:s3cr@t", "check both (write special characters in them percent-encoded: @ as %40"),
        ("403 Forbidden", "me:s3cret", "or whether this user may see the picture"),
    ],
)
def test_a_wrong_password_is_told_without_showing_it(status: str, user: str, words: str) -> None:
    """And as `CameraRefused`, since many cameras lock an account that is tried too often."""
    with (
        RawCamera(head(None, status, 'WWW-Authenticate: Basic realm="x"')) as camera,
        pytest.raises(CameraRefused) as caught,
    ):
        first(camera.url(user=user))
    assert words in str(caught.value)
    assert "s3cr" not in str(caught.value)
    assert len(camera.heads) == (2 if status.startswith("401") and user else 1)


def test_digest_is_spoken_and_a_new_nonce_followed() -> None:
    """The camera checks the answer itself; after each picture it wants another nonce."""
    nonces = iter(f"n{number}" for number in range(100))
    nonce = [next(nonces)]

    def answer(to: socket.socket, request: str) -> None:
        given = dict(re.findall(r'(\w+)="?([^",\r]+)', request.partition("Authorization: Digest")[2]))
        digest = lambda text: hashlib.md5(text.encode()).hexdigest()  # noqa: E731
        secret = (
            f"{digest('me:cam:p@ss')}:{nonce[0]}:{given.get('nc')}:{given.get('cnonce')}:auth:{digest('GET:/video')}"
        )
        if given.get("response") != digest(secret):
            challenge = f'WWW-Authenticate: Digest realm="cam", qop="auth", nonce="{nonce[0]}"'
            to.sendall(head(None, "401 Unauthorized", challenge))
            return
        nonce[0] = next(nonces)
        to.sendall(head("image/jpeg") + jpeg(len(camera.heads)))

    with RawCamera(answer) as camera:
        assert len(first(camera.url(user="me:p%40ss"), count=3)) == 3
    assert len(camera.heads) == 6


def test_a_redirect_to_the_same_host_is_followed() -> None:
    """As from the root to the stream."""

    def answer(to: socket.socket, request: str) -> None:
        to.sendall(head() + STREAM if request.startswith("GET /video") else head(None, "302 Found", "Location: /video"))

    with RawCamera(answer) as camera:
        assert len(first(camera.url("/"))) == 1


@pytest.mark.parametrize(
    ("before", "words"), [(b"", "gave no answer within"), (head(), "answers, but gave no picture within"),
                          (head() + STREAM[:900], "answers, but gave no picture within")],
)  # fmt: skip
def test_a_camera_that_drips_or_is_silent_is_given_up_after_its_time(before: bytes, words: str) -> None:
    """The time counts as a whole: a byte now and then does not prolong it; the sentence names the setting."""

    def answer(to: socket.socket, _head: str) -> None:
        to.sendall(before)
        while not camera.over.wait(0.02):
            to.sendall(b"H" if not before else b"x")

    began = time.monotonic()
    with RawCamera(answer) as camera, pytest.raises(CameraError, match=words) as caught:
        first(camera.url(), NetworkPatience(open_s=0.5, read_s=0.5))
    assert "camera.open_timeout_s" in str(caught.value)
    assert time.monotonic() - began < allowed_s(3)


def test_a_refused_connection_an_unknown_host_and_a_host_that_is_not_there() -> None:
    """Which of these it was, without waiting for a time-out where that is known sooner."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for scheme in ("http", "https", "rtsp"):
        with pytest.raises(CameraError, match="refused the connection: nothing listens at 127"):
            first(f"{scheme}://127.0.0.1:{port}/x")
    with pytest.raises(CameraError, match=r"no host of the name nobody\.invalid is known"):
        first("http://nobody.invalid/x")
    with socket.socket() as full:  # a queue of connections that nobody takes: packets are dropped as by a firewall
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        with pytest.raises(CameraError, match="gave no answer within"):
            first(f"http://127.0.0.1:{full.getsockname()[1]}/x", NetworkPatience(open_s=0.5, read_s=0.5))
        for one in waiting:
            one.close()


def test_a_machine_without_ipv6_reaches_a_camera_that_has_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address of a kind that this kernel does not know is passed over; what is told is the one that could be tried."""
    ask = socket.getaddrinfo

    def both(*wanted: Any, **more: Any) -> list[Any]:
        odd = (socket.AF_APPLETALK, socket.SOCK_STREAM, 0, "", ("::1", 80))
        return [odd, *ask(*wanted, **more), odd]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with RawCamera(head() + STREAM) as camera:
        assert len(first(camera.url())) == 1
        url = camera.url()
    with pytest.raises(CameraError, match="refused the connection"):
        first(url)


def test_a_call_that_waits_can_be_ended_from_another_thread() -> None:
    """So that a daemon that stops leaves no connection behind."""
    with RawCamera(lambda _to, _head: camera.over.wait()) as camera:
        waiting = HttpCamera("cam", camera.url())
        threading.Timer(0.1, waiting.interrupt).start()
        began = time.monotonic()
        with pytest.raises(CameraError, match="was closed"):
            waiting.open()
        assert time.monotonic() - began < allowed_s(2)


def test_no_damaged_picture_writes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    """OpenCV's own decoder would, a line each; damaged pictures are passed over."""
    bad = bytearray(jpeg(0))
    bad[700:1200] = bytes(range(250)) * 2
    with RawCamera(head() + part(bytes(bad)) * 5 + part(jpeg(1))) as camera:
        assert len(first(camera.url())) == 1
    assert capfd.readouterr().err == ""


def certificate(folder: Path) -> ssl.SSLContext:
    """A server's side of TLS with a certificate that it has signed itself, as cameras do."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    key, signed = folder / "key.pem", folder / "cert.pem"
    wanted = [
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        key,
        "-out",
        signed,
        "-days",
        "2",
        "-subj",
        "/CN=camera",
    ]
    subprocess.run(
        ["openssl", "req", *wanted, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed, key)
    return context


def test_a_certificate_that_is_not_trusted_is_told_and_can_be_allowed(tmp_path: Path) -> None:
    """With the setting that allows it; a password is sent to nobody before."""
    context = certificate(tmp_path)

    def answer(to: socket.socket, _head: str) -> None:
        to.sendall(head() + STREAM)

    with RawCamera(answer, context) as camera:
        url = camera.url(user="me:s3cret", scheme="https")
        with pytest.raises(CameraError, match=r"TLS certificate is not trusted .*camera\.check_certificate = false"):
            first(url)
        assert camera.heads == []
        assert len(first(url, replace(QUICK, check_certificate=False))) == 1
    with RawCamera(answer) as plain, pytest.raises(CameraError, match=r"does not speak TLS there.*try http://"):
        first(plain.url(scheme="https"))
