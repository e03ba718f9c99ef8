"""Slopes: every estimate is right where the surface is smooth, and the command draws them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner
from PIL import Image
from torch import Tensor

from cropper.errors import ConfigError
from cropper.scorers.affine import JUDGED, Reading
from eval.__main__ import cli
from eval.slopes import ESTIMATES, MAP, _Site, measure_slopes
from spatial_transformer.affine import AffineCrop
from tests.image.pictures import photo

pytestmark = pytest.mark.slow

torch.set_num_threads(1)

SPACE = AffineCrop((96, 64), 1.5, 0.3, log_aspect=(-0.5, 0.5))


def smooth(theta: Tensor, reading: Reading = JUDGED) -> Tensor:
    best = theta.new_tensor([[0.9, 0.3, 0.5], [-0.3, 0.2, -0.6]])
    return -(theta - best).square().sum((1, 2))


def site(seed: int) -> _Site:
    params = torch.tensor([[-0.7, 0.5, 0.5, 0.1, 0.05, 0.03]], dtype=torch.float64)
    return _Site(SPACE, params, smooth, smooth, np.random.default_rng(seed), 0.01)


@pytest.mark.parametrize("name", sorted(ESTIMATES))
def test_on_a_smooth_surface_every_estimate_is_the_true_slope(name: str) -> None:
    cosines = [
        F.cosine_similarity(ESTIMATES[name](site(seed)), site(seed).true(), dim=0).item()
        for seed in range(5)
    ]
    # evolution strategies guess six slopes from 32 draws
    assert np.mean(cosines) > (0.85 if name.startswith("evolution") else 0.999)


def test_the_true_slope_is_that_of_single_steps() -> None:
    here = site(0)
    for index, slope in enumerate(here.true()):
        step = torch.zeros(1, 6, dtype=torch.float64)
        step[0, index] = 1e-5
        rise = (here.at(step) - here.at(-step)).item() / 2e-5
        assert slope.item() == pytest.approx(rise, rel=0.02, abs=1e-4)


def test_every_estimate_is_measured_at_every_side(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    photo(96, 64).save(path)
    found = measure_slopes([path], sides=(65, 33), device="cpu")
    by_side = {(name, side) for name in ESTIMATES for side in (65, 33)}
    assert {(each.estimate, each.side) for each in found} == by_side | {(MAP, 0)}
    assert all(-1 <= each.cosine.mean <= 1 for each in found)
    (smooth,) = (each.cosine.mean for each in found if each.estimate == MAP)
    assert smooth > 0.5
    scales = {each.side: each.downscale for each in found}
    assert scales[33] == pytest.approx(scales[65] * 65 / 33)
    with pytest.raises(ConfigError, match="at least one"):
        measure_slopes([])


def test_the_command_tells_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    photo(96, 64).save(tmp_path / "photo.png")
    monkeypatch.setattr(measure_slopes, "__kwdefaults__", _quick())
    plot = tmp_path / "slopes.png"
    line = ["slopes", str(tmp_path / "photo.png"), "--plot", str(plot), "--device", "cpu"]
    ran = CliRunner().invoke(cli, line, catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    assert all(name in ran.stdout for name in ESTIMATES)
    with Image.open(plot) as picture:
        assert min(picture.size) > 300


def _quick() -> dict[str, object]:
    """The defaults, with smaller networks' inputs."""
    return dict(measure_slopes.__kwdefaults__ or {}) | {"sides": (65, 33)}
