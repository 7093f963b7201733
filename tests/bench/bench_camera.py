"""How soon is a failing camera noticed, and how soon are there frames again? Real servers, the reader of the daemon.

    .venv/bin/python -m tests.bench.bench_camera [ROUNDS]

Each failure lasts a little longer than the one before, so that the camera comes back at every moment between two attempts.
"""

import sys
import time
from collections.abc import Callable
from statistics import median

from posture_daemon.adapters.cameras import open_camera
from posture_daemon.adapters.cameras.latest_frame import LatestFrame, Patience
from posture_daemon.vision.frame_quality import FrameQualityMonitor
from tests.bench.shared import machine, tell
from tests.fakes.scripted_camera import scene
from tests.fakes.servers import MjpegServer, RtspServer

MIN_LOSS_S, MAX_LOSS_S = 3.0, 8.0
"""How long a failure lasts."""

Took = tuple[float, float]


def once(reader: LatestFrame, fail: Callable[[], None], mend: Callable[[], None], lasts_s: float) -> Took:
    """Seconds from the failure until it is noticed, and from the camera's return until there is a frame."""
    began = time.monotonic()
    fail()
    while reader.state.error is None:
        time.sleep(0.005)
    noticed_s = time.monotonic() - began
    time.sleep(max(0.0, lasts_s - noticed_s))
    before, began = reader.state.frames, time.monotonic()
    mend()
    if reader.wait(before, 30.0) is None:
        raise SystemExit("the camera did not come back within 30 s")
    return noticed_s, time.monotonic() - began


def rounds(name: str, url: str, fail: Callable[[], None], mend: Callable[[], None], count: int) -> None:
    """Measure one kind of failure and print a line of a Markdown table."""
    reader = LatestFrame(
        open_camera(url),
        Patience(open_s=20.0, read_s=20.0),
        quality=FrameQualityMonitor,
        another=lambda: open_camera(url),
    )
    reader.start()
    reader.wait(0, 10.0)
    took = []
    for number in range(count):
        time.sleep(1.0)
        took.append(once(reader, fail, mend, MIN_LOSS_S + (MAX_LOSS_S - MIN_LOSS_S) * number / count))
    reader.stop(5.0)
    cells = [f"{median(values):.1f} ({max(values):.1f})" for values in zip(*took, strict=True)]
    tell(f"| {name} | {cells[0]} | {cells[1]} |")


def rtsp(codec: str, count: int) -> None:
    """An RTSP camera, in every way."""
    with RtspServer(codec) as camera:
        rounds(f"RTSP {codec}: power cut", camera.url, camera.stop, camera.start, count)
        rounds(f"RTSP {codec}: stalled (SIGSTOP)", camera.url, camera.stall, camera.resume, count)
        for pattern, name in (("black", "black picture"), ("smpte75", "frozen picture")):
            show, unshow = lambda p=pattern: camera.show(p), lambda: camera.show("smpte")
            rounds(f"RTSP {codec}: {name}", camera.url, show, unshow, count)


def mjpeg(count: int) -> None:
    """A camera over HTTP, switched off, started again at its port, and stalled."""
    running = [MjpegServer(picture=scene).__enter__()]
    url, port = running[0].url, running[0].port

    def switch_off() -> None:
        running[-1].stop()

    def switch_on() -> None:
        running.append(MjpegServer(port, picture=scene).__enter__())

    rounds("MJPEG: power cut", url, switch_off, switch_on, count)
    rounds("MJPEG: stalled", url, running[-1].stall, running[-1].resume, count)
    running[-1].stop()


if __name__ == "__main__":
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    tell(f"{times} failures of each kind; {machine()}")
    tell("| failure | noticed after, s: median (worst) | frames again after, s |", "|---|---|---|")
    mjpeg(times)
    rtsp("h264", times)
