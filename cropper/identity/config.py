"""What the descriptor's network looks like, for torch and for ONNX alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np

__all__ = ["BLOCKS", "MEAN", "NUMBERS", "SCALE", "SIDE", "STEM", "TEMPLATE", "WEIGHTS"]

WEIGHTS = Path(__file__).parent / "weights" / "face_descriptor.safetensors"
SIDE = 150  # px of an aligned face
NUMBERS = 128  # of an encoding
MEAN, SCALE = (122.782, 117.001, 104.298), 256.0  # of RGB in [0, 255]
STEM = ("conv32_down", 32)
# Residual blocks by name, channels, and whether they halve the sides
BLOCKS = (
    ("conv32_1", 32, False),
    ("conv32_2", 32, False),
    ("conv32_3", 32, False),
    ("conv64_down", 64, True),
    ("conv64_1", 64, False),
    ("conv64_2", 64, False),
    ("conv64_3", 64, False),
    ("conv128_down", 128, True),
    ("conv128_1", 128, False),
    ("conv128_2", 128, False),
    ("conv256_down", 256, True),
    ("conv256_1", 256, False),
    ("conv256_2", 256, False),
    ("conv256_down_out", 256, True),
)
# Where a face's five points lie in an aligned face, px; in the order of ``Face.points``
_POINTS = [(0.2255, 0.216), (0.7548, 0.216), (0.4901, 0.5156), (0.2541, 0.7802), (0.7261, 0.7802)]
TEMPLATE = (np.array(_POINTS) + 0.25) / 1.5 * SIDE
