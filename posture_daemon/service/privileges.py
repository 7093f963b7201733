"""Root becomes somebody else: in this process for good, or in a child for one piece of work.

Nothing is taken along: no capability, no group of root's, no environment variable by which a library finds code or writes its
caches, and no way back.
"""

from __future__ import annotations

import ctypes
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar, cast

from posture_daemon import errors
from posture_daemon.errors import PostureError, ServiceError
from posture_daemon.service.seen_program import show_program
from posture_daemon.service.trust import Person

T = TypeVar("T")

PR_SET_NO_NEW_PRIVS = 38  # prctl(2)

OF_ANOTHER = (
    "XDG_", "MPLCONFIGDIR", "YOLO_", "TORCH", "CUDA_CACHE_PATH", "GST_", "OPENCV_VIDEOIO_PLUGIN", "OPENCV_CORE_PLUGIN",
    "PYTHON", "LD_", "GCONV_PATH", "TMPDIR", "BROWSER", "PAGER", "MAIL", "DBUS_",
)  # fmt: skip
"""Beginnings of the variables that lead into the home of whoever was there before, or to code."""


def become(person: Person) -> None:
    """Be `person` from here on, and nobody else. Raises `ServiceError` where this process may not."""
    show_program(person.name)
    try:
        os.setgroups(person.groups)
        os.setresgid(person.gid, person.gid, person.gid)
        os.setresuid(person.uid, person.uid, person.uid)
    except OSError as error:
        raise ServiceError(
            f"Root here cannot become {person.name} ({error.strerror}); run this as that user."
        ) from None
    # No set-user-ID program leads back. And it stays as the kernel makes it here, not dumpable (prctl(2)): another process of
    # that user can neither look into this memory, which was root's, nor use what root has opened.
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getresuid() != (person.uid,) * 3 or os.getresgid() != (person.gid,) * 3 or not _is_without_rights():
        raise ServiceError(f"Becoming {person.name} left rights of root behind; nothing was done.")
    take_environment_of(person)


def take_environment_of(person: Person) -> None:
    """Home and name are `person`'s; what pointed into another home, or to code, is gone. Also for root after `sudo -E`."""
    for variable in [name for name in os.environ if name.startswith(OF_ANOTHER)]:
        del os.environ[variable]
    os.environ.update(HOME=person.home, USER=person.name, LOGNAME=person.name)


def as_person(person: Person, act: Callable[[], T]) -> T:
    """Do `act` with the rights of `person` and return what it gives, which must go into JSON; its errors are raised here.

    Done right here where that is who we are.
    """
    return act() if person.uid == os.geteuid() else Beside(person, act).result()


class Beside(Generic[T]):
    """Work that goes on beside this process, in a child that has become `person`."""

    def __init__(self, person: Person, act: Callable[[], T], closes: tuple[int, ...] = ()) -> None:
        """Begin. The child closes its copies of the descriptors `closes`, and what `act` gives must go into JSON."""
        self._person = person
        self._reads, writes = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the child only reads and writes files
            self._child = os.fork()
        if self._child == 0:
            for descriptor in (self._reads, *closes):
                os.close(descriptor)
            _be_child(person, act, writes)
        os.close(writes)

    def result(self) -> T:
        """Wait for what it gives, or raise what it raised."""
        with os.fdopen(self._reads, "r", encoding="utf-8") as answers:
            answer = answers.read()
        os.waitpid(self._child, 0)
        try:
            failed, found = json.loads(answer)
        except ValueError:
            raise ServiceError(f"What was done as {self._person.name} ended without a result.") from None
        if failed is not None:
            _raise(failed, found)
        return cast("T", found)


def _be_child(person: Person, act: Callable[[], T], writes: int) -> None:
    try:
        answer = _answer(lambda: _as(person, act))
        with os.fdopen(writes, "w", encoding="utf-8") as out:
            out.write(answer)
    finally:
        os._exit(0)  # nothing of the parent's is tidied up twice


def _as(person: Person, act: Callable[[], T]) -> T:
    if person.uid != os.geteuid():
        become(person)
    return act()


def _answer(act: Callable[[], T]) -> str:
    """As JSON, never pickled: root reads this, and the user whose rights the child has may have tampered with the child."""
    try:
        return json.dumps([None, act()])
    except PostureError as error:
        return json.dumps([type(error).__name__, str(error)])
    except OSError as error:
        return json.dumps(["OSError", [error.errno, error.strerror or str(error), error.filename]])
    except Exception as error:
        return json.dumps(["ServiceError", f"{type(error).__name__}: {error}"])


def _raise(kind: str, told: Any) -> NoReturn:
    if kind == "OSError":
        raise OSError(*told)
    found = getattr(errors, kind, None)
    raise (found if isinstance(found, type) and issubclass(found, PostureError) else ServiceError)(str(told))


def _is_without_rights() -> bool:
    lines = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    return all(int(lines[name].strip(), 16) == 0 for name in ("CapPrm", "CapEff", "CapInh", "CapAmb") if name in lines)
