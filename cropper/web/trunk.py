"""The trunk of the site's scorers: CropNet's graph, for whoever reads more of it."""

from __future__ import annotations

from onnx import ModelProto, TensorProto, helper

from cropper.scorers.cropnet.config import TAPS, CropNetConfig
from cropper.scorers.cropnet.export import build_graph

__all__ = ["build_trunk"]


def build_trunk(config: CropNetConfig) -> ModelProto:
    """``build_graph``, whose ``pixels`` are float32 from 0 to 255, with its first tap too.

    A crop that is read from a picture has no whole numbers. ``tap.0`` is (N, 32, 2 h - 1, 2 w - 1).
    """
    model = build_graph(config)
    body = model.graph
    body.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    block, channels = next(iter(TAPS.items()))
    body.node.append(helper.make_node("Identity", [f"trunk.features.{block}"], ["tap.0"]))
    shape = ("n", channels, "fine_rows", "fine_columns")
    body.output.append(helper.make_tensor_value_info("tap.0", TensorProto.FLOAT, shape))
    return model
