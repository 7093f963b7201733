"""What the C library keeps: asked of glibc itself, in a process of its own."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys, tempfile, threading
from posture_daemon.device.allocator import keep_little

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
        [sys.executable, "-c", PROGRAM, mended], capture_output=True, text=True, timeout=600, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this C library has no arenas")
def test_many_threads_share_two_arenas() -> None:
    """Without it there are more, so that the number says something."""
    assert arenas("yes") <= 2 < arenas("no")


HOLES = """
import ctypes, resource
from posture_daemon.device.allocator import give_back, keep_little

def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

keep_little()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.memset.restype = ctypes.c_void_p
libc.free.argtypes, libc.memset.argtypes = (ctypes.c_void_p,), (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
before = resident()
blocks = [libc.memset(libc.malloc(64_000), 1, 64_000) for _ in range(1000)]
for number, block in enumerate(blocks):
    if number % 10:  # every tenth lives on, so that the top of the arena never comes down
        libc.free(block)
kept = resident()
give_back()
print(kept - before, resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this C library has no arenas")
def test_free_memory_between_blocks_that_live_on_goes_back() -> None:
    """Of 64 MB a tenth is in use: glibc keeps nearly all of it until it is told."""
    done = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, timeout=600, check=True)
    kept, left = map(int, done.stdout.split())
    assert kept > 50_000_000
    assert left < 15_000_000
