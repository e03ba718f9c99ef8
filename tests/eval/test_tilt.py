"""``python -m eval tilt``: figures against what they are by hand, on drawn fronts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cropper.errors import DataError
from eval.tilt import (
    draw_worst,
    found_by_kind,
    hough,
    measure_tilt,
    render_kinds,
    render_tilt,
    straighten,
    try_turns,
)


@pytest.fixture
def fronts(tmp_path: Path) -> Path:
    y, x = np.mgrid[:300, :400]
    for number, width in enumerate((52, 64, 76)):
        wall = np.full((300, 400), 170, np.uint8)
        wall[(x % width > 16) & (x % width < 44) & (y % 72 > 16) & (y % 72 < 52)] = 60
        Image.fromarray(wall).save(tmp_path / f"{number}.png")
    return tmp_path


def test_no_turn_and_a_fixed_one_have_the_figures_that_they_must_have(fronts: Path) -> None:
    methods = [("none", lambda _: 0.0), ("seven", lambda _: 7.0)]
    trials = try_turns(fronts, "all", methods, turns=40, seed=1)
    none, seven = measure_tilt(trials, methods)
    truth = np.concatenate([np.random.default_rng([1, i]).uniform(-10, 10, 40) for i in range(3)])
    assert len(trials) == 3
    assert (none.turned.mean, none.within, none.left.mean, none.wins.mean) == (0, None, 1, 0)
    assert none.error.mean == pytest.approx(np.abs(truth).mean())
    assert (seven.turned.mean, seven.left.mean) == (1, 0)
    tilted = np.abs(truth) >= 2
    assert seven.within is not None
    assert seven.within.mean == pytest.approx((np.abs(truth - 7) <= 1)[tilted].mean())
    assert seven.median == pytest.approx(np.median(np.abs(truth - 7)[tilted]))
    assert seven.apart == pytest.approx(np.median(np.abs(truth)))
    nearer = np.abs(truth - 7) < np.abs(truth)
    assert seven.wins.mean == pytest.approx(nearer.mean(), abs=0.1)  # sizes differ too
    assert "seven" in render_tilt(trials, [none, seven])


def test_hough_lines_find_a_drawn_front(fronts: Path) -> None:
    methods = [("hough", hough)]
    (found,) = measure_tilt(try_turns(fronts, "all", methods, turns=5), methods)
    assert found.median < 0.6


def test_kinds_are_folders_and_each_has_its_own_figures(fronts: Path) -> None:
    (fronts / "walls").mkdir()
    for name in ("0.png", "1.png"):
        (fronts / name).rename(fronts / "walls" / name)
    trials = try_turns(fronts, "all", [("none", lambda _: 0.0), ("seven", lambda _: 7.0)], turns=9)
    (one, other), (two, walls) = found_by_kind(trials, 1)
    assert (one, two) == (1, 2)
    assert (other.method, walls.method) == (fronts.name, "walls")
    errors = [np.abs(each.truth - 7).mean() for each in trials if each.kind == "walls"]
    assert walls.error.mean == pytest.approx(np.mean(errors))
    assert "walls, 2 photos" in render_kinds([(two, walls)])


def test_the_sheet_has_what_was_turned_the_worst_first(
    fronts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr("eval.tilt.draw_sheet", lambda photos, columns: drawn.extend(photos))
    draw_worst(fronts, "all", turns=4)
    methods = [("cropper", straighten)]
    trials = try_turns(fronts, "all", methods, turns=4)
    turned = np.concatenate([each.turned[:, 0] for each in trials])
    errors = np.abs(turned - np.concatenate([each.truth for each in trials]))[turned != 0]
    told = [each.crops[0].label.replace("tilted ", "").split(", found ") for each in drawn]
    apart = [abs(float(truth) - float(found)) for truth, found in told]
    assert len(drawn) == len(errors) > 4
    assert apart == pytest.approx(sorted(errors, reverse=True), abs=0.11)


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="no photo of split 'val' can be read"):
        try_turns(tmp_path, "val", [])
