"""ONNX graphs by hand: nodes and weights in the order of execution.

Built with the package ``onnx``, by the package's authors and by ``cropper export``. In the package
the weights stay in safetensors files and are handed to ONNX Runtime by name, so that one graph
serves every training; where nobody hands any, ``with_weights`` puts them into the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

__all__ = ["Graph", "with_weights"]

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
        self,
        name: str,
        given: Mapping[str, Shape],
        found: Mapping[str, Shape],
        kind: int = TensorProto.UINT8,
    ) -> ModelProto:
        """``given`` are the graph's inputs, of one ``kind``, and ``found`` its outputs, float32."""
        info = helper.make_tensor_value_info
        inputs = [info(key, kind, shape) for key, shape in given.items()]
        outputs = [info(key, TensorProto.FLOAT, shape) for key, shape in found.items()]
        body = helper.make_graph(self.nodes, name, inputs, outputs, self.tensors)
        return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def with_weights(model: ModelProto, weights: Mapping[str, NDArray[Any]]) -> ModelProto:
    """The same graph with its weights inside, in 16 bits, which its first nodes widen.

    Raises KeyError for a weight that is missing and ValueError for one of another shape.
    """
    whole = ModelProto()
    whole.CopyFrom(model)
    body, widened = whole.graph, []
    for tensor in body.initializer:
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        name, value = tensor.name, weights[tensor.name]
        if value.shape != tuple(tensor.dims):
            raise ValueError(f"{name} has shape {value.shape}, not {tuple(tensor.dims)}")
        tensor.CopyFrom(numpy_helper.from_array(value.astype(np.float16), f"{name}.half"))
        widened.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*widened, *body.node]
    del body.node[:]
    body.node.extend(nodes)
    return whole
