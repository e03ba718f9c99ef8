"""ONNX graphs by hand: nodes and weights in the order of execution.

Only the package's authors build graphs, with the package ``onnx``. The weights stay in safetensors
files and are handed to ONNX Runtime by name, so that one graph serves every training.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

__all__ = ["Graph"]

Shape = list[int | str]  # a name for a side of any length


class Graph:
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
        groups: int = 1, padding: int | None = None,
    ) -> str:  # fmt: skip
        """``padding`` None: as much as keeps the size at a stride of 1."""
        weight = self.weight(f"{name}.weight", (cout, cin // groups, side, side))
        inputs = [x, weight, self.weight(f"{name}.bias", (cout,))]
        pads = [side // 2 if padding is None else padding] * 4
        return self.add(
            "Conv", inputs, name, kernel_shape=[side] * 2, strides=[stride] * 2, pads=pads,
            group=groups,
        )  # fmt: skip

    def model(
        self, name: str, given: Mapping[str, Shape], found: Mapping[str, Shape]
    ) -> ModelProto:
        """``given`` are the graph's inputs, uint8, and ``found`` its outputs, float32."""
        info = helper.make_tensor_value_info
        inputs = [info(key, TensorProto.UINT8, shape) for key, shape in given.items()]
        outputs = [info(key, TensorProto.FLOAT, shape) for key, shape in found.items()]
        body = helper.make_graph(self.nodes, name, inputs, outputs, self.tensors)
        return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
