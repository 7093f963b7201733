"""Run by tests in a process of its own, because it imports torch and ultralytics.

`make FOLDER` writes small checkpoints with random weights and what ultralytics' own layers answer (`*.npz`);
`predict MODEL SIZE IMAGES.npz OUT.npz` writes what `YOLO.predict` answers for batches of BGR images;
`train MODEL DATASET OUT.npz SETTINGS` trains one epoch with `freeze=10` and writes every batch, its loss and the head after it.
"""

import copy
import json
import os
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    scratch = tempfile.mkdtemp()
    os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")
    os.environ.update(YOLO_CONFIG_DIR=scratch, MPLCONFIGDIR=scratch)

import numpy as np
import torch
from torch.nn.utils.prune import l1_unstructured
from ultralytics import YOLO
from ultralytics.models.yolo.classify import ClassificationTrainer
from ultralytics.nn.tasks import BaseModel, ClassificationModel

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
    _write_variants(folder)


def _write_variants(folder: Path) -> None:
    """One small network in the forms in which people save it, and with one thing changed at a time."""
    plain = ClassificationModel("yolo11n-cls.yaml", nc=3, verbose=False).eval()
    plain.names, plain.args = {0: "good", 1: "bad", 2: "na"}, {"imgsz": SIZE, "task": "classify"}

    def save(name: str, change: Callable[[Any], object] = lambda model: None, **settings: object) -> None:
        model = copy.deepcopy(plain)
        changed = change(model)
        train_args = {"imgsz": SIZE, **settings}
        torch.save({"model": model if changed is None else changed, "train_args": train_args}, folder / f"{name}.pt")

    def fill(tensor: Any, value: float) -> None:
        tensor.data[:] = value

    save("plain")
    torch.save({"model": plain}, folder / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(plain, folder / "bare.pt")
    save("dataparallel", torch.nn.DataParallel)
    save("pruned", lambda m: l1_unstructured(m.model[5].conv, "weight", 0.3) and None)
    save("weights_only", lambda m: m.state_dict())
    save("reordered", lambda m: _set(m.model[5].conv, "weight", m.model[5].conv.weight.data.transpose(2, 3)))
    for channels in (1, 4):
        model = ClassificationModel("yolo11n-cls.yaml", nc=3, ch=channels, verbose=False)
        torch.save({"model": model}, folder / f"channels{channels}.pt")
    save("expanded", lambda m: _set(m.model[3].conv, "weight", torch.zeros(1).expand(m.model[3].conv.weight.shape)))
    save("stride", lambda m: setattr(m.model[0].conv, "stride", (1, 1)))
    save("shortcut", lambda m: setattr(m.model[2].m[0], "add", False))
    save("hook", lambda m: m.model[1].register_forward_hook(torch.nn.functional.relu) and None)
    save("width", lambda m: setattr(m.model[3], "conv", torch.nn.Conv2d(32, 64, 3, 2, 1, bias=False)))
    save("negative", lambda m: fill(m.model[0].bn.running_var, -1.0))
    save("infinite", lambda m: fill(m.model[0].bn.weight, float("inf")))
    sizes = {"text": str(SIZE), "fraction": 64.0, "minus": -224, "nothing": None, "nan": float("nan"), "huge": 100_000,
             "numpy": np.int64(SIZE), "float16": np.float16(SIZE), "array": np.array([32, SIZE]),
             "tensor": torch.tensor(SIZE), "tensors": torch.tensor([32.0, SIZE]), "list": [np.int32(SIZE), 32]}  # fmt: skip
    for name, size in sizes.items():
        save(f"size_{name}", imgsz=size)
    _write_odd_names(plain, folder)
    _write_odd_weights(save)


def _write_odd_names(plain: Any, folder: Path) -> None:
    """The names of the classes in other containers than a dictionary or a list."""
    words = list(plain.names.values())
    names = {
        "default": defaultdict(str, plain.names),
        "lists": defaultdict(list, plain.names),
        "array": np.array(words),
        "objects": np.array(words, dtype=object),
        "texts": [np.str_(word) for word in words],
        "counter": Counter(words),
    }
    for name, kept in names.items():
        model = copy.deepcopy(plain)
        model.names = kept
        about = {"date": datetime.now(timezone.utc), "best": defaultdict(float, top1=0.5)}
        torch.save({"model": model, "train_args": {"imgsz": SIZE}, **about}, folder / f"names_{name}.pt")


def _write_odd_weights(save: Callable[..., None]) -> None:
    """One weight each that is there, but is no plain number; and a linear layer without a bias."""

    def change(kind: Callable[[Any], Any]) -> Callable[[Any], object]:
        return lambda m: m.model[5].conv._parameters.update(weight=kind(m.model[5].conv.weight.data))

    save("weight_float8", change(lambda weight: weight.to(torch.float8_e4m3fn)))
    save("weight_sparse", change(lambda weight: weight.to_sparse()))
    save("weight_meta", change(lambda weight: weight.to("meta")))
    save("weight_complex", change(lambda weight: weight.to(torch.complex64)))
    save("weight_unsigned", change(lambda weight: weight.to(torch.uint16)))
    save("no_bias", lambda m: m.model[10].linear._parameters.update(bias=None))
    save("zero_bias", lambda m: m.model[10].linear.bias.data.zero_().dim() and None)


def _set(module: Any, name: str, value: Any) -> None:
    setattr(module, name, torch.nn.Parameter(value))


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


def train(model: Path, dataset: Path, out: Path, settings: dict[str, Any]) -> None:
    """Let ultralytics' own trainer run one epoch, without augmentation; look, but touch nothing.

    Writes `images uint8 (steps, n, size, size, 3)` (BGR), `targets (steps, n)`, `losses (steps,)`, and under its name each
    tensor of the head, `(steps + 1, …)`: before the first step and after every one.
    """
    torch.set_num_threads(1)
    BaseModel.info = lambda *_, **__: None  # as in `make`
    seen: dict[str, list[Any]] = {"images": [], "targets": [], "losses": []}

    class Trainer(ClassificationTrainer):
        def preprocess_batch(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            batch = super().preprocess_batch(batch)
            pixels = (batch["img"] * 255).round().to(torch.uint8)
            seen["images"].append(pixels.permute(0, 2, 3, 1).flip(3).numpy())
            seen["targets"].append(batch["cls"].numpy())
            return batch

    def keep_head(trainer: ClassificationTrainer) -> None:
        for name, tensor in trainer.model.model[10].state_dict().items():
            seen.setdefault(name, []).append(tensor.clone().numpy())

    def keep_step(trainer: ClassificationTrainer) -> None:
        seen["losses"].append(trainer.loss.item())
        keep_head(trainer)

    _run_one_epoch(YOLO(model), Trainer, {"on_train_start": keep_head, "on_train_batch_end": keep_step}, {
        "data": str(dataset), "project": str(out.parent), "name": out.stem, "freeze": 10, **settings,
    })  # fmt: skip
    np.savez(out, **{name: np.array(values) for name, values in seen.items()})


def load_dataset(folder: Path, out: Path) -> None:
    """Have ultralytics check a dataset and load each split of it.

    Writes JSON: `names` in the order of the classes, and `labels`, images of each class by split, each picture decoded once.
    """
    from ultralytics.cfg import get_cfg
    from ultralytics.data.dataset import ClassificationDataset
    from ultralytics.data.utils import check_cls_dataset

    found = check_cls_dataset(folder)
    labels = {}
    for split in ("train", "val", "test"):
        dataset = ClassificationDataset(str(found[split]), get_cfg(overrides={"imgsz": 32}), prefix=split)
        assert dataset.base.classes == list(found["names"].values())
        numbers = Counter(int(dataset[i]["cls"]) for i in range(len(dataset)))
        labels[split] = {found["names"][number]: count for number, count in sorted(numbers.items())}
    out.write_text(json.dumps({"names": list(found["names"].values()), "labels": labels}))


def _run_one_epoch(
    yolo: YOLO,
    trainer: type[ClassificationTrainer],
    callbacks: dict[str, Callable[..., None]],
    settings: dict[str, Any],
) -> None:
    """Train with nothing random but the order of the pictures; validation and files as ultralytics likes them."""
    for event, callback in callbacks.items():
        yolo.add_callback(event, callback)
    plain = {
        "fliplr": 0.0,
        "scale": 0.0,
        "hsv_h": 0.0,
        "hsv_s": 0.0,
        "hsv_v": 0.0,
        "erasing": 0.0,
        "auto_augment": None,
    }
    quiet = {"amp": False, "workers": 0, "device": "cpu", "plots": False, "verbose": False, "deterministic": False}
    yolo.train(trainer=trainer, epochs=1, warmup_epochs=0, **plain, **quiet, **settings)


if __name__ == "__main__":
    action, *arguments = sys.argv[1:]
    if action == "make":
        make(Path(arguments[0]))
    elif action == "predict":
        predict(Path(arguments[0]), int(arguments[1]), Path(arguments[2]), Path(arguments[3]))
    elif action == "dataset":
        load_dataset(Path(arguments[0]), Path(arguments[1]))
    else:
        train(Path(arguments[0]), Path(arguments[1]), Path(arguments[2]), json.loads(arguments[3]))
