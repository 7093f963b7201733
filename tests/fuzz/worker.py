"""One target in a process of its own: inputs until the time or the number is up, and what came of them."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.target import Parts, Refused, Target, Unexpected, check_sentence

HANG_S = 30
"""Wall-clock seconds after which an input is given up, if the code that hangs is Python's."""

MOST_KEPT = 10
"""Different unexpected ends of a target of which an input is kept."""

ADDRESS_SPACE = 1 << 30
"""Bytes that a target may ask for beyond what it has when it begins."""

SHM = Path("/dev/shm")


@dataclass
class Tally:
    """Counts of a target. `found` has the input of each kind of unexpected end, by its words."""

    name: str
    inputs: int = 0
    refused: int = 0
    read: int = 0
    unexpected: int = 0
    seconds: float = 0.0
    found: dict[str, bytes] = field(default_factory=dict)
    missing: str = ""


class _Hangs(BaseException):
    """Nothing in the product may catch it."""


def try_one(parts: Parts, data: bytes) -> str:
    """`read` or `refused`. Raises `Unexpected` for every other end."""
    began, most_kb = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    end = _end(parts, data)
    grew_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most_kb) / 1024
    if grew_mb > parts.limit_mb:
        raise Unexpected(f"takes more than {parts.limit_mb:g} MB")
    if time.perf_counter() - began > parts.limit_s:  # the machine may be busy: what was computed counts
        computed = time.thread_time()
        _end(parts, data)
        if time.thread_time() - computed > parts.limit_s:
            raise Unexpected(f"takes more than {parts.limit_s:g} s")
    return end


def _end(parts: Parts, data: bytes) -> str:
    try:
        parts.read(data)
    except Refused:
        return "refused"
    except parts.refusals as error:
        check_sentence(error, data)
        return "refused"
    except Unexpected:
        raise
    except _Hangs:
        raise Unexpected(f"hangs for {HANG_S} s: {_place(traceback.format_exc())}") from None
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        words = "".join(traceback.format_exception(error))
        raise Unexpected(f"{type(error).__name__}: {str(error)[:200]} {_place(words)}") from error
    return "read"


def _place(words: str) -> str:
    """The last two lines of code of a traceback."""
    lines = [line.strip() for line in words.splitlines() if line.strip().startswith("File ")]
    return " < ".join(reversed([line.replace(str(Path.cwd()), ".") for line in lines[-2:]]))


@contextmanager
def opened(target: Target) -> Iterator[Parts]:
    """A target with a folder of its own, in memory where there is one."""
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{target.name}-", dir=SHM if SHM.is_dir() else None))
    try:
        yield target.open(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def limit_memory() -> None:
    """So that what asks for gigabytes fails here and not the machine."""
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (has + ADDRESS_SPACE, hard))


def input_of(parts: Parts, seed: int, number: int) -> bytes:
    """The same for the same seed and number, whatever came before."""
    return parts.make(Random(seed * 1_000_003 + number))


def _hang(*_: Any) -> None:
    raise _Hangs


def work(target: Target, seed: int, most: int, seconds: float, progress: Any, results: Any) -> None:
    """Body of the process; `progress.value` is the number of the input at hand."""
    tally = Tally(target.name)
    signal.signal(signal.SIGALRM, _hang)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders write there what they think of a picture
    try:
        with opened(target) as parts:
            limit_memory()
            _work(parts, tally, seed, most, seconds, progress)
    except ImportError as error:
        tally.missing = str(error)
    except Exception as error:
        tally.unexpected += 1
        tally.found[f"the target itself fails: {error!r} {_place(traceback.format_exc())}"] = b""
    results.put(tally)


def _work(parts: Parts, tally: Tally, seed: int, most: int, seconds: float, progress: Any) -> None:
    began = time.monotonic()
    for number in range(most):
        if number % 16 == 0 and time.monotonic() - began > seconds:
            break
        progress.value = number
        data = input_of(parts, seed, number)
        signal.alarm(HANG_S)
        try:
            end = try_one(parts, data)
        except Unexpected as error:
            end = "unexpected"
            if len(tally.found) < MOST_KEPT:
                tally.found.setdefault(str(error), data)
        finally:
            signal.alarm(0)
        tally.inputs += 1
        setattr(tally, end, getattr(tally, end) + 1)
    tally.seconds = time.monotonic() - began
