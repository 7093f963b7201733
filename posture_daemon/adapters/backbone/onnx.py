"""The backbone in ONNX Runtime: no torch, a fifth of a second to load, a few milliseconds an image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from posture_daemon.adapters.backbone.preprocess import to_input
from posture_daemon.domain import Features, Floats, Image, Region
from posture_daemon.errors import ModelError
from posture_daemon.store.files import sha256_of_file


class OnnxBackbone:
    """Layers 0–9 of a YOLO11-cls model from `backbone.onnx`; implements `ports.Backbone`; threads may share one.

    Raises `ModelError` with one sentence when the file is missing, is not a backbone, or is not the one that
    `expected_sha256` names. It looks at whole pictures.
    """

    region: Region | None = None

    def __init__(self, path: Path, *, threads: int = 1, expected_sha256: str | None = None) -> None:
        try:
            self.sha256 = sha256_of_file(path)
        except OSError as error:
            raise ModelError(
                f"The backbone {path} cannot be read ({error.strerror}); posture-daemon doctor --fix may mend it."
            ) from error
        if expected_sha256 not in (None, self.sha256):
            raise ModelError(
                f"The backbone {path} is damaged (its SHA-256 is another); posture-daemon doctor --fix may mend it."
            )
        self._session = _session(path, threads)
        self.image_size, self.channels = _shapes(path, self._session)

    def extract(self, image: Image) -> Features:
        """Preprocess one BGR image of any size and run layers 0–9."""
        return Features(self._run(to_input(image, self.image_size))[0])

    def extract_batch(self, images: Sequence[Image]) -> Floats:
        """Return the feature maps of several BGR images of any sizes, `float32 (n, channels, h, w)`."""
        if not images:
            side = self.image_size // 32
            return np.empty((0, self.channels, side, side), np.float32)
        return self._run(np.concatenate([to_input(image, self.image_size) for image in images]))

    def _run(self, inputs: Floats) -> Floats:
        result: Floats = self._session.run(["features"], {"images": inputs})[0]
        return result


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    options.enable_mem_pattern = False  # the batch size varies; a plan per size would pile up
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # an idle daemon must not burn a core
    try:
        # By its path: a session keeps the bytes that it is given for as long as it lives.
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no base class
        raise ModelError(f"The backbone {path} is damaged or not an ONNX model; import the model again.") from error


def _shapes(path: Path, session: onnxruntime.InferenceSession) -> tuple[int, int]:
    """Return the side of the input in pixels and the channels of the output."""
    inputs = {value.name: value.shape for value in session.get_inputs()}
    outputs = {value.name: value.shape for value in session.get_outputs()}
    if "images" not in inputs or "features" not in outputs:
        raise ModelError(f"{path} is an ONNX model, but not a backbone that posture-daemon wrote.")
    return int(inputs["images"][2]), int(outputs["features"][1])
