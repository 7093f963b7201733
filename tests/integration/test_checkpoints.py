import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from safetensors.numpy import load_file

from posture_daemon.adapters.backbone.onnx import OnnxBackbone
from posture_daemon.adapters.checkpoints import (
    ImportedCheckpoint,
    export_checkpoint,
    import_checkpoint,
    inspect_checkpoint,
    run_child,
)
from posture_daemon.adapters.checkpoints.graph import build_backbone
from posture_daemon.adapters.checkpoints.yolo11 import HEAD_LAYER, read_checkpoint
from posture_daemon.errors import CheckpointRefused, ModelError
from posture_daemon.store.model_copies import STARTER
from posture_daemon.vision.head import Head


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("name", ["yolo11n-cls", "yolo11s-cls", "yolo11m-cls", "yolo11l-cls", "yolo11x-cls", "eps"])
def test_every_size_gives_the_features_and_scores_of_ultralytics(zoo: Path, name: str) -> None:
    """The hand-written graph and the numpy head equal ultralytics' layers, for n to x and for another epsilon."""
    checkpoint, expected = read_checkpoint(zoo / f"{name}.pt"), np.load(zoo / f"{name}.npz")
    assert checkpoint.scale == ("n" if name == "eps" else name[6])
    session = onnxruntime.InferenceSession(build_backbone(checkpoint.weights, 64), providers=["CPUExecutionProvider"])
    features = session.run(["features"], {"images": expected["images"]})[0]
    np.testing.assert_allclose(features, expected["features"], atol=1e-5)
    head = Head.from_tensors(checkpoint.of_layer(HEAD_LAYER))
    np.testing.assert_allclose(head.logits(features), expected["logits"], atol=1e-5)


@pytest.mark.shared
def test_import_writes_two_parts_and_their_descriptions(
    imported_base: ImportedCheckpoint, shared_weights: Path
) -> None:
    """Four files, whose descriptions say what a reader must know."""
    folder = imported_base.backbone_path.parent
    about = json.loads((folder / "backbone.json").read_text())
    head = json.loads((folder / "head.json").read_text())
    assert imported_base.classes == ("paper", "rock", "scissors") == tuple(head["classes"])
    assert (imported_base.scale, imported_base.image_size) == ("n", 224)
    assert (about["channels"], about["feature_size"], about["parameters"]) == (256, 7, 1_200_864)
    assert about["sha256"] == imported_base.backbone_sha256
    assert head["source"] == shared_weights.name
    files = {path.name for path in folder.iterdir()}
    assert files == {"backbone.json", "backbone.onnx", "head.json", "head.safetensors"}


@pytest.mark.shared
def test_weights_keep_their_names_and_values(imported_base: ImportedCheckpoint, shared_weights: Path) -> None:
    """Every tensor of the checkpoint is found unchanged in one of the two files, under ultralytics' name."""
    graph = onnx.load(imported_base.backbone_path).graph
    found = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    head = load_file(imported_base.head_path)
    for name, expected in read_checkpoint(shared_weights).weights.items():
        array = found[name] if name in found else head[name.removeprefix("model.10.")]
        np.testing.assert_array_equal(array, expected)


@pytest.mark.shared
def test_importing_twice_gives_the_same_bytes(
    imported_base: ImportedCheckpoint, shared_weights: Path, tmp_path: Path
) -> None:
    """The digests of both parts identify the model, whenever it was imported."""
    again = import_checkpoint(shared_weights, tmp_path, image_size=224)
    assert again.backbone_sha256 == imported_base.backbone_sha256
    assert again.head_sha256 == imported_base.head_sha256


@pytest.mark.shared
def test_the_image_size_is_that_of_the_training_or_a_multiple_of_the_stride(
    shared_weights: Path, tmp_path: Path
) -> None:
    """Without an image size, the checkpoint's own counts; the network halves the picture five times."""
    assert import_checkpoint(shared_weights, tmp_path).image_size == 640
    with pytest.raises(CheckpointRefused, match="multiple of 32, not 225"):
        import_checkpoint(shared_weights, tmp_path, image_size=225)


