"""Is it the network that we know? Every module of a checkpoint is compared with YOLO11-cls, and the first difference said.

`graph` builds the network from its weights alone, so whatever else decides what it computes (strides, activations, shortcuts,
hooks) must be as ultralytics builds it, or the model would be served with other answers than it was trained to give.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from posture_daemon.adapters.checkpoints.archive import Archive
from posture_daemon.adapters.checkpoints.pickled import LONGEST_NAME, Shell, StoredTensor
from posture_daemon.errors import CheckpointRefused

LAYERS = ("Conv", "Conv", "C3k2", "Conv", "C3k2", "Conv", "C3k2", "Conv", "C3k2", "C2PSA", "Classify")
HEAD_WIDTH = 64
"""Channels of one attention head."""

BLOCKS = ("Bottleneck", "C3k", "PSABlock", "Attention", "Sequential", "ModuleList", "Conv2d", "BatchNorm2d", "SiLU")
KNOWN_MODULES = frozenset((*LAYERS, *BLOCKS, "Identity", "AdaptiveAvgPool2d", "Dropout", "Linear"))
TASKS = {
    "DetectionModel": "a detection model",
    "SegmentationModel": "a segmentation model",
    "PoseModel": "a pose model",
    "OBBModel": "a model for rotated boxes",
    "RTDETRDetectionModel": "a detection model (RT-DETR)",
    "WorldModel": "a detection model (YOLO-World)",
    "YOLOEModel": "a detection model (YOLOE)",
}
WRAPPERS = {"DataParallel": "module", "DistributedDataParallel": "module", "OptimizedModule": "_orig_mod"}
"""Kind of module that only holds another one, and under which name."""

MOST_MODULES = 5_000
"""yolo11x-cls has 400."""

NOT_ACTIVATED = (".attn.qkv", ".attn.pe", ".attn.proj", ".ffn.1")
SINGLE, SHORTCUT = (1, (1, 1), [1, 1]), (True,)
EXPECTED: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "Bottleneck": {"add": SHORTCUT},
    "PSABlock": {"add": SHORTCUT},
    "Conv2d": {"dilation": SINGLE, "padding_mode": ("zeros",)},
    "BatchNorm2d": {"affine": (True,), "track_running_stats": (True,)},
    "AdaptiveAvgPool2d": {"output_size": SINGLE},
}
"""By kind of module, what an attribute may be where it is there."""

TRANSFORMS = ("Resize", "CenterCrop", "ToTensor", "Normalize")
"""Steps by which ultralytics prepares pictures for a classifier; so do we."""


def model_in(path: Path, content: Any) -> Shell:
    """The network in a checkpoint: averaged weights before others, out of what may be wrapped around it.

    Raises `CheckpointRefused` when it holds none, and says what it holds instead.
    """
    model = content
    if isinstance(content, dict):
        model = content["ema"] if isinstance(content.get("ema"), Shell) else content.get("model")
    while isinstance(model, Shell) and kind_of(model) in WRAPPERS:
        model = children(model).get(WRAPPERS[kind_of(model)])
    if isinstance(model, Shell):
        return model
    if not isinstance(content, (dict, Shell)):
        raise CheckpointRefused(
            f"{path} is a PyTorch file, but not a checkpoint of ultralytics, which posture-daemon needs."
        )
    lightning = content.get("state_dict") if isinstance(content, dict) else None
    if any(_is_weights(one) for one in (content, model, lightning)):
        raise CheckpointRefused(
            f"{path} holds weights only (a state_dict), neither the network nor its classes; give the .pt file of a training."
        )
    raise CheckpointRefused(
        f"{path} is a PyTorch file, but not a checkpoint of ultralytics: it holds no model; give the .pt file of a training."
    )


def refuse_other_networks(path: Path, model: Shell, archive: Archive) -> None:
    """Compare the kind of model, the list of layers, every module below them, its attributes, and how pictures are prepared."""
    kind = kind_of(model)
    if kind != "ClassificationModel":
        what = TASKS.get(kind, f"a {kind}")
        raise CheckpointRefused(f"{path} is {what}, not a classification model such as yolo11n-cls.pt.")
    layers = children(model).get("model")
    names = tuple(kind_of(layer) for layer in children(layers).values()) if layers else ()
    if names != LAYERS:
        raise CheckpointRefused(f"{path} is {_other_network(names)}, but posture-daemon needs a YOLO11-cls model.")
    for count, (name, module) in enumerate(walk(model)):
        difference = _difference(name, module)
        if difference is not None or count > MOST_MODULES:
            raise CheckpointRefused(f"{path} is a modified YOLO11-cls: {difference or 'it has too many modules'}.")
    _refuse_other_pictures(path, model, archive)


def _refuse_other_pictures(path: Path, model: Shell, archive: Archive) -> None:
    """Old versions of ultralytics trained classifiers on normalised colours; our preprocessing does not do that."""
    transforms = model.state.get("transforms")
    steps = transforms.state.get("transforms", []) if isinstance(transforms, Shell) else []
    for step in steps:
        if kind_of(step) == "Normalize" and not _is_neutral(step, archive):
            raise CheckpointRefused(f"{path} expects normalised colours, as only old versions of ultralytics did.")
    if steps and tuple(kind_of(step) for step in steps) != TRANSFORMS:
        raise CheckpointRefused(f"{path} was trained on pictures that were prepared otherwise than ultralytics does.")


def walk(module: Shell, prefix: str = "") -> Iterator[tuple[str, Shell]]:
    """Yield every module below `module` with its dotted name, as torch's `named_modules`."""
    for name, child in children(module).items():
        path = f"{prefix}.{name}" if prefix else name
        yield path, child
        yield from walk(child, path)


