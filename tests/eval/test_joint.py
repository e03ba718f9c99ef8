"""``python -m eval joint``: what is climbed in angle and box, and what the arms make of it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from cropper import CropFinder
from cropper.errors import DataError
from cropper.scorers.affine import JUDGED, Reading
from cropper.tilt import ANGLES, find_tilt
from cropper.turn import Turn
from eval.__main__ import cli
from eval.joint_arms import JOINT_ARMS, LevelTaste, _theta, _Tilted, measure_joint, render_joint
from spatial_transformer.affine import AffineCrop, corners_of
from tests.eval.data import front

torch.set_num_threads(1)


class Nothing:
    """A taste for nothing."""

    reads_pixels, mirror_invariant = False, True

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def __call__(self, theta: torch.Tensor, reading: Reading = JUDGED) -> torch.Tensor:
        return theta.new_zeros(len(theta))


@pytest.mark.parametrize("size", [(400, 300), (300, 400)])
@pytest.mark.parametrize("angle", [-8.25, 0.0, 6.75])
def test_a_crop_that_is_turned_back_is_as_level_as_the_tilt_is_probable(
    size: tuple[int, int], angle: float
) -> None:
    view = front(angle, size)
    tilt, turn = find_tilt(view), Turn(size, angle)
    taste = LevelTaste(Nothing(size), view)
    frame = turn.fit(np.array([[0.0, 0.0, *size]]))[0]
    theta = _theta(torch.tensor([turn.crop(frame, 0.0).quad], dtype=torch.float64), size)
    np.testing.assert_allclose(corners_of(theta, size)[0], turn.corners(frame), atol=1e-6)
    level = math.exp(taste.level(theta).item())
    assert level == pytest.approx(tilt.probability, abs=0.15)  # of the bin beside it
    mirrored = theta.clone()
    mirrored[:, :, 0] *= -1  # as acceptance reads it too
    assert math.exp(taste.level(mirrored).item()) == pytest.approx(level)


def test_the_slope_of_the_level_term_is_that_of_its_curve() -> None:
    size = (400, 300)
    taste = LevelTaste(Nothing(size), front(5.0, size))
    space = replace(AffineCrop(size, 4 / 3), rotation=math.radians(15))
    params = space.identity.repeat(3, 1)
    params[:, 4] = torch.deg2rad(torch.tensor([2.1, 4.6, 7.2]))
    params.requires_grad_()
    (slope,) = torch.autograd.grad(taste.level(space.theta(params).float()).sum(), params)
    for row, degrees in enumerate((2.1, 4.6, 7.2)):
        left = int((degrees - ANGLES[0]) * 2)
        rise = float(taste._curve[left + 1] - taste._curve[left]) * 2  # a degree
        assert slope[row, 4].item() == pytest.approx(rise * 180 / math.pi, rel=1e-3)


@pytest.mark.parametrize(
    "name", ["angle, then search", "both from a dozen angles", "angle, search, then both"]
)
def test_the_arms_turn_a_drawn_front_level(name: str) -> None:
    tilted = _Tilted.of(front(6.0), CropFinder("cropnet", "cpu"))
    with torch.no_grad():
        params = JOINT_ARMS[name](tilted)
    assert math.degrees(params[0, 4].item()) == pytest.approx(6.0, abs=1.0)
    upright = JOINT_ARMS["search, upright"](tilted)
    values = tilted.taste(tilted.space.theta(torch.cat([upright[:1], params[:1]])).float())
    assert values[1] > values[0]


def test_the_table_says_what_the_arms_did(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.fromarray(front(0.0).pixels).save(tmp_path / name)
    trials = measure_joint(tmp_path, "val", turns=1)
    assert len(trials) == 2
    by_arm = dict(zip(JOINT_ARMS, np.abs(trials[0].angle[0] - trials[0].truth[0]), strict=True))
    assert by_arm["search, upright"] == pytest.approx(abs(trials[0].truth[0]))
    assert by_arm["angle, then search"] < 1
    told = render_joint(trials).splitlines()
    assert told[0] == "2 photos, each turned 1 times by up to 10 degrees"
    assert [line.split("  ")[0] for line in told[3:]] == [*JOINT_ARMS]
    found = CliRunner().invoke(cli, ["joint", "--root", str(tmp_path), "--limit", "1"])
    assert found.exit_code == 0, found.output
    assert "both from a dozen angles" in found.output


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match="no photo of split"):
        measure_joint(tmp_path, "val")
