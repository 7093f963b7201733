"""What an RTSP camera says of itself: FFmpeg only tells that it failed, so it is asked why (RFC 2326)."""

from posture_daemon.adapters.cameras.credentials import Credentials
from posture_daemon.adapters.cameras.http_answer import refusal, unknown_challenge
from posture_daemon.adapters.cameras.http_head import text
from posture_daemon.adapters.cameras.network_patience import NetworkPatience
from posture_daemon.adapters.cameras.network_url import NetworkUrl
from posture_daemon.adapters.cameras.patient_socket import CONNECT_S, Deadline, Interrupted, OutOfTime, connect
from posture_daemon.errors import CameraError

LINE_BYTES, LINES = 4096, 100
"""Most that is read of a head."""


class RtspQuestion:
    """Asks one camera. Both raise `CameraError` with what is wrong."""

    def __init__(self, url: NetworkUrl, patience: NetworkPatience) -> None:
        self._url, self._patience = url, patience

    def reach(self) -> None:
        """Connect and hang up: whether the host is known, there, and listens. Quicker than FFmpeg, which only waits."""
        try:
            connect(
                self._url, Deadline(min(2 * CONNECT_S, self._patience.open_s)), self._patience.check_certificate
            ).close()
        except (OutOfTime, Interrupted):
            raise self._late() from None

    def explain(self) -> None:
        """Ask what FFmpeg asked, after it has failed; returns when the camera answers as it should."""
        credentials, has_asked = Credentials(self._url.user, self._url.password), False
        try:
            while True:
                status, challenges = self._describe(credentials)
                if status == 401 and credentials.are_there and not has_asked:
                    if offered := credentials.take(challenges):
                        raise unknown_challenge(self._url, offered)
                    has_asked = True
                elif status == 200:
                    return
                else:
                    raise refusal(self._url, status, credentials.are_there)
        except (OutOfTime, Interrupted, OSError):
            raise self._late() from None

    def _describe(self, credentials: Credentials) -> tuple[int, list[str]]:
        """Status and challenges of the answer to DESCRIBE."""
        connection = connect(self._url, Deadline(CONNECT_S), self._patience.check_certificate)
        try:
            authorization = credentials.header("DESCRIBE", self._url.bare)
            lines = [
                f"DESCRIBE {self._url.bare} RTSP/1.0",
                "CSeq: 1",
                "Accept: application/sdp",
                "User-Agent: posture-daemon",
            ]
            lines += [f"Authorization: {authorization}"] if authorization else []
            connection.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode("utf-8", "surrogateescape"))
            with connection.makefile() as answer:
                first = answer.readline(LINE_BYTES).decode("latin-1").split()
                head: list[str] = []
                while len(head) < LINES and (line := answer.readline(LINE_BYTES).strip()):
                    head.append(text(line))
        finally:
            connection.close()
        if len(first) < 2 or not first[0].startswith("RTSP/") or not first[1].isdecimal():
            raise CameraError(f"camera {self._url.name} {_no_rtsp(first)}.")
        pairs = (line.partition(":") for line in head)
        return int(first[1]), [value for key, _, value in pairs if key.strip().lower() == "www-authenticate"]

    def _late(self) -> CameraError:
        return CameraError(
            f"camera {self._url.name} accepts a connection, but gives no answer: it still starts or hangs; take its power away "
            "for a moment if that goes on."
        )


def _no_rtsp(first: list[str]) -> str:
    if not first:
        return "hung up without an answer: it still starts, or has too many viewers"
    if first[0].startswith("HTTP/"):
        return "speaks HTTP at that port: write http:// instead of rtsp://, or the port of RTSP, mostly 554"
    return "does not answer in RTSP: look at the port, mostly 554"
