"""Files that are given as a model, and downloads."""

import zipfile

from tests.faults.fault import Group, Made, Place

# Two lines a fault, not eight.
# fmt: off

files = Group("Foreign model files")


def archive(at: Place, description: bytes, storage: bytes = b"") -> object:
    """A packed checkpoint with this description and one storage."""
    path = at.beside / "model.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("model/data.pkl", description)
        packed.writestr("model/data/0", storage)
    return path


files.plain("A web page as a checkpoint", "models import ~/model.pt",
    "/model.pt is a web page", "download the file itself", {"model.pt": "<!DOCTYPE html><html><h1>404</h1></html>"})
files.plain("A pointer of Git LFS as a checkpoint", "models import ~/model.pt",
    "/model.pt is only a pointer of Git LFS", "git lfs pull",
    {"model.pt": "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n"})
files.plain("An ONNX network", "models inspect ~/model.onnx",
    "/model.onnx is an ONNX network", "give the .pt file", {"model.onnx": b"\x08\x08\x12\x07pytorch\x1a\x012"})
files.plain("A safetensors file", "models import ~/model.safetensors",
    "/model.safetensors is a safetensors file", "give the .pt file", {"model.safetensors": b"\x09" + bytes(7) + b'{"a": 1}'})
files.plain("An empty file as a checkpoint", "models inspect ~/model.pt", "/model.pt", "copy it again", {"model.pt": ""})
files.plain("A packed checkpoint", "models import ~/model.pt.gz",
    "/model.pt.gz is a packed archive", "unpack it", {"model.pt.gz": b"\x1f\x8b\x08\x00"})
files.plain("The folder of a training", "models import ~/train",
    "/train is a folder", "give the .pt file in it", {"train/weights/best.pt": "x"})
files.plain("A model for grey pictures", "models import ~/channels1.pt",
    "/channels1.pt was trained on grey pictures", "train it on pictures in colours",
    {"channels1.pt": Place.checkpoint}, torch=True)
files.plain("Weights without their network", "models import ~/weights_only.pt",
    "/weights_only.pt holds weights only", "give the .pt file", {"weights_only.pt": Place.checkpoint}, torch=True)
files.plain("A network with another stride", "models import ~/stride.pt",
    "/stride.pt is a modified YOLO11-cls", "model.0.conv has another stride", {"stride.pt": Place.checkpoint}, torch=True)
files.plain("A network that answers no numbers", "models import ~/negative.pt",
    "negative.pt cannot answer a picture", "it was not imported", {"negative.pt": Place.checkpoint}, torch=True)
files.plain("A model for pictures of 100,000 pixels", "models import ~/size_huge.pt",
    "100000 pixels", "--imgsz", {"size_huge.pt": Place.checkpoint}, torch=True)


@files("A small file that would take gigabytes", where="/model.pt needs more than", advice="was not imported")
def memo(at: Place) -> Made:
    """It names a place in the memo that would be 4 GB."""
    yield "models", "import", archive(at, b"\x80\x02Nr\xff\xff\xff\x1f.")


@files("A description that unpacks to 100 MB", where="/model.pt is damaged", advice="16000000 is the most")
def bomb(at: Place) -> Made:
    """All of it is nothing."""
    yield "models", "import", archive(at, b"\x80\x02(" + b"N" * 100_000_000 + b"l.")


@files("A tensor that reaches outside its storage", where="/model.pt is damaged", advice="outside its storage")
def outside(at: Place) -> Made:
    """Nine numbers out of four."""
    reference = b"(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI4\ntQ"
    yield "models", "import", archive(at, b"ctorch._utils\n_rebuild_tensor_v2\n(" + reference + b"I0\n(I9\nt(I1\ntI00\nNtR.")


files.plain("A download that is not encrypted", "models fetch yolo11n-cls --release http://example.org/release.json",
    "http://example.org/release.json", "begins with https://")
files.plain("A download from an address with a password", "models fetch yolo11n-cls --release https://example.org:pw@example.org/a",
    "it has a name or a password before the server", "which would not be sent")
files.plain("Names for the classes of a base", "models import ~/model.pt --as-base --rename bad=x",
    "A base has no classes that could be renamed", "leave out --as-base or --rename", {"model.pt": "x"})
files.plain("A weight of another type", "models import ~/weight_float8.pt",
    "/weight_float8.pt cannot be imported: its weight model.5.conv.weight is of a type (float8_e4m3fn)",
    "after model.float()", {"weight_float8.pt": Place.checkpoint}, torch=True)
files.plain("A checksum that is none", "models fetch yolo11n-cls --sha256 abc", "'abc'", "64 hexadecimal digits")


@files("A folder with the name of a download", where="/downloads/yolo11n-cls.pt is a folder", advice="move it away")
def occupied(at: Place) -> Made:
    """It is named before anything is fetched."""
    (at.data / "downloads" / "yolo11n-cls.pt").mkdir(parents=True)
    yield "models", "fetch", "yolo11n-cls"
