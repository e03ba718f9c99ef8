"""The best crop as a step of a torchvision v2 pipeline.

>>> from torchvision.transforms import v2
>>> steps = v2.Compose([BestCrop((64, 64)), v2.ToDtype(torch.float32, scale=True)])
>>> steps(torch.zeros(3, 90, 160, dtype=torch.uint8)).shape
torch.Size([3, 64, 64])
"""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from cropper.errors import ConfigError
from cropper.finder import CropFinder
from cropper.request import CropRequest
from cropper.result import SEARCH

__all__ = ["BestCrop"]


class BestCrop(v2.Transform):  # type: ignore[misc]
    """Crops an image to its best crop, and boxes, masks and keypoints beside it in the same way.

    ``size`` is (height, width) as everywhere in torchvision, and is resized to; without it crops
    keep their own. ``fields`` are those of CropRequest. The image is a Pillow image or a tensor
    (3, H, W), uint8 or float in [0, 1]. Pickles with its finder, for the workers of a DataLoader.
    """

    def __init__(
        self,
        size: tuple[int, int] | None = None,
        finder: CropFinder | None = None,
        **fields: Any,
    ) -> None:
        """Raises ConfigError for a method whose crops may be turned, and as CropRequest does."""
        super().__init__()
        if size is not None:
            fields["size"] = (size[1], size[0])
        self.request = CropRequest(**fields)
        if self.request.method != SEARCH:
            raise ConfigError(f"BestCrop cuts boxes: {self.request.method} gives others")
        if self.request.filter:
            raise ConfigError("BestCrop changes no tones: leave `filter` out")
        self.finder = finder or CropFinder(device="cpu")

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Where the best crop of the first image lies."""
        for each in flat_inputs:
            plain = isinstance(each, torch.Tensor) and not isinstance(each, tv_tensors.TVTensor)
            if plain or isinstance(each, (Image.Image, tv_tensors.Image)):
                best = self.finder.find(each, self.request).best
                height, width = int(best.height), int(best.width)
                return {"top": int(best.y0), "left": int(best.x0), "height": height, "width": width}
        raise ConfigError("BestCrop takes a Pillow image or an image tensor, got none")

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Crops, and resizes to the size that was asked for."""
        cut = self._call_kernel(F.crop, inpt, **params)
        if self.request.size is None:
            return cut
        width, height = self.request.size
        return self._call_kernel(F.resize, cut, [height, width], antialias=True)
