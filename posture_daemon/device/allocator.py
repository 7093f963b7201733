"""How the C library keeps freed memory, for a process with a dozen threads that runs for months.

By default glibc gives each thread an arena of its own, up to eight a core, and raises the size from which a block is mapped
(and so given back at once) up to 32 MB, and with it what an arena may keep to twice that. Each thread that has ever handled
some pictures then sits on tens of megabytes. Two arenas are enough where Python runs one thread at a time; and a threshold
that is given is not raised any more, so that the top of an arena goes back to the system.
"""

import ctypes
import gc
from contextlib import suppress

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # mallopt(3)
ARENAS = 2
MMAP_FROM_BYTES = 32 * 1024 * 1024
"""Smaller blocks stay in the arena: to map and clear each picture anew costs a third of the time of a prediction."""


def keep_little() -> bool:
    """Set it, before threads begin. False where the C library is another one (musl), which keeps less by itself."""
    with suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        return bool(libc.mallopt(M_ARENA_MAX, ARENAS)) and bool(libc.mallopt(M_MMAP_THRESHOLD, MMAP_FROM_BYTES))
    return False


def settle() -> None:
    """Once all is loaded: what lives as long as the process is not looked through again by the collector of cycles."""
    gc.collect()
    gc.freeze()


def collect_and_give_back() -> bool:
    """Free what only refers to itself, then `give_back`.

    Python counts objects, not bytes: a head with its matrices, 60 MB in a dozen objects, that a swap has left behind in a cycle
    would wait for thousands of other objects. After `settle` this takes a few milliseconds.
    """
    gc.collect()
    return give_back()


def give_back() -> bool:
    """Give free memory back from the middle of the arenas, too, which glibc never does by itself (malloc_trim(3)); some 10 ms.

    A training's records, a backup and a swap each leave free pages between blocks that live on. False with another C library.
    """
    with suppress(AttributeError, OSError):
        return bool(ctypes.CDLL(None).malloc_trim(0))
    return False
