"""Content-addressed, immutable model files, each named by its SHA-256."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from posture_daemon.domain import ModelVersion
from posture_daemon.store.files import file_errors, sha256_of, sha256_of_file, sync_folder, write_durably
from posture_daemon.store.json_files import read_json

ABOUT_MB = 1
"""The most that a description may have."""


class ModelFolder:
    """`heads/<digest>.safetensors` and `backbones/<digest>/backbone.onnx` with its `backbone.json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def backbone_folder(self, sha256: str) -> Path:
        """Folder of `backbone.onnx` and `backbone.json` of this digest."""
        return self.folder / "backbones" / sha256[:16]

    def backbone_size(self, sha256: str) -> tuple[int, int]:
        """Size of the backbone's file in bytes and the side of its input in pixels; 0 where that cannot be read."""
        folder = self.backbone_folder(sha256)
        try:
            about = read_json(folder / "backbone.json", ABOUT_MB)
            return (folder / "backbone.onnx").stat().st_size, int(about.get("image_size", 0))
        except (OSError, ValueError, TypeError, AttributeError):
            return 0, 0

    def head_path(self, sha256: str) -> Path:
        """Path of the head file of this digest."""
        return self.folder / "heads" / f"{sha256[:16]}.safetensors"

    def add_backbone(self, folder: Path, sha256: str) -> None:
        """Copy `backbone.onnx` and `backbone.json` from `folder`, unless an undamaged copy exists. Raises `OSError`."""
        target = self.backbone_folder(sha256)
        if self.has_backbone(sha256):
            os.utime(target)  # fresh again until a row refers to it, see `model_files`
            return
        partial, damaged = (target.with_name(f".{target.name}.{end}") for end in ("partial", "damaged"))
        shutil.rmtree(partial, ignore_errors=True)
        for name in ("backbone.onnx", "backbone.json"):
            write_durably(partial / name, (folder / name).read_bytes())
        if target.exists():
            shutil.rmtree(damaged, ignore_errors=True)
            target.rename(damaged)
        partial.rename(target)
        sync_folder(target.parent)
        shutil.rmtree(damaged, ignore_errors=True)

    def has_backbone(self, sha256: str) -> bool:
        """Whether both files exist and match their digest. Reads them completely."""
        folder = self.backbone_folder(sha256)
        try:
            described = read_json(folder / "backbone.json", ABOUT_MB)["sha256"]
            return bool(described == sha256 == sha256_of_file(folder / "backbone.onnx"))
        except (OSError, ValueError, TypeError, KeyError):
            return False

    def has_head(self, sha256: str) -> bool:
        """Whether the head file exists and matches its digest. Reads it completely."""
        try:
            return sha256_of(self.head_path(sha256).read_bytes()) == sha256
        except OSError:
            return False

    def damage(self, version: ModelVersion) -> list[Path]:
        """Missing or damaged files of a version: the head file, the folder of the backbone."""
        head, backbone = self.head_path(version.head_sha256), self.backbone_folder(version.backbone_sha256)
        sound = {head: self.has_head(version.head_sha256), backbone: self.has_backbone(version.backbone_sha256)}
        return [path for path, good in sound.items() if not good]

    def add_head(self, data: bytes) -> str:
        """Write a head file; returns its digest."""
        digest = sha256_of(data)
        write_durably(self.head_path(digest), data)
        return digest

    def entries(self) -> Iterator[Path]:
        """Head files and backbone folders, including partial ones that a crash left."""
        yield from list(self.folder.glob("heads/*"))
        yield from list(self.folder.glob("backbones/*"))

    def remove(self, path: Path) -> int:
        """Delete one of `entries`; returns its size in bytes. Raises `DataFolderError`."""
        unneeded = f"The model file {path} is not needed any more but cannot be deleted"
        with file_errors(unneeded, "; make its folder writable."):
            files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
            size = sum(file.stat().st_size for file in files)
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        return size
