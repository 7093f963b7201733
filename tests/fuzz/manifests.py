"""`.posture-daemon.json` and `provenance.json` of a folder from elsewhere."""

import json
from pathlib import Path
from random import Random

from posture_daemon.datasets.manifest import MANIFEST, read_manifest
from posture_daemon.datasets.provenance import PROVENANCE, read_provenance
from tests.fuzz.mutation import NUMBERS, TEXTS, as_bytes, mutated
from tests.fuzz.target import Parts

PICTURE = {
    "sha256": "0" * 64,
    "captured_at": "2026-05-01T12:00:00.250000+00:00",
    "block": 3,
    "split": "train",
    "class": "good",
}
SEEDS = tuple(
    json.dumps(data).encode()
    for data in (
        {"written_by": "posture-daemon", "layout": "article", "folders": {"2026-05-01_12-00-00.250Z_17.jpg": "good/train"}},
        {"layout": "ultralytics", "folders": {"a.jpg": "train/good", "b.jpg": ""}},
        {
            "written_by": "posture-daemon 0.2.0", "layout": "article", "folders": {}, "models": {"1": {"source": "starter"}},
            "classes": [{"name": "good", "role": "good"}, {"name": "Away", "role": "away"}],
            "pictures": {"train/good/a.jpg": PICTURE, "b.jpg": {**PICTURE, "split": None}},
        },
    )
)  # fmt: skip
TOKENS = (
    *(json.dumps(text, ensure_ascii=rng).encode("utf-8", "surrogatepass") for text in TEXTS for rng in (True, False)),
    *(number.encode() for number in NUMBERS), b"NaN", b"-Infinity", b"null", b"true", b"[]", b"{}", b"[[[[", b'{"a":',
    b"]", b"}", b",",
    b'"0001-01-01T00:00:00"', b'"9999-12-31T23:59:59+00:00"', b'"0001-01-01T00:00:00+14:00"', b'"2026-05-01"', b'"..\\u0000"',
)  # fmt: skip


def make(rng: Random) -> bytes:
    """A file with damage; now and then brackets without end."""
    if rng.random() < 0.002:
        return rng.choice((b"[", b'{"a":', b'{"folders":[', b'{"pictures":{"a":')) * rng.choice((900, 5000, 100_000))
    if rng.random() < 0.002:
        return b'{"layout":"article","folders":{"a":' + b"9" * rng.choice((4300, 4301, 100_000)) + b"}}"
    return mutated(rng, rng.choice(SEEDS), TOKENS)


def parts(folder: Path) -> Parts:
    """Both files are read from a folder, as the import does."""

    def read(data: bytes) -> None:
        (folder / PROVENANCE).write_bytes(data)
        (folder / MANIFEST).write_bytes(data)
        for name, origin in read_provenance(folder).pictures.items():
            as_bytes(f"{name}{origin.captured_at:.3f}")
        found = read_manifest(folder)
        if found is not None:
            found.untouched("a.jpg", "good")

    return Parts(make, read)
