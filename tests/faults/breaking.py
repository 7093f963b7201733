"""How some of what the catalogue lists is broken."""

import shutil
import socket
import sqlite3
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from posture_daemon.store.files import sha256_of
from tests.faults.fault import DATABASE, Place


@contextmanager
def port_of_nobody() -> Iterator[int]:
    """A port of this machine that is taken, but answers nobody."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


@contextmanager
def small_disk(at: Place, options: str) -> Iterator[None]:
    """The data folder moved to a small file system of its own; skips where none can be mounted."""
    moved = at.data.rename(at.data.with_name("moved"))
    at.data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options.replace("ro", "size=64m"), "tmpfs", str(at.data)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a small file system")
    try:
        shutil.copytree(moved, at.data, dirs_exist_ok=True)
        if options == "ro":
            subprocess.run(["mount", "-o", "remount,ro", str(at.data)], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", str(at.data)], check=True)


def overwrite_root_of(at: Place, table: str) -> None:
    """Random bytes over the first page of a table."""
    with sqlite3.connect(at.data / DATABASE) as connection:
        [page] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        [size] = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with (at.data / DATABASE).open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(range(256)) * (size // 256))


def archive(at: Place, pickled: bytes, name: str = "model/data.pkl") -> Path:
    """A zip archive as PyTorch writes one, holding these bytes."""
    path = at.beside / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, pickled)
        archive.writestr("model/version", "3\n" if name.endswith(".pkl") else "")
    return path


def give_head(at: Place, rows: int, biases: int) -> None:
    """A head file whose parts do not fit each other, in place of the champion's, with its digest in the database."""
    tensors = load(at.head().read_bytes())
    tensors["linear.weight"] = np.zeros((rows, 1280), np.float32)
    tensors["linear.bias"] = np.zeros(biases, np.float32)
    data = save(tensors)
    (at.head().parent / f"{sha256_of(data)[:16]}.safetensors").write_bytes(data)
    at.sql(f"UPDATE model_versions SET head_sha256 = '{sha256_of(data)}'")