def test_the_parent_imports_neither_torch_nor_ultralytics() -> None:
    """The daemon's process stays small: the live path, import and export load no heavy library."""
    modules = "posture_daemon.adapters.checkpoints, posture_daemon.adapters.backbone.onnx, posture_daemon.vision.head"
    check = f"import sys, {modules}; assert not {{'torch', 'ultralytics', 'onnx'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("yolo11n", "is a detection model, not a classification model"),
        ("yolo11n-seg", "is a segmentation model, not a classification model"),
        ("yolov8n-cls", r"is a YOLOv8-cls model \(10 layers instead of 11\)"),
        ("yolo12n-cls", r"is another network \(10 layers"),
        ("relu", r"modified YOLO11-cls: model\.3\.act is a ReLU"),
        ("fused", "was fused for inference"),
        ("other", r"holds weights only \(a state_dict\)"),
    ],
)
def test_other_models_are_refused_in_one_sentence(zoo: Path, tmp_path: Path, name: str, message: str) -> None:
    """Each says what the file is; nothing is written."""
    with pytest.raises(CheckpointRefused, match=message) as caught:
        import_checkpoint(zoo / f"{name}.pt", tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


class Attack:
    """Unpickled by an ordinary reader, it creates the file `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def torch_archive(path: Path, content: bytes, **files: bytes) -> Path:
    """Write a zip file laid out as torch.save does."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("best/data.pkl", content)
        for name, data in files.items():
            archive.writestr(f"best/data/{name}", data)
    return path


def test_a_pickle_that_holds_code_is_refused_before_it_runs(tmp_path: Path) -> None:
    """The file asks for a shell command; reading it names the function and runs nothing."""
    victim = tmp_path / "executed"
    path = torch_archive(tmp_path / "evil.pt", pickle.dumps({"model": Attack(victim)}, protocol=2))
    with pytest.raises(CheckpointRefused, match=r"asks for posix\.system"):
        import_checkpoint(path, tmp_path / "out")
    assert not victim.exists()
    pickle.loads(pickle.dumps(Attack(victim)))  # the attack itself works
    assert victim.exists()


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("builtins eval", "asks for"),
        ("torch.hub load", "asks for"),
        ("torch load", "asks for"),
        ("numpy load", "asks for"),
        ("torch.jit._script x", "asks for"),
        ("torch.nn.modules.linear Linear", "is a Linear, not a classification model"),
    ],
)
def test_names_that_no_weights_need_are_refused(tmp_path: Path, function: str, says: str) -> None:
    """Also functions of torch and numpy, which could load further code. A class that is allowed stays a shell, never built."""
    module, name = function.split()
    path = torch_archive(tmp_path / "evil.pt", f"c{module}\n{name}\n(S'x'\ntR.".encode())
    with pytest.raises(CheckpointRefused, match=says):
        inspect_checkpoint(path)


