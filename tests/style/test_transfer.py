"""The descent: costs fall, strength and size mean what they say, colours stay, runs repeat."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from cropper.errors import ConfigError, ImageReadError
from cropper.style import DescentStep, StyleConfig, transfer, transfer_style
from cropper.style.backbone import Vgg
from tests.style.networks import small_vgg

PHOTO = data.astronaut()[:240, 100:420]
LIKE = data.immunohistochemistry()[:300, :300]


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Vgg:
    return small_vgg(tmp_path_factory.mktemp("weights"))


def run(vgg: Vgg, like: Any = LIKE, photo: Any = PHOTO, **config: Any) -> list[DescentStep]:
    return list(transfer(photo, like, vgg, StyleConfig(**{"size": 96, "steps": 12, **config})))


@pytest.mark.parametrize("start", ["photo", "noise"])
def test_no_step_raises_the_cost(vgg: Vgg, start: str) -> None:
    totals = [step.costs.total for step in run(vgg, start=start)]
    assert all(after <= before + 1e-6 for before, after in itertools.pairwise(totals))
    assert totals[-1] < totals[0] / 2


@pytest.mark.parametrize("strength", [2, 50])
def test_the_descent_does_not_stand_still(vgg: Vgg, strength: float) -> None:
    """Where a line search finds no lower place, L-BFGS starts anew."""
    totals = [step.costs.total for step in run(vgg, strength=strength, steps=50)]
    assert totals[49] < 0.8 * totals[24]


def test_adam_gets_there_too(vgg: Vgg) -> None:
    totals = [step.costs.total for step in run(vgg, optimizer="adam", steps=40)]
    assert totals[-1] < totals[0] / 2


def test_more_strength_has_less_style_cost_and_more_content_cost(vgg: Vgg) -> None:
    ends = [run(vgg, strength=strength, steps=50)[-1].costs for strength in (0.1, 2, 50)]
    styles, contents = [end.style for end in ends], [end.content for end in ends]
    assert styles == sorted(styles, reverse=True)
    assert contents == sorted(contents)


def test_a_picture_in_its_own_style_stays_as_it_is(vgg: Vgg) -> None:
    first, *_, last = run(vgg, like=PHOTO)
    assert first.costs.style < 1e-3
    assert last.costs.style < 1e-3
    reduced = run(vgg, strength=0, steps=1)[-1].pixels
    assert np.abs(last.pixels.astype(int) - reduced).mean() < 3


def test_without_strength_the_photo_stays(vgg: Vgg) -> None:
    *_, last = run(vgg, strength=0)
    assert last.costs.content < 1e-3


def test_the_same_seed_has_the_same_pixels(vgg: Vgg) -> None:
    one, two, other = (run(vgg, start="noise", steps=3, seed=seed)[-1].pixels for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_from_coarse_to_fine(vgg: Vgg) -> None:
    """The long side doubles, and each size takes half of the steps before."""
    big = np.asarray(data.astronaut())
    steps = run(vgg, photo=big, size=512, steps=4)
    sides = [max(step.pixels.shape) for step in steps]
    assert sides == [256] * 4 + [512] * 2
    assert [step.number for step in steps] == [1, 2, 3, 4, 5, 6]
    assert {step.total for step in steps} == {6}
    assert StyleConfig(size=1000, steps=100).levels() == [(250, 100), (500, 50), (1000, 25)]


def test_photos_are_not_enlarged(vgg: Vgg) -> None:
    (step,) = run(vgg, photo=PHOTO[:64, :80], size=256, steps=1)
    assert step.pixels.shape == (64, 80, 3)


def test_colours_are_kept(vgg: Vgg) -> None:
    """What differs from grey, but where it would leave the range."""
    kept, not_kept = (run(vgg, keep_colours=keep)[-1].pixels for keep in (True, False))
    photo = run(vgg, strength=0, steps=1)[-1].pixels

    def chroma(pixels: Any) -> Any:
        return pixels - pixels.astype(float).mean(2, keepdims=True)

    off = [np.abs(chroma(pixels) - chroma(photo)).mean() for pixels in (kept, not_kept)]
    assert off[0] < off[1] / 3


def test_a_frame_is_gone_on_from(vgg: Vgg, tmp_path: Path) -> None:
    first = run(vgg, steps=15)
    path = tmp_path / "frame.png"
    Image.fromarray(first[-1].pixels).save(path)
    again = run(vgg, start=str(path), steps=1)
    assert again[0].costs.total <= first[-1].costs.total * 1.1
    (fine,) = run(vgg, photo=data.astronaut(), start=str(path), size=512, steps=2)[-1:]
    assert fine.total == 3  # from 256 px on: the frame is smaller than that


def test_what_cannot_be_is_refused(vgg: Vgg) -> None:
    for options in ({"strength": -1}, {"strength": float("nan")}, {"steps": 0}, {"size": 8}):
        with pytest.raises(ConfigError, match=f"`{next(iter(options))}`"):
            StyleConfig(**options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no layer 'conv9_9': it has conv1_1, conv1_2"):
        run(vgg, layers=("conv9_9",))
    with pytest.raises(ImageReadError, match="too narrow"):
        run(vgg, photo=np.zeros((20, 300, 3), np.uint8))


def test_the_last_step_is_the_answer(vgg: Vgg) -> None:
    config = StyleConfig(size=64, steps=2)
    pixels = transfer_style(PHOTO, LIKE, vgg, config)
    assert np.array_equal(pixels, list(transfer(PHOTO, LIKE, vgg, config))[-1].pixels)
    assert pixels.dtype == np.uint8
