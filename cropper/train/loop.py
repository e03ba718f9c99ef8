"""What training loops share: the rate over time, and a state to continue from."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from cropper.errors import ConfigError, DataError

__all__ = ["load_state", "rate_factor", "save_state"]


def rate_factor(done: float, warm_up: float = 0.05) -> float:
    """Linear warm-up over the first share of the training, then a cosine to zero."""
    return min(done / warm_up, 1.0) * 0.5 * (1 + math.cos(math.pi * done))


def save_state(path: Path, recipe: dict[str, Any], state: dict[str, Any]) -> None:
    """Whole or not at all."""
    part = path.with_name(path.name + ".part")
    torch.save({"recipe": recipe, **state}, part)
    part.replace(path)


def load_state(path: Path, recipe: dict[str, Any]) -> dict[str, Any] | None:
    """The state of a run to continue, None where there is none.

    Raises ConfigError for a run of another recipe, so that none is lost, and DataError for a file
    that is no state.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        known = state["recipe"]
    except Exception as error:  # torch raises whatever its unpickler does
        raise DataError(f"{path} is no state of a training: remove it to start anew") from error
    if known != recipe:
        changed = sorted(k for k in recipe.keys() | known.keys() if recipe.get(k) != known.get(k))
        raise ConfigError(
            f"{path.parent} holds a training of another recipe ({', '.join(changed)}): "
            "give another --out, or remove it"
        )
    return state