def tensor_pickle(offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """A pickle of one tensor on the storage `0` of four floats."""
    reference = b"(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI4\ntQ"
    numbers = b"".join(b"(" + b"".join(b"I%d\n" % n for n in values) + b"t" for values in (shape, strides))
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + reference + b"I%d\n" % offset + numbers + b"I00\nNtR."


@pytest.mark.parametrize(
    ("offset", "shape", "strides"), [(0, (5,), (1,)), (-1, (1,), (1,)), (0, (2,), (-1,)), (3, (2, 2), (1, 1))]
)
def test_a_tensor_cannot_reach_outside_its_storage(
    tmp_path: Path, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    """Sizes that lie would read foreign memory; they are damage."""
    four = struct.pack("<4f", 1, 2, 3, 4)
    path = torch_archive(tmp_path / "lie.pt", tensor_pickle(offset, shape, strides), **{"0": four})
    with pytest.raises(CheckpointRefused, match="outside its storage"):
        inspect_checkpoint(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """As one that was cut off; missing files, folders, texts and other archives are in the catalogue of `tests/faults`."""
    (tmp_path / "model.pt").write_bytes(b"")
    with pytest.raises(CheckpointRefused, match="not a PyTorch checkpoint: it is empty"):
        import_checkpoint(tmp_path / "model.pt", tmp_path / "out")


@pytest.mark.shared
def test_a_flipped_byte_is_noticed(shared_weights: Path, tmp_path: Path) -> None:
    """The archive's checksums are verified, which torch.load does not do."""
    data = bytearray(shared_weights.read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "flipped.pt").write_bytes(data)
    with pytest.raises(CheckpointRefused, match="is damaged"):
        import_checkpoint(tmp_path / "flipped.pt", tmp_path / "out")


def test_a_child_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    """The caller gets one sentence, and no process is left."""
    with pytest.raises(ModelError, match=r"The import was stopped after 0 s"):
        run_child("import", {"source": "x", "out_dir": str(tmp_path), "image_size": None}, timeout_s=0.01)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("kill -9 $$", "killed, probably for lack of memory"),
        ("kill -11 $$", "SIGSEGV"),
        ("echo oops >&2; exit 3", "oops"),
    ],
)
def test_a_child_that_dies_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    """However it ends, the sentence says how."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(ModelError, match=f"failed without an answer .*{message}"):
        run_child("export", {}, timeout_s=100)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four random chequered pictures, 224×224, BGR: no resizing, because here the network is compared."""
    coarse = np.random.default_rng(3).integers(0, 256, (24, 7, 7, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("frames") / "images.npz"
    np.savez(path, images=coarse.repeat(32, axis=1).repeat(32, axis=2))
    return path


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.shared
def test_an_exported_checkpoint_gives_the_same_answers(
    imported_base: ImportedCheckpoint, frames: Path, run_ultralytics: Callable[..., None], tmp_path: Path
) -> None:
    """`YOLO(path)` loads it and answers our calibrated probabilities, here with other classes and a temperature."""
    base = Head.from_bytes(imported_base.head_path.read_bytes())
    random = np.random.default_rng(0)
    head = base.with_linear(random.normal(0, 0.5, (5, 1280)).astype("f"), random.normal(0, 1, 5).astype("f"))
    classes, temperature = ("good_posture", "bad_posture", "na", "standing", "leaning"), 1.7
    out = tmp_path / "mine.pt"
    export_checkpoint(imported_base.backbone_path.parent, head, classes, out, temperature=temperature)
    run_ultralytics("predict", out, 224, frames, tmp_path / "answers.npz")
    answers = np.load(tmp_path / "answers.npz")
    features = OnnxBackbone(imported_base.backbone_path).extract_batch(list(np.load(frames)["images"]))
    np.testing.assert_allclose(answers["images"], head.probabilities(features, temperature), atol=1e-4)
    assert tuple(answers["names"]) == classes
    assert answers["images"].std(axis=0).max() > 0.05  # the frames differ, so equality means something


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.shared
def test_export_and_import_again_change_nothing(imported_base: ImportedCheckpoint, tmp_path: Path) -> None:
    """The checkpoint is rebuilt from the two parts alone, to the last bit."""
    head = Head.from_bytes(imported_base.head_path.read_bytes())
    out = tmp_path / "same.pt"
    export_checkpoint(imported_base.backbone_path.parent, head, imported_base.classes, out)
    again = import_checkpoint(out, tmp_path / "again")
    assert again.backbone_sha256 == imported_base.backbone_sha256
    assert again.head_sha256 == imported_base.head_sha256
    assert (again.classes, again.image_size) == (imported_base.classes, 224)


@pytest.mark.shared
def test_export_does_not_overwrite(imported_base: ImportedCheckpoint, tmp_path: Path) -> None:
    """A file that is there stays, unless forced; a name without .pt is refused; so is a base without classes."""
    head = Head.from_bytes(imported_base.head_path.read_bytes())
    folder, out = imported_base.backbone_path.parent, tmp_path / "mine.pt"
    out.write_bytes(b"precious")
    with pytest.raises(ModelError, match="already exists"):
        export_checkpoint(folder, head, imported_base.classes, out)
    assert out.read_bytes() == b"precious"
    with pytest.raises(ModelError, match=r"must end in \.pt"):
        export_checkpoint(folder, head, imported_base.classes, tmp_path / "mine.onnx")
    with pytest.raises(ModelError, match="a base cannot be exported"):
        export_checkpoint(folder, head, (), tmp_path / "base.pt")


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("name", ["backbone.onnx", "backbone.json"])
def test_a_damaged_backbone_is_not_exported(name: str, tmp_path: Path) -> None:
    """Neither as weights nor to train from: both parts are checked first."""
    folder = tmp_path / "starter"
    shutil.copytree(STARTER, folder)
    (folder / name).write_bytes((folder / name).read_bytes()[:-9] + b"#########")
    head = Head.from_bytes((folder / "head.safetensors").read_bytes())
    with pytest.raises(ModelError, match="is damaged or missing; posture-daemon doctor --fix"):
        export_checkpoint(folder, head, ("a", "b", "c"), tmp_path / "mine.pt")
    assert not (tmp_path / "mine.pt").exists()


@pytest.mark.shared
def test_inspect_shows_where_backbone_ends_and_head_begins(shared_weights: Path) -> None:
    """Layers 0–9 are the backbone, 10 is the head; shapes and parameters are those of the article's own print-out."""
    seen = inspect_checkpoint(shared_weights, image_size=224)
    assert [layer.is_head for layer in seen.layers] == [False] * 10 + [True]
    assert [layer.module for layer in seen.layers[-2:]] == ["C2PSA", "Classify"]
    assert seen.layers[0].output_shape == (16, 112, 112)
    assert seen.layers[9].output_shape == (256, 7, 7)
    assert seen.layers[10].output_shape == (3,)
    assert (seen.backbone_parameters, seen.head_parameters) == (1_200_864, 334_083)
    assert seen.trainable_share == pytest.approx(0.2177, abs=1e-4)
    assert inspect_checkpoint(shared_weights).image_size == 640
