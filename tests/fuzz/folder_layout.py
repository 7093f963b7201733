"""Trees of folders and files as people have them, read as a data set."""

import json
import os
import shutil
from pathlib import Path
from random import Random

from posture_daemon.datasets.layout import read_layout
from posture_daemon.errors import DatasetError
from tests.fuzz.mutation import TEXTS, as_bytes, odd_text
from tests.fuzz.target import Parts

WORDS = (
    "train", "val", "valid", "validation", "test", "Train", "TEST", "images", "labels", "dataset", "data", "good",
    "bad", "good_posture",
    "bad_posture", "away", "_unlabeled", "unlabelled", "@eaDir", ".git", "__MACOSX", "Thumbs.db", "person1", "queue",
    "discarded", "a", "1",
)  # fmt: skip
FILES = (
    "a.jpg", "b.JPG", "c.jpeg", "1.png", "2.bmp", "3.webp", "x.heic", "x.txt", "data.yaml", "classes.txt",
    "annotations.json", "_annotations.coco.json",
    "provenance.json", ".posture-daemon.json", "IMG_20241008_200913.jpg", "a.jpg.txt", "Thumbs.db", ".DS_Store", "a",
    "jpg", ".jpg", "a.cvat.xml",
)  # fmt: skip
KINDS = ("file",) * 12 + ("folder", "link", "loop", "broken", "pipe", "closed")
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")


def make(rng: Random) -> bytes:
    """A JSON list of kinds and paths; a path may go through names that exist already."""
    folders = [""]
    for _ in range(1 + rng.randrange(6)):
        name = rng.choice(WORDS) if rng.random() < 0.8 else odd_text(rng, WORDS)
        folders.append(f"{rng.choice(folders)}/{name}")
    entries = []
    for _ in range(1 + rng.randrange(12)):
        name = rng.choice(FILES) if rng.random() < 0.85 else odd_text(rng, FILES)
        entries.append(
            [
                rng.choice(KINDS),
                f"{rng.choice(folders)}/{name}",
                rng.choice(("", "jpeg", rng.choice(TEXTS), "nc: 2\nnames: [a, b]")),
            ]
        )
    return json.dumps(entries).encode()


def _build(root: Path, entries: object) -> None:
    """Whatever of the tree a file system can hold, below `root` and nowhere else."""
    for entry in entries if isinstance(entries, list) else []:
        kind, name, content = (*map(str, entry), "", "", "")[:3] if isinstance(entry, list) else ("", "", "")
        steps = [step.encode("utf-8", "surrogatepass").replace(b"\0", b"")[:200] for step in name.split("/")]
        path = os.path.join(os.fsencode(root), *(step for step in steps if step not in (b"", b".", b"..")))
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            _put(kind, path, JPEG if content == "jpeg" else as_bytes(content), root)
        except OSError:
            continue  # a file where a folder should be, a name that is too long


def _put(kind: str, path: bytes, content: bytes, root: Path) -> None:
    if os.path.lexists(path):
        return  # to write into a pipe would wait for its reader
    if kind == "folder":
        os.makedirs(path, exist_ok=True)
    elif kind in ("link", "loop", "broken"):
        target = {"link": root.parent / "elsewhere", "loop": root, "broken": root / "nothing here"}[kind]
        os.symlink(os.fsencode(target), path)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        with open(path, "wb") as file:
            file.write(content)


def parts(folder: Path) -> Parts:
    """A new tree for each input; links lead to a folder beside it."""
    root, elsewhere = folder / "tree", folder / "elsewhere" / "good"
    elsewhere.mkdir(parents=True)
    (elsewhere / "a.jpg").write_bytes(JPEG)

    def read(data: bytes) -> None:
        root.mkdir()
        try:
            try:
                entries = json.loads(data)
            except (ValueError, RecursionError):
                return
            _build(root, entries)
            found = read_layout(root)
            assert all(name and "/" not in name and name not in (".", "..") for name in found.class_folders)
        finally:
            shutil.rmtree(os.fsencode(root))

    return Parts(make, read, refusals=(DatasetError,))
