"""Neural style transfer: a photo's content in a painting's manner (Gatys, Ecker and Bethge 2016).

``backbone`` are the networks whose features are compared, ``costs`` what is compared, ``transfer``
the descent from coarse to fine, ``command`` all of it with files.
"""

from cropper.style.backbone import BACKBONES, Backbone, load_backbone
from cropper.style.transfer import Step, StyleConfig, transfer, transfer_style

__all__ = [
    "BACKBONES",
    "Backbone",
    "Step",
    "StyleConfig",
    "load_backbone",
    "transfer",
    "transfer_style",
]
