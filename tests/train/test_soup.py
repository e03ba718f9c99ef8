"""The mean of several runs' weights, and the validation that chooses among epochs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from cropper.cli import main
from cropper.errors import ConfigError
from cropper.scorers.checkpoint import load_trainable, load_trunk, save_scorer
from cropper.scorers.cropnet.network import CropNet, CropNetConfig
from cropper.scorers.header import read_header
from cropper.scorers.loading import scorer_at
from cropper.train.crops import CropsConfig, train_crops
from cropper.train.data import load_judged
from cropper.train.soup import mean_of, train_soup
from cropper.train.validation import validate
from tests.train.support import write_folder, write_trunk

pytestmark = pytest.mark.slow

TINY = CropNetConfig(pixels=97 * 97, fused=8, channels=3, roi=5, rod=4, hidden=12, dropout=0.0)
SHORT = CropsConfig(epochs=1, batch=4, free=16, given=8, head_rate=2e-3, average=0.9)
LAST = ("head.out.2.weight", "head.out.2.bias")  # what calibration multiplies


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("soup")
    write_folder(folder / "data", 8, 6)
    write_trunk(folder / "trunk.safetensors")
    return folder


@pytest.fixture(scope="module")
def soup(folder: Path) -> Path:
    out, lines = folder / "out", list[str]()
    found = train_soup(
        folder / "data",
        folder / "trunk.safetensors",
        out,
        SHORT,
        2,
        net_config=TINY,
        device="cpu",
        log=lines.append,
    )
    assert 0 < found.mean < 1
    assert any(f"given {found.given:.4f}" in line for line in lines)
    return out


def test_a_soup_is_the_mean_of_its_runs_before_calibration(soup: Path) -> None:
    paths = [soup / f"run-{order}" / "cropnet.safetensors" for order in (0, 1)]
    parts = [load_file(path) for path in paths]
    slopes = [read_header(path)["calibration"] for path in paths]
    mean, header = (
        load_file(soup / "cropnet.safetensors"),
        read_header(soup / "cropnet.safetensors"),
    )
    assert header["runs"] == 2
    different = 0
    for name, value in mean.items():
        by, scale = (slopes, header["calibration"]) if name in LAST else ((1.0, 1.0), 1.0)
        first, second = (part[name].float() / slope for part, slope in zip(parts, by, strict=True))
        expected = (first + second) / 2 * scale
        different += not torch.equal(first, second)
        assert torch.allclose(value.float(), expected, rtol=2e-3, atol=2e-3), name
    assert different > 5  # the runs saw different things


def test_the_runs_of_a_soup_start_from_the_same_weights(folder: Path, tmp_path: Path) -> None:
    still = replace(SHORT, head_rate=0.0, trunk_rate=0.0)
    weights = []
    for order in (0, 1):
        train_crops(
            folder / "data",
            folder / "trunk.safetensors",
            tmp_path / str(order),
            replace(still, order=order),
            net_config=TINY,
            device="cpu",
        )
        weights.append(torch.load(tmp_path / str(order) / "last.pt", weights_only=True)["net"])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize(
    ("part", "runs", "held"), [("", 1, "several runs"), ("run-0", 2, "single")]
)
def test_a_soup_and_a_single_run_share_no_folder(
    folder: Path, soup: Path, part: str, runs: int, held: str
) -> None:
    line = ["train", "crops", "--data", folder / "data", "--trunk", folder / "trunk.safetensors"]
    line += ["--out", soup / part, "--runs", runs]
    before = (soup / part / "cropnet.safetensors").read_bytes()
    ran = CliRunner().invoke(main, [str(word) for word in line])
    assert ran.exit_code == 2
    assert held in ran.output
    assert (soup / part / "cropnet.safetensors").read_bytes() == before


def test_a_soup_scores_like_any_checkpoint(soup: Path) -> None:
    assert scorer_at(soup / "cropnet.safetensors", "cpu", torch=True).spec.calibrated


def test_networks_of_different_shapes_have_no_mean(soup: Path, tmp_path: Path) -> None:
    other = CropNet(replace(TINY, hidden=10))
    header = read_header(soup / "cropnet.safetensors") | {"config": other.config.to_dict()}
    save_scorer(other, header, tmp_path / "other.safetensors")
    with pytest.raises(ConfigError, match="one config"):
        mean_of([soup / "cropnet.safetensors", tmp_path / "other.safetensors"])


def test_validation_leaves_no_hidden_unit_out(folder: Path, tmp_path: Path) -> None:
    config = replace(TINY, dropout=0.9)
    train_crops(
        folder / "data",
        folder / "trunk.safetensors",
        tmp_path,
        SHORT,
        net_config=config,
        device="cpu",
    )
    logged = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    net = CropNet(config).eval()
    load_trainable(net, tmp_path / "cropnet.safetensors")
    found = validate(net, load_judged(folder / "data", "val", config.pixels, None))
    assert (found.given, found.free) == pytest.approx((logged["given"], logged["free"]), abs=0.03)


def test_training_can_start_from_the_trunk_of_a_cropnet(soup: Path) -> None:
    stored = load_file(soup / "cropnet.safetensors")
    trunk = CropNet(TINY).trunk
    load_trunk(trunk, soup / "cropnet.safetensors")
    for name, value in trunk.state_dict().items():
        assert torch.equal(value, stored[f"trunk.{name}"].float())
