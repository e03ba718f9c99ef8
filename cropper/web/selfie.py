"""The selfie scorer for the site: a head on the trunk that is there, and the geometry of faces."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from cropper.onnx_graph import Graph
from cropper.scorers.base import LEAST_SIDE
from cropper.scorers.cropnet.config import TAPS

__all__ = ["build_selfie", "describe_selfie"]

_STRIDES = (8, 16, 32)  # of the trunk's taps


def build_selfie(header: Mapping[str, Any]) -> ModelProto:
    """``tap.0`` to ``tap.2``, float32 (N, channels, h, w), of N square crops -> ``scores`` (N,).

    The means over each tap's bands, and the linear head. A mirrored head is one whose scores of a
    crop and of its mirror image are averaged: it is linear, so that their features may wait.
    """
    side, bands = header["preprocessing"]["side"], header["head"]["bands"]
    graph, means, given = Graph(), [], {}
    for index, (stride, channels) in enumerate(zip(_STRIDES, TAPS.values(), strict=True)):
        rows = (side - 1) // stride + 1
        given[f"tap.{index}"] = ["n", channels, rows, rows]
        across = graph.add("ReduceMean", [f"tap.{index}"], f"across.{index}", axes=[3], keepdims=0)
        shares = graph.constant(f"shares.{index}", _shares(rows, bands))
        banded = graph.add("MatMul", [across, shares], f"banded.{index}")
        means.append(graph.add("Flatten", [banded], f"means.{index}"))
    features = graph.add("Concat", means, "features", axis=1)
    width = sum(TAPS.values()) * bands
    weights = [graph.weight("head.weight", (1, width)), graph.weight("head.bias", (1,))]
    scores = graph.add("Gemm", [features, *weights], "scores.2d", transB=1)
    graph.constant("last", np.array([1], np.int64))
    graph.add("Squeeze", [scores, "last"], "scores")
    return graph.model("selfie-head", given, {"scores": ["n"]}, TensorProto.FLOAT)


def _shares(rows: int, bands: int) -> NDArray[np.float32]:
    """(rows, bands): what each row counts in each band, as adaptive pooling has them."""
    shares = np.zeros((rows, bands), np.float32)
    for band in range(bands):
        low, high = band * rows // bands, math.ceil((band + 1) * rows / bands)
        shares[low:high, band] = 1 / (high - low)
    return shares


def describe_selfie(header: Mapping[str, Any]) -> dict[str, Any]:
    """What the page needs to know: pixels, and the densities of a face's place."""
    stored = header["geometry"]
    return {
        "side": header["preprocessing"]["side"],
        "long_side": max(header["long_side"], LEAST_SIDE),
        "least": stored["least"],
        "liked": _density(stored["liked"]),
        "usual": _density(stored["usual"]),
    }


def _density(gaussian: Mapping[str, Any]) -> dict[str, Any]:
    covariance = np.array(gaussian["covariance"])
    return {
        "mean": gaussian["mean"],
        "precision": np.linalg.inv(covariance).tolist(),
        "log_determinant": float(np.linalg.slogdet(covariance)[1]),
    }
