"""Cached vectors: derived data that may be deleted at any time, and is never trusted over the database.

A *space* names all that shaped the numbers: backbone, head convolution, views, seed. It is one file,
`<data>/cache/features/<digest of the space>.features`, with nothing in it but records of one size, little-endian:

    picture   32 bytes     SHA-256 of the JPEG
    view      uint32       0 is the identity
    vector    float16 × width, or with 8 bits: float32 low, float32 step, uint8 × width (low + step · number)
    crc       uint32       CRC-32 of the space's name and of all before it in the record

Measured on the real front webcam, 8 bits cost 0.13 points of top-1 on another day (mean of 8 draws of the images, from -0.5 to
0; one image is 0.5 points) and save half the disk. Reading 7,000 vectors of 256 numbers takes 0.03 s, of 1280 numbers 0.09 s.

A record is only ever appended, under a lock. Whoever maps the file sees whole records, or one whose CRC is wrong: half
written, damaged, or of another space. Such a record counts as missing. Of several for one view the last one holds. A file
is never made shorter where others may have it mapped: it is written anew beside itself and takes its own place. A table of
SQLite was built and measured in its place, and was no shorter and slower: see "The feature cache" in docs/measurements.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posture_daemon.domain import MB, Floats
from posture_daemon.store.files import make_private_folder
from posture_daemon.store.lock import in_turn

log = logging.getLogger(__name__)

KEY_BYTES, CRC_BYTES = 36, 4
SUFFIX = ".features"

Records = NDArray[np.void]
Key = tuple[str, int]
"""SHA-256 of a picture, hexadecimal, and the number of one of its views."""


class FeatureCache:
    """The folder of all spaces, at most `max_mb` large; vectors of `bits` 16 or 8. Processes may share it."""

    def __init__(self, data_dir: Path, max_mb: float = 500.0, bits: int = 16) -> None:
        self.folder = data_dir / "cache" / "features"
        self.max_bytes, self.bits = int(max_mb * MB), bits

    def space(self, name: str, width: int, labelled: Callable[[], Collection[str]]) -> CachedSpace:
        """Vectors of `width` numbers; when room is short, pictures that are not `labelled` any more go first."""
        return CachedSpace(self, f"{name}/{width}/{self.bits}", width, labelled)

    def make_room(self, size: int, kept: Path) -> bool:
        """Delete other spaces than `kept`, the least recently used first, until `size` bytes fit; False if they never do."""
        files = sorted((path for path in self.folder.iterdir() if path != kept), key=lambda path: path.stat().st_mtime)
        total = sum(path.stat().st_size for path in self.folder.iterdir())
        for path in files:
            if total + size <= self.max_bytes:
                break
            total -= path.stat().st_size
            path.unlink()
        return total + size <= self.max_bytes


class CachedSpace:
    """The vectors of one space. No method fails for want of disk, access or sound data: what cannot be read is missing."""

    def __init__(self, cache: FeatureCache, name: str, width: int, labelled: Callable[[], Collection[str]]) -> None:
        self._cache, self._width, self._labelled = cache, width, labelled
        self.path = cache.folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}{SUFFIX}"
        self._seed = zlib.crc32(name.encode())
        self._dtype = _record_dtype(width, cache.bits)
        self.storing = True

    def has(self, pictures: Sequence[str], views: int) -> NDArray[np.bool_]:
        """Which of the views 0 to `views` - 1 are there, `(pictures, views)`. Looks at keys only: some may prove damaged."""
        return _rows(self._records(), pictures, views) >= 0

    def find(self, pictures: Sequence[str], views: int) -> tuple[Floats, NDArray[np.bool_]]:
        """All vectors at once, `float32 (pictures, views, width)`, and which were found, `(pictures, views)`; others are 0."""
        records = self._records()
        rows = _rows(records, pictures, views)
        found = rows >= 0
        found[found] = self._sound(records, rows[found])
        damaged = int((rows >= 0).sum() - found.sum())
        if damaged:
            log.warning("%d records of the feature cache %s are damaged: they are computed anew", damaged, self.path)
            self._attempt(self._rewrite)
        vectors = np.zeros((*rows.shape, self._width), np.float32)
        flat, places = vectors.reshape(-1, self._width), np.flatnonzero(found)
        for some in _portions(places):
            flat[some] = _decode(records[rows.flat[some]])
        if len(places):
            with contextlib.suppress(OSError):
                os.utime(self.path)  # used just now, for `make_room`
        return vectors, found

    def put(self, keys: Sequence[Key], vectors: Floats) -> Floats:
        """Store vectors `(keys, width)`; return them as they will come back, `float32`, whether they could be stored or not."""
        records = _encode(keys, vectors, self._dtype)
        raw = _raw(records)
        records["crc"] = [zlib.crc32(row[:-CRC_BYTES].data, self._seed) for row in raw]
        if self.storing and len(records):
            self._attempt(lambda: self._append(raw.tobytes()))
        return _decode(records)

    def damaged(self) -> int:
        """How many records are damaged. Reads all of them."""
        records = self._records()
        return int(len(records) - self._sound(records, np.arange(len(records))).sum())

    def drop_damaged(self) -> None:
        """Write the file anew without them."""
        self._attempt(self._rewrite)

    def _records(self) -> Records:
        """The whole records of the file, mapped."""
        try:
            with self.path.open("rb") as file:  # one file for size and map: another may take its place in between
                count = os.fstat(file.fileno()).st_size // self._dtype.itemsize
                if count:
                    return np.memmap(file, self._dtype, mode="r", shape=(count,))
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("the feature cache %s cannot be read (%s): everything is computed", self.path, error.strerror)
        return np.empty(0, self._dtype)

    def _sound(self, records: Records, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which of these rows have the right checksum."""
        size, crcs = self._dtype.itemsize, records["crc"]
        raw = records.view(np.uint8).data
        body = size - CRC_BYTES
        good = (zlib.crc32(raw[row * size : row * size + body], self._seed) == crcs[row] for row in rows.tolist())
        return np.fromiter(good, np.bool_, len(rows))

    def _attempt(self, write: Callable[[], None]) -> None:
        """Write in turn with other processes; after the first failure nothing more is stored."""
        try:
            make_private_folder(self.path.parent)
            with in_turn(self.path.parent):
                write()
        except OSError as error:
            self.storing = False
            log.warning("the feature cache %s cannot be written (%s): going on without", self.path, error.strerror)

    def _append(self, data: bytes) -> None:
        if not self._has_room(len(data)):
            self.storing = False
            log.warning(
                "the feature cache is full (%d MB): what does not fit is computed each time",
                self._cache.max_bytes // MB,
            )
            return
        self.path.touch(mode=0o600)
        with self.path.open("ab") as file:
            end = file.tell()
            file.truncate(end - end % self._dtype.itemsize)  # a torn record at the end: no reader maps it
            file.write(data)

    def _has_room(self, size: int) -> bool:
        """Room for `size` bytes more, made if need be: other spaces go first, then pictures without a label."""
        if self._cache.make_room(size, self.path):
            return True
        labelled, records = self._labelled(), self._records()
        needed = [key for key in _index(records) if key[:32].hex() in labelled]
        if len(needed) == len(records):
            return False  # nothing to drop, so spare the writing
        self._rewrite(labelled)
        return self._cache.make_room(size, self.path)

    def _rewrite(self, kept: Collection[str] | None = None) -> None:
        """Write the file anew with sound records only, one per view, of these pictures (`None`: of all)."""
        records = self._records()
        index = {key: row for key, row in _index(records).items() if kept is None or key[:32].hex() in kept}
        rows = np.fromiter(index.values(), np.intp, len(index))
        beside = self.path.with_suffix(".partial")
        try:
            beside.unlink(missing_ok=True)  # whatever lies there: a pipe would be waited for
            beside.touch(mode=0o600, exist_ok=False)
            with beside.open("wb") as file:
                for some in _portions(rows[self._sound(records, rows)]):
                    file.write(records[some].tobytes())
            os.replace(beside, self.path)
        finally:
            beside.unlink(missing_ok=True)  # a full disk must not be kept full


