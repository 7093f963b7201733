"""Copies the owner's data folder to that of the service: database, models and settings, without caches and backups.

Root touches neither: one process with the owner's rights reads, one with the service's writes, and all that goes between them
is a stream of names and bytes. So whatever the owner puts into their folder, before or meanwhile, brings over nothing that they
could not read; and whatever lies in the service's folder, root neither follows nor changes it.
"""

from __future__ import annotations

import io
import os
import re
import sqlite3
import stat
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from posture_daemon.errors import ServiceError
from posture_daemon.service.privileges import Beside, as_person
from posture_daemon.service.trust import Person, weak_spot
from posture_daemon.settings import FILE_NAME
from posture_daemon.store.database import FILE_NAME as DATABASE
from posture_daemon.store.status_file import running_pid

MODELS = ("models", "checkpoints", "label.token")
DATABASE_FILES = (f"{DATABASE}-wal", f"{DATABASE}-journal", DATABASE)
"""A database is these together. The one without which there are no data comes last."""

PARTIAL = ".takeover.partial"
BLOCK_BYTES = 1 << 20
MAX_SETTINGS_BYTES = 1_000_000
ONLY_THIS = os.O_NOFOLLOW | os.O_CLOEXEC
"""For open(2): the very thing of this name, not what it leads to."""


def has_data(folder: Path) -> bool:
    """Whether the folder has a database."""
    return os.path.isfile(folder / DATABASE)


def take_over(source: Path, target: Path, owner: Person, who: Person) -> None:
    """Copy database and models from `source` to `target`, which has no database yet, for `owner`, with the rights of `who`.

    The database is moved into place last, so that an interrupted copy is repeated. Raises `ServiceError`.
    """
    as_person(who, lambda: refuse_running(source))
    with _folder_of(target, owner) as there:
        reads, writes = os.pipe()
        reader = Beside(who, lambda: _send(source, writes), closes=(reads, there))
        os.close(writes)
        try:
            with os.fdopen(reads, "rb") as incoming:
                as_person(owner, lambda: _receive(there, incoming))
        except (OSError, ServiceError) as error:
            reader.result()  # what went wrong there is the reason
            raise ServiceError(
                f"{source} cannot be copied to {target}: {error}; the old folder is as it was."
            ) from None
        reader.result()


def take_settings(source: Path, target: Path, owner: Person, who: Person) -> None:
    """Copy a settings file, with its `data_dir` commented out, since the service has a folder of its own."""
    words = as_person(who, lambda: _settings_in(source))
    text = re.sub(r"(?m)^(?=\s*data_dir\s*=)", "# not for the service: ", words)
    with _folder_of(target, owner) as there:
        as_person(owner, lambda: _write(there, FILE_NAME, text.encode()))


def refuse_running(source: Path) -> None:
    """Raise `ServiceError` while a daemon runs on the folder and would still change it."""
    if (pid := running_pid(source)) is not None:
        raise ServiceError(f"A posture-daemon (process {pid}) is running on {source}; stop it first.")


@contextmanager
def _folder_of(target: Path, owner: Person) -> Iterator[int]:
    """The open folder `target`, made for `owner` if it is missing. What is in it, root leaves alone."""
    if os.geteuid() == 0 and (spot := weak_spot(target.parent)):
        raise ServiceError(f"Root writes to no place that others can change: {spot.words}; run {spot.mending}.")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        target.mkdir(mode=0o700)
    folder = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if os.fstat(folder).st_uid != owner.uid:
            os.fchown(folder, owner.uid, owner.gid)
        yield folder
    finally:
        os.close(folder)


def _settings_in(file: Path) -> str:
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not keep us waiting
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ServiceError(f"{file} is no file, so its settings cannot be copied.")
        found = opened.read(MAX_SETTINGS_BYTES + 1)
    if len(found) > MAX_SETTINGS_BYTES:
        raise ServiceError(f"{file} is too large for settings.")
    return found.decode("utf-8")


# --- With the rights of who has taught: everything that is copied, as a stream -----------------------------------------------


def _send(source: Path, writes: int) -> None:
    """Write the stream. A reader that has gone is no error here: it has its own to tell."""
    try:
        with (
            os.fdopen(writes, "wb") as outgoing,
            tarfile.open(fileobj=outgoing, mode="w|", format=tarfile.PAX_FORMAT) as stream,
        ):
            _send_all(source, stream)
    except BrokenPipeError:
        pass
    except (OSError, sqlite3.Error) as error:
        raise ServiceError(f"{source} cannot be copied: {error}; the old folder is as it was.") from None


def _send_all(source: Path, stream: tarfile.TarFile) -> None:
    folder = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in MODELS:
            _send_tree(source, folder, PurePosixPath(name), stream)
        with _standing_still(source):
            for name in DATABASE_FILES:
                _send_tree(source, folder, PurePosixPath(name), stream)
        _send_bytes(
            stream, PurePosixPath(PARTIAL), 0, io.BytesIO()
        )  # the end, so that a stream that breaks off is known
    finally:
        os.close(folder)


