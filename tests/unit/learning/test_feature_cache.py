"""The feature cache: what was put comes back, and whatever happens to its files costs time, never a wrong number."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from posture_daemon.domain import MB, Floats
from posture_daemon.learning.feature_cache import CachedSpace, FeatureCache, Key

WIDTH = 8
RECORD = 32 + 4 + 2 * WIDTH + 4
"""Bytes of a record of `WIDTH` numbers of 16 bits."""


def sha(name: object) -> str:
    """The digest of a picture of this name."""
    return hashlib.sha256(str(name).encode()).hexdigest()


def space_of(folder: Path, name: str = "space", labelled: tuple[str, ...] = (), **options: Any) -> CachedSpace:
    """A space of this data folder, opened as a new process would."""
    return FeatureCache(folder, **options).space(name, WIDTH, lambda: labelled)


def vectors_of(count: int, seed: int = 0) -> Floats:
    """So many vectors that float16 holds exactly."""
    return np.random.default_rng(seed).normal(0, 1, (count, WIDTH)).astype(np.float16).astype(np.float32)


def fill(space: CachedSpace, count: int, seed: int = 0) -> Floats:
    """Put one vector for each of the pictures 0, 1, …; return them."""
    vectors = vectors_of(count, seed)
    space.put([(sha(number), 0) for number in range(count)], vectors)
    return vectors


def pictures(count: int) -> list[str]:
    """The digests of the pictures 0, 1, …."""
    return [sha(number) for number in range(count)]


def test_vectors_come_back_after_reopening(tmp_path: Path) -> None:
    """By picture and view, in the order that was asked for; what was put last holds, and another space has its own."""
    a, b = sha("a"), sha("b")
    one, two, three, four = vectors_of(4)
    space = space_of(tmp_path)
    space.put([(a, 0), (b, 2)], np.array([one, two]))
    space.put([(b, 2)], np.array([three]))
    space_of(tmp_path, "other").put([(a, 1)], np.array([four]))
    vectors, found = space_of(tmp_path).find([b, sha("unheard of"), a], 3)
    assert (vectors.shape, vectors.dtype) == ((3, 3, WIDTH), np.float32)
    assert np.argwhere(found).tolist() == [[0, 2], [2, 0]]
    np.testing.assert_array_equal(vectors[0, 2], three)
    np.testing.assert_array_equal(vectors[2, 0], one)
    assert not vectors[~found].any()
    np.testing.assert_array_equal(space_of(tmp_path).has([b, a], 3), found[[0, 2]])
    assert space_of(tmp_path, "other").has([a], 3).tolist() == [[False, True, False]]


NUMBERS = st.floats(-60_000, 60_000, width=16)


@given(arrays(np.float32, st.tuples(st.integers(1, 20), st.just(WIDTH)), elements=NUMBERS))
def test_16_bits_keep_every_float16(tmp_path_factory: pytest.TempPathFactory, vectors: Floats) -> None:
    """Bit for bit, and `put` tells at once what will come back."""
    folder = tmp_path_factory.mktemp("cache")
    told = space_of(folder).put([(sha(n), n) for n in range(len(vectors))], vectors)
    found, there = space_of(folder).find(pictures(len(vectors)), len(vectors))
    assert there.sum() == len(vectors)
    np.testing.assert_array_equal(told, vectors)
    np.testing.assert_array_equal(found[there], vectors)


@given(arrays(np.float32, st.tuples(st.integers(1, 20), st.just(WIDTH)), elements=NUMBERS))
def test_8_bits_are_off_by_half_a_step(tmp_path_factory: pytest.TempPathFactory, vectors: Floats) -> None:
    """A step is a 255th of the vector's range; constant vectors come back as they were."""
    folder = tmp_path_factory.mktemp("cache")
    told = space_of(folder, bits=8).put([(sha(n), 0) for n in range(len(vectors))], vectors)
    found, _ = space_of(folder, bits=8).find(pictures(len(vectors)), 1)
    np.testing.assert_array_equal(told, found[:, 0])
    step = (vectors.max(axis=1) - vectors.min(axis=1)) / 255
    assert (np.abs(told - vectors).max(axis=1) <= step * 0.51 + np.abs(vectors).max(axis=1) * 1e-6).all()


def test_8_bits_are_another_space_and_half_the_size(tmp_path: Path) -> None:
    """Vectors of one kind are never taken for the other."""
    cache = {bits: FeatureCache(tmp_path, bits=bits).space("space", 256, tuple) for bits in (8, 16)}
    cache[16].put([(sha(0), 0)], np.ones((1, 256), np.float32))
    assert not cache[8].has([sha(0)], 1).any()
    cache[8].put([(sha(0), 0)], np.ones((1, 256), np.float32))
    assert cache[8].path.stat().st_size < 0.6 * cache[16].path.stat().st_size


