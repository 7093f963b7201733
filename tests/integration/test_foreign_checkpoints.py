import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from posture_daemon.adapters.checkpoints import READING_MB, inspect_checkpoint
from posture_daemon.adapters.checkpoints import archive as archives
from posture_daemon.adapters.checkpoints.yolo11 import input_size, read_checkpoint
from posture_daemon.bootstrap.models import import_model
from posture_daemon.errors import CheckpointRefused, LabelError, ModelError
from posture_daemon.store import Store

MEASURED = """
import json, os, resource, subprocess, sys
from pathlib import Path
from posture_daemon.adapters.checkpoints import inspect_checkpoint
from posture_daemon.errors import CheckpointRefused
try:
    inspect_checkpoint(Path(sys.argv[1]))
except CheckpointRefused as error:
    print(json.dumps([resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1000, str(error)]))
"""


def pickled(path: Path, content: bytes, compression: int = zipfile.ZIP_STORED, **files: bytes) -> Path:
    """An archive as `torch.save` lays it out."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("a/data.pkl", content)
        for name, data in files.items():
            archive.writestr(f"a/data/{name}", data)
    return path


def model_with(weight: bytes) -> bytes:
    """A pickle of a network whose only weight is this pickled object."""
    network = (
        b"cultralytics.nn.tasks\nClassificationModel\n)\x81}X\x0b\x00\x00\x00_parameters}X\x01\x00\x00\x00w" + weight
    )
    return b"\x80\x02}X\x05\x00\x00\x00model" + network + b"ssbs."


def tensor(count: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """A pickled tensor on the storage `0`, which claims `count` floats."""
    numbers = [b"(" + b"".join(b"I%d\n" % number for number in values) + b"t" for values in (shape, strides)]
    reference = b"(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI%d\ntQ" % count
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + reference + b"I0\n" + b"".join(numbers) + b"I00\nNtR"


def stored(path: Path, count: int, shape: tuple[int, ...], strides: tuple[int, ...], data: bytes) -> np.ndarray:
    """What is read of such a tensor."""
    file = pickled(path, b"\x80\x02" + tensor(count, shape, strides) + b".", **{"0": data})
    with archives.opened_archive(file) as archive:
        return archive.read(archive.content)


FOUR = struct.pack("<4f", 1, 2, 3, 4)


def test_a_tensor_is_read_by_its_strides(tmp_path: Path) -> None:
    """Also one that is turned, as float32 in the order of its own shape."""
    assert stored(tmp_path / "a.pt", 4, (2, 2), (1, 2), FOUR).tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize(
    ("count", "shape", "strides", "data"),
    [
        pytest.param(4, (1000, 1000, 1000), (0, 0, 0), FOUR, id="a number that is repeated a billion times"),
        pytest.param(4, (5,), (0,), FOUR, id="five numbers out of four"),
        pytest.param(10**12, (10**12,), (1,), FOUR, id="a storage that claims a terabyte"),
        pytest.param(5, (4,), (1,), FOUR, id="a storage that claims more than it has"),
        pytest.param(3, (3,), (1,), FOUR, id="a storage that has more than it claims"),
        pytest.param(4, (4,), (1,), b"", id="an empty storage"),
    ],
)
def test_sizes_are_compared_with_what_the_file_holds_before_memory_is_taken(
    tmp_path: Path, count: int, shape: tuple[int, ...], strides: tuple[int, ...], data: bytes
) -> None:
    """Each is damage, said in one sentence."""
    with pytest.raises(CheckpointRefused, match=r"is damaged: .*\.$"):
        stored(tmp_path / "a.pt", count, shape, strides, data)


def test_what_nobody_asks_for_is_not_read(tmp_path: Path) -> None:
    """An optimizer's state may be odd; it is neither read nor refused."""
    odd = b"\x80\x02}X\x05\x00\x00\x00other" + tensor(4, (1000, 1000, 1000), (0, 0, 0)) + b"s."
    with archives.opened_archive(pickled(tmp_path / "a.pt", odd)) as archive:
        assert archive.content["other"].size == 10**9


LAUGHS = b"]q\x00(" + b"N" * 10 + b"e" + b"".join(
    b"]q" + bytes([i]) + b"(" + (b"h" + bytes([i - 1])) * 10 + b"e" for i in range(1, 12)
)  # fmt: skip


