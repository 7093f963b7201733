"""Checkpoints: a real one of ultralytics, whose description, parts or bytes are damaged."""

import pickletools
import re
import resource
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from posture_daemon.adapters.checkpoints import READING_MB
from posture_daemon.adapters.checkpoints.yolo11 import read_checkpoint
from posture_daemon.domain import MB
from tests.fuzz.mutation import INTERESTING, TEXTS, mutated
from tests.fuzz.target import Parts, Refused

MAKE = """
import sys, torch
from ultralytics import YOLO
from ultralytics.nn.tasks import BaseModel
BaseModel.info = lambda *_, **__: None
torch.manual_seed(0)
torch.save({"weights": torch.zeros(3), "names": {0: "a"}, "epoch": 3}, sys.argv[1] + "/other.pt")
model = YOLO("yolo11n-cls.yaml")
for tensor in model.model.state_dict().values():
    tensor.zero_() if tensor.is_floating_point() else None
model.model.half()
model.save(sys.argv[1] + "/yolo.pt")
"""
"""Zeros, since they are small in a zip; the shapes are those of a real one."""

GLOBALS = (
    b"os\nsystem\n", b"builtins\neval\n", b"builtins\ngetattr\n", b"torch._utils\n_rebuild_tensor_v2\n",
    b"collections\nOrderedDict\n",
    b"torch\nFloatStorage\n", b"torch\nComplexFloatStorage\n", b"ultralytics.nn.modules.conv\nConv\n",
    b"builtins\nset\n", b"a\n\xff\n",
    b"torch.nn.modules.container\nSequential\n", b"torch._utils\n_rebuild_parameter\n",
    b"numpy._core.multiarray\nscalar\n", b"\n\n",
    b"torch._tensor\n_rebuild_from_type_v2\n", b"pathlib\nPosixPath\n", b"posix\n__dict__\n", b"_codecs\nencode\n",
    b"ultralytics\n__class__.x\n",
)  # fmt: skip
CODES = tuple(bytes([code]) for code in b"(.012)]}NRbtsueaQo\x81\x85\x86\x87\x88\x8f\x90\x92\x93")
"""Opcodes without an argument."""


@dataclass(frozen=True)
class Member:
    """One part as it lies in the archive; its numbers may lie."""

    name: bytes
    method: int
    crc: int
    size: int
    data: bytes

    @classmethod
    def of(cls, name: bytes, content: bytes, level: int = 1) -> "Member":
        """A sound one, packed."""
        packer = zlib.compressobj(level, zlib.DEFLATED, -15)
        return cls(name, 8, zlib.crc32(content), len(content), packer.compress(content) + packer.flush())


def zipped(members: list[Member]) -> bytes:
    """An archive with whatever the members say of themselves."""
    body, directory = bytearray(), bytearray()
    for m in members:
        fields = (0, m.method, 0, 33, m.crc & 0xFFFFFFFF, len(m.data), m.size & 0xFFFFFFFF, len(m.name) & 0xFFFF, 0)
        directory += b"PK\1\2" + struct.pack("<HHHHHHIIIHHHHHII", 20, 20, *fields, 0, 0, 0, 0, len(body)) + m.name
        body += b"PK\3\4" + struct.pack("<HHHHHIIIHH", 20, *fields) + m.name + m.data
    count = len(members)
    return (
        bytes(body + directory) + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), 0)
    )


class Seed:
    """A checkpoint in pieces: members, and the description as opcodes."""

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
        self.pickle = next(name for name in content if name.endswith("/data.pkl"))
        self.members = {name: Member.of(name.encode(), data, 9) for name, data in content.items()}
        data = content[self.pickle]
        starts = [place for _, _, place in pickletools.genops(data) if place is not None]
        self.codes = [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]

    def archive(self, codes: list[bytes]) -> dict[str, Member]:
        """The members with another description."""
        return {**self.members, self.pickle: Member.of(self.pickle.encode(), b"".join(codes))}


