"""``cropper selfie``: advice that comes true when it is followed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from skimage import data

from cropper.cli import main

pytestmark = pytest.mark.slow


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["selfie", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture(scope="module")
def astronaut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("selfies") / "astronaut.png"
    Image.fromarray(data.astronaut()).save(path)
    return path


@pytest.fixture(scope="module", autouse=True)
def short_search() -> Iterator[None]:
    """What is told does not hang on how long the crop was looked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cropper.search_task.COSTLY_BUDGET", 120)
        yield


@pytest.fixture(scope="module")
def told(astronaut: Path) -> dict[str, Any]:
    """What ``--json`` says of it."""
    done = run(astronaut, "--json")
    assert done.exit_code == 0
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def score_of(path: Path) -> float:
    """As ``cropper score`` tells it."""
    done = CliRunner().invoke(main, ["score", str(path), "--json"], catch_exceptions=False)
    return float(json.loads(done.stdout)["score"])


def test_advice_is_what_happens_when_it_is_followed(
    astronaut: Path, told: dict[str, Any], tmp_path: Path
) -> None:
    assert told["score"] == pytest.approx(score_of(astronaut), abs=1e-4)
    brighter = tmp_path / "brighter.png"
    pixels = (1.3 * data.astronaut().astype(float)).round().clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(brighter)
    gained = score_of(brighter) - score_of(astronaut)
    assert told["changes"]["brighter by 30 %"] == pytest.approx(gained, abs=1e-3)
    x0, y0, x1, y1 = told["crop"]
    assert x1 - x0 == y1 - y0 < 512
    assert told["faces"] == 1


def test_the_crop_brings_the_face_nearer_to_where_the_best_have_it(told: dict[str, Any]) -> None:
    wanted = told["face_in_best"]["size"]
    assert told["face"]["size"] < told["face_in_crop"]["size"] < 1.2 * wanted


def test_in_words_what_helps_most_comes_first(astronaut: Path) -> None:
    lines = run(astronaut).stdout.splitlines()
    assert lines[0].startswith(f"{astronaut}: 0.")
    gains = [float(line.split()[0]) for line in lines if line.startswith("  +")]
    assert gains == sorted(gains, reverse=True)
    assert len(gains) > 1
    assert any("best crop: " in line for line in lines)
    assert not any("upside down" in line for line in lines)


def test_a_picture_without_a_face_and_a_broken_one(tmp_path: Path) -> None:
    Image.fromarray(data.coffee()).save(tmp_path / "cup.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    done = run(tmp_path)
    assert done.exit_code == 1
    assert "broken.png" in done.stderr
    assert "no face was found" in done.stdout


def test_a_shape_that_cannot_hold_the_face_is_told(astronaut: Path) -> None:
    assert "note: no crop of this shape holds" in run(astronaut, "--aspect", "6:1").stdout


def test_a_wrong_shape_is_told_before_the_work(astronaut: Path) -> None:
    done = run(astronaut, "--aspect", "round")
    assert done.exit_code == 2
    assert "round" in done.stderr