@pytest.mark.slow(seconds=20)
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\x80\x02Nr" + struct.pack("<I", 2**29) + b".", id="a place in the memo of 8 GB"),
        pytest.param(b"\x80\x05\x96" + struct.pack("<Q", 8 << 30) + b"x.", id="a byte array of 8 GB"),
        pytest.param(b"\x80\x02(" + b"}" * 8_000_000 + b"l.", id="eight million dictionaries"),
        pytest.param(b"\x80\x02" + b"]" * 1_000_000 + b"a" * 999_999 + b".", id="a million lists in each other"),
        pytest.param(LAUGHS + b".", id="a list that is 10^12 long when it is written out"),
        pytest.param(b"\x80\x02(" + b"N" * 100_000_000 + b"l.", id="a description that unpacks to 100 MB"),
        pytest.param(model_with(tensor(4, (1000, 1000, 1000), (0, 0, 0))), id="a weight of 4 GB"),
    ],
)
def test_a_small_file_takes_little_memory(tmp_path: Path, content: bytes) -> None:
    """The largest process that read it had less than 600 MB, and it is refused in one sentence."""
    file = pickled(tmp_path / "a.pt", content, zipfile.ZIP_DEFLATED, **{"0": FOUR})
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(file)], capture_output=True, text=True, check=True, timeout=300
    )
    most_mb, said = json.loads(done.stdout)
    assert most_mb < 600
    assert said.endswith(".")
    assert "\n" not in said


