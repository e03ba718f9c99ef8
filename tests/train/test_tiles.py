"""The selfie head from ranked tiles: what is learned, and what cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from cropper import from_array, load_scorer
from cropper.cli import main
from cropper.errors import ConfigError, DataError, MissingModelError
from cropper.scorers import WEIGHTS
from cropper.scorers.checkpoint import save_scorer
from cropper.scorers.convnet import ConvNetScorer
from cropper.scorers.cropnet.network import CropNet
from cropper.scorers.header import read_header
from cropper.scorers.probe import probe
from cropper.train.selfies.tile_data import trim
from cropper.train.selfies.tiles import TilesConfig, train_tiles

pytestmark = pytest.mark.slow

torch.set_num_threads(1)  # the work is small, and threads on shared cores wait for each other

QUICK = TilesConfig(side=65, folds=4, repeats=1, full=50, coarse=24)


def tile(rng: np.random.Generator, place: float, side: int = 64) -> Image.Image:
    """Noise in the colour of its place, from red (1) to blue (-1), in a frame of one pixel."""
    pixels = rng.integers(0, 90, (side, side, 3)).astype(float)
    pixels[..., 0] += 70 * (1 + place)
    pixels[..., 2] += 70 * (1 - place)
    pixels[[0, -1]] = pixels[:, [0, -1]] = 200
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def write_tiles(
    root: Path, signal: float = 1.0, worst_side: int = 64, rows: int = 8, side: int = 64
) -> Path:
    rng = np.random.default_rng(0)
    entries: list[dict[str, Any]] = []

    def add(kind: str, rank: int, place: float, side: int) -> None:
        name = f"{kind}_{len(entries)}.png"
        tile(rng, signal * place + rng.normal(0, 0.1), side).save(root / name)
        entries.append({"image": name, "set": kind, "rank": rank})

    root.mkdir(exist_ok=True)
    for row in range(rows):
        for _ in range(4):
            add("continuum", row, 1 - 2 * row / (rows - 1), side)
    for number in range(6):
        add("best", number, 1.1, 64)
        add("worst", number, -1.3, worst_side)
    (root / "annotations.json").write_text(json.dumps(entries))
    return root


def ignore(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiles(tmp_path_factory.mktemp("tiles") / "data")


@pytest.fixture
def effects_untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take half of a training, and only its log has them: the command's does."""
    monkeypatch.setattr("cropper.train.selfies.tiles._tell_effects", lambda *_: None)


def beside_cropnet(folder: Path) -> Path:
    """A folder for the result, where the trunk lies."""
    folder.mkdir(exist_ok=True)
    (folder / "cropnet.safetensors").write_bytes((WEIGHTS / "cropnet.safetensors").read_bytes())
    return folder


def test_a_planted_order_is_learned_and_the_scorer_knows_it(
    effects_untold: None, tiles: Path, tmp_path: Path
) -> None:
    out = beside_cropnet(tmp_path / "out")
    quality = train_tiles(tiles, None, out, QUICK, device="cpu", log=ignore)
    assert quality.count == 32
    assert quality.low < quality.correlation < quality.high
    assert quality.correlation > 0.85
    scorer = load_scorer(str(out / "selfie.safetensors"), "cpu")
    assert isinstance(scorer, ConvNetScorer)  # no tile has a face
    rng = np.random.default_rng(1)
    places = [-1, -0.5, 0, 0.5, 1]
    scores = []
    for place in places:
        pixels = np.ascontiguousarray(np.asarray(tile(rng, place))[1:-1, 1:-1])
        view = scorer.spec.view(from_array(pixels))
        whole = np.array([[0.0, 0.0, *map(float, view.size)]])
        scores.append(float(scorer.bind(view)(whole)[0]))
        mirrored = scorer.spec.view(from_array(np.ascontiguousarray(pixels[:, ::-1])))
        assert scorer.bind(mirrored)(whole)[0] == pytest.approx(scores[-1], abs=1e-4)
    assert scores == sorted(scores)
    assert np.abs(np.array(scores) - places).max() < 0.5


def gain_of_sharpness(weights: Path) -> float:
    """How much higher a tile scores than the same tile after a loss of resolution."""
    scorer = load_scorer(str(weights), "cpu")
    rng = np.random.default_rng(2)
    gaps = []
    for _ in range(6):
        sharp = tile(rng, 0.0).crop((1, 1, 63, 63))
        views = [from_array(p).view(64) for p in (sharp, sharp.resize((24, 24)).resize((62, 62)))]
        scores = [float(scorer.bind(view)(np.array([[0.0, 0, 62, 62]]))[0]) for view in views]
        gaps.append(scores[0] - scores[1])
    return float(np.mean(gaps))


def test_resolution_is_no_cue(effects_untold: None, tmp_path: Path) -> None:
    """Only the worst tiles are small, and nothing but their size tells them apart."""
    root = write_tiles(tmp_path / "data", signal=0.0, worst_side=26)
    out = beside_cropnet(tmp_path / "out")
    quality = train_tiles(root, None, out, QUICK, device="cpu", log=ignore)
    assert quality.low < 0 < quality.high
    gain = gain_of_sharpness(out / "selfie.safetensors")
    assert gain < 0.25  # the tiles' range is 2.4
    mixed = replace(QUICK, full=1)  # takes small tiles for tiles of full size
    train_tiles(root, None, out, mixed, device="cpu", log=ignore)
    assert gain_of_sharpness(out / "selfie.safetensors") > gain + 0.5


