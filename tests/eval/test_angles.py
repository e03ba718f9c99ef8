"""``python -m eval angles``: the differentiable reading of a tilt, and the arms that use it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from skimage import data

from cropper.errors import ConfigError, DataError
from cropper.image import View
from cropper.tilt import TiltFinder, grey_levels
from cropper.tilt import edge_directions as in_numpy
from cropper.turn import Turn
from eval.__main__ import cli
from eval.angle_arms import ANGLE_ARMS, OFFSETS, Looks, Trial, measure_angles, render_angles
from eval.levelness import Levelness, edge_directions
from tests.eval.data import front

torch.set_num_threads(1)


def _view(pixels: np.ndarray) -> View:
    return View(pixels, (pixels.shape[1], pixels.shape[0]))


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_edge_directions_are_those_of_numpy(name: str) -> None:
    pixels = getattr(data, name)()
    pair = [_view(pixels), _view(np.ascontiguousarray(pixels[:, ::-1]))]
    found = edge_directions(torch.from_numpy(np.stack([grey_levels(each) for each in pair])))
    for view, edges in zip(pair, found, strict=True):
        assert np.allclose(edges.numpy(), in_numpy(view), atol=1e-4)


def test_a_flat_picture_has_no_edges_and_no_slope() -> None:
    angle = torch.tensor([3.0], requires_grad=True)
    level = Levelness(_view(np.full((200, 300, 3), 128, np.uint8)))(angle)
    (slope,) = torch.autograd.grad(level.sum(), angle)
    assert not edge_directions(torch.full((1, 200, 300), 128.0)).any()
    assert slope.item() == 0


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_a_photo_that_is_not_turned_has_the_log_odds_of_the_product(name: str) -> None:
    pixels = np.ascontiguousarray(getattr(data, name)()[:256, :384])
    edges, finder = in_numpy(_view(pixels)), TiltFinder()
    expected = (finder.odds(edges) + finder.odds(edges[:, :, :, ::-1, ::-1])[::-1]) / 2
    with torch.no_grad():
        found = Levelness(_view(pixels)).log_odds(torch.zeros(1))[0]
    assert np.allclose(found.numpy(), expected, atol=1e-3)


@pytest.mark.parametrize("size", [(400, 300), (300, 400), (320, 320)])
@pytest.mark.parametrize("angle", [-13.0, 0.0, 6.5])
def test_it_reads_the_frame_that_straighten_would_cut(size: tuple[int, int], angle: float) -> None:
    theta = Levelness(front(size=size))._theta(torch.tensor([angle]))[0].double().numpy()
    ends = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]])
    turn = Turn(size, angle)
    frame = turn.fit(np.array([[0.0, 0.0, *size]]))[0]
    assert np.allclose((ends @ theta.T + 1) / 2 * size, turn.corners(frame), atol=1e-3)


@pytest.mark.parametrize("angle", [-11.0, -3.3, 0.7, 8.1])
def test_the_slope_is_that_of_the_surface(angle: float) -> None:
    levelness = Levelness(_view(data.astronaut()), torch.float64)
    at = torch.tensor([angle], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(levelness(at).sum(), at)
    with torch.no_grad():
        ahead, behind = (levelness(at + step).item() for step in (1e-8, -1e-8))
    assert slope.item() == pytest.approx((ahead - behind) / 2e-8, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("name", list(ANGLE_ARMS)[:4])
def test_a_drawn_front_is_found(name: str) -> None:
    looks = Looks(front(5.0), 24)
    assert ANGLE_ARMS[name](looks) == pytest.approx(5.0, abs=0.6)


class _Smooth:
    def __init__(self, view: View) -> None:
        pass

    def __call__(self, angles: torch.Tensor) -> torch.Tensor:
        return -(angles - 7.3).square()


@pytest.mark.parametrize("budget", [24, 31])
@pytest.mark.parametrize("name", list(ANGLE_ARMS)[2:])
def test_on_a_smooth_surface_every_arm_comes_to_the_top_and_keeps_its_budget(
    name: str, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eval.angle_arms.Levelness", _Smooth)
    looks = Looks(front(7.3), budget)
    assert ANGLE_ARMS[name](looks) == pytest.approx(7.3, abs=0.3)
    assert budget - 1 <= looks.spent <= budget
    assert max(np.abs(looks.angles)) <= 16  # a slope over 2 degrees looks a degree further


def test_figures_are_those_by_hand() -> None:
    found = np.full((2, len(ANGLE_ARMS)), 3.0)
    found[:, list(ANGLE_ARMS).index("ascent from 0")] = 1.5
    toward = np.ones((2, 2, 2, 2 * len(OFFSETS)))
    toward[:, :, 0] = -1
    trial = Trial(
        np.array([1.0, 2.0]), found, -found, np.full(found.shape, 24), found / 1000, toward
    )
    lines = render_angles([trial, trial]).splitlines()
    (row,) = (line for line in lines if line.startswith("ascent from 0"))
    assert "0.50 [0.50, 0.50]" in row  # its error
    assert "-1.00 [-1.00, -1.00]" in row  # less that of the search, 1.5
    assert "+1.50 [+1.50, +1.50]" in row  # its log-probability, -1.5, less -3
    assert row.count("100% [100%, 100%]") == 2  # within a degree, and nearer than the search
    homes = {line.split("  ")[0]: line for line in lines if line.startswith("the ")}
    assert homes["the known angle: backprop"].count("0% [0%, 0%]") == len(OFFSETS)
    assert homes["the known angle: over 2 degrees"].count("100% [100%, 100%]") == len(OFFSETS)


def test_what_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="no photo of split 'val' can be read"):
        measure_angles(tmp_path, "val")
    with pytest.raises(ConfigError, match="`budget` is at least 24"):
        measure_angles(tmp_path, "val", budget=23)


@pytest.mark.slow
def test_the_command_prints_every_arm(tmp_path: Path) -> None:
    Image.fromarray(front(size=(360, 240)).pixels).save(tmp_path / "front.png")
    line = ["angles", "--root", str(tmp_path), "--turns", "1"]
    result = CliRunner().invoke(cli, line)
    assert result.exit_code == 0, result.output
    for name in ANGLE_ARMS:
        assert f"\n{name}  " in result.output
    assert "1 photos, each turned 1 times by up to 10 degrees" in result.output