def check_after_damage(folder: Path, truth: Floats, lost: int) -> None:
    """All that is found is right, all but `lost` vectors are found, and these can be put again."""
    count = len(truth)
    vectors, found = space_of(folder).find(pictures(count), 1)
    there = found[:, 0]
    np.testing.assert_array_equal(vectors[there, 0], truth[there])
    assert there.sum() >= count - lost
    missing = np.flatnonzero(~there).tolist()
    space_of(folder).put([(sha(number), 0) for number in missing], truth[missing])
    vectors, found = space_of(folder).find(pictures(count), 1)
    assert found.all()
    np.testing.assert_array_equal(vectors[:, 0], truth)


def test_a_file_that_was_cut_off_anywhere_loses_only_what_was_cut(tmp_path: Path) -> None:
    """At every single byte of three records: the records before it are there, and new ones fit behind them."""
    truth = fill(space_of(tmp_path), 3)
    path = space_of(tmp_path).path
    whole = path.read_bytes()
    assert len(whole) == 3 * RECORD
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        check_after_damage(tmp_path, truth, 3 - length // RECORD)
        assert path.stat().st_size == 3 * RECORD


def test_a_flipped_byte_anywhere_loses_one_record(tmp_path: Path) -> None:
    """Every byte of three records in turn: one vector is computed anew, never a wrong one used."""
    truth = fill(space_of(tmp_path), 3)
    path = space_of(tmp_path).path
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        check_after_damage(tmp_path, truth, 1)


@pytest.mark.parametrize("rubbish", [b"rubbish" * 100, bytes(10 * RECORD), b""], ids=["text", "zeros", "empty"])
def test_a_file_of_something_else_is_not_believed(tmp_path: Path, rubbish: bytes) -> None:
    """Such as blocks of zeros after a power cut: everything is computed anew."""
    truth = fill(space_of(tmp_path), 3)
    space_of(tmp_path).path.write_bytes(rubbish)
    check_after_damage(tmp_path, truth, 3)


def test_another_space_under_this_name_is_not_believed(tmp_path: Path) -> None:
    """The checksum covers the name of the space, so a file that was copied over another says nothing."""
    fill(space_of(tmp_path, "other"), 3)
    space_of(tmp_path).path.write_bytes(space_of(tmp_path, "other").path.read_bytes())
    assert not space_of(tmp_path).find(pictures(3), 1)[1].any()


def test_damage_is_told_once_and_mended(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The file is written anew without the damaged record, so the next training does not find it again."""
    fill(space_of(tmp_path), 3)
    path = space_of(tmp_path).path
    data = bytearray(path.read_bytes())
    data[RECORD + 40] ^= 1
    path.write_bytes(data)
    for _ in range(2):
        assert space_of(tmp_path).find(pictures(3), 1)[1][:, 0].tolist() == [True, False, True]
    assert [record.message.split(" ")[0] for record in caplog.records] == ["1"]
    assert path.stat().st_size == 2 * RECORD


def test_who_has_the_file_mapped_may_go_on_reading(tmp_path: Path) -> None:
    """A file that is written anew takes the place of the old one; the old one stays whole for those who read it."""
    truth = fill(space_of(tmp_path), 50)
    reader = space_of(tmp_path)
    mapped = reader._records()
    space_of(tmp_path)._rewrite({sha(0)})
    assert reader.path.stat().st_size == RECORD
    np.testing.assert_array_equal(mapped["vector"], truth)


# ── bounds ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def size_of(folder: Path) -> int:
    """Bytes of all files of the cache."""
    return sum(path.stat().st_size for path in (folder / "cache" / "features").iterdir())


def test_old_spaces_go_first(tmp_path: Path) -> None:
    """The one that was used longest ago, and no more than needed; labelled or not, the space in use keeps all it has."""
    room = 25 * RECORD / MB
    for age, name in enumerate(["middle", "oldest", "newest"]):
        fill(space_of(tmp_path, name), 5)
        os.utime(space_of(tmp_path, name).path, (1000 - age, 1000 - age))
    space_of(tmp_path, "newest").find(pictures(1), 1)  # written first, and just used
    space = space_of(tmp_path, max_mb=room)
    fill(space, 12)
    assert [space_of(tmp_path, name).path.exists() for name in ("newest", "middle", "oldest")] == [True, True, False]
    assert space.has(pictures(12), 1).all()
    assert size_of(tmp_path) <= room * MB


def test_then_pictures_without_a_label_go(tmp_path: Path) -> None:
    """They make room for new ones, and so do views that were put twice."""
    labelled = (*pictures(10)[5:], sha("new"))
    space = space_of(tmp_path, labelled=labelled, max_mb=10 * RECORD / MB)
    space.put([(sha("new"), 0)], fill(space, 10)[:1])
    assert space.storing
    assert space.has(pictures(10), 1)[:, 0].tolist() == [False] * 5 + [True] * 5
    assert space.has([sha("new")], 1).all()
    assert size_of(tmp_path) == 6 * RECORD


def test_labelled_pictures_that_do_not_fit_are_not_stored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is there stays, one warning is given, and the vectors are returned as if they had been stored."""
    space = space_of(tmp_path, labelled=tuple(pictures(20)), max_mb=10 * RECORD / MB)
    truth = fill(space, 10)
    for number in range(10, 20):
        np.testing.assert_array_equal(space.put([(sha(number), 0)], truth[:1]), truth[:1])
    assert [record.message.partition(" (")[0] for record in caplog.records] == ["the feature cache is full"]
    assert not space.storing
    assert space.has(pictures(20), 1).sum() == 10
    assert size_of(tmp_path) == 10 * RECORD


def test_a_cache_of_no_size_stores_nothing(tmp_path: Path) -> None:
    """The setting 0 switches it off."""
    fill(space_of(tmp_path, max_mb=0), 3)
    assert size_of(tmp_path) == 0


class FullDisk:
    """A file that takes no byte more."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: bytes) -> int:
        """Take half of it, as a disk does that runs full."""
        self._file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_costs_the_cache_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning; vectors are still returned; what was half written is not believed later."""
    truth = fill(space_of(tmp_path), 3)
    opened = Path.open
    space = space_of(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", lambda path, *mode: FullDisk(opened(path, *mode)))
        for number in (3, 4, 5):
            np.testing.assert_array_equal(space.put([(sha(number), 0)], truth[:1]), truth[:1])
    assert len(caplog.records) == 1
    assert "No space left on device" in caplog.text
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", lambda path, *mode: FullDisk(opened(path, *mode)))
        short = space_of(tmp_path, labelled=tuple(pictures(2)), max_mb=3 * RECORD / MB)
        short.put([(sha("new"), 0)], truth[:1])  # begins to write anew what has a label
    assert [path.suffix for path in space.path.parent.iterdir()] == [".features"]
    assert space_of(tmp_path).find(pictures(6), 1)[1].sum() == 3
    fill(space_of(tmp_path), 6)
    assert space_of(tmp_path).find(pictures(6), 1)[1].all()


def test_a_file_that_cannot_be_read_is_an_empty_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Here a folder lies in its place: everything is computed, nothing is stored, and both are said."""
    space = space_of(tmp_path)
    space.path.mkdir(parents=True)
    assert not space.find(pictures(3), 1)[1].any()
    fill(space, 3)
    assert "cannot be read" in caplog.text
    assert "cannot be written" in caplog.text


# ── several processes ─────────────────────────────────────────────────────────────────────────────────────────────────

WRITE = """
import hashlib, sys
from pathlib import Path
import numpy as np
from posture_daemon.learning.feature_cache import FeatureCache
folder, me = Path(sys.argv[1]), int(sys.argv[2])
space = FeatureCache(folder).space("space", 256, tuple)
print("ready", flush=True)
sys.stdin.readline()
for number in range(100):
    keys = [(hashlib.sha256(f"{number}".encode()).hexdigest(), 2 * part + me) for part in range(3)]
    space.put(keys, np.full((3, 256), number + me, np.float32))
    vectors, found = space.find([key[0] for key in keys[:1]], 6)
    assert found[0, me::2].all(), "its own vectors are missing"
    expected = np.broadcast_to(np.arange(6)[:, None] % 2 + number, (6, 256))
    assert (vectors[0][found[0]] == expected[found[0]]).all(), "half a record"
    if number % 10 == me:
        space._attempt(space._rewrite)
"""


def test_two_processes_may_write_read_and_tidy_at_once(tmp_path: Path) -> None:
    """Both begin on a new folder at the same moment, put 300 vectors each, read the other's and write the file anew."""
    command = [sys.executable, "-c", WRITE, str(tmp_path)]
    writers = [
        subprocess.Popen(
            [*command, me], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for me in "01"
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [(writer.communicate(timeout=600)[1], writer.returncode) for writer in writers] == [("", 0), ("", 0)]
    vectors, found = FeatureCache(tmp_path).space("space", 256, tuple).find(pictures(100), 6)
    assert found.all()
    expected = np.arange(100)[:, None] + np.arange(6)[None, :] % 2
    np.testing.assert_array_equal(vectors[..., 0], expected)


def test_a_whole_cache_is_read_at_once(tmp_path: Path) -> None:
    """1,400 pictures of five views: every vector in its place, asked for in another order than they were put."""
    random = np.random.default_rng(1)
    keys: list[Key] = [(picture, view) for picture in pictures(1400) for view in range(5)]
    truth = random.normal(0, 1, (7000, WIDTH)).astype(np.float16).astype(np.float32)
    order = random.permutation(7000)
    space_of(tmp_path).put([keys[at] for at in order], truth[order])
    vectors, found = space_of(tmp_path).find(pictures(1400), 5)
    assert found.all()
    np.testing.assert_array_equal(vectors.reshape(-1, WIDTH), truth)