def test_near_duplicates_are_held_out_together(
    effects_untold: None, tiles: Path, tmp_path: Path
) -> None:
    """Best tiles that repeat the continuum with a false place would otherwise be found again."""
    entries = json.loads((tiles / "annotations.json").read_text())
    for entry in entries:
        Image.open(tiles / entry["image"]).save(tmp_path / entry["image"])
    rng = np.random.default_rng(0)
    added = []
    for entry in [e for e in entries if e["set"] == "continuum"][::2]:
        for kind in ("best", "worst"):
            added.append({**entry, "set": kind, "rank": int(rng.integers(9))})
    (tmp_path / "annotations.json").write_text(json.dumps(entries + added))
    out = beside_cropnet(tmp_path / "out")
    assert train_tiles(tmp_path, None, out, QUICK, device="cpu", log=ignore).correlation > 0.8


@pytest.mark.parametrize(
    ("border", "expected"),
    [((0, 0), (40, 60)), ((7, 0), (26, 60)), ((0, 9), (40, 42)), ((7, 9), (26, 42))],
)
def test_white_borders_go_and_the_photo_stays(
    border: tuple[int, int], expected: tuple[int, int]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (40, 60, 3)).astype(np.uint8)
    top, left = border
    if top:
        pixels[:top] = pixels[-top:] = 255
    if left:
        pixels[:, :left] = pixels[:, -left:] = 252
    assert trim(pixels).shape[:2] == expected


def test_a_white_picture_keeps_its_middle() -> None:
    assert trim(np.full((40, 60, 3), 255, np.uint8)).shape[:2] == (4, 6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not readable JSON"),
        ('[{"image": "a.png"}]', "has .set."),
        ("[]", "a continuum of 8 tiles"),
    ],
)
def test_broken_annotations_are_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "annotations.json").write_text(content)
    with pytest.raises(DataError, match=message):
        train_tiles(tmp_path, None, tmp_path / "out", QUICK, device="cpu", log=ignore)


def test_an_unknown_set_and_a_missing_tile_are_named(tiles: Path, tmp_path: Path) -> None:
    entries = json.loads((tiles / "annotations.json").read_text())
    (tmp_path / "annotations.json").write_text(json.dumps([*entries, {**entries[0], "set": "?"}]))
    with pytest.raises(DataError, match=r"best, worst or continuum, got '\?'"):
        train_tiles(tmp_path, None, tmp_path / "out", QUICK, device="cpu", log=ignore)
    (tmp_path / "annotations.json").write_text(json.dumps(entries))
    with pytest.raises(DataError, match=r"continuum_0\.png"):
        train_tiles(tmp_path, None, tmp_path / "out", QUICK, device="cpu", log=ignore)


def test_a_folder_with_another_trunk_is_refused(tiles: Path, tmp_path: Path) -> None:
    header = read_header(WEIGHTS / "cropnet.safetensors")
    save_scorer(CropNet(), header, tmp_path / "cropnet.safetensors")
    with pytest.raises(ConfigError, match="has another"):
        train_tiles(tiles, None, tmp_path, QUICK, device="cpu", log=ignore)
    with pytest.raises(MissingModelError, match=r"no weights|cannot be read"):
        train_tiles(tiles, tmp_path / "none.safetensors", tmp_path / "x", QUICK, log=ignore)


def test_the_command_trains_on_tiles(tmp_path: Path) -> None:
    root = write_tiles(tmp_path / "data", side=104)
    line = ["train", "selfies", "--tiles", root, "--out", beside_cropnet(tmp_path / "out")]
    done = CliRunner().invoke(main, [*map(str, line), "--device", "cpu"], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    assert "held-out tiles of the continuum (32): Spearman" in done.stderr
    assert "change of the score of 32 tiles" in done.stderr
    assert "  upside down" in done.stderr
    assert read_header(tmp_path / "out" / "selfie.safetensors")["name"] == "selfie"


def test_the_package_s_weights_say_how_good_they_are() -> None:
    header = read_header(WEIGHTS / "selfie.safetensors")
    assert header["validation"]["correlation"] >= 0.68
    assert header["validation"]["low"] > 0.5
    assert header["validation"]["count"] == 160
    assert replace(TilesConfig(), seed=header["recipe"]["seed"]) == TilesConfig(**header["recipe"])


def test_the_probe_tells_what_a_score_likes() -> None:
    rng = np.random.default_rng(0)
    pictures = [np.asarray(tile(rng, 0.3)) for _ in range(12)]

    def redness(views: Any) -> Any:
        return np.array([float(v[..., 0].mean() - v[..., 2].mean()) for v in views])

    found = {effect.change: effect for effect in probe(redness, pictures)}
    assert found["black and white"].high < 0
    assert found["colours stronger by 60 %"].low > 0
    assert found["upside down"].mean == pytest.approx(0, abs=1e-9)
    assert found["darker by 40 %"].mean == pytest.approx(-0.4 * redness(pictures).mean(), rel=0.05)
    assert found["a white border"].mean < 0


@pytest.mark.parametrize("shape", [(1, 7, 3), (7, 1, 3), (1, 1, 3)])
def test_the_probe_takes_pictures_of_one_row(shape: tuple[int, int, int]) -> None:
    def mean(views: Any) -> Any:
        return np.array([torch.from_numpy(v).float().mean().item() for v in views])

    assert len(probe(mean, [np.full(shape, 9, np.uint8)] * 2)) > 5
