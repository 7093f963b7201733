"""Root without its right to open any file: permissions count again, and what root owns can still be read.

Another user would do as well, but cannot read a checkout that lies in root's own home folder.
"""

import ctypes
import os

VERSION_3 = 0x20080522
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2
"""Capabilities of Linux, linux/capability.h: to pass over permissions, and those of reading and of folders."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def obey_permissions() -> None:
    """Give the two up in this thread for good; who is not root never had them. Raises `OSError` when the kernel refuses."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, data = _Header(VERSION_3, 0), (_Data * 2)()
    _check(libc.capget(ctypes.byref(header), data))
    for field in ("effective", "permitted", "inheritable"):
        setattr(data[0], field, getattr(data[0], field) & ~(1 << DAC_OVERRIDE | 1 << DAC_READ_SEARCH))
    _check(libc.capset(ctypes.byref(header), data))


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"capabilities cannot be changed: {os.strerror(number)}")
