"""What a file that is no checkpoint is, as far as its first bytes or its list of contents tell, and what to give instead."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from posture_daemon.errors import CheckpointRefused

LOOKED_AT = 4096

NETWORK = "give the .pt file from which it was exported"
PACKED = "unpack it and give the .pt file in it"
COPY = "copy it again"
DOWNLOAD = "download the file itself"
TRAINED = "give the .pt file of a training"

CUT_OFF = "not a PyTorch checkpoint, or it was cut off"

BEGINNINGS: Sequence[tuple[int, bytes, str, str]] = (
    (0, b"PK", f"{CUT_OFF}: the end of the zip archive is missing", COPY),
    (0, b"version https://git-lfs", "only a pointer of Git LFS, not the file itself", "fetch it with git lfs pull"),
    (0, b"GGUF", "a GGUF file, as language models have", TRAINED),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes", TRAINED),
    (4, b"TFL3", "a TensorFlow Lite network", NETWORK),
    (0, b"7767517\n", "an NCNN network", NETWORK),
    (0, b"RKNN", "an RKNN network", NETWORK),
    (0, b"\x93NUMPY", "a NumPy array", TRAINED),
    (0, b"\x1f\x8b", "a packed archive (gzip)", PACKED),
    (0, b"BZh", "a packed archive (bzip2)", PACKED),
    (0, b"\xfd7zXZ\0", "a packed archive (xz)", PACKED),
    (0, b"\x28\xb5\x2f\xfd", "a packed archive (zstd)", PACKED),
    (0, b"7z\xbc\xaf\x27\x1c", "a packed archive (7-Zip)", PACKED),
    (0, b"Rar!", "a packed archive (RAR)", PACKED),
    (257, b"ustar", "a packed archive (tar)", PACKED),
    (0, b"\x89PNG", "a picture", TRAINED),
    (0, b"\xff\xd8\xff", "a picture", TRAINED),
    (0, b"%PDF", "a PDF document", TRAINED),
    (0, b"\x7fELF", "a program", TRAINED),
    (0, b"MZ", "a Windows program", TRAINED),
    (0, b"SQLite format 3", "an SQLite database", TRAINED),
)
"""Where, which bytes, what that is, what to do."""

CONTENTS: Sequence[tuple[str, str, str]] = (
    ("code/", "a TorchScript program, not a checkpoint", TRAINED),
    ("serialized_exported_program.json", "a program that torch.export wrote, not a checkpoint", TRAINED),
    ("archive_format", "a program that torch.export wrote, not a checkpoint", TRAINED),
    ("model.weights.h5", "a Keras network", TRAINED),
    ("[Content_Types].xml", "an office document", TRAINED),
    (".npy", "an archive of NumPy arrays", TRAINED),
)
"""End (or, with a slash, part) of a name in a zip archive, what that is, what to do."""


def refused(path: Path, file: BinaryIO) -> CheckpointRefused:
    """Why a file that is neither a zip archive nor an old checkpoint cannot be imported."""
    file.seek(0)
    data = file.read(LOOKED_AT)
    what, advice = _kind(data, Path(path).suffix.lower())
    return CheckpointRefused(f"{path} is {what}; {advice}.")


def _kind(data: bytes, suffix: str) -> tuple[str, str]:
    """What the first bytes of a file are, and what to do."""
    if not data.strip(b"\0"):
        what = "it begins with zeros, so it was not copied whole" if data else "it is empty (0 bytes)"
        return f"not a PyTorch checkpoint: {what}", COPY
    known = next((kind for where, beginning, *kind in BEGINNINGS if data.startswith(beginning, where)), None)
    if known is not None:
        return known[0], known[1]
    if _is_onnx(data) or suffix == ".onnx":
        return "an ONNX network", NETWORK
    if len(data) > 9 and data[8:9] == b"{" and int.from_bytes(data[:8], "little") < 1 << 30:
        return "a safetensors file, which holds weights but neither the network nor its classes", TRAINED
    if data[0] == 0x80 and data[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return "a pickle of Python, but not a PyTorch checkpoint (nothing in it was run)", TRAINED
    return _text(data)


def _text(data: bytes) -> tuple[str, str]:
    """Of a text, what kind; else nothing that is known."""
    beginning = data.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if beginning.startswith((b"<!doctype html", b"<html", b"<?xml", b"<head")):
        return "a web page, not a PyTorch checkpoint: the download went wrong", DOWNLOAD
    if not any(byte < 9 or 13 < byte < 27 for byte in data):
        return "a text, not a PyTorch checkpoint", TRAINED
    return f"{CUT_OFF}: it is no zip archive", COPY


def _is_onnx(data: bytes) -> bool:
    """A protobuf that begins with a small number (its version) and the name of the program that wrote it."""
    return data[0] == 0x08 and data[1] < 32 and data[2:3] == b"\x12" and data[3] < 64 and data[4:10].isascii()


def zip_refused(path: Path, names: Sequence[str]) -> CheckpointRefused:
    """Why a zip archive with these contents is no checkpoint."""
    for ending, what, advice in CONTENTS:
        if any(f"/{ending}" in name if ending.endswith("/") else name.endswith(ending) for name in names):
            return CheckpointRefused(f"{path} is {what}; {advice}.")
    inside = next((name for name in names if name.endswith((".pt", ".pth"))), None)
    if inside is not None:
        return CheckpointRefused(f"{path} is a zip archive that holds {inside}; unpack it and give that file.")
    return CheckpointRefused(f"{path} is a zip archive, but not a PyTorch checkpoint; {TRAINED}.")


def folder_refused(path: Path) -> CheckpointRefused:
    """Why a folder cannot be imported, and where in it the checkpoint may lie."""
    for name in ("best.pt", "weights/best.pt", "train/weights/best.pt", "weights/last.pt"):
        if (path / name).is_file():
            return CheckpointRefused(f"{path} is a folder; give the .pt file in it, {path / name}.")
    if (path / "data.pkl").is_file() or next(path.glob("*/data.pkl"), None):
        return CheckpointRefused(
            f"{path} is a folder into which a checkpoint was unpacked, as some browsers do; give the .pt file as it was."
        )
    return CheckpointRefused(f"{path} is a folder; give the .pt file.")
