"""Network cameras that give no picture: which of the many ways it was."""

from tests.fakes.raw_camera import Answer, RawCamera, head, jpeg
from tests.faults.fault import Group, Made, Place

# Two lines a fault, not eight.
# fmt: off

network = Group("Network cameras")
QUICK = {"POSTURE_CAMERA__OPEN_TIMEOUT_S": "1"}


def camera(title: str, answer: Answer | bytes, advice: str, user: str = "", scheme: str = "http", command: str = "run") -> None:
    """A fault of a camera that answers so."""

    def make(at: Place) -> Made:
        at.environment |= QUICK
        with RawCamera(answer) as there:
            yield command, "--camera", there.url(user=user, scheme=scheme)

    network(title, "***@127.0.0.1:" if user else "127.0.0.1:", advice)(make)


WANTED = 'WWW-Authenticate: Basic realm="cam"'
RTSP = b"RTSP/1.0 %b\r\nCSeq: 1\r\n\r\n"

camera("A camera that answers with its web page", head("text/html") + b"<html>", "its manual tells that of the stream")
camera("A camera that answers with something else", head("application/json") + b"{}", "check the path")
camera("A camera that wants a password", head(None, "401 Unauthorized", WANTED), "write http://USER:PASSWORD@HOST/PATH")
camera("A wrong password of a camera", head(None, "401 Unauthorized", WANTED), "check both", "me:secret")
camera("A camera password with special characters", head(None, "401 Unauthorized", WANTED), "percent-encoded", "me:sec%ret")
camera("A user who may not see the picture", head(None, "403 Forbidden"), "may see the picture", "me:secret")
camera("A path that the camera does not have", head(None, "404 Not Found"), "its manual", command="setup")
camera("A camera with too many viewers", head(None, "503 Service Unavailable"), "close other viewers", command="teach")
camera("A camera that sends on elsewhere", head(None, "302 Found", "Location: http://example.com/"), "write the address")
camera("A camera that is silent", lambda _to, _head: there_is_nothing(), "camera.open_timeout_s")
camera("A camera that hangs up in a picture", head("image/jpeg", "200 OK", "Content-Length: 9999") + jpeg()[:99], "overloaded")
camera("A stream that is malformed", head() + b"no picture " * 1_700_000, "choose MJPEG")
camera("A camera whose pictures are no JPEG", head("image/png") + b"\x89PNG\r\n\x1a\n\0\0\0\0", "choose JPEG or MJPEG")
camera("An RTSP camera behind http://", RTSP % b"400 Bad Request", "write rtsp:// instead")
camera("A wrong password of an RTSP camera", RTSP % b"401 Unauthorized", "check both", "me:secret", "rtsp")
camera("A path that an RTSP camera does not have", RTSP % b"404 Not Found", "its manual", scheme="rtsp")
camera("An HTTP camera behind rtsp://", b"HTTP/1.0 400 Bad Request\r\n\r\n", "write http:// instead", scheme="rtsp")
camera("A camera that speaks no TLS", b"HTTP/1.0 400 Bad Request\r\n\r\n", "try http:// instead", scheme="https")

camera("Video over TLS of a camera whose certificate nobody looks at", b"", "camera.check_certificate = false", "me:secret",
    "rtsps")
camera("A camera that wants another kind of password", head(None, "401 Unauthorized", 'WWW-Authenticate: Bearer realm="cam"'),
    "choose Digest", "me:secret")

network.plain("A host of no known name", "run --camera http://nobody.invalid/video", "nobody.invalid", "check its spelling")
network.plain("A password that had to be encoded", "run --camera rtsp://me:sec/ret@camera/live",
    "rtsp://***", "/ as %2F")
network.plain("A port that is no number", "run --camera http://camera:video/", "http://***", "write it like")
network.plain("A camera that is lost later than it is given up", "--config ~/bad.toml status",
    "camera.stale_s is 10", "must not be above camera.read_timeout_s (5)",
    {"bad.toml": "[camera]\nstale_s = 10\nread_timeout_s = 5\n"})


def there_is_nothing() -> None:
    """Wait for longer than the camera is given."""
    import time

    time.sleep(5)
