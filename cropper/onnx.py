"""ONNX Runtime, without the usage data that it sends to its maker.

The runtime reads ``ORT_DISABLE_TELEMETRY`` when it is first imported, so nothing else imports it.
Set the variable to 0 to let it send.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state

from cropper.threads import threads

__all__ = ["LOAD_ERRORS", "open_session"]

_BROKEN = "Fail InvalidArgument InvalidGraph InvalidProtobuf NoSuchFile RuntimeException"
LOAD_ERRORS = tuple(getattr(state, name) for name in _BROKEN.split())  # of models and weights


def open_session(model: bytes, weights: Mapping[str, NDArray[np.float32]] | None = None) -> Any:
    """A session on the CPU; ``weights`` are the graph's external tensors. Raises LOAD_ERRORS."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    options.log_severity_level = 3
    # Threads that wait in a loop stop everybody else's on a busy machine
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if weights:
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(each) for each in weights.values()]
        options.add_external_initializers([*weights], values)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
