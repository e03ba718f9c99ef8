"""The selfie scorer: where a face belongs, and what a search makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from cropper import CropFinder, Scorer, from_array, load_scorer
from cropper.boxes import as_boxes
from cropper.faces import find_faces
from cropper.scorers import WEIGHTS
from cropper.scorers.convnet import ConvNetScorer
from cropper.scorers.header import read_header
from cropper.scorers.selfie import FaceGeometry, Gaussian, SelfieScorer, place_of
from cropper.train.selfies.tiles import TilesConfig, train_tiles

ASTRONAUT = data.astronaut()  # type: ignore[no-untyped-call]
WHOLE = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).double()


@pytest.fixture(scope="module")
def scorer() -> SelfieScorer:
    found = load_scorer("selfie", "cpu")
    assert isinstance(found, SelfieScorer)
    assert isinstance(found, Scorer)
    return found


@pytest.fixture(scope="module")
def geometry() -> FaceGeometry:
    return FaceGeometry.from_dict(read_header(WEIGHTS / "selfie.safetensors")["geometry"])


def test_a_place_is_shares_of_the_crop_and_a_log_of_its_size() -> None:
    face = torch.tensor([40.0, 30, 60, 70])
    boxes = torch.tensor([[0.0, 0, 100, 200], [30, 10, 80, 110]])
    expected = [[0.5, 0.25, np.log(800 / 20_000) / 2], [0.4, 0.4, np.log(800 / 5000) / 2]]
    torch.testing.assert_close(place_of(face, boxes), torch.tensor(expected).float())


@given(st.integers(0, 2**32 - 1))
def test_the_density_is_the_gaussian_of_the_places(seed: int) -> None:
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(30, 3)) @ rng.normal(size=(3, 3))
    found = Gaussian.of(places)
    mean = sum(places) / 30
    covariance = sum(np.outer(each - mean, each - mean) for each in places) / 30
    covariance = covariance + 1e-4 * np.eye(3)
    expected = [
        -0.5 * (each - mean) @ np.linalg.inv(covariance) @ (each - mean)
        - 0.5 * np.log(np.linalg.det(covariance))
        for each in places[:4]
    ]
    at = torch.from_numpy(places[:4])
    np.testing.assert_allclose(found.log_density(at).numpy(), expected, rtol=1e-6, atol=1e-6)


def test_the_ratio_of_the_package_is_one_hill(geometry: FaceGeometry) -> None:
    """Liked faces are nearer to one place than usual ones, so the ratio falls on all sides."""
    liked, usual = (
        np.linalg.inv(np.array(each.covariance)) for each in (geometry.liked, geometry.usual)
    )
    assert np.linalg.eigvalsh(liked - usual).min() > 0
    across, down, size = geometry.liked.mean
    assert across == pytest.approx(0.5, abs=0.05)
    assert 0.2 < down < 0.35  # high up
    assert 0.3 < np.exp(size) < 0.45  # about a third of the side


def test_a_whole_picture_has_the_taste_alone_and_gains_fall_with_size(
    geometry: FaceGeometry,
) -> None:
    face = torch.tensor([0.35, 0.2, 0.55, 0.46]).double()
    assert geometry.gain(face, WHOLE).item() == 0
    assert geometry.gain(None, WHOLE).item() == 0
    tiny = torch.tensor([0.4, 0.2, 0.43, 0.24]).double()
    smaller = torch.tensor([[0.2, 0.2, 0.7, 0.7], [0.4, 0.4, 0.5, 0.5]]).double()
    for nobody in (None, tiny):
        first, second = geometry.gain(nobody, smaller).tolist()
        assert 0 > first > second
    sides = torch.linspace(0.28, 1, 60).double()  # around the face, its centre where it is liked
    across, down, _ = geometry.liked.mean
    low = torch.stack([0.45 - across * sides, 0.33 - down * sides], 1)
    over_scale = geometry.gain(face, torch.cat([low, low + sides[:, None]], 1))
    best = int(over_scale.argmax())
    assert 0 < best < 59
    assert (over_scale[: best + 1].diff() > 0).all()
    assert (over_scale[best:].diff() < 0).all()


@pytest.mark.slow
def test_crops_score_by_taste_and_place(scorer: SelfieScorer, geometry: FaceGeometry) -> None:
    view = from_array(ASTRONAUT).view(512)
    (face, *_) = find_faces(view)
    boxes = as_boxes([[0, 0, 512, 512], [60, 0, 400, 340], [300, 300, 500, 500]])
    taste = scorer.taste.bind(view)(boxes)
    gain = geometry.gain(torch.tensor(face.box) / 512, torch.from_numpy(boxes / 512)).numpy()
    found = scorer.bind(view)(boxes)
    np.testing.assert_allclose(found, taste + gain, atol=1e-5)
    assert found[0] == pytest.approx(taste[0])
    assert found[2] < found[0] - 2  # the face is outside


@pytest.mark.slow
def test_a_search_ends_inside_its_scales_and_keeps_the_face(scorer: SelfieScorer) -> None:
    face = find_faces(from_array(ASTRONAUT).view(512))[0].box
    best = CropFinder(scorer).find(ASTRONAUT, aspect="1:1", min_scale=0.3, budget=200).best
    assert 0.35 < best.width / 512 < 0.9
    assert best.x0 <= face[0] + 1
    assert best.y0 <= face[1] + 1
    assert best.x1 >= face[2] - 1
    assert best.y1 >= face[3] - 1
    across = ((face[0] + face[2]) / 2 - best.x0) / best.width
    assert 0.3 < across < 0.7


@pytest.mark.slow
@pytest.mark.parametrize("picture", ["noise", "flat"])
def test_without_a_face_the_smallest_crop_is_not_the_best(
    scorer: SelfieScorer, picture: str
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    pixels = noise if picture == "noise" else np.full_like(noise, 120)
    best = CropFinder(scorer).find(pixels, aspect="1:1", budget=120).best
    assert best.width > 0.75 * 240


@pytest.mark.slow
def test_faces_in_tiles_give_the_geometry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Liked tiles have the face high and small, the others low and large."""
    monkeypatch.setattr("cropper.train.selfies.tiles._tell_effects", lambda *_: None)
    x0, y0, x1, y1 = find_faces(from_array(ASTRONAUT).view(512))[0].box
    rng = np.random.default_rng(0)
    entries = []
    for index in range(64):
        row = index // 8
        share, down = (0.4, 0.4) if row < 4 else (0.6, 0.5)  # of the face's width and its centre
        side = (x1 - x0) / (share + rng.normal(0, 0.02))
        left = (x0 + x1) / 2 - side * (0.5 + rng.normal(0, 0.02))
        top = (y0 + y1) / 2 - side * (down + rng.normal(0, 0.02))
        tile = Image.fromarray(ASTRONAUT).crop((left, top, left + side, top + side))
        wall = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)  # no two tiles are alike
        picture = Image.fromarray(wall).resize(tile.size)
        head = (round(x0 - left), round(y0 - top - 20), round(x1 - left), round(y1 - top + 10))
        picture.paste(tile.crop(head), head)
        name = f"{index}.png"
        picture.resize((110, 110)).save(tmp_path / name)
        entries.append({"image": name, "set": "continuum", "rank": row})
        if row < 4:
            entries.append({**entries[-1], "set": "best"})
    (tmp_path / "annotations.json").write_text(json.dumps(entries))
    out = tmp_path / "out"
    out.mkdir()
    (out / "cropnet.safetensors").write_bytes((WEIGHTS / "cropnet.safetensors").read_bytes())
    lines: list[str] = []
    config = TilesConfig(side=65, folds=4, repeats=1)
    train_tiles(tmp_path, None, out, config, device="cpu", log=lines.append)
    trained = load_scorer(str(out / "selfie.safetensors"), "cpu")
    assert isinstance(trained, SelfieScorer)
    across, down, size = trained.geometry.liked.mean
    assert across == pytest.approx(0.5, abs=0.05)
    assert down == pytest.approx(0.4, abs=0.05)
    higher = ((y1 - y0) / (x1 - x0)) ** 0.5
    assert np.exp(size) == pytest.approx(0.4 * higher, abs=0.06)
    assert [line.split()[-1] for line in lines[-4:-1]] == ["face", "taste", "both"]


@pytest.mark.slow
def test_the_features_of_a_picture_are_the_convnet_s(scorer: SelfieScorer) -> None:
    view = from_array(ASTRONAUT).view(320)
    assert isinstance(scorer.taste, ConvNetScorer)
    np.testing.assert_array_equal(scorer.describe(view), scorer.taste.describe(view))
