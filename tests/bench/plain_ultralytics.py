"""One plain ultralytics training as its users write it, in a process of its own. Prints one line of JSON.

    python plain_ultralytics.py '{"weights": "a.pt", "data": "folder", "out": "run", "seed": 0, "epochs": 10, …}'

`seconds` counts from the start of the process to the end of the training, `epoch_seconds` is the quickest epoch without its
validation; `top1` holds one number for each folder of class folders in `evaluate`.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

BEGAN = time.monotonic()


def main(job: dict[str, Any]) -> None:
    """Train, then answer the folders with the best epoch's weights."""
    os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")
    os.environ.update(YOLO_CONFIG_DIR=job["out"], MPLCONFIGDIR=job["out"])
    from ultralytics import YOLO

    model = YOLO(job["weights"])
    settings = {key: value for key, value in job.items() if key not in ("weights", "out", "evaluate")}
    settings |= {"batch": 16, "workers": 0, "device": "cpu", "amp": False, "plots": False}
    epochs: list[float] = []
    model.add_callback("on_train_epoch_start", lambda _: epochs.append(-time.monotonic()))
    model.add_callback("on_train_epoch_end", lambda _: epochs.append(epochs.pop() + time.monotonic()))
    model.train(**settings, project=job["out"], name="run", exist_ok=True)
    seconds = time.monotonic() - BEGAN
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    best = Path(job["out"], "run", "weights", "best.pt")
    top1 = {name: top1_of(YOLO(best), Path(folder), job["imgsz"]) for name, folder in job.get("evaluate", {}).items()}
    found = {"seconds": seconds, "epoch_seconds": min(epochs), "peak_bytes": peak, "top1": top1, "weights": str(best)}
    sys.stdout.write(json.dumps(found))


def top1_of(model: Any, folder: Path, size: int) -> float:
    """Share of the images in class folders that get their folder's name."""
    files = sorted(folder.rglob("*.jpg"))
    right = 0
    for file in files:
        answer = model.predict(file, imgsz=size, verbose=False)[0]
        right += answer.names[answer.probs.top1] == file.parent.name
    return right / len(files)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
