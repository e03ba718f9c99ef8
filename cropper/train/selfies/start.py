"""Networks to fine-tune: built, loaded as far as the weights go, dropout set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from cropper.errors import ConfigError, DataError, MissingModelError
from cropper.scorers import WEIGHTS
from cropper.scorers.convnet import Preprocessing, build_backbone

__all__ = ["Start", "preprocessing_for", "start_from"]

OWN = "own"  # torchvision's own weights; the package's for the trunk
NONE = "none"  # a random start


@dataclass(frozen=True)
class Start:
    module: nn.Module
    fresh: tuple[str, ...]  # parameters that no weights were loaded into
    origin: str  # of the weights, for people


def preprocessing_for(backbone: str, side: int) -> Preprocessing:
    """What the backbone's usual weights were trained with."""
    if backbone == "trunk":
        if side % 32 != 1:
            raise ConfigError(f"the trunk takes sides of 32 k + 1 px, as 161 or 225, got {side}")
        return Preprocessing(side, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    return Preprocessing(side, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def start_from(backbone: str, weights: str, dropout: bool = False) -> Start:
    """``weights`` is OWN, NONE or a file: .safetensors, or a state dict saved by torch.

    Tensors that fit by name and shape are loaded, so a classifier of 1000 classes gives all but
    its last layer. Raises DataError where nothing fits and MissingModelError where there is
    nothing to load.
    """
    module = build_backbone(backbone)
    if not dropout:
        for part in module.modules():
            if isinstance(part, _DropoutNd):
                part.p = 0.0
    if weights == NONE:
        return Start(module, tuple(name for name, _ in module.named_parameters()), "a random start")
    stored = _own(backbone) if weights == OWN else _from_file(Path(weights))
    if backbone == "trunk" and "features.0.conv.weight" in stored:
        stored = {f"trunk.{name}": value for name, value in stored.items()}  # MobileNetV2's file
    wanted = module.state_dict()
    fitting = {
        name: value.to(wanted[name].dtype)
        for name, value in stored.items()
        if name in wanted and value.shape == wanted[name].shape
    }
    if not fitting:
        raise DataError(
            f"nothing in the weights {weights} fits a {backbone}: name its own backbone"
        )
    module.load_state_dict(fitting, strict=False)
    fresh = tuple(name for name, _ in module.named_parameters() if name not in fitting)
    origin = f"{'its own' if weights == OWN else Path(weights).name} weights"
    return Start(module, fresh, origin)


def _own(backbone: str) -> dict[str, Tensor]:
    if backbone == "trunk":
        return _from_file(WEIGHTS / "cropnet.safetensors")
    import torchvision  # noqa: PLC0415 - 3 s

    try:
        found = torchvision.models.get_model_weights(backbone).DEFAULT
        state: dict[str, Tensor] = found.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise MissingModelError(
            f"torchvision's weights of {backbone} cannot be fetched: {error}; give `weights=FILE`, "
            "or `weights=none` for a random start"
        ) from error
    return state


def _from_file(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError) as error:
        raise MissingModelError(f"the weights {path} cannot be read: {error}") from error
    except Exception as error:  # torch unpickles nothing but tensors, and says so by its own class
        raise MissingModelError(f"{path} holds more than weights: {error}") from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise DataError(f"{path} is no state dict: save module.state_dict()")
    return state
