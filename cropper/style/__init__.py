"""Neural style transfer: a photo's content in a painting's manner (Gatys, Ecker and Bethge 2016).

``config`` is what is asked for, ``backbone`` are the networks whose features are compared,
``costs`` what is compared, ``memory`` what that takes, ``descent`` the way from coarse to fine,
``painter`` the same for the crops of a run, ``command`` all of it with files. Importing it imports
no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cropper.style.config import CropStyle, Progress, StyleConfig

if TYPE_CHECKING:
    from cropper.style.backbone import BACKBONES, Backbone, load_backbone
    from cropper.style.descent import DescentStep, transfer, transfer_style
    from cropper.style.painter import Painter

__all__ = [
    "BACKBONES",
    "Backbone",
    "CropStyle",
    "DescentStep",
    "Painter",
    "Progress",
    "StyleConfig",
    "load_backbone",
    "transfer",
    "transfer_style",
]

_LATER = {
    **dict.fromkeys(("BACKBONES", "Backbone", "load_backbone"), "backbone"),
    "Painter": "painter",
    **dict.fromkeys(("DescentStep", "transfer", "transfer_style"), "descent"),
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"cropper.style.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
