"""Checkpoints as PyTorch wrote them before 1.6, and still does on request: pickles and storages one after the other."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from posture_daemon.adapters.checkpoints.pickled import STORAGE_TYPES, Damage, DataUnpickler, Storage

LEGACY_BEGINNING = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
"""A pickle of the number by which `torch.load` knows such a file."""

COUNT = struct.Struct("<q")


class LegacyParts:
    """The `content` of such a file, and where each storage lies in it. Raises `Damage` when it is cut off or lies."""

    def __init__(self, path: Path, file: BinaryIO, most_bytes: int) -> None:
        self._file = file
        self._storages: dict[str, Storage] = {}
        self._size = os.fstat(file.fileno()).st_size
        file.seek(0)
        _magic, _version, _machine, self.content, keys = (self._load(path, most_bytes) for _ in range(5))
        self._begins = self._where(keys)

    def bytes_of(self, key: str, size: int) -> NDArray[np.uint8]:
        """The bytes of a storage, which must be this many."""
        begins, there = self._begins[key]
        if size != there:
            raise Damage(f"the storage {key} has {there} bytes instead of {size}")
        self._file.seek(begins)
        data = np.fromfile(self._file, np.uint8, size)
        if data.size != size:
            raise Damage(f"the storage {key} ends early")
        return data

    def _load(self, path: Path, most_bytes: int) -> Any:
        """The next pickle. No more of the file is given to the unpickler than a description may have."""
        begins = self._file.tell()
        stream = io.BytesIO(self._file.read(most_bytes))
        unpickler = _LegacyUnpickler(stream, path, self._storages)
        content = unpickler.load()
        self._file.seek(begins + stream.tell())
        return content

    def _where(self, keys: Any) -> dict[str, tuple[int, int]]:
        """Begin and length of each storage, in bytes; every length is compared with what is left of the file."""
        found, at = {}, self._file.tell()
        for key in keys:
            storage = self._storages[str(key)]
            self._file.seek(at)
            [count] = COUNT.unpack(self._file.read(COUNT.size))
            length = count * np.dtype(STORAGE_TYPES[storage.dtype]).itemsize
            at += COUNT.size
            if count != storage.length or not 0 <= length <= self._size - at:
                raise Damage(f"the storage {storage.key} has not the size that it claims")
            found[storage.key] = at, length
            at += length
        return found


class _LegacyUnpickler(DataUnpickler):
    """Remembers the storages that the description names: what follows says only their keys."""

    def __init__(self, stream: Any, path: Path, storages: dict[str, Storage]) -> None:
        super().__init__(stream, path)
        self._storages = storages

    def persistent_load(self, pid: Any) -> Any:
        """As in the archive; a class came with its source text, which is not needed."""
        if pid[0] == "module":
            return pid[1]
        storage = super().persistent_load(pid)
        return self._storages.setdefault(storage.key, storage)
