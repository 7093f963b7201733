"""How large a plain `pip install posture-daemon` is, with the CUDA libraries that pip's default PyTorch brings on x86."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

RECORDED_BYTES = 6_560_000_000
"""As `plain_bytes` measured it in 2026-11 with PyTorch 2.14.1."""


def plain_bytes() -> int | None:
    """The files of our dependencies, and theirs, in this environment; `None` when its PyTorch has no CUDA libraries."""
    names = set(_with_dependencies("posture-daemon", set()))
    if not any(name.startswith("nvidia-cu") for name in names):
        return None
    files = [Path(str(file.locate())) for name in names for file in distribution(name).files or ()]
    return sum(file.stat().st_size for file in files if file.is_file())


def _with_dependencies(name: str, seen: set[str]) -> Iterator[str]:
    """Every distribution that is needed and installed; extras count only where they are asked for."""
    required = Requirement(name)
    key = required.name.lower().replace("_", "-") + str(sorted(required.extras))
    if key in seen:
        return
    seen.add(key)
    try:
        found = distribution(required.name)
    except PackageNotFoundError:  # for another platform
        return
    yield required.name.lower().replace("_", "-")
    for line in found.requires or ():
        needed = Requirement(line)
        if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in required.extras or {""}):
            needed.marker = None
            yield from _with_dependencies(str(needed), seen)
