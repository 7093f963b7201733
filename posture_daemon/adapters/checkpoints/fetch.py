"""Download of the weights that ultralytics publishes.

The release description (GitHub's API) gives size, address and SHA-256 of each file. An interrupted download is resumed by
the next call, and a file gets its final name only when its checksum is right. `web` asks the servers.
"""

import logging
import os
import re
import ssl
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from posture_daemon.adapters.checkpoints.web import Answer, opened, refuse_other_addresses, shown
from posture_daemon.domain import MB
from posture_daemon.errors import DownloadError
from posture_daemon.store.files import sha256_of_file, sync_folder
from posture_daemon.store.json_files import parse_json
from posture_daemon.store.json_values import known_from_json
from posture_daemon.store.lock import in_turn

RELEASE_API_URL = "https://api.github.com/repos/ultralytics/assets/releases/tags/v8.3.0"
NAMES = tuple(f"yolo11{scale}-cls" for scale in "nsmlx")
CHUNK_BYTES = 256 * 1024
DESCRIPTION_MB, DESCRIPTION_S = 8, 60.0
"""The most of a description, and the longest that it may take; GitHub's has half a megabyte."""

FILE_MB, FILE_S = 1_000, 4 * 3600.0
"""The same of a file; yolo11x-cls has 57 MB."""

SLOWEST_BYTES_PER_S, SLOWLY_S = 1_000.0, 60.0
"""A server that sends less than this for so long is left; the next call goes on where it was."""

DIGEST = re.compile(r"\s*(?:sha-?256\s*[:=-]\s*)?([0-9a-f]{64})\s*", re.IGNORECASE)
"""As a release's page, or a program, shows it."""

PARTIAL = 206  # of HTTP: the answer begins where we asked

Progress = Callable[[int, int], None]
"""Called with the bytes downloaded so far and the total."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Asset:
    url: str
    size_bytes: int
    sha256: str


def fetch(
    name: str,
    dest_dir: Path,
    *,
    release_api_url: str = RELEASE_API_URL,
    sha256: str | None = None,
    progress: Progress = lambda done, total: None,
    trusted: ssl.SSLContext | None = None,
) -> Path:
    """Download `name` (such as `yolo11l-cls`) into `dest_dir` and return its path, `dest_dir/yolo11l-cls.pt`.

    What is already there with the right checksum is not downloaded again. `sha256` (hexadecimal) replaces the release's
    own digest, and is needed when the release publishes none. `trusted` says which certificates count, by default those of the
    system. Raises `DownloadError` with one sentence.
    """
    if name not in NAMES:
        raise DownloadError(f"{name!r} is not one of the models that can be fetched: {', '.join(NAMES)}.")
    if sha256 is not None and not DIGEST.fullmatch(sha256):
        raise DownloadError(f"{sha256!r} is no SHA-256, which has 64 hexadecimal digits.")
    _refuse_other_files(dest_dir / f"{name}.pt")
    asset = _find_asset(f"{name}.pt", release_api_url, sha256, trusted)
    target = dest_dir / f"{name}.pt"
    part = target.with_suffix(".pt.part")
    try:
        dest_dir.mkdir(parents=True, exist_ok=True)
        with in_turn(dest_dir):  # two downloads at once would write into one part
            if target.is_file() and sha256_of_file(target) == asset.sha256:
                return target
            _complete(part, asset, progress, trusted)
            _check(part, asset)
            os.replace(part, target)
        sync_folder(dest_dir)
    except OSError as error:
        raise DownloadError(f"{error.filename or part} cannot be written: {error.strerror}.") from error
    return target


def _refuse_other_files(target: Path) -> None:
    """Raises `DownloadError` before anything is asked for, where a folder or a device has the name of the file."""
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "no ordinary file"
        raise DownloadError(f"{target} is {kind}, and the download would have that name; move it away and try again.")


@dataclass(frozen=True)
class _ReleaseFile:
    """A file, in the words of GitHub's interface."""

    name: str = ""
    browser_download_url: str = ""
    size: int = 0
    digest: str | None = None


@dataclass(frozen=True)
class _Release:
    assets: tuple[_ReleaseFile, ...] = ()


def _find_asset(file_name: str, api_url: str, sha256: str | None, trusted: ssl.SSLContext | None) -> _Asset:
    """What the release says of a file, as far as it can be true. Raises `DownloadError`."""
    with opened(api_url, {"Accept": "application/vnd.github+json"}, limit_s=DESCRIPTION_S, trusted=trusted) as answer:
        release = _parse(api_url, _read_all(answer))
    entry = next((one for one in release.assets if one.name == file_name), None)
    if entry is None:
        raise DownloadError(f"The release at {shown(api_url)} has no file {file_name}.")
    digest = sha256 or entry.digest
    if not digest:
        raise DownloadError(
            f"The release gives no checksum for {file_name}; pass the one you trust with --sha256, or get the "
            "file yourself and import it."
        )
    found = DIGEST.fullmatch(digest)
    if found is None or not 0 < entry.size <= FILE_MB * MB:
        raise DownloadError(f"What {shown(api_url)} says of {file_name} cannot be: its size or its SHA-256 is none.")
    refuse_other_addresses(entry.browser_download_url)
    return _Asset(entry.browser_download_url, entry.size, found[1].lower())


