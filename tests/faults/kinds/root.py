"""Root among the files of others: it becomes their owner, or says why it does not go there."""

import os
from collections.abc import Callable

import pytest

from tests.faults.fault import Group, Made, Place
from tests.other_user import OWNER

# Two lines a fault, not eight.
# fmt: off
# ruff: noqa: D103 - the title says it

root = Group("Root among the files of others")


def theirs(title: str, where: str, advice: str) -> Callable[[Callable[[Place], Made]], None]:
    """A fault for which something must belong to somebody else, which only root can arrange."""

    def add(make: Callable[[Place], Made]) -> None:
        def when_root(at: Place) -> Made:
            if os.geteuid() != 0:
                pytest.skip("only root can give files to somebody else")
            yield from make(at)

        root(title, where, advice)(when_root)

    return add


@theirs("A data folder of root's in somebody's home, from a careless sudo", "posture is root's own", "sudo chown -hR")
def careless(at: Place) -> Made:
    there = at.folder("theirs")
    (there / "posture").mkdir()
    os.chown(there, OWNER.uid, OWNER.gid)
    yield "--data-dir", there / "posture", "status"


@theirs("A link of somebody's to a folder of root's", "leads to root's own", "name the folder itself")
def link(at: Place) -> Made:
    there = at.folder("theirs")
    (there / "posture").symlink_to(at.data)
    os.chown(there, OWNER.uid, OWNER.gid)
    yield "--data-dir", there / "posture", "status"


@theirs("A data folder of root's in which everybody may write", "others may write in", "sudo chmod go-w")
def open_to_all(at: Place) -> Made:
    at.data.chmod(0o777)
    yield ("pause",)
    at.data.chmod(0o700)


@theirs("Settings that somebody else can change, for root", "theirs.toml belongs to", "sudo chown -h root:")
def settings(at: Place) -> Made:
    os.chown(at.file("theirs.toml", "[camera]\nfps = 5\n"), OWNER.uid, OWNER.gid)
    yield "--config", at.beside / "theirs.toml", "status"


@theirs("A copy by root into a folder of somebody's", "/usb", "take a folder of root's")
def stick(at: Place) -> Made:
    os.chown(at.folder("usb"), OWNER.uid, OWNER.gid)
    yield "backup", "--to", at.beside / "usb"


@theirs("A system of somebody's to install a service into", "/system belongs to", "sudo chown -h root:")
def system(at: Place) -> Made:
    os.chown(at.folder("system"), OWNER.uid, OWNER.gid)
    yield "service", "install", "--dry-run", "--root", at.beside / "system"
