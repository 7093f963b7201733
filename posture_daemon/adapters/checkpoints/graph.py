"""The backbone of YOLO11-cls (layers 0–9) as an ONNX graph, written from the weights without torch.

Advantages over torch's exporter: tensors keep their ultralytics names and batch norms are not folded, so that a checkpoint
can be rebuilt from the file alone (ONNX Runtime folds them at load time); equal weights give equal bytes; no torch needed.
Each method adds a block named like its class in `ultralytics.nn.modules` and returns the name of the block's output.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from posture_daemon.adapters.checkpoints.network import HEAD_WIDTH, LAYERS
from posture_daemon.adapters.checkpoints.yolo11 import COLOURS, HEAD_LAYER, STRIDE
from posture_daemon.domain import Floats
from posture_daemon.errors import ModelError
from posture_daemon.vision.head import BATCH_NORM_EPS

INPUT, OUTPUT = "images", "features"
OPSET, IR_VERSION = 17, 8  # what onnxruntime 1.18 and TensorRT 8.6 (JetPack 6) read
GRAPH, INITIALIZER = 7, 5
"""Numbers of the fields in ONNX's `ModelProto` and `GraphProto`."""

BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


def build_backbone(weights: MutableMapping[str, Floats], image_size: int) -> bytes:
    """Return the ONNX file of layers 0–9.

    `weights` has ultralytics' names (`model.0.conv.weight`, …); those of the head are left in it, the others are taken out one
    by one, since those of the largest network are 110 MB and would be held twice. The input `images` is
    `float32 (n, 3, image_size, image_size)`, the output `features` is `float32 (n, channels, s, s)` with
    `s = image_size / 32`; n is free, `image_size` a multiple of 32. Raises `ModelError` when a weight is missing or
    has no place in the graph. Whether the shapes fit each other shows when the network answers its first picture.
    """
    graph = _Graph(weights)
    try:
        features = _layers(graph)
    except KeyError as error:
        raise ModelError(f"The checkpoint is not a YOLO11-cls: it lacks the weight {error}.") from error
    if graph.unused:
        raise ModelError(f"The checkpoint is a modified YOLO11-cls: it also has {min(graph.unused)!r}.")
    return graph.serialised(features, image_size)


def _layers(graph: _Graph) -> str:
    x = INPUT
    for index, module in enumerate(LAYERS[:HEAD_LAYER]):
        name = f"model.{index}"
        if module == "Conv":
            x = graph.conv(x, name, stride=2)
        elif module == "C3k2":
            x = graph.c3k2(x, name)
        else:
            x = graph.c2psa(x, name)
    return x


