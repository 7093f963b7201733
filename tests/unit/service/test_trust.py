"""Who can change what lies at a path: with real users, links and modes."""

import os
import socket
from pathlib import Path

import pytest

from posture_daemon.errors import DataFolderError
from posture_daemon.service.trust import decider, way_to, weak_spot, weak_spot_within
from tests.other_user import OWNER, SERVICE, needs_root, owned

pytestmark = needs_root


def test_the_way_is_every_folder_and_link_that_the_kernel_meets(open_place: Path) -> None:
    """A relative link, one that climbs, an absolute one; a circle ends as the kernel ends it."""
    (open_place / "a" / "b").mkdir(parents=True)
    (open_place / "up").symlink_to("a/b/../b")
    (open_place / "all").symlink_to(open_place / "up")
    names = [path.name for path in way_to(open_place / "all" / "none" / "deeper")]
    assert names[names.index("all") :].count("b") == 2
    assert "none" not in names
    (open_place / "round").symlink_to("round")
    with pytest.raises(OSError, match="too many links"):
        list(way_to(open_place / "round"))


def test_what_only_root_can_change_has_no_weak_spot(open_place: Path) -> None:
    """Also below a folder in which everybody may write, but replace nobody else's (`/var/tmp`)."""
    (open_place / "file").write_text("")
    assert weak_spot(open_place / "file") is None
    assert weak_spot_within(open_place) is None


def test_every_place_on_the_way_counts(open_place: Path) -> None:
    """A folder of somebody's, a group's or everybody's, a link of somebody's, a file of somebody's: the first is named."""
    theirs, own = owned(open_place / "theirs", OWNER), open_place / "own"
    (theirs / "roots").mkdir()
    (own / "inner").mkdir(parents=True)
    link = own / "link"
    link.symlink_to(open_place)
    os.lchown(link, OWNER.uid, OWNER.gid)
    assert weak_spot(theirs / "roots").path == theirs  # type: ignore[union-attr]
    assert weak_spot(link / "own").path == link  # type: ignore[union-attr]
    for mode in (0o775, 0o757, 0o777):
        own.chmod(mode)
        spot = weak_spot(own / "inner")
        assert spot is not None
        assert (spot.path, spot.uid, spot.mending) == (own, 0, f"sudo chmod go-w {own}")
    own.chmod(0o1777)
    assert weak_spot(own / "inner") is None
    assert weak_spot(own) is not None


@pytest.mark.parametrize("what", ["file", "group's file", "folder", "link", "link's target"])
def test_everything_within_counts(open_place: Path, what: str) -> None:
    """One file of somebody else's deep inside, one that a group may write, a link that leads out to theirs."""
    deep = open_place / "program" / "lib"
    deep.mkdir(parents=True)
    (deep / "module.py").write_text("")
    theirs = owned(open_place / "theirs", OWNER)
    assert weak_spot_within(open_place / "program") is None
    if what == "file":
        os.chown(deep / "module.py", OWNER.uid, 0)
    elif what == "group's file":
        (deep / "module.py").chmod(0o664)
    elif what == "folder":
        owned(deep / "cache", OWNER)
    elif what == "link":
        (deep / "out").symlink_to(theirs)
    else:
        (open_place / "outside").mkdir()
        owned(open_place / "outside" / "plugin.so", OWNER, "")
        (deep / "out").symlink_to(open_place / "outside")
    assert weak_spot_within(open_place / "program") is not None


def test_who_decides_about_a_folder(open_place: Path) -> None:
    """Its owner; of one that is not there yet, the owner of the folder around it; of a dangling link, whose link it is."""
    theirs = owned(open_place / "theirs", OWNER)
    os.symlink("/nowhere/at/all", open_place / "dangling")
    os.lchown(open_place / "dangling", SERVICE.uid, SERVICE.gid)
    assert decider(theirs).uid == OWNER.uid
    assert decider(theirs / "new" / "deeper").uid == OWNER.uid
    assert decider(open_place).uid == 0
    assert decider(open_place / "new").uid == 0
    assert decider(open_place / "dangling").uid == SERVICE.uid


def test_roots_own_folder_in_somebodys_hands_is_refused(open_place: Path) -> None:
    """What a careless `sudo` has left in a home; the command gives it back to who can replace it anyway."""
    inner = owned(open_place / "home", OWNER) / "posture"
    inner.mkdir()
    with pytest.raises(DataFolderError, match=f"sudo chown -hR {OWNER.name}: {inner}"):
        decider(inner)


def test_a_link_to_roots_own_folder_is_refused_by_its_true_name(open_place: Path) -> None:
    """Else whoever made it would lead root into `/etc`; and no command is proposed that would give that away."""
    home, secret = owned(open_place / "home", OWNER), open_place / "secret"
    secret.mkdir()
    (home / "posture").symlink_to(secret)
    with pytest.raises(DataFolderError, match=f"name the folder itself: {secret}") as refused:
        decider(home / "posture")
    assert "chown" not in str(refused.value)


def test_a_folder_in_which_others_may_write_is_refused(open_place: Path) -> None:
    """They could put a link in the place of the next file."""
    open_place.chmod(0o777)
    with pytest.raises(DataFolderError, match="sudo chmod go-w"):
        decider(open_place / "posture")


@pytest.mark.parametrize("kind", ["device", "pipe", "socket", "link"])
def test_what_keeps_nothing_is_said_to_be_that(open_place: Path, kind: str) -> None:
    """Everybody may write to `/dev/null`, and nobody shall be told to change that."""
    place = open_place / kind
    if kind == "pipe":
        os.mkfifo(place, 0o666)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(place))
    else:
        place.symlink_to("/dev/null")
        place = place if kind == "link" else Path("/dev/null")
    with pytest.raises(
        DataFolderError, match=r"is a (device|pipe|socket), in which nothing is kept; give a folder"
    ) as said:
        decider(place)
    assert "chmod" not in str(said.value)