def _send_tree(source: Path, above: int, path: PurePosixPath, stream: tarfile.TarFile) -> None:
    """A file, or a folder with all in it. Raises `ServiceError` for a link or anything else, which is not followed."""
    try:
        opened = os.open(path.name, os.O_RDONLY | os.O_NONBLOCK | ONLY_THIS, dir_fd=above)
    except FileNotFoundError:
        return
    except OSError as error:
        if not stat.S_ISREG(os.stat(path.name, dir_fd=above, follow_symlinks=False).st_mode):
            raise ServiceError(_no_file(source, path)) from None
        raise OSError(error.errno, error.strerror, str(source / path)) from None
    try:
        kind = os.fstat(opened).st_mode
        if stat.S_ISDIR(kind):
            for name in sorted(os.listdir(opened)):
                _send_tree(source, opened, path / name, stream)
        elif stat.S_ISREG(kind):
            with os.fdopen(os.dup(opened), "rb") as file:
                _send_bytes(stream, path, os.fstat(opened).st_size, file)
        else:
            raise ServiceError(_no_file(source, path))
    finally:
        os.close(opened)


def _no_file(source: Path, path: PurePosixPath) -> str:
    return (
        f"{source / path} is a link or something else than a file, and is not followed; put what it leads to in its place, "
        "or remove it."
    )


def _send_bytes(stream: tarfile.TarFile, path: PurePosixPath, size: int, file: IO[bytes]) -> None:
    member = tarfile.TarInfo(str(path))
    member.size = size
    stream.addfile(member, file)


@contextmanager
def _standing_still(source: Path) -> Iterator[None]:
    """While the block reads its files the database stays as it is: who reads keeps the write-ahead log from being emptied."""
    if not has_data(source) or (source / DATABASE).is_symlink():
        raise ServiceError(_no_file(source, PurePosixPath(DATABASE)))
    with closing(sqlite3.connect(f"{source.resolve().as_uri()}/{DATABASE}?mode=ro", uri=True)) as database:
        database.isolation_level = None
        database.execute("BEGIN")
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield


# --- With the rights of the service: the stream becomes files in its folder --------------------------------------------------


def _receive(there: int, incoming: IO[bytes]) -> None:
    """Make the files of the stream in the open folder `there`; in place only when all of them have come."""
    _remove(PARTIAL, there)
    os.mkdir(PARTIAL, 0o700, dir_fd=there)
    partial = os.open(PARTIAL, os.O_RDONLY | os.O_DIRECTORY | ONLY_THIS, dir_fd=there)
    try:
        complete = False
        try:
            with tarfile.open(fileobj=incoming, mode="r|") as stream:
                for member in stream:
                    complete = member.name == PARTIAL
                    if not complete:
                        _receive_file(partial, member, stream)
        except tarfile.TarError as error:
            raise OSError(f"the copy broke off ({error})") from None
        if not complete:
            raise OSError("the copy broke off")
        for stray in (f"{DATABASE}{end}" for end in ("-wal", "-journal", "-shm")):
            _remove(stray, there)  # of a database that is no longer there; beside another it would damage that one
        for name in (*MODELS, *DATABASE_FILES):
            _into_place(name, partial, there)
        os.fsync(there)
    finally:
        os.close(partial)
        _remove(PARTIAL, there)


def _receive_file(partial: int, member: tarfile.TarInfo, stream: tarfile.TarFile) -> None:
    parts, content = PurePosixPath(member.name).parts, stream.extractfile(member)
    if content is None or not parts or parts[0] not in (*MODELS, *DATABASE_FILES) or ".." in parts:
        raise OSError(f"{member.name} is no file of a data folder")
    folder = os.dup(partial)
    try:
        for name in parts[:-1]:
            if not _is_there(name, folder):
                os.mkdir(name, 0o700, dir_fd=folder)
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | ONLY_THIS, dir_fd=folder)
            os.close(folder)
            folder = inner
        with os.fdopen(_new(folder, parts[-1]), "wb") as file:
            while block := content.read(BLOCK_BYTES):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
    finally:
        os.close(folder)


def _write(there: int, name: str, data: bytes) -> None:
    with os.fdopen(_new(there, name), "wb") as file:
        file.write(data)


def _new(folder: int, name: str) -> int:
    """A file that was not there before."""
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | ONLY_THIS, 0o600, dir_fd=folder)


def _into_place(name: str, partial: int, there: int) -> None:
    """Move what has come to where it belongs; what is in the service's folder already stays."""
    if _is_there(name, partial) and not _is_there(name, there):
        os.rename(name, name, src_dir_fd=partial, dst_dir_fd=there)


def _is_there(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _remove(name: str, above: int) -> None:
    """Remove a folder with all in it, or whatever else has this name; follows no link."""
    if not _is_there(name, above):
        return
    if not stat.S_ISDIR(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=above)
        return
    for _, folders, files, folder in os.fwalk(name, topdown=False, dir_fd=above):
        for inner in files:
            os.unlink(inner, dir_fd=folder)
        for inner in folders:
            is_link = stat.S_ISLNK(os.stat(inner, dir_fd=folder, follow_symlinks=False).st_mode)
            os.unlink(inner, dir_fd=folder) if is_link else os.rmdir(inner, dir_fd=folder)
    os.rmdir(name, dir_fd=above)