def test_a_storage_that_unpacks_to_more_than_it_says_is_not_unpacked(tmp_path: Path) -> None:
    """Its entry says 16 bytes; a gigabyte of zeros would come out."""
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + tensor(4, (4,), (1,)) + b".")
        with archive.open("a/data/0", "w") as stream:
            for _ in range(50):
                stream.write(bytes(1_000_000))
        archive.filelist[-1].file_size = len(FOUR)
    with pytest.raises(CheckpointRefused, match="is damaged"), archives.opened_archive(path) as archive:
        archive.read(archive.content)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.pt", b"", "is empty"),
        ("a.pt", bytes(5000), "begins with zeros, so it was not copied whole; copy it again"),
        ("a.pt", b"PK\3\4", "the end of the zip archive is missing; copy it again"),
        ("a.pt", b"<!DOCTYPE html><html>404</html>", "a web page.*download the file itself"),
        (
            "a.pt",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
            "only a pointer of Git LFS.*git lfs pull",
        ),
        ("a.pt", b"\x80\x02}q\x00.", "a pickle of Python, but not a PyTorch checkpoint"),
        ("a.pt", b"\x1f\x8b\x08 ", "a packed archive .gzip.; unpack it"),
        ("a.pt", 257 * b"x" + b"ustar", "a packed archive .tar."),
        ("a.pt", b"\x89PNG\r\n", "is a picture"),
        ("a.onnx", b"\x08\x08\x12\x07pytorch", "is an ONNX network; give the .pt file from which it was exported"),
        (
            "a.safetensors",
            struct.pack("<Q", 99) + b'{"a": 1}',
            "is a safetensors file, which holds weights but neither",
        ),
        ("a.gguf", b"GGUF\3", "is a GGUF file"),
        ("a.tflite", b"\x1c\0\0\0TFL3", "is a TensorFlow Lite network"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
        ("a.yaml", b"nc: 3\n", "is a text, not a PyTorch checkpoint"),
        ("a.pt", bytes(range(255, 0, -1)) * 9, "it is no zip archive; copy it again"),
    ],
)
def test_a_file_of_another_kind_is_called_by_its_name(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    """What it is, and what to give instead."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CheckpointRefused, match=words):
        read_checkpoint(tmp_path / name)


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ("run/weights/best.pt", "a zip archive that holds run/weights/best.pt; unpack it and give that file"),
        ("a/code/__torch__.py", "a TorchScript program"),
        ("a/archive_format", "a program that torch.export wrote"),
        ("word/[Content_Types].xml", "an office document"),
        ("weights.npy", "an archive of NumPy arrays"),
    ],
)
def test_a_zip_archive_of_something_else_is_called_by_its_name(tmp_path: Path, inside: str, words: str) -> None:
    """What is in it, and what to give."""
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr(inside, b"x")
    with pytest.raises(CheckpointRefused, match=words):
        read_checkpoint(tmp_path / "a.pt")


def folder(path: Path) -> Path:
    """Of a training."""
    (path / "weights").mkdir(parents=True)
    (path / "weights" / "best.pt").touch()
    return path


def unpacked(path: Path) -> Path:
    """As Safari does."""
    (path / "best").mkdir(parents=True)
    (path / "best" / "data.pkl").touch()
    return path


def pipe(path: Path) -> Path:
    """Nobody writes into it."""
    os.mkfifo(path)
    return path


def link(to: str) -> Callable[[Path], Path]:
    """A symbolic one."""

    def make(path: Path) -> Path:
        path.symlink_to(to)
        return path

    return make


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (folder, "is a folder; give the .pt file in it, .*weights/best.pt"),
        (unpacked, "a folder into which a checkpoint was unpacked"),
        (pipe, "is a pipe or a device"),
        (link("/dev/zero"), "is a pipe or a device"),
        (link("nowhere"), "is a link to a file that is not there"),
        (link("a.pt"), "cannot be opened .Too many levels of symbolic links."),
    ],
)
def test_what_is_no_ordinary_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], Path], words: str) -> None:
    """It says what it is, and never waits."""
    with pytest.raises(CheckpointRefused, match=words):
        read_checkpoint(make(tmp_path / "a.pt"))


@pytest.mark.parametrize(
    ("asked", "trained", "size"),
    [(None, None, 224), (None, 64, 64), (None, 100, 128), (None, 7, 32), (320, 100_000, 320), (1280, None, 1280)],
)
def test_the_input_is_what_was_asked_for_or_trained(asked: int | None, trained: int | None, size: int) -> None:
    """Rounded up to what the network can halve five times."""
    assert input_size(asked, trained) == size


@pytest.mark.parametrize(("asked", "trained"), [(None, 100_000), (1312, None), (100, None), (-32, None), (7, None)])
def test_a_size_that_no_picture_has_is_refused(asked: int | None, trained: int | None) -> None:
    """One sentence, whoever named it."""
    with pytest.raises(CheckpointRefused, match=r"^The image size .*\.$"):
        input_size(asked, trained)


@pytest.mark.slow(seconds=60)
@pytest.mark.torch
@pytest.mark.parametrize(
    "name",
    [
        *("legacy", "bare", "dataparallel"),
        *(f"size_{one}" for one in ("text", "fraction", "numpy", "float16", "array", "tensor", "tensors", "list")),
        *(f"names_{one}" for one in ("default", "lists", "array", "objects", "texts")),
    ],
)
def test_the_same_network_in_another_form_is_the_same_model(zoo: Path, name: str) -> None:
    """Every weight, and the size of its pictures."""
    plain, other = (read_checkpoint(zoo / f"{one}.pt") for one in ("plain", name))
    assert (other.classes, other.image_size, other.scale) == (plain.classes, plain.image_size, plain.scale)
    assert plain.weights.keys() == other.weights.keys()
    assert all((plain.weights[key] == other.weights[key]).all() for key in plain.weights)


@pytest.mark.slow(seconds=60)
@pytest.mark.torch
def test_a_linear_layer_without_a_bias_is_one_with_a_bias_of_zeros(zoo: Path) -> None:
    """Torch computes the same of both."""
    without, zeros = (read_checkpoint(zoo / f"{one}.pt").weights for one in ("no_bias", "zero_bias"))
    assert without.keys() == zeros.keys()
    assert all((without[key] == zeros[key]).all() for key in zeros)


@pytest.mark.slow(seconds=60)
@pytest.mark.torch
def test_a_file_whose_name_is_no_text_is_imported(zoo: Path, store: Store) -> None:
    """As those of old Windows disks; its origin is written down in letters that there are."""
    file = store.folder.parent / os.fsdecode(b"pl\xe9.pt")
    shutil.copy(zoo / "plain.pt", file)
    assert inspect_checkpoint(file).path == file
    version = import_model(store, file)
    assert version.source == "imported from pl\\xe9.pt"
    assert store.models.champion() == version


@pytest.mark.parametrize("name", [b"pl\xe9.pt", b"\xff\xfe.pt", "\U0001f9d8.pt".encode(), b"a\nb.pt"])
def test_a_file_that_is_refused_is_called_by_its_name_whatever_that_is(tmp_path: Path, name: bytes) -> None:
    """And by what it is."""
    file = tmp_path / os.fsdecode(name)
    file.write_bytes(b"GGUF")
    with pytest.raises(CheckpointRefused, match="is a GGUF file") as caught:
        inspect_checkpoint(file)
    assert str(caught.value).startswith(str(file))


@pytest.mark.parametrize("file", ["plain.pt", "nowhere.pt"])
def test_names_for_the_classes_of_a_base_are_refused(store: Store, tmp_path: Path, file: str) -> None:
    """Nothing would use them, and the owner would find out much later."""
    with pytest.raises(LabelError, match=r"A base has no classes .*; leave out --as-base or --rename\.$"):
        import_model(store, tmp_path / file, as_base=True, renames=["bad_posture=x"])


@pytest.mark.slow(seconds=60)
@pytest.mark.torch
def test_pruned_and_turned_weights_are_what_torch_multiplies_with(zoo: Path) -> None:
    """A mask is applied; a view is read in the order of its shape."""
    plain, pruned, turned = (
        read_checkpoint(zoo / f"{one}.pt").weights["model.5.conv.weight"] for one in ("plain", "pruned", "reordered")
    )
    assert 0.25 < (pruned == 0).mean() < 0.35
    assert ((pruned == 0) | (pruned == plain)).all()
    assert (turned == plain.transpose(0, 1, 3, 2)).all()


@pytest.mark.slow(seconds=60)
@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("channels1", "was trained on grey pictures"),
        ("channels4", "was trained on pictures of 4 channels"),
        ("weights_only", "holds weights only"),
        ("expanded", "is damaged: a tensor of 1 numbers claims to have"),
        ("stride", "modified YOLO11-cls: model.0.conv has another stride"),
        ("shortcut", "modified YOLO11-cls: model.2.m.0 has another add"),
        ("hook", "modified YOLO11-cls: model.1 has a hook"),
        ("weight_float8", r"its weight model.5.conv.weight is of a type \(float8_e4m3fn\) .*; save the network with"),
        ("weight_unsigned", r"its weight model.5.conv.weight is of a type \(uint16\)"),
        ("weight_complex", r"its weight model.5.conv.weight is of a type \(ComplexFloatStorage\)"),
        ("weight_sparse", "its weight model.5.conv.weight is sparse; save the network with ordinary numbers"),
        ("weight_meta", "its weight model.5.conv.weight is without numbers"),
        ("names_counter", "does not say which output each of its class names belongs to"),
        ("infinite", "model.0.bn.weight holds values that are not finite"),
        ("width", "cannot answer a picture of 64 pixels, so it was not imported"),
        ("negative", "cannot answer a picture of 64 pixels, so it was not imported: what it answers is no numbers"),
        ("size_huge", "names as that of its training is 100000 pixels, but 1280 is the most"),
    ],
)
def test_a_network_that_would_answer_otherwise_never_becomes_champion(
    zoo: Path, store: Store, name: str, words: str
) -> None:
    """It is refused in one sentence, and the champion stays."""
    before = store.models.champion_id()
    with pytest.raises(CheckpointRefused, match=words) as caught:
        import_model(store, zoo / f"{name}.pt")
    assert "\n" not in str(caught.value)
    assert store.models.champion_id() == before
    assert list(store.folder.glob(".import-*")) == []


@pytest.mark.slow(seconds=30)
@pytest.mark.torch
@pytest.mark.parametrize("name", ["size_minus", "size_nothing", "size_nan"])
def test_a_size_that_is_none_counts_as_unknown(zoo: Path, name: str) -> None:
    """The usual one is taken."""
    assert inspect_checkpoint(zoo / f"{name}.pt").image_size == 224


def test_a_reader_that_the_system_ends_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of `inspect` too, with what to do."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nkill -9 $$\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(
        ModelError, match=r"^The inspect failed .*lack of memory\); close other programs and try again\.$"
    ):
        inspect_checkpoint(tmp_path / "a.pt")


@pytest.mark.slow(seconds=5)
def test_the_reader_is_limited_and_the_first_to_go(tmp_path: Path) -> None:
    """More than its memory is a `MemoryError` there; the kernel takes it before the daemon."""
    told = (
        "from posture_daemon.adapters.child_process import be_the_first_to_go, limit_memory\n"
        f"be_the_first_to_go(); limit_memory({READING_MB})\n"
        "import numpy, resource\n"
        "print(open('/proc/self/oom_score_adj').read().strip(), resource.getrlimit(resource.RLIMIT_DATA)[0])\n"
        "try: numpy.ones(1_000_000_000)\n"
        "except MemoryError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["900", str(READING_MB * 1_000_000), "refused"]