def damaged_codes(rng: Random, codes: list[bytes]) -> list[bytes]:
    """A description with other numbers, names, order or opcodes, which is still nearly one."""
    found = list(codes)
    for _ in range(1 + int(rng.random() ** 2 * 6)):
        place = rng.randrange(len(found)) if found else 0
        way, code = rng.randrange(7), found[place] if found else b""
        if way == 0 and code[:1] in (b"K", b"M", b"J"):
            found[place] = b"J" + struct.pack("<i", rng.choice(INTERESTING) & 0x7FFFFFFF | -(rng.random() < 0.2) << 31)
        elif way in (0, 1) and code[:1] == b"X":
            text = rng.choice(TEXTS).encode("utf-8", "surrogatepass")
            found[place] = b"X" + struct.pack("<I", len(text)) + text
        elif way <= 2 and code[:1] == b"c":
            found[place] = b"c" + rng.choice(GLOBALS)
        elif way == 3:
            del found[place : place + 1 + rng.randrange(3)]
        elif way == 4:
            found[place:place] = found[place : place + 1 + rng.randrange(20)]
        elif way == 5:
            found.insert(place, rng.choice(CODES))
        else:
            other = rng.randrange(len(found) + 1)
            found[place : place + 1] = found[other : other + 1]
    return found


def damaged_members(rng: Random, members: dict[str, Member]) -> list[Member]:
    """Parts that are missing, twice, empty, called otherwise or whose sizes are a lie."""
    found = list(members.values())
    for _ in range(1 + rng.randrange(2)):
        place = rng.randrange(len(found))
        one, way = found[place], rng.randrange(7)
        if way == 0 and len(found) > 1:
            del found[place]
        elif way == 1:
            found.append(one)
        elif way == 2:
            found[place] = Member.of(one.name, rng.choice((b"", b"big", rng.randbytes(100), bytes(30_000_000))))
        elif way == 3:
            found[place] = replace(one, size=rng.choice(INTERESTING))
        elif way == 4:
            found[place] = replace(one, method=rng.choice((0, 8, 12, 14, 93, 99)))
        elif way == 5:
            names = (
                b"../../x",
                b"/etc/x",
                b"archive/code/a.py",
                b"a/data.pkl",
                b"archive/byteorder",
                b"\xff",
                b"archive/data/0",
            )
            found[place] = replace(one, name=rng.choice(names))
        else:
            found[place] = replace(one, data=mutated(rng, one.data))
    return found


def legacy(rng: Random) -> bytes:
    """The beginning of a file from before PyTorch 1.6, or none at all."""
    magic = bytes.fromhex(
        "80028a0a6cfc9c46f9206aa850192e8002 4de9032e80027d7100580100000061710171020000002e".replace(" ", "")[:-2]
    )
    return rng.choice((magic, b"\x80\x02}q\x00.", b"PK\5\6" + bytes(18), b"<html>", rng.randbytes(300)))


@contextmanager
def memory_as_in_use() -> Iterator[None]:
    """The limit of the child that reads a foreign file in use, on top of what this process has."""
    [has_kb] = map(int, re.findall(r"VmData:\s+(\d+)", Path("/proc/self/status").read_text()))
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (has_kb * 1024 + READING_MB * MB, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def parts(folder: Path) -> Parts:
    """`torch` writes the checkpoints, in a process of its own."""
    subprocess.run([sys.executable, "-c", MAKE, str(folder)], check=True, capture_output=True)
    yolo, other = Seed(folder / "yolo.pt"), Seed(folder / "other.pt")
    path = folder / "fuzz.pt"

    def make(rng: Random) -> bytes:
        seed = yolo if rng.random() < 0.2 else other
        way = rng.random()
        if way < 0.6:
            return zipped(list(seed.archive(damaged_codes(rng, seed.codes)).values()))
        if way < 0.7:
            content = mutated(rng, b"".join(seed.codes), GLOBALS)
            return zipped(list({**seed.members, seed.pickle: Member.of(seed.pickle.encode(), content)}.values()))
        if way < 0.85:
            return zipped(damaged_members(rng, seed.members))
        if way < 0.95:
            return mutated(
                rng, zipped(list(seed.members.values())), (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7")
            )
        return mutated(rng, legacy(rng))

    def read(data: bytes) -> None:
        path.write_bytes(data)
        try:
            with memory_as_in_use():
                read_checkpoint(path)
        except MemoryError:  # what the child that reads it in use makes a sentence of, at its limit
            raise Refused from None

    read(zipped(list(yolo.members.values())))  # the one that is sound must be read
    return Parts(make, read, limit_s=10.0, limit_mb=READING_MB)
