"""Read a PyTorch checkpoint as data, without running anything it contains and without torch.

A checkpoint is a zip file: `data.pkl`, a pickle that describes the objects, and one file per tensor; before PyTorch 1.6 it was
those parts one after the other. `pickled` reads the description. Every size is compared with what the file holds before
memory is taken, and only the tensors that somebody asks for are read.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from posture_daemon.adapters.checkpoints.file_kinds import folder_refused, refused, zip_refused
from posture_daemon.adapters.checkpoints.legacy import LEGACY_BEGINNING, LegacyParts
from posture_daemon.adapters.checkpoints.pickled import STORAGE_TYPES, Damage, DataUnpickler, Storage, StoredTensor
from posture_daemon.domain import Floats
from posture_daemon.errors import CheckpointRefused

MOST_PICKLE_BYTES = 16_000_000
"""Of the description; yolo11x-cls with its optimizer has 0.4 MB."""

MOST_NUMBERS = 64_000_000
"""In one tensor; yolo11x-cls has 29 million in all, 1.3 million more a thousand classes."""

CHUNK_BYTES = 1 << 20


class Archive:
    """An open checkpoint: its `content`, with `Shell`s for objects and `StoredTensor`s for tensors, and their numbers."""

    def __init__(self, content: Any, parts: _ZipParts | LegacyParts) -> None:
        self.content = content
        self._parts = parts
        self._last: tuple[Storage, NDArray[Any]] | None = None

    def read(self, tensor: StoredTensor) -> Floats:
        """The numbers of a tensor as `float32`. Raises `Damage` when its sizes do not fit what the file holds."""
        if tensor.size > min(tensor.storage.length, MOST_NUMBERS):
            raise Damage(f"a tensor of {tensor.storage.length} numbers claims to have {tensor.size}")
        if not tensor.size:
            return np.empty(tensor.shape, np.float32)
        used = self._numbers(tensor.storage)[tensor.offset : tensor.end]
        if tensor.storage.dtype == "BFloat16Storage":
            used = np.left_shift(used, 16, dtype="<u4").view("<f4")
        in_bytes = tuple(stride * used.itemsize for stride in tensor.strides)
        return np.array(np.lib.stride_tricks.as_strided(used, tensor.shape, in_bytes, writeable=False), np.float32)

    def _numbers(self, storage: Storage) -> NDArray[Any]:
        """One storage; kept until another is asked for, since tensors may share one."""
        if self._last is None or self._last[0] != storage:
            kind = STORAGE_TYPES.get(storage.dtype)
            if kind is None:
                raise Damage("its numbers are of a type that is no plain number, as in a quantised network")
            self._last = None  # free it before the next one is read
            self._last = storage, self._parts.bytes_of(storage.key, storage.length * np.dtype(kind).itemsize).view(kind)
        return self._last[1]


@contextmanager
def opened_archive(path: Path) -> Iterator[Archive]:
    """Open a checkpoint for the block.

    Raises `CheckpointRefused` with one sentence when the file is missing, is no checkpoint, is damaged or holds code; also when
    the block meets damage, in whatever form.
    """
    with _opened(path) as file:
        try:
            yield _read(path, file)
        except (CheckpointRefused, MemoryError):
            raise
        except Damage as error:
            raise CheckpointRefused(f"{path} is damaged: {error}.") from error
        except Exception as error:  # a damaged file can fail anywhere in zipfile, pickle or numpy
            said = " ".join(str(error).split())[:120]
            raise CheckpointRefused(
                f"{path} is damaged and cannot be read ({type(error).__name__}: {said})."
            ) from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """An ordinary file, never one that waits for somebody to write into it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        what = "is a link to a file that is not there" if path.is_symlink() else "does not exist; check the path"
        raise CheckpointRefused(f"{path} {what}.") from error
    except OSError as error:
        raise CheckpointRefused(f"{path} cannot be opened ({error.strerror}).") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise folder_refused(path)
        raise CheckpointRefused(f"{path} is a pipe or a device; give an ordinary file.")
    with os.fdopen(descriptor, "rb") as file:
        yield file


def _read(path: Path, file: BinaryIO) -> Archive:
    if file.read(len(LEGACY_BEGINNING)) == LEGACY_BEGINNING:
        parts = LegacyParts(path, file, MOST_PICKLE_BYTES)
        return Archive(parts.content, parts)
    if not zipfile.is_zipfile(file):
        raise refused(path, file)
    packed = _ZipParts(path, zipfile.ZipFile(file))
    return Archive(DataUnpickler(io.BytesIO(packed.description()), path).load(), packed)


class _ZipParts:
    """The parts of a checkpoint as `torch.save` writes it."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        names = archive.namelist()
        pickles = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1 or any("/code/" in name for name in names):
            raise zip_refused(path, names)
        if any(info.flag_bits & 1 for info in archive.infolist()):
            raise CheckpointRefused(f"{path} is encrypted with a password; unpack it and give the .pt file in it.")
        self._archive = archive
        self._root = pickles[0].removesuffix("data.pkl")
        if self._root + "byteorder" in names and bytes(self._part("byteorder", 16)) != b"little":
            raise CheckpointRefused(f"{path} was written on a big-endian machine, which is not supported.")

    def description(self) -> bytes:
        """The pickle."""
        return bytes(self._part("data.pkl", MOST_PICKLE_BYTES))

    def bytes_of(self, key: str, size: int) -> NDArray[np.uint8]:
        """The file of a storage, which must have this many bytes."""
        return self._part(f"data/{key}", size, exactly=True)

    def _part(self, name: str, most: int, *, exactly: bool = False) -> NDArray[np.uint8]:
        """One file of the archive. Its checksum is verified, and no more is unpacked at a time than a chunk."""
        about = self._archive.getinfo(self._root + name)
        if about.file_size > most or (exactly and about.file_size != most):
            raise Damage(
                f"{name} in it has {about.file_size} bytes, but {most} is {'right' if exactly else 'the most'}"
            )
        data, have = np.empty(about.file_size, np.uint8), 0
        with self._archive.open(about) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                data[have : have + len(chunk)] = np.frombuffer(chunk, np.uint8)
                have += len(chunk)
        if have != data.size:
            raise Damage(f"{name} ends early")
        return data
