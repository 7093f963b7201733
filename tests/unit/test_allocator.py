"""What the C library keeps: asked of glibc itself, in a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys, tempfile, threading
from posture_daemon.adapters.allocator import keep_little

assert sys.argv[1] == "no" or keep_little()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
libc.malloc_info.argtypes, libc.fclose.argtypes = (ctypes.c_int, ctypes.c_void_p), (ctypes.c_void_p,)
together = threading.Barrier(8)

def take() -> None:
    together.wait()
    for _ in range(2000):
        libc.malloc(1000)

threads = [threading.Thread(target=take) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
with tempfile.NamedTemporaryFile() as file:
    told = libc.fopen(file.name.encode(), b"w")
    libc.malloc_info(0, told)
    libc.fclose(told)
    print(file.read().count(b"<heap nr="))
"""


def arenas(mended: str) -> int:
    """How many there are after eight threads have allocated at once."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, mended], capture_output=True, text=True, timeout=60, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this C library has no arenas")
def test_many_threads_share_two_arenas() -> None:
    """Without it there are more, so that the number says something."""
    assert arenas("yes") <= 2 < arenas("no")
