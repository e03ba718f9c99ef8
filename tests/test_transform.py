"""``cropper best --method``: crops that may be turned, on the shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from skimage import data

from cropper.cli import main
from tests.conftest import Crop, cut, one_record, pixels, records
from tests.image.pictures import photo

SIZE = (300, 200)


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "photo.png"
    photo(*SIZE).save(path)
    return path


def best(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["best", *map(str, arguments)], catch_exceptions=False)


def check(record: dict[str, Any]) -> None:
    """Corners in the picture, theta theirs, the box around them."""
    corners, theta = np.array(record["corners"]), np.array(record["theta"])
    assert corners.shape == (4, 2)
    assert corners.min() >= 0
    assert (corners <= np.array(SIZE) + 0.01).all()
    ends = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    placed = (ends @ theta[:, :2].T + theta[:, 2] + 1) / 2 * SIZE
    np.testing.assert_allclose(corners, placed, atol=0.02)
    x0, y0, x1, y1 = record["box"]
    assert x0 <= corners[:, 0].min() + 0.01 < x0 + 1.02
    assert x1 >= corners[:, 0].max() - 0.01 > x1 - 1.02
    assert y0 <= corners[:, 1].min() + 0.01
    assert y1 >= corners[:, 1].max() - 0.01


@pytest.mark.parametrize("method", ["stn", "search+stn"])
def test_a_transformer_writes_the_crop_that_its_record_names(picture: Path, method: str) -> None:
    line = (picture, "--method", method, "--aspect", "free", "--budget", 600)
    record = one_record(best(*line, "--json"))
    check(record)
    assert record["candidates"] <= 600
    corners = np.array(record["corners"])
    width = np.linalg.norm(corners[1] - corners[0])
    written = pixels(record["output"])
    assert abs(written.shape[1] - width) < 1
    # each corner pixel of the output is one of the neighbourhood that it was read from
    source = pixels(picture).astype(float)
    middle = corners.mean(0).astype(int)
    patch = source[middle[1] - 2 : middle[1] + 3, middle[0] - 2 : middle[0] + 3].reshape(-1, 3)
    centre = written[written.shape[0] // 2, written.shape[1] // 2]
    assert (centre >= patch.min(0) - 12).all()
    assert (centre <= patch.max(0) + 12).all()


def test_a_size_is_exact_and_overlays_are_drawn(picture: Path) -> None:
    ran = best(
        *(picture, "--method", "search+stn", "--size", "90x60", "--budget", 600, "-o", "out.png"),
        *("--overlay", "why.png"),
    )
    assert ran.exit_code == 0, ran.output
    assert pixels("out.png").shape == (60, 90, 3)
    assert pixels("why.png").shape == (200, 300, 3)


def angles(corners: Any) -> tuple[float, float]:
    """Of the top edge from the horizontal, and of the left edge from the vertical, in degrees."""
    across, down = np.subtract(corners[1], corners[0]), np.subtract(corners[3], corners[0])
    return np.degrees(np.arctan2(across[1], across[0])), np.degrees(np.arctan2(-down[0], down[1]))


@pytest.fixture
def cup(picture: Path) -> Path:
    """A photo that the scorer would rather have turned, and rather sheared than turned."""
    Image.fromarray(data.coffee()).resize(SIZE).save(picture)
    return picture


@pytest.mark.parametrize("method", ["stn", "search+stn"])
def test_crops_are_turned_and_sheared_only_if_asked(cup: Path, method: str) -> None:
    found = {}
    for more in ((), ("--shear",)):
        line = (cup, "--method", method, "--aspect", "4:5", "--budget", 600, "--dry-run")
        ran = best(*line, "--json", *more)
        turn, lean = angles(one_record(ran)["corners"])
        found[more] = abs(turn - lean)
        if not 0.04 < abs(turn) < 0.06:  # where JSON's rounding may decide
            assert (f"turned {abs(turn):.1f} degrees" in ran.stderr) == (abs(turn) >= 0.05)
        assert ("sheared" in ran.stderr) == (found[more] >= 0.05)
    assert found[()] < 0.05 < found["--shear",]


def test_the_line_of_a_turned_crop_has_its_own_size_and_corner(cup: Path) -> None:
    ran = best(cup, "--method", "stn", "--aspect", "4:5", "--budget", 600, "--json")
    record = one_record(ran)
    height, width = pixels(record["output"]).shape[:2]
    x, y = (round(place) for place in record["corners"][0])
    assert f": {width}x{height} at ({x}, {y})" in ran.stderr


def test_several_crops_are_diverse_and_each_has_its_theta(picture: Path) -> None:
    line = (picture, "--method", "search+stn", "--top-k", 3, "--budget", 800, "--aspect", "free")
    record = one_record(best(*line, "-o", "out-{rank}.png", "--json"))
    for each in record.get("crops", [record]):
        check(each)
        assert Path(each["output"]).exists()


def test_the_same_seed_gives_the_same_file(picture: Path) -> None:
    for name in ("a.png", "b.png"):
        best(picture, "--method", "stn", "--budget", 400, "--seed", 3, "-o", name)
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_a_search_says_nothing_of_theta(picture: Path) -> None:
    record = one_record(best(picture, "--budget", 300, "--json"))
    assert "theta" not in record
    assert "corners" not in record
    assert np.array_equal(pixels(record["output"]), cut(picture, record["box"]))


def test_the_picture_goes_to_standard_output_too(picture: Path) -> None:
    line = ["best", "-", "--method", "stn", "--budget", "400"]
    ran = CliRunner().invoke(main, line, input=picture.read_bytes(), catch_exceptions=False)
    assert ran.exit_code == 0
    assert ran.stdout_bytes[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--method", "stn", "--strategy", "grid"), 2, "--strategy is of a search"),
        (("--method", "stn", "--budget", "5"), 2, "takes at least"),
        (("--method", "localizer", "--scorer", "convnet"), 2, "CropNet's features"),
        (("--method", "magic"), 2, "magic"),
        (("--method", "localizer", "--top-k", "2"), 2, "gives one crop"),
        (("--localizer", "photo.png"), 2, "--localizer is for"),
        (("--shear",), 2, "--shear is for"),
    ],
)
def test_what_cannot_be_is_said(
    picture: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ran = CliRunner().invoke(main, ["best", str(picture), *arguments])
    assert ran.exit_code == code
    assert words in ran.stderr


def test_a_scorer_of_boxes_alone_is_refused(crop: Crop, photo_png: Path) -> None:
    ran = crop(photo_png, "--method", "stn")
    assert ran.exit_code == 2
    assert "judges boxes alone" in ran.stderr


def test_one_broken_picture_does_not_stop_the_others(picture: Path) -> None:
    Path("broken.png").write_bytes(b"no picture")
    ran = best("broken.png", picture, "--method", "stn", "--budget", 400, "--json")
    assert ran.exit_code == 1
    failed, done = records(ran)
    assert "error" in failed
    check(done)