def _record_dtype(width: int, bits: int) -> np.dtype[np.void]:
    body = (
        [("vector", "<f2", (width,))] if bits == 16 else [("low", "<f4"), ("step", "<f4"), ("vector", "u1", (width,))]
    )
    return np.dtype([("picture", "u1", (32,)), ("view", "<u4"), *body, ("crc", "<u4")])


def _raw(records: Records) -> NDArray[np.uint8]:
    """The same memory as bytes, `(records, record size)`."""
    return records.view(np.uint8).reshape(len(records), records.dtype.itemsize)


def _portions(rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """A few thousand at a time, so that copies stay small."""
    return (rows[start : start + 4096] for start in range(0, len(rows), 4096))


def _index(records: Records) -> dict[bytes, int]:
    """Row of each key; of several the last."""
    keys = np.ascontiguousarray(_raw(records)[:, :KEY_BYTES]).tobytes()
    return {keys[row * KEY_BYTES : (row + 1) * KEY_BYTES]: row for row in range(len(records))}


def _key(picture: str, view: int) -> bytes:
    return bytes.fromhex(picture) + view.to_bytes(4, "little")


def _rows(records: Records, pictures: Sequence[str], views: int) -> NDArray[np.intp]:
    """Row of each picture's views 0 to `views` - 1, `(pictures, views)`, -1 where there is none."""
    index = _index(records)
    rows = [index.get(_key(picture, view), -1) for picture in pictures for view in range(views)]
    return np.array(rows, np.intp).reshape(len(pictures), views)


def _encode(keys: Iterable[Key], vectors: Floats, dtype: np.dtype[np.void]) -> Records:
    records = np.zeros(len(vectors), dtype)
    raw_keys = b"".join(_key(picture, view) for picture, view in keys)
    table = np.frombuffer(raw_keys, np.uint8).reshape(len(vectors), KEY_BYTES)
    records["picture"], records["view"] = table[:, :32], table[:, 32:].copy().view("<u4")[:, 0]
    if "step" not in (dtype.names or ()):
        records["vector"] = vectors
        return records
    low = vectors.min(axis=1)
    step = np.maximum((vectors.max(axis=1) - low) / 255, np.float32(1e-12))
    records["low"], records["step"] = low, step
    records["vector"] = np.rint((vectors - low[:, None]) / step[:, None])
    return records


def _decode(records: Records) -> Floats:
    """Vectors `float32 (records, width)`."""
    vectors = records["vector"].astype(np.float32)
    if "step" in (records.dtype.names or ()):
        vectors = vectors * records["step"][:, None] + records["low"][:, None]
    return np.asarray(vectors, dtype=np.float32)
