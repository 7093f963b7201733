"""Copies of model files: those that backups need, and the starter model in the package.

They lie in `models/` beside the backups, content-addressed like the data folder's own `models/`: each file once, however many
backups need it. So a backup folder on its own is enough for a restore.
"""

import logging
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from posture_daemon.domain import ModelVersion
from posture_daemon.store.files import sha256_of
from posture_daemon.store.model_folder import ModelFolder
from posture_daemon.store.sqlite_copy import reader

log = logging.getLogger(__name__)

STARTER = Path(__file__).parents[1] / "assets" / "starter"
"""The model that comes with the package."""

STARTER_SOURCE = "starter model"
"""The source of its versions, or how that begins."""

MODELS = "models"

Needed = tuple[str, str]
"""The digests of a version's head and backbone."""


class ModelCopies:
    """The model copies in one folder of backups."""

    def __init__(self, models: ModelFolder, backups: Path) -> None:
        self._models = models
        self._kept = ModelFolder(backups / MODELS)

    def add_for(self, copies: Iterable[Path]) -> None:
        """Copy the files of champion and previous of each of these databases. Raises `OSError`."""
        for head, backbone in needed_by(copies)[0]:
            if self._models.has_head(head) and not self._kept.has_head(head):
                self._kept.add_head(self._models.head_path(head).read_bytes())
            if self._models.has_backbone(backbone) and not self._kept.has_backbone(backbone):
                self._kept.add_backbone(self._models.backbone_folder(backbone), backbone)

    def remove_others(self, copies: Iterable[Path]) -> None:
        """Delete files that none of these databases needs; nothing if one is unreadable. Only for the own backup folder."""
        needed, all_read = needed_by(copies)
        if not all_read:
            return
        heads = {self._kept.head_path(head) for head, _ in needed}
        backbones = {self._kept.backbone_folder(backbone) for _, backbone in needed}
        for path in set(self._kept.entries()) - heads - backbones:
            self._kept.remove(path)

    def mend(self, version: ModelVersion) -> list[Path]:
        """Replace damaged files of a version by sound copies; returns the paths replaced. Raises `OSError`."""
        broken = self._models.damage(version)
        for path in broken:
            if path == self._models.head_path(version.head_sha256):
                self._mend_head(version.head_sha256)
            else:
                self._mend_backbone(version.backbone_sha256)
        still = self._models.damage(version) if broken else []
        return [path for path in broken if path not in still]

    def _mend_head(self, sha256: str) -> None:
        for path in (self._kept.head_path(sha256), STARTER / "head.safetensors"):
            data = path.read_bytes() if path.exists() else b""
            if sha256_of(data) == sha256:
                self._models.add_head(data)
                return

    def _mend_backbone(self, sha256: str) -> None:
        onnx = STARTER / "backbone.onnx"
        if self._kept.has_backbone(sha256):
            self._models.add_backbone(self._kept.backbone_folder(sha256), sha256)
        elif onnx.exists() and sha256_of(onnx.read_bytes()) == sha256:
            self._models.add_backbone(STARTER, sha256)


def needed_by(copies: Iterable[Path]) -> tuple[set[Needed], bool]:
    """Digests of champion and previous in these databases, and whether all databases could be read."""
    query = "SELECT head_sha256, backbone_sha256 FROM model_roles JOIN model_versions ON model_versions.id = version_id"
    needed: set[Needed] = set()
    all_read = True
    for path in copies:
        try:
            with closing(reader(path)) as connection:
                needed.update(connection.execute(query).fetchall())
        except sqlite3.Error as error:
            log.warning("the models that %s needs cannot be told: %s", path, error)
            all_read = False
    return needed, all_read