def _read_all(answer: Answer) -> bytes:
    """The whole description. Raises `DownloadError` when it is cut off, too long or takes too long."""
    data = bytearray()
    try:
        while chunk := answer.read_some(CHUNK_BYTES):
            data += chunk
            if len(data) > DESCRIPTION_MB * MB:
                raise DownloadError(f"What {shown(answer.url)} sent is no description of a release: it has no end.")
    except OSError as error:
        raise DownloadError(f"{shown(answer.url)} was cut off; try again later.") from error
    length = answer.header("Content-Length")
    if length.isdecimal() and len(data) < int(length[:12]):
        raise DownloadError(f"{shown(answer.url)} was cut off; try again later.")
    return bytes(data)


def _parse(api_url: str, text: bytes) -> _Release:
    try:
        found = parse_json(text)
        if not isinstance(found, dict) or not isinstance(found.get("assets"), list):
            raise ValueError("no assets")
        entries = [known_from_json(_ReleaseFile, one) for one in found["assets"] if isinstance(one, dict)]
    except ValueError as error:
        raise DownloadError(f"{shown(api_url)} did not answer with the description of a release.") from error
    return _Release(tuple(entries))


def _complete(part: Path, asset: _Asset, progress: Progress, trusted: ssl.SSLContext | None) -> None:
    """Download the rest of `part`, or all of it when the server cannot resume."""
    have = _length(part)
    if have > asset.size_bytes:
        _log.warning("%s is longer than the file it should become; it is thrown away", part)
        part.unlink()
        have = 0
    if have == asset.size_bytes:
        return
    with opened(asset.url, {"Range": f"bytes={have}-"} if have else {}, limit_s=FILE_S, trusted=trusted) as answer:
        have = have if _continues(answer, have) else 0
        length = answer.header("Content-Length")
        if length and length != str(asset.size_bytes - have):
            raise DownloadError(
                f"{shown(asset.url)} sends {length[:20]!a} bytes instead of {asset.size_bytes - have}; try again later."
            )
        have = _save(answer, part, have, asset, progress)
    if not have:
        part.unlink(missing_ok=True)
    if have < asset.size_bytes:
        raise DownloadError(
            f"The download of {shown(asset.url)} was cut off after {have} of {asset.size_bytes} bytes; "
            "run the same command again to continue."
        )


def _length(part: Path) -> int:
    """Of what an interrupted download left; 0 without. Raises `DownloadError` when that is not our file."""
    try:
        about = part.lstat()
    except FileNotFoundError:
        return 0
    _refuse_other_parts(part, about)
    return about.st_size


def _refuse_other_parts(part: Path, about: os.stat_result) -> None:
    """What is written into a link, by either kind of link, is written into another file."""
    if not stat.S_ISREG(about.st_mode) or about.st_nlink > 1:
        kind = "a link" if stat.S_ISLNK(about.st_mode) or stat.S_ISREG(about.st_mode) else "no ordinary file"
        raise DownloadError(f"{part} is {kind}, but a download is written there; remove it and try again.")


def _without_links(path: str, flags: int) -> int:
    """For `open(…, opener=…)`: follows no link in the last part of the path, and waits for no reader of a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)


def _continues(answer: Answer, have: int) -> bool:
    """Whether it begins where our part ends."""
    return answer.status == PARTIAL and answer.header("Content-Range").startswith(f"bytes {have}-")


def _save(answer: Answer, part: Path, have: int, asset: _Asset, progress: Progress) -> int:
    """Append to the first `have` bytes of `part` until the answer ends, breaks off or drips; returns the new length."""
    since, then = time.monotonic(), have
    with open(part, "ab", opener=_without_links) as file:
        _refuse_other_parts(part, os.fstat(file.fileno()))
        file.truncate(have)
        while have < asset.size_bytes:
            try:
                chunk = answer.read_some(min(CHUNK_BYTES, asset.size_bytes - have))
            except OSError:  # the caller sees that bytes are missing, and says so
                break
            if not chunk:
                break
            file.write(chunk)
            have += len(chunk)
            progress(have, asset.size_bytes)
            if (passed := time.monotonic() - since) > SLOWLY_S:
                if have - then < SLOWEST_BYTES_PER_S * passed:
                    break
                since, then = time.monotonic(), have
        file.flush()
        os.fsync(file.fileno())
    return have


def _check(part: Path, asset: _Asset) -> None:
    if sha256_of_file(part) != asset.sha256:
        part.unlink()
        raise DownloadError(
            f"What {shown(asset.url)} sent does not match its SHA-256 and was thrown away; try again later."
        )
