"""One question to a camera over HTTP: redirects, user and password, and what each refusal means in words."""

from http.client import HTTPException, HTTPResponse

from posture_daemon.adapters.cameras.content_encoding import unpacker
from posture_daemon.adapters.cameras.credentials import Credentials
from posture_daemon.adapters.cameras.http_head import HttpHead, NoHttp, read_head
from posture_daemon.adapters.cameras.network_url import NetworkUrl
from posture_daemon.adapters.cameras.patient_socket import Deadline, PatientSocket, connect
from posture_daemon.errors import CameraError, CameraRefused

REDIRECTS = (301, 302, 303, 307, 308)
MAX_REDIRECTS = 5
CHUNK = 65536


class HttpAnswer:
    """The body of an answer as it comes, unpacked."""

    def __init__(self, url: NetworkUrl, connection: PatientSocket, head: HttpHead, response: HTTPResponse) -> None:
        self.url = url
        """Where it came from, after redirects."""
        self._connection, self._response = connection, response
        self._unpack = unpacker(head.first("content-encoding"))
        self.content_type = head.first("content-type").partition(";")[0].strip().lower()
        if self.content_type.startswith("multipart/"):
            response.length = None  # some announce a length of 0 and send for ever
        self.is_known = False
        """Whether its first bytes were looked at."""
        self.was_cut = False
        """Whether it ended before its announced end; known once it has ended."""

    def read(self) -> bytes:
        """The next bytes; none at the end. Raises `OutOfTime`, `Interrupted`, `CameraError`."""
        while True:
            packed = self._read_packed()
            unpacked = self._unpack(packed) if packed else b""
            if unpacked or not packed:
                return unpacked

    def close(self) -> None:
        """Hang up."""
        self._response.close()
        self._connection.close()

    def _read_packed(self) -> bytes:
        try:
            data = self._response.read1(CHUNK)
        except (OSError, HTTPException, ValueError):  # cut, or chunks of no valid length: what was whole before counts
            self.was_cut = True
            return b""
        self.was_cut = not data and bool(self._response.length)
        return data


def ask(url: NetworkUrl, credentials: Credentials, deadline: Deadline, check_certificate: bool) -> HttpAnswer:
    """Ask for `url`, and return the answer to follow. Raises `CameraError`, `OutOfTime`, `Interrupted`."""
    has_fresh_challenge, redirects = False, 0
    while True:
        answer, head = _once(url, credentials, deadline, check_certificate)
        if 200 <= head.status < 300:
            return answer
        answer.close()
        if head.status == 401 and credentials.are_there and not has_fresh_challenge:
            if offered := credentials.take(head.all("www-authenticate")):
                raise unknown_challenge(url, offered)
            has_fresh_challenge = True
        elif head.status in REDIRECTS and redirects < MAX_REDIRECTS:
            url = _redirected(url, head.first("location"))
            redirects, has_fresh_challenge = redirects + 1, False
        else:
            raise refusal(url, head.status, credentials.are_there)


def _once(
    url: NetworkUrl, credentials: Credentials, deadline: Deadline, check_certificate: bool
) -> tuple[HttpAnswer, HttpHead]:
    connection = connect(url, deadline, check_certificate)
    try:
        authorization = credentials.header("GET", url.target)
        lines = [f"GET {url.target} HTTP/1.1", f"Host: {url.netloc}", "User-Agent: posture-daemon", "Accept: */*"]
        lines += ["Accept-Encoding: identity", "Connection: close"]
        lines += [f"Authorization: {authorization}"] if authorization else []
        connection.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode("utf-8", "surrogateescape"))
        head, response = read_head(connection)
        return HttpAnswer(url, connection, head, response), head
    except NoHttp as error:
        connection.close()
        raise CameraError(f"camera {url.name} {_no_http(str(error))}.") from None
    except OSError:
        connection.close()
        raise CameraError(
            f"camera {url.name} hung up without an answer: it still starts, or has too many viewers."
        ) from None
    except BaseException:
        connection.close()
        raise


def _no_http(said: str) -> str:
    if "RTSP/" in said:
        return "speaks RTSP at that port: write rtsp:// instead of http://"
    if not said:
        return "hung up without an answer: it still starts, has too many viewers, or wants https://"
    return "does not answer in HTTP: look at the port, and whether it wants https:// or rtsp://"


def _redirected(url: NetworkUrl, location: str) -> NetworkUrl:
    there = url.redirected(location)
    if there is None:
        raise CameraError(
            f"camera {url.name} sends on to another host or kind of address, which is not followed: open it in a browser and "
            "write the address of the pictures themselves."
        )
    return there


def unknown_challenge(url: NetworkUrl, offered: list[str]) -> CameraError:
    """When the camera wants to know its user in a way that nobody here knows; nothing was sent."""
    return CameraRefused(
        f"camera {url.name} takes user and password only in a way that is not known here ({', '.join(offered[:4])}): "
        "choose Digest with MD5 or SHA-256, or Basic, in the camera's settings."
    )


def refusal(url: NetworkUrl, status: int, has_user: bool) -> CameraError:
    """What a status of HTTP or RTSP means, and what to do."""
    name = f"camera {url.name}"
    encoding = " (write special characters in them percent-encoded: @ as %40, / as %2F, % as %25)" if url.is_odd else ""
    if status == 401 and not has_user:
        return CameraRefused(f"{name} wants a user and a password: write {url.scheme}://USER:PASSWORD@HOST/PATH.")
    if status in (401, 403, 407):
        forbidden = ", or whether this user may see the picture" if status == 403 else ""
        return CameraRefused(f"{name} refuses the user or the password: check both{encoding}{forbidden}.")
    return CameraError(f"{name} {_REFUSALS.get(status) or _refusal_of_kind(status)}.")


_NOT_FOUND = "has nothing at this path: its manual, or its web page, tells the right one"
_BUSY = "is too busy: close other viewers of it, or wait until it has started"
_REFUSALS = {404: _NOT_FOUND, 410: _NOT_FOUND, 429: _BUSY, 453: _BUSY, 503: _BUSY}


def _refusal_of_kind(status: int) -> str:
    if status in REDIRECTS:
        return "sends on and on to other addresses: open it in a browser and write the last one"
    if status >= 500:
        return f"fails with an error of its own ({status}): start it again"
    return f"refuses with status {status}: check the address"
