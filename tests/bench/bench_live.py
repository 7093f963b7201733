"""Compare the live path with `YOLO.predict` on real frames: start-up, memory, latency, agreement.

Run `python tests/bench/bench_live.py [--threads 1]` on a quiet machine. Each side runs in a process of its own, and both
classify the same frames of ../shared/data at 224 pixels: `front` is 224×224 already, `large` is what a 1280×720 camera gives.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.shared import DATA, REPOSITORY, WEIGHTS, machine, options, tell, tell_table

SIZE = 224
SAMPLES = ("front", "large")
Classify = Callable[[Any], Any]


def main() -> None:
    """Import the model, run both sides, print the table."""
    given = options(__doc__, hidden=("side", "folder"), threads=1, side="", folder=None)
    if given.side:
        SIDES[given.side](given.folder, given.threads)
        return
    with tempfile.TemporaryDirectory() as scratch:
        for side in SIDES:
            command = [sys.executable, __file__, "--side", side, "--folder", scratch, "--threads", str(given.threads)]
            subprocess.run(command, check=True, env=environment(given.threads, scratch))
        report(*(dict(np.load(Path(scratch) / f"{side}.npz")) for side in ("yolo", "ours")), given.threads)


def environment(threads: int, scratch: str) -> dict[str, str]:
    """Limit every library to `threads`, and keep ultralytics offline."""
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    offline = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_CONFIG_DIR": scratch, "MPLCONFIGDIR": scratch}
    return {**os.environ, **limits, **offline, "PYTHONPATH": str(REPOSITORY)}


def measure(side: str, load: Callable[[Path, int], Classify], folder: Path, threads: int) -> None:
    """Measure one side: start-up until the first answer, each frame, memory at the end."""
    started = time.perf_counter()
    classify = load(folder, threads)
    classify(np.zeros((720, 1280, 3), np.uint8))
    results: dict[str, Any] = {"start_up_s": time.perf_counter() - started}
    for sample in SAMPLES:
        answers, seconds = [], []
        for image in frames(sample):
            before = time.perf_counter()
            answers.append(classify(image))
            seconds.append(time.perf_counter() - before)
        results[sample], results[f"{sample}_ms"] = np.array(answers), 1e3 * np.array(seconds)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    results["memory_mb"] = int(status["VmRSS"].split()[0]) / 1024
    np.savez(folder / f"{side}.npz", **results)


def frames(sample: str) -> Iterator[Any]:
    """Read the pictures of one sample, BGR."""
    import cv2

    for path in sorted((DATA / ("front_webcam" if sample == "front" else "side_webcam")).rglob("*.jpg")):
        image = cv2.imread(str(path))
        yield image if sample == "front" else cv2.resize(image, (1280, 720))


def import_weights(folder: Path, _threads: int) -> None:
    """Make our two parts of the checkpoint, in a process that measures nothing."""
    from posture_daemon.adapters.checkpoints import import_checkpoint

    import_checkpoint(DATA / WEIGHTS, folder, SIZE)


def yolo(_folder: Path, threads: int) -> Classify:
    """Return a function from a frame to `YOLO.predict`'s probabilities."""
    import torch
    from ultralytics import YOLO

    torch.set_num_threads(threads)
    model = YOLO(DATA / WEIGHTS)
    return lambda image: model.predict(image, imgsz=SIZE, verbose=False)[0].probs.data.numpy()


def ours(folder: Path, threads: int) -> Classify:
    """Return a function from a frame to our probabilities."""
    from posture_daemon.adapters.backbone.onnx import OnnxBackbone
    from posture_daemon.vision.head import Head

    backbone = OnnxBackbone(folder / "backbone.onnx", threads=threads)
    head = Head.from_bytes((folder / "head.safetensors").read_bytes())
    return lambda image: head.probabilities(backbone.extract(image).map)


SIDES = {"import": import_weights, "yolo": partial(measure, "yolo", yolo), "ours": partial(measure, "ours", ours)}


def report(theirs: dict[str, Any], mine: dict[str, Any], threads: int) -> None:
    """Print the table."""
    rows = [("start-up until the first answer, s", "start_up_s"), ("memory at the end, MB (RSS)", "memory_mb")]
    rows += [(f"one {sample} frame, ms (median, 95 % of them within)", f"{sample}_ms") for sample in SAMPLES]
    tell(f"yolo11n-cls, {SIZE} px, {threads} thread(s); {machine()}")
    table = [("", "YOLO.predict", "ours", "ratio")]
    for title, key in rows:
        (a, worst_a), (b, worst_b) = (np.percentile(side[key], (50, 95)) for side in (theirs, mine))
        table.append((title, f"{a:.2f} ({worst_a:.2f})", f"{b:.2f} ({worst_b:.2f})", f"{b / a:.2f}"))
    tell_table(table)
    for sample in SAMPLES:
        same = (theirs[sample].argmax(1) == mine[sample].argmax(1)).mean()
        apart = np.abs(theirs[sample] - mine[sample]).max(axis=1)
        text = f"{sample}: {len(apart)} frames, top-1 agrees on {same:.2%}"
        tell(f"{text}, probabilities differ by {np.median(apart):.1e} (median), {apart.max():.1e} (most)")


if __name__ == "__main__":
    main()
