"""Take the pictures of the label page in the documentation: `python tests/bench/label_page_pictures.py [FOLDER]`.

The person, the desk and the room are drawn by the fake desk.
"""

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from posture_daemon.domain import NewFrame, Reason
from posture_daemon.fake_desk import AWAY, BAD, GOOD, STANDING, FakeDesk
from posture_daemon.store import Store
from posture_daemon.vision.jpeg import encode_jpeg
from tests.bench.shared import REPOSITORY, tell
from tests.label_page import AlikeFrames, chromium, queue_frames, served, until

NAMES = {"upright": GOOD, "slouching": BAD, "away": AWAY, "standing": STANDING}
RUNS = [("upright", 6), ("slouching", 7), ("upright", 5), ("away", 4), ("standing", 3), ("slouching", 4)]
LABELLED = 7
COLOURS = 176
"""Of the palette: the page is plain, the fake desk is drawn."""


class Day(AlikeFrames):
    """Groups as long as they come."""

    most = 8


def main() -> None:
    """Queue a fake day, answer some of it, photograph what is asked next."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "docs" / "images"
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(Path(scratch))
        fill(store)
        with served(store, new_labelling=Day) as page, chromium() as browser:
            desktop = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
            photograph(desktop, page.address, folder / "label-page.png", ["Enter", "ArrowRight", "ArrowRight", "x"])
            size = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2}
            dark = browser.new_context(color_scheme="dark", has_touch=True, is_mobile=True, **size).new_page()
            photograph(dark, page.address, folder / "label-page-phone.png", ["ArrowDown", "ArrowDown"])


def fill(store: Store) -> None:
    """Frames of one person on one day; each run is one way of sitting, held for some minutes."""
    desk, guesses, jpegs = FakeDesk(seed=8), [], []
    for name, length in RUNS:
        way = 3 * len(guesses) + 11
        for number in range(length):
            t = desk.start + 60 * len(guesses)
            jpegs.append(encode_jpeg(desk.render_pose(NAMES[name], way, t, 0.55 + 0.05 * number), 640, 88))
            guesses.append(name)
    queue_frames(store, guesses, jpegs)
    about = ("camera", Reason.UNCERTAIN, "")
    before = [NewFrame(jpegs[0] + bytes([i]), desk.start - 9000 + i, *about) for i in range(LABELLED)]
    store.imports.add_block([(frame, "upright") for frame in before], None, desk.start, 5)


def photograph(page: Any, address: str, path: Path, keys: list[str]) -> None:
    """Open the page, press keys, wait until all is drawn."""
    page.goto(address)
    page.wait_for_selector("#picture img")
    for key in keys:
        page.keyboard.press(key)
    until(page, "[...document.images].every((image) => image.complete && image.naturalWidth)")
    page.wait_for_timeout(300)
    image = Image.open(io.BytesIO(page.screenshot()))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.convert("RGB").quantize(COLOURS, method=Image.Quantize.MEDIANCUT, kmeans=3).save(path, optimize=True)
    tell(f"{path} {path.stat().st_size}")


if __name__ == "__main__":
    main()
