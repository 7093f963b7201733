"""The checkpoint of an unfinished training: one file that is whole or not there, and belongs to one training alone.

Imports torch, so only `fit_child` and what it uses may import this.
"""

import hashlib
import json
import os
import pickle
import random
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from posture_daemon.store.files import sync_folder

FILE = "checkpoint.pt"

FORMAT = 1
"""Part of what a checkpoint belongs to: raise it when the meaning of an entry changes."""

DAMAGE_ERRORS = (OSError, RuntimeError, ValueError, KeyError, EOFError, zipfile.BadZipFile, pickle.UnpicklingError)


class CheckpointKeeper:
    """Keeps the newest checkpoint of one training in a folder; without a folder it keeps nothing.

    `belongs_to` is the `fingerprint` of the training; `say` is told in one sentence when a checkpoint is not used.
    """

    def __init__(self, folder: Path | None, belongs_to: str, say: Callable[[str], None]) -> None:
        self._path = folder / FILE if folder else None
        self._belongs_to, self._say = belongs_to, say

    @property
    def keeps(self) -> bool:
        """Whether there is a folder."""
        return self._path is not None

    def found(self) -> dict[str, Any]:
        """What was saved last; empty when there is nothing that this training could go on with."""
        if self._path is None or not self._path.exists():
            return {}
        try:
            state = _read(self._path)
        except DAMAGE_ERRORS as error:
            self._say(f"the checkpoint is damaged and not used ({type(error).__name__}); the training begins anew")
            return {}
        if state.get("belongs_to") != self._belongs_to:
            self._say("the checkpoint belongs to another training and is not used; the training begins anew")
            return {}
        return state

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace the checkpoint: after a crash at any moment it is the old or the new one."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = self._path.with_suffix(".partial")
        try:
            partial.unlink(missing_ok=True)  # whatever lies there: a pipe would be waited for
            with partial.open("xb") as file:
                torch.save({**state, "belongs_to": self._belongs_to}, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        sync_folder(self._path.parent)


def _read(path: Path) -> dict[str, Any]:
    """The file is a zip archive, and torch does not look at its check sums: a turned bit would be trained on."""
    with zipfile.ZipFile(path) as archive:
        if archive.testzip() is not None:
            raise zipfile.BadZipFile("a check sum is wrong")
    return dict(torch.load(path, map_location="cpu", weights_only=True))


def fingerprint(weights: Mapping[str, Any], data: Path, settings: Mapping[str, Any]) -> str:
    """What a training depends on, as one digest: the weights it starts from, its pictures, its settings and versions.

    Of the pictures the content counts and where they are within `data`; the folder itself is another one in each run.
    """
    digest = hashlib.sha256(json.dumps([FORMAT, settings], sort_keys=True).encode())
    for name, tensor in weights.items():
        digest.update(f"{name} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    for path in sorted(data.glob("*/**/*")):  # ultralytics' own caches lie beside the splits
        digest.update(f"{path.relative_to(data).as_posix()} ".encode())
        if path.is_file():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def random_state() -> dict[str, Any]:
    """The state of every generator that augmentation or dropout may draw from, as plain values and tensors."""
    kind, words, gauss = random.getstate()
    algorithm, keys, *rest = np.random.get_state()  # the global one, because that is the one libraries use
    return {
        "python": [kind, list(words), gauss],
        "numpy": [str(algorithm), [int(key) for key in keys], *rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    """Make all of them go on from there."""
    kind, words, gauss = state["python"]
    random.setstate((kind, tuple(words), gauss))
    algorithm, keys, *rest = state["numpy"]
    np.random.set_state((algorithm, np.array(keys, np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
