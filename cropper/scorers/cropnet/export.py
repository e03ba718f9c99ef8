"""CropNet's trunk and neck as an ONNX graph, without weights: ``weights/cropnet.onnx``.

The weights stay in the safetensors file and are handed to ONNX Runtime by name, so that one graph
serves every training. Only the package's authors run this, after a change of the architecture:

    python -m cropper.scorers.cropnet.export
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from cropper.scorers.cropnet.config import MEAN_PIXEL, STAGES, TAPS, CropNetConfig

__all__ = ["build_graph"]


class _Graph:
    """Nodes and tensors as they are added, in the order of execution."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.tensors: list[TensorProto] = []

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.tensors.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, name: str, shape: tuple[int, ...]) -> str:
        """A tensor whose values come when the session starts."""
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights")
        self.tensors.append(tensor)
        return name

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def conv(
        self, x: str, name: str, cin: int, cout: int, *, side: int = 1, stride: int = 1,
        groups: int = 1, relu6: bool = True,
    ) -> str:  # fmt: skip
        weight = self.weight(f"{name}.weight", (cout, cin // groups, side, side))
        inputs = [x, weight, self.weight(f"{name}.bias", (cout,))]
        pads = [side // 2] * 4
        out = self.add(
            "Conv", inputs, name, kernel_shape=[side] * 2, strides=[stride] * 2, pads=pads,
            group=groups,
        )  # fmt: skip
        return self.add("Clip", [out, "zero", "six"], f"{name}.relu6") if relu6 else out


def build_graph(config: CropNetConfig) -> ModelProto:
    """``pixels`` (N, H, W, 3) uint8 -> ``maps`` (N, channels, h, w), ``pooled`` (N, 320)."""
    graph = _Graph()
    for name, value in (("zero", 0), ("six", 6), ("mean", MEAN_PIXEL), ("one", 1)):
        graph.constant(name, np.array(value, np.float32))
    graph.constant("axes", np.array([2, 3], np.int64))
    x = graph.add("Cast", ["pixels"], "floats", to=TensorProto.FLOAT)
    x = graph.add("Transpose", [x], "planes", perm=[0, 3, 1, 2])
    x = graph.add("Sub", [graph.add("Div", [x, "mean"], "scaled"), "one"], "normalised")
    taps = _trunk(graph, x)
    maps = _neck(graph, taps, config)
    graph.add("Identity", [maps], "maps")
    graph.add("Squeeze", [graph.add("GlobalAveragePool", [taps[2]], "mean.2"), "axes"], "pooled")
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        graph.nodes,
        "cropnet",
        [info("pixels", TensorProto.UINT8, ["n", "h", "w", 3])],
        [
            info("maps", TensorProto.FLOAT, ["n", config.channels, "rows", "columns"]),
            info("pooled", TensorProto.FLOAT, ["n", TAPS[17]]),
        ],
        graph.tensors,
    )
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _trunk(graph: _Graph, x: str) -> list[str]:
    x = graph.conv(x, "trunk.features.0.conv", 3, 32, side=3, stride=2)
    block, cin, taps = 0, 32, []
    for expansion, cout, repeats, first_stride in STAGES:
        for repeat in range(repeats):
            block += 1
            name, stride = f"trunk.features.{block}", 1 if repeat else first_stride
            hidden, start = cin * expansion, x
            if expansion != 1:
                x = graph.conv(x, f"{name}.expand", cin, hidden)
            x = graph.conv(
                x, f"{name}.depthwise", hidden, hidden, side=3, stride=stride, groups=hidden
            )
            x = graph.conv(x, f"{name}.project", hidden, cout, relu6=False)
            if stride == 1 and cin == cout:
                x = graph.add("Add", [start, x], name)
            cin = cout
            if block in TAPS:
                taps.append(x)
    return taps


def _neck(graph: _Graph, taps: list[str], config: CropNetConfig) -> str:
    fine, middle, coarse = (
        graph.conv(tap, f"head.taps.{index}", channels, config.fused, relu6=False)
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
    return graph.conv(x, "head.reduce", config.fused, config.channels, relu6=False)


if __name__ == "__main__":
    target = Path(__file__).parent / "weights" / "cropnet.onnx"
    target.write_bytes(build_graph(CropNetConfig()).SerializeToString())
