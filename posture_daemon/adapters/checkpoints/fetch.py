"""Download of the weights that ultralytics publishes.

The release description (GitHub's API) gives size, address and SHA-256 of each file. An interrupted download is resumed by
the next call, and a file gets its final name only when its checksum is right.
"""

import hashlib
import http.client
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from posture_daemon.errors import DownloadError
from posture_daemon.store.files import sync_folder
from posture_daemon.store.json_values import known_from_json, parsed

RELEASE_API_URL = "https://api.github.com/repos/ultralytics/assets/releases/tags/v8.3.0"
NAMES = tuple(f"yolo11{scale}-cls" for scale in "nsmlx")
TIMEOUT_S = 30.0
CHUNK_BYTES = 256 * 1024

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
) -> Path:
    """Download `name` (such as `yolo11l-cls`) into `dest_dir` and return its path, `dest_dir/yolo11l-cls.pt`.

    What is already there with the right checksum is not downloaded again. `sha256` (hexadecimal) replaces the release's
    own digest, and is needed when the release publishes none. Raises `DownloadError` with one sentence.
    """
    if name not in NAMES:
        raise DownloadError(f"{name!r} is not one of the models that can be fetched: {', '.join(NAMES)}.")
    asset = _find_asset(f"{name}.pt", release_api_url, sha256)
    target = dest_dir / f"{name}.pt"
    if target.is_file() and _digest(target) == asset.sha256:
        return target
    part = target.with_suffix(".pt.part")
    try:
        dest_dir.mkdir(parents=True, exist_ok=True)
        _complete(part, asset, progress)
        _check(part, asset)
        os.replace(part, target)
        sync_folder(dest_dir)
    except OSError as error:
        raise DownloadError(f"{part} cannot be written: {error.strerror}.") from error
    return target


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


def _find_asset(file_name: str, api_url: str, sha256: str | None) -> _Asset:
    with _open(urllib.request.Request(api_url, headers={"Accept": "application/vnd.github+json"})) as response:
        release = _parse(api_url, response.read())
    for entry in release.assets:
        if entry.name == file_name:
            digest = sha256 or (entry.digest or "").removeprefix("sha256:")
            if not digest:
                raise DownloadError(
                    f"The release gives no checksum for {file_name}; pass the one you trust with --sha256, or get the "
                    "file yourself and import it."
                )
            return _Asset(entry.browser_download_url, entry.size, digest.lower())
    raise DownloadError(f"The release at {api_url} has no file {file_name}.")


def _parse(api_url: str, text: bytes) -> _Release:
    try:
        return known_from_json(_Release, parsed(text))
    except ValueError as error:
        raise DownloadError(f"{api_url} did not answer with the description of a release.") from error


def _complete(part: Path, asset: _Asset, progress: Progress) -> None:
    """Download the rest of `part`, or all of it when the server cannot resume."""
    have = part.stat().st_size if part.exists() else 0
    if have > asset.size_bytes:
        _log.warning("%s is longer than the file it should become; it is thrown away", part)
        part.unlink()
        have = 0
    if have == asset.size_bytes:
        return
    request = urllib.request.Request(asset.url, headers={"Range": f"bytes={have}-"} if have else {})
    with _open(request) as response:
        continues = response.status == http.HTTPStatus.PARTIAL_CONTENT
        have = _save(response, part, have if continues else 0, asset, progress)
    if have < asset.size_bytes:
        raise DownloadError(
            f"The download of {asset.url} was cut off after {have} of {asset.size_bytes} bytes; "
            "run the same command again to continue."
        )


def _save(response: http.client.HTTPResponse, part: Path, have: int, asset: _Asset, progress: Progress) -> int:
    """Append to the first `have` bytes of `part` until the response ends or breaks off; returns the new length."""
    with part.open("ab") as file:
        file.truncate(have)
        while have < asset.size_bytes:
            try:
                chunk = response.read(min(CHUNK_BYTES, asset.size_bytes - have))
            except (OSError, http.client.HTTPException):  # the caller sees that bytes are missing, and says so
                break
            if not chunk:
                break
            file.write(chunk)
            have += len(chunk)
            progress(have, asset.size_bytes)
        file.flush()
        os.fsync(file.fileno())
    return have


def _check(part: Path, asset: _Asset) -> None:
    if _digest(part) != asset.sha256:
        part.unlink()
        raise DownloadError(f"What {asset.url} sent does not match its SHA-256 and was thrown away; try again later.")


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(CHUNK_BYTES), b""):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def _open(request: urllib.request.Request) -> Iterator[http.client.HTTPResponse]:
    """Open a web address. Raises `DownloadError` with one sentence for every way in which that fails."""
    url = request.full_url
    if not url.startswith(("https://", "http://")):
        raise DownloadError(f"{url} is not a web address.")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadError(f"{url} answered {error.code} {error.reason}.") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DownloadError(f"{url} cannot be reached ({reason}); is this device online?") from error
    with response:
        yield response
