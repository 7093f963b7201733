"""Measure the label page with many frames waiting: from a key press to the next picture, painted, in a real browser.

Run `python tests/bench/bench_page.py [--frames 10000] [--keys 300]` on a quiet machine. The frames are drawn by the fake desk,
640 pixels wide; keys come at the pace of a very fast person. Two clocks: `script` ends when the frame after the change has
been handed to the compositor; `event` is the browser's own Event Timing, to the presentation of that frame, in steps of 8 ms.
"""

import http.client
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from posture_daemon.fake_desk import AWAY, BAD, GOOD, STANDING, FakeDesk
from posture_daemon.labelling.session import Labelling
from posture_daemon.store import Store
from posture_daemon.vision.jpeg import encode_jpeg
from tests.bench.shared import machine, options, tell
from tests.label_page import AlikeFrames, chromium, queue_frames, served

NAMES = {"upright": GOOD, "slouching": BAD, "away": AWAY, "standing": STANDING}
DRAWN, RUN = 24, 5
PACE_MS = 120
BAR_MS = 50.0

WATCH = """() => {
  window.measured = [];
  window.events = [];
  let pressed = 0;
  document.addEventListener('keydown', (event) => (pressed = event.timeStamp), true);
  new MutationObserver(() => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      const image = document.querySelector('#picture img');
      const ready = Boolean(image?.complete && image.naturalWidth);
      window.measured.push([performance.now() - pressed, ready]);
    };
    channel.port2.postMessage(0);
  })).observe(document.getElementById('picture'), { attributes: true, attributeFilter: ['data-frame'] });
  new PerformanceObserver((list) => list.getEntries().forEach((entry) =>
    entry.name === 'keydown' && window.events.push(entry.duration))).observe({ type: 'event', durationThreshold: 16 });
}"""


def main() -> None:
    """Queue, open, press, report; exit code 1 when a bar is missed."""
    given, missed = options(__doc__, frames=10_000, keys=300), []
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        store = Store(Path(scratch))
        fill(store, given.frames)
        tell(machine(), f"{f'{given.frames} frames waiting, {given.keys} keys':44}{'p50':>9}{'p95':>9}{'most':>9}")
        for title, kind in (("one frame a question", OneByOne), ("five frames a question", AlikeFrames)):
            missed += measure(store, browser, title, kind, given.keys)
        store.close()
    sys.exit(1 if missed else 0)


class OneByOne(AlikeFrames):
    """No groups."""

    most = 1


def fill(store: Store, count: int) -> None:
    """A few drawings, each made another file by bytes after its end, in runs of one guess."""
    desk = FakeDesk(seed=8)
    drawn = {
        name: [encode_jpeg(desk.render_pose(pose, way, desk.start + way), 640, 88) for way in range(DRAWN // 4)]
        for name, pose in NAMES.items()
    }
    guesses = [list(NAMES)[number // RUN % 4] for number in range(count)]
    jpegs = [drawn[name][number % (DRAWN // 4)] + number.to_bytes(4, "big") for number, name in enumerate(guesses)]
    queue_frames(store, guesses, jpegs)


def measure(store: Store, browser: Any, title: str, kind: type[Labelling], keys: int) -> list[str]:
    """One kind of questions: what the server needs for them, and what a key press takes."""
    with served(store, new_labelling=kind) as page_server:
        host = str(page_server.address).removeprefix("http://").rstrip("/")
        row(f"{title}: 20 questions from the server", [ask_ms(host) for _ in range(10)])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(page_server.address)
        page.wait_for_selector("#picture img")
        page.wait_for_timeout(1000)
        page.evaluate(WATCH)
        for _ in range(keys):
            page.keyboard.press("Enter")
            page.wait_for_timeout(PACE_MS)
        page.wait_for_timeout(2000)
        measured = page.evaluate("window.measured")
        times = [ms for ms, _ in measured]
        row(f"{title}: key to picture, script", times)
        events = page.evaluate("window.events")  # those below 16 ms are not reported
        row(f"{title}: key to picture, event", [*events, *[16.0] * (keys - len(events))])
        late = sum(not ready for _, ready in measured)
        tell(f"{title}: {len(measured)} of {keys} keys changed the picture, {late} of them before it had come")
        page.close()
    return [title] if np.percentile(times, 95) > BAR_MS or len(measured) < keys else []


def ask_ms(host: str) -> float:
    """How long the server takes for a page's worth of questions."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request("GET", "/api/groups?limit=23")
    connection.getresponse().read()
    connection.close()
    return 1e3 * (time.perf_counter() - began)


def row(title: str, ms: list[float]) -> None:
    """One line of the table."""
    p50, p95 = np.percentile(ms, [50, 95])
    tell(f"{title:44}{p50:6.1f} ms{p95:6.1f} ms{max(ms):6.1f} ms")


if __name__ == "__main__":
    main()
