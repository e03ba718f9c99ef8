"""The best crop in a torchvision pipeline."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torchvision import tv_tensors
from torchvision.transforms import v2

from cropper import CropFinder, CropRequest
from cropper.errors import ConfigError
from cropper.transforms import BestCrop

PIXELS = data.coffee()


def expected(aspect: str) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = CropFinder(device="cpu").find(PIXELS, aspect=aspect).best.box
    return int(x0), int(y0), int(x1), int(y1)


def test_an_image_of_either_kind_is_cut_to_its_best_crop() -> None:
    x0, y0, x1, y1 = expected("1:1")
    crop = BestCrop(aspect="1:1")
    cut = PIXELS[y0:y1, x0:x1]
    assert np.array_equal(np.asarray(crop(Image.fromarray(PIXELS))), cut)
    tensor = torch.from_numpy(PIXELS).permute(2, 0, 1)
    assert np.array_equal(crop(tensor).permute(1, 2, 0).numpy(), cut)


def test_boxes_and_masks_follow_the_image() -> None:
    x0, y0, x1, y1 = expected("1:1")
    image = tv_tensors.Image(torch.from_numpy(PIXELS).permute(2, 0, 1))
    boxes = tv_tensors.BoundingBoxes([[x0, y0, x1, y1]], format="XYXY", canvas_size=(400, 600))
    mask = tv_tensors.Mask(torch.arange(400 * 600).reshape(1, 400, 600))
    out, moved, cut = BestCrop((50, 50), aspect="1:1")(image, boxes, mask)
    assert out.shape == (3, 50, 50)
    assert moved.tolist() == [[0, 0, 50, 50]]
    assert cut.shape == (1, 50, 50)


def test_it_works_in_a_pipeline_and_travels_to_workers() -> None:
    steps = v2.Compose([BestCrop((40, 60)), v2.ToDtype(torch.float32, scale=True)])
    image = torch.from_numpy(PIXELS).permute(2, 0, 1)
    again = pickle.loads(pickle.dumps(steps))
    assert steps(image).shape == (3, 40, 60)
    assert torch.equal(again(image), steps(image))
    assert BestCrop((40, 60)).request == CropRequest(size=(60, 40))


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(ConfigError, match="cuts boxes"):
        BestCrop(method="stn")
    with pytest.raises(ConfigError, match="got none"):
        BestCrop()("no image")
