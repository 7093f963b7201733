"""A backbone that is opened when it is first needed. A training whose vectors are all cached needs none."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from posture_daemon.domain import Features, Floats, Image, ModelVersion, Region, feature_key
from posture_daemon.store import Store
from posture_daemon.vision.region import crop

if TYPE_CHECKING:
    from posture_daemon.adapters.backbone.onnx import OnnxBackbone


class BackboneOnDemand:
    """Implements `ports.Backbone`; threads may share one, and then each call runs on the thread that makes it.

    The first call that needs the network raises `ModelError` as `OnnxBackbone` does.
    """

    def __init__(self, path: Path, sha256: str, region: Region | None = None) -> None:
        self._path, self._file_sha256, self.region = path, sha256, region
        self.sha256 = feature_key(sha256, region)
        self._opened: OnnxBackbone | None = None
        self._lock = threading.Lock()

    @property
    def image_size(self) -> int:
        """Side of the square input, pixels."""
        return self._backbone().image_size

    def extract(self, image: Image) -> Features:
        """As `OnnxBackbone.extract`, of the region."""
        return self._backbone().extract(crop(image, self.region))

    def extract_batch(self, images: Sequence[Image]) -> Floats:
        """As `OnnxBackbone.extract_batch`."""
        return self._backbone().extract_batch(images)

    def release(self) -> None:
        """Give the network's memory back while nobody uses it; the next call that needs it opens it again."""
        with self._lock:
            self._opened = None

    def _backbone(self) -> OnnxBackbone:
        from posture_daemon.adapters.backbone.onnx import OnnxBackbone  # ONNX Runtime takes a tenth of a second

        with self._lock:
            if self._opened is None:
                self._opened = OnnxBackbone(self._path, threads=1, expected_sha256=self._file_sha256)
            return self._opened


def backbone_of(store: Store, version: ModelVersion) -> BackboneOnDemand:
    """The backbone of a version, from the files of the store, for the region that the version looks at."""
    path = store.models.backbone_folder(version.backbone_sha256) / "backbone.onnx"
    return BackboneOnDemand(path, version.backbone_sha256, version.region)
