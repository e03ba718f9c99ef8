"""CropNet's trunk and neck as an ONNX graph, without weights: ``weights/cropnet.onnx``.

Only the package's authors run this, after a change of the architecture:

    python -m cropper.scorers.cropnet.export
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto

from cropper.onnx_graph import Graph
from cropper.scorers.cropnet.config import MEAN_PIXEL, STAGES, TAPS, CropNetConfig

__all__ = ["build_graph"]


class _Graph(Graph):
    def block(self, x: str, name: str, cin: int, cout: int, **shape: int) -> str:
        """A convolution and a ReLU6."""
        out = self.conv(x, name, cin, cout, **shape)
        return self.add("Clip", [out, "zero", "six"], f"{name}.relu6")


def build_graph(config: CropNetConfig) -> ModelProto:
    """``pixels`` (N, H, W, 3) uint8 -> ``maps`` (N, channels, h, w), ``pooled`` (N, 320).

    Beside these what it is made of: ``tap.1`` (N, 96, h, w) and ``tap.2`` (N, 320, h / 2, w / 2).
    """
    graph = _Graph()
    for name, value in (("zero", 0), ("six", 6), ("mean", MEAN_PIXEL), ("one", 1)):
        graph.constant(name, np.array(value, np.float32))
    graph.constant("axes", np.array([2, 3], np.int64))
    x = graph.add("Cast", ["pixels"], "floats", to=TensorProto.FLOAT)
    x = graph.add("Transpose", [x], "planes", perm=[0, 3, 1, 2])
    x = graph.add("Sub", [graph.add("Div", [x, "mean"], "scaled"), "one"], "normalised")
    taps = _trunk(graph, x)
    maps = _neck(graph, taps, config)
    for given, output in zip((maps, *taps[1:]), ("maps", "tap.1", "tap.2"), strict=True):
        graph.add("Identity", [given], output)
    graph.add("Squeeze", [graph.add("GlobalAveragePool", [taps[2]], "mean.2"), "axes"], "pooled")
    return graph.model(
        "cropnet",
        {"pixels": ["n", "h", "w", 3]},
        {
            "maps": ["n", config.channels, "rows", "columns"],
            "pooled": ["n", TAPS[17]],
            "tap.1": ["n", TAPS[13], "rows", "columns"],
            "tap.2": ["n", TAPS[17], "half_rows", "half_columns"],
        },
    )


def _trunk(graph: _Graph, x: str) -> list[str]:
    x = graph.block(x, "trunk.features.0.conv", 3, 32, side=3, stride=2)
    block, cin, taps = 0, 32, []
    for expansion, cout, repeats, first_stride in STAGES:
        for repeat in range(repeats):
            block += 1
            name, stride = f"trunk.features.{block}", 1 if repeat else first_stride
            hidden, start = cin * expansion, x
            if expansion != 1:
                x = graph.block(x, f"{name}.expand", cin, hidden)
            x = graph.block(
                x, f"{name}.depthwise", hidden, hidden, side=3, stride=stride, groups=hidden
            )
            x = graph.conv(x, f"{name}.project", hidden, cout)
            if stride == 1 and cin == cout:
                x = graph.add("Add", [start, x], name)
            cin = cout
            if block in TAPS:
                taps.append(x)
    return taps


def _neck(graph: _Graph, taps: list[str], config: CropNetConfig) -> str:
    fine, middle, coarse = (
        graph.conv(tap, f"head.taps.{index}", channels, config.fused)
        for index, (tap, channels) in enumerate(zip(taps, TAPS.values(), strict=True))
    )
    fine = graph.add(
        "AveragePool", [fine], "fine", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4,
        count_include_pad=0,
    )  # fmt: skip
    shape = graph.add("Shape", [middle], "shape")
    coarse = graph.add(
        "Resize", [coarse, "", "", shape], "coarse", mode="linear",
        coordinate_transformation_mode="align_corners",
    )  # fmt: skip
    total = graph.add("Add", [graph.add("Add", [fine, middle], "two"), coarse], "three")
    x = graph.add("Relu", [total], "fused")
    return graph.conv(x, "head.reduce", config.fused, config.channels)


if __name__ == "__main__":
    target = Path(__file__).parents[1] / "weights" / "cropnet.onnx"
    target.write_bytes(build_graph(CropNetConfig()).SerializeToString())
