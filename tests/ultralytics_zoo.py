"""Run by tests in a process of its own, because it imports torch and ultralytics.

`make FOLDER` writes small checkpoints with random weights and what ultralytics' own layers answer (`*.npz`);
`predict MODEL SIZE IMAGES.npz OUT.npz` writes what `YOLO.predict` answers for batches of BGR images.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    scratch = tempfile.mkdtemp()
    os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")
    os.environ.update(YOLO_CONFIG_DIR=scratch, MPLCONFIGDIR=scratch)

import numpy as np
import torch
from ultralytics import YOLO
from ultralytics.nn.tasks import BaseModel

SIZE = 64


def make(folder: Path) -> None:
    """Write the zoo."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # so that two test runs on two cores do not wait for each other
    BaseModel.info = lambda *_, **__: None  # it would run every model at 640 pixels to count operations
    for scale in "nsmlx":
        model = _with_statistics(YOLO(f"yolo11{scale}-cls.yaml"))
        model.save(folder / f"yolo11{scale}-cls.pt")
        _write_reference(model, folder / f"yolo11{scale}-cls.npz")
    for name in ("yolov8n-cls", "yolo12n-cls", "yolo11n", "yolo11n-seg"):
        YOLO(f"{name}.yaml").save(folder / f"{name}.pt")
    fused = YOLO("yolo11n-cls.yaml")
    fused.model.fuse()
    fused.save(folder / "fused.pt")
    _write_relu(folder / "relu.pt")
    torch.save({"weights": torch.zeros(3)}, folder / "other.pt")
    _write_eps(folder)


def _with_statistics(model: YOLO) -> YOLO:
    """Fresh batch norms hide mistakes (mean 0, variance 1), so draw some; and round all to half precision, as saved."""
    for module in model.model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)
    model.model.half().float().eval()
    return model


def _write_reference(model: YOLO, path: Path) -> None:
    layers = model.model.model
    images = torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        features = layers[:10](images)
        head = layers[10]
        logits = head.linear(head.pool(head.conv(features)).flatten(1))
    np.savez(path, images=images.numpy(), features=features.numpy(), logits=logits.numpy())


def _write_relu(path: Path) -> None:
    model = YOLO("yolo11n-cls.yaml")
    model.model.model[3].act = torch.nn.ReLU()
    model.save(path)


def _write_eps(folder: Path) -> None:
    """A checkpoint whose batch norms have another epsilon, with ultralytics' answers."""
    model = _with_statistics(YOLO("yolo11n-cls.yaml"))
    for module in model.model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 1e-1
    model.save(folder / "eps.pt")
    _write_reference(model, folder / "eps.npz")


def predict(model: Path, size: int, images: Path, out: Path) -> None:
    """Write what `YOLO.predict` answers for each array `(n, h, w, 3)` in `images`, `(n, classes)`, under its name."""
    torch.set_num_threads(1)
    yolo = YOLO(model)
    answers = {
        name: np.array([yolo.predict(image, imgsz=size, verbose=False)[0].probs.data.numpy() for image in batch])
        for name, batch in np.load(images).items()
    }
    np.savez(out, **answers, names=np.array(list(yolo.names.values())))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]))
    else:
        predict(Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), Path(sys.argv[5]))