class _Graph:
    """Nodes and tensors so far. Weights have dotted names (`model.2.cv1`), outputs end in their operator."""

    def __init__(self, weights: MutableMapping[str, Floats]) -> None:
        self._weights = weights
        self._shapes = {n: w.shape for n, w in weights.items() if not n.startswith(f"model.{HEAD_LAYER}.")}
        self._nodes: list[NodeProto] = []
        self._tensors: list[bytes] = []  # serialised one by one
        self.unused = set(self._shapes)

    def conv(self, x: str, name: str, *, stride: int = 1, activated: bool = True) -> str:
        """Convolution without bias, batch norm, and SiLU unless `activated` is false."""
        channels, _, kernel, _ = self._shapes[f"{name}.conv.weight"]
        y = self._add(
            "Conv",
            [x, self._weight(f"{name}.conv.weight")],
            name,
            kernel_shape=[kernel, kernel],
            pads=[kernel // 2] * 4,
            strides=[stride, stride],
            group=channels if name.endswith(".pe") else 1,  # the position code is depthwise
        )
        statistics = [self._weight(f"{name}.bn.{part}") for part in BATCH_NORM]
        y = self._add("BatchNormalization", [y, *statistics], name, epsilon=BATCH_NORM_EPS)
        return self._add("Mul", [y, self._add("Sigmoid", [y], name)], name) if activated else y

    def bottleneck(self, x: str, name: str) -> str:
        """Two convolutions beside a shortcut."""
        return self._add("Add", [x, self.conv(self.conv(x, f"{name}.cv1"), f"{name}.cv2")], name)

    def c3k(self, x: str, name: str) -> str:
        """A chain of bottlenecks beside a 1×1 convolution."""
        chain = self.conv(x, f"{name}.cv1")
        for block in self._blocks(f"{name}.m"):
            chain = self.bottleneck(chain, block)
        joined = self._add("Concat", [chain, self.conv(x, f"{name}.cv2")], name, axis=1)
        return self.conv(joined, f"{name}.cv3")

    def c3k2(self, x: str, name: str) -> str:
        """Two halves, then blocks that each continue the last, all joined. Blocks are C3k where they have a `cv3`."""
        parts = self._halves(self.conv(x, f"{name}.cv1"), name)
        for block in self._blocks(f"{name}.m"):
            add = self.c3k if f"{block}.cv3.conv.weight" in self._shapes else self.bottleneck
            parts.append(add(parts[-1], block))
        return self.conv(self._add("Concat", parts, name, axis=1), f"{name}.cv2")

    def c2psa(self, x: str, name: str) -> str:
        """Two halves, of which the second passes attention blocks."""
        first, second = self._halves(self.conv(x, f"{name}.cv1"), name)
        for block in self._blocks(f"{name}.m"):
            second = self._add("Add", [second, self.attention(second, f"{block}.attn")], block)
            inner = self.conv(second, f"{block}.ffn.0")
            second = self._add("Add", [second, self.conv(inner, f"{block}.ffn.1", activated=False)], f"{block}.ffn")
        return self.conv(self._add("Concat", [first, second], name, axis=1), f"{name}.cv2")

    def attention(self, x: str, name: str) -> str:
        """Multi-head self-attention over the positions, with a depthwise convolution of the values as position code."""
        channels = self._shapes[f"{name}.proj.conv.weight"][0]
        heads = max(channels // HEAD_WIDTH, 1)
        value_width = channels // heads
        key_width = value_width // 2
        qkv = self.conv(x, f"{name}.qkv", activated=False)
        by_head = self._constant(f"{name}.heads", [0, heads, 2 * key_width + value_width, -1])
        rows = self._add("Reshape", [qkv, by_head], name)
        query, key, value = self._split(rows, [key_width, key_width, value_width], name, axis=2)
        scaled = self._add("Mul", [query, self._constant(f"{name}.scale", key_width**-0.5)], f"{name}.scale")
        by_position = self._add("Transpose", [scaled], f"{name}.query", perm=[0, 1, 3, 2])
        scores = self._add("MatMul", [by_position, key], f"{name}.scores")
        weights = self._add("Softmax", [scores], name, axis=-1)
        turned = self._add("Transpose", [weights], f"{name}.weights", perm=[0, 1, 3, 2])
        seen = self._add("MatMul", [value, turned], f"{name}.seen")
        like_x = self._add("Shape", [x], name)
        position = self.conv(self._add("Reshape", [value, like_x], f"{name}.value"), f"{name}.pe", activated=False)
        total = self._add("Add", [self._add("Reshape", [seen, like_x], f"{name}.seen"), position], name)
        return self.conv(total, f"{name}.proj", activated=False)

    def serialised(self, result: str, image_size: int) -> bytes:
        """Close the graph and return the file's bytes, the same for the same weights.

        They are those of a `ModelProto`, put together from its parts in the order of their numbers: onnx itself would hold the
        weights three times.
        """
        nodes = [*self._nodes, helper.make_node("Identity", [result], [OUTPUT], name=OUTPUT)]
        side, channels = image_size // STRIDE, self._shapes["model.9.cv2.conv.weight"][0]
        ends = GraphProto(
            input=[helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", COLOURS, image_size, image_size])],
            output=[helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", channels, side, side])],
        )
        graph = [
            GraphProto(node=nodes, name="yolo11-cls-backbone").SerializeToString(deterministic=True),
            *(part for tensor in self._tensors for part in (_begins(INITIALIZER, len(tensor)), tensor)),
            ends.SerializeToString(deterministic=True),
        ]
        return b"".join(
            (
                ModelProto(ir_version=IR_VERSION, producer_name="posture-daemon").SerializeToString(deterministic=True),
                _begins(GRAPH, sum(map(len, graph))),
                *graph,
                ModelProto(opset_import=[helper.make_opsetid("", OPSET)]).SerializeToString(deterministic=True),
            )
        )

    def _add(self, operator: str, inputs: list[str], name: str, **attributes: int | float | list[int]) -> str:
        output = f"{name}/{operator}"
        self._nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def _split(self, x: str, widths: list[int], name: str, axis: int) -> list[str]:
        outputs = [f"{name}/Split.{part}" for part in range(len(widths))]
        sizes = self._constant(f"{name}.widths", widths)
        self._nodes.append(helper.make_node("Split", [x, sizes], outputs, name=f"{name}/Split", axis=axis))
        return outputs

    def _halves(self, x: str, name: str) -> list[str]:
        half = self._shapes[f"{name}.cv1.conv.weight"][0] // 2
        return self._split(x, [half, half], name, axis=1)

    def _blocks(self, name: str) -> list[str]:
        start = len(name) + 1
        numbers = {int(key[start:].split(".")[0]) for key in self._shapes if key.startswith(f"{name}.")}
        return [f"{name}.{number}" for number in sorted(numbers)]

    def _weight(self, name: str) -> str:
        self._keep(self._weights.pop(name), name)
        self.unused.discard(name)
        return name

    def _constant(self, name: str, value: float | list[int]) -> str:
        kind = np.int64 if isinstance(value, list) else np.float32
        self._keep(np.array(value, kind), name)
        return name

    def _keep(self, array: NDArray[Any], name: str) -> None:
        self._tensors.append(numpy_helper.from_array(array, name).SerializeToString(deterministic=True))


def _begins(number: int, length: int) -> bytes:
    """What precedes a part of that many bytes in a protobuf: its number with the type 2, and its length, seven bits a byte."""
    found = bytearray([number << 3 | 2])
    while length > 127:
        found.append(length & 127 | 128)
        length >>= 7
    return bytes([*found, length])


def read_weights(data: bytes) -> dict[str, Floats]:
    """Return the named weights of a file that `build_backbone` wrote, as `float32` arrays."""
    endings = ("conv.weight", *(f"bn.{part}" for part in BATCH_NORM))
    tensors = onnx.load_from_string(data).graph.initializer
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in tensors if tensor.name.endswith(endings)}