def children(module: Shell) -> Mapping[str, Shell]:
    """The modules directly below one, by name."""
    found = module.state.get("_modules", {})
    return {name: child for name, child in found.items() if isinstance(child, Shell)}


def kind_of(module: Any) -> str:
    """The name of its class, without that of the module."""
    name = module.origin.rpartition(".")[2] if isinstance(module, Shell) else type(module).__name__
    return name if name.isidentifier() and len(name) <= LONGEST_NAME else "module of another program"


def _difference(name: str, module: Shell) -> str | None:
    """What a module is that it should not be; `None` when it is as ultralytics builds it."""
    kind, state = kind_of(module), module.state
    if kind not in KNOWN_MODULES:
        return f"{name} is a {kind}"
    for attribute, allowed in EXPECTED.get(kind, {}).items():
        if attribute in state and state[attribute] not in allowed:
            return f"{name} has another {attribute}"
    hooks = [hook for part in ("_forward_hooks", "_forward_pre_hooks") for hook in (state.get(part) or {}).values()]
    if any(not getattr(hook, "origin", "").startswith("torch.nn.utils.prune.") for hook in hooks):
        return f"{name} has a hook"
    if kind == "Conv":
        return _conv_difference(name, module)
    if kind == "Attention":
        heads = max(_channels(children(module)["proj"]) // HEAD_WIDTH, 1)
        return None if state.get("num_heads") == heads else f"{name} has another number of heads"
    return None


def _conv_difference(name: str, module: Shell) -> str | None:
    """The same for ultralytics' convolution with batch norm and activation."""
    parts = children(module)
    activation = "Identity" if name.endswith(NOT_ACTIVATED) else "SiLU"
    if kind_of(parts.get("act")) != activation:
        return f"{name}.act is a {kind_of(parts.get('act'))}"
    state = parts["conv"].state
    kernel = _pair(state["kernel_size"])
    stride = 2 if name.count(".") == 1 else 1  # layers that are nothing but a convolution halve the picture
    groups = _channels(module) if name.endswith(".pe") else 1
    wanted = {"stride": (stride, stride), "padding": (kernel[0] // 2, kernel[0] // 2), "groups": (groups, groups)}
    for attribute, value in wanted.items():
        if _pair(state[attribute]) != value:
            return f"{name}.conv has another {attribute}"
    return None if kernel[0] == kernel[1] else f"{name}.conv is not square"


def _channels(conv: Shell) -> int:
    """Output channels of ultralytics' convolution."""
    return int(children(conv)["conv"].state["out_channels"])


def _pair(value: Any) -> tuple[Any, Any]:
    return tuple(value) if isinstance(value, (tuple, list)) and len(value) == 2 else (value, value)


def _other_network(layers: tuple[str, ...]) -> str:
    if "C2f" in layers:
        return f"a YOLOv8-cls model ({len(layers)} layers instead of {len(LAYERS)})"
    few = ", ".join(layers[: len(LAYERS)]) + (", …" if len(layers) > len(LAYERS) else "")
    return f"another network ({len(layers)} layers: {few or 'none'})"


def _is_neutral(normalise: Shell, archive: Archive) -> bool:
    """Whether mean 0 and deviation 1 leave the colours as they are; ultralytics keeps them as tensors or as tuples."""
    for name, neutral in (("mean", 0), ("std", 1)):
        value = normalise.state.get(name, neutral)
        if (np.asarray(archive.read(value) if isinstance(value, StoredTensor) else value) != neutral).any():
            return False
    return True


def _is_weights(content: Any) -> bool:
    return isinstance(content, dict) and any(isinstance(one, StoredTensor) for one in content.values())
