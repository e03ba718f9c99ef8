"""What training loops share: the rate over time, and a state to continue from."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

__all__ = ["load_state", "rate_factor", "save_state"]


def rate_factor(done: float, warm_up: float = 0.05) -> float:
    """Linear warm-up over the first share of the training, then a cosine to zero."""
    return min(done / warm_up, 1.0) * 0.5 * (1 + math.cos(math.pi * done))


def save_state(path: Path, recipe: dict[str, Any], state: dict[str, Any]) -> None:
    """Whole or not at all."""
    part = path.with_name(path.name + ".part")
    torch.save({"recipe": recipe, **state}, part)
    part.replace(path)


def load_state(
    path: Path, recipe: dict[str, Any], log: Callable[[str], None]
) -> dict[str, Any] | None:
    """The state of a run of the same recipe, else None."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    if state["recipe"] != recipe:
        log(f"{path} is of another recipe: starting anew")
        return None
    return state
