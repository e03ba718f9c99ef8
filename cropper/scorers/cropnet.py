"""CropNet: one trunk pass for a picture, then thousands of boxes through a small head.

After GAIC (Zeng et al. 2019): a box is judged by the features inside it (RoI), by those that it
cuts away (RoD), and by its place and shape. Two things differ. The RoD term is folded: what a
hidden unit takes from the whole picture's grid is computed once for the picture, and a box only
says which share of each cell it leaves outside. And the head is mirror-invariant by construction:
each hidden unit is ``relu(s + a) + relu(s - a)`` with ``s`` from the mirror-symmetric and ``a``
from the antisymmetric part of its input, which is the unit on the crop plus the unit on the
mirrored crop at the price of one. The trunk looks at the picture and at its mirror image, and
with its symmetric padding a mirrored picture then gets the mirrored crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
