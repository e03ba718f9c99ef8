"""The descriptor as an ONNX graph, without weights: ``weights/face_descriptor.onnx``.

Only the package's authors run this, after a change of the architecture:

    python -m cropper.identity.export
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto

from cropper.identity.config import BLOCKS, MEAN, NUMBERS, SCALE, SIDE, STEM, WEIGHTS
from cropper.onnx_graph import Graph

__all__ = ["build_graph"]


def build_graph() -> ModelProto:
    """``faces`` (N, 150, 150, 3) uint8, aligned -> ``encodings`` (N, 128)."""
    graph = Graph()
    graph.constant("mean", np.array(MEAN, np.float32))
    graph.constant("scale", np.array(SCALE, np.float32))
    graph.constant("axes", np.array([2, 3], np.int64))
    x = graph.add("Cast", ["faces"], "floats", to=TensorProto.FLOAT)
    x = graph.add("Div", [graph.add("Sub", [x, "mean"], "centred"), "scale"], "scaled")
    x = graph.add("Transpose", [x], "planes", perm=[0, 3, 1, 2])
    name, channels = STEM
    x = graph.conv(x, name, 3, channels, side=7, stride=2, padding=0)
    x = graph.add("Relu", [x], f"{name}.relu")
    x = graph.add("MaxPool", [x], "pooled", kernel_shape=[3, 3], strides=[2, 2])
    side = ((SIDE - 7) // 2 + 1 - 3) // 2 + 1
    for name, cout, halves in BLOCKS:
        x, side = _block(graph, (x, side), name, (channels, cout), halves)
        channels = cout
    x = graph.add("Squeeze", [graph.add("GlobalAveragePool", [x], "mean.of.map"), "axes"], "flat")
    graph.weight("fc.weight", (NUMBERS, channels))
    graph.add("Gemm", [x, "fc.weight"], "encodings", transB=1)
    return graph.model(
        "face descriptor", {"faces": ["n", SIDE, SIDE, 3]}, {"encodings": ["n", NUMBERS]}
    )


def _block(
    graph: Graph, given: tuple[str, int], name: str, channels: tuple[int, int], halves: bool
) -> tuple[str, int]:
    """The name and the side of a map, before and after the block."""
    (x, side), (cin, cout) = given, channels
    stride, padding = (2, 0) if halves else (1, 1)
    change = graph.conv(x, f"{name}.conv1", cin, cout, side=3, stride=stride, padding=padding)
    change = graph.add("Relu", [change], f"{name}.inner")
    change = graph.conv(change, f"{name}.conv2", cout, cout, side=3)
    if halves:
        x = graph.add("AveragePool", [x], f"{name}.half", kernel_shape=[2, 2], strides=[2, 2])
        own, kept = (side - 3) // 2 + 1, side // 2
        side = max(own, kept)
        x = _grown(graph, x, f"{name}.kept", cout - cin, side - kept)
        change = _grown(graph, change, f"{name}.change", 0, side - own)
    total = graph.add("Add", [x, change], f"{name}.sum")
    return graph.add("Relu", [total], name), side


def _grown(graph: Graph, x: str, name: str, channels: int, pixels: int) -> str:
    """With zeros after its channels, below and at the right."""
    if not channels and not pixels:
        return x
    pads = np.array([0, 0, 0, 0, 0, channels, pixels, pixels], np.int64)
    return graph.add("Pad", [x, graph.constant(f"{name}.pads", pads)], name)


if __name__ == "__main__":
    WEIGHTS.with_suffix(".onnx").write_bytes(build_graph().SerializeToString())
