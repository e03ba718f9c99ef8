"""Several scorers as one: standardised, summed, and independent of what else is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage import data, io

from cropper import BoundScorer, CropSpace, Scorer, ScorerSpec, View, from_array, load_scorer
from cropper.boxes import Boxes
from cropper.cli import main
from cropper.errors import ConfigError, MissingModelError
from cropper.scorers import registry
from cropper.scorers.ensemble import EnsemblePart, EnsembleScorer, parse_parts, reference_boxes

VIEW = View(np.zeros((60, 90, 3), np.uint8), (900, 600))


class Plain:
    """Scores by a formula on boxes (N, 4)."""

    def __init__(self, formula: Any, batch: int = 7, costly: bool = False) -> None:
        self.formula = formula
        self.spec = ScorerSpec("plain", 100 * batch, batch, costly, "", f"licence {batch}")

    def bind(self, view: View) -> BoundScorer:
        return BoundScorer(self.formula, view.size, self.spec.batch_size)


LEFT = Plain(lambda b: 1e6 - 300.0 * b[:, 0])
LARGE = Plain(lambda b: 1e-4 * (b[:, 2] - b[:, 0]), batch=5, costly=True)
FLAT = Plain(lambda b: np.full(len(b), 3.0))


def boxes(seed: int = 0, count: int = 30) -> Boxes:
    space = CropSpace(VIEW.size, 1.0)
    return space.boxes(space.sample(count, np.random.default_rng(seed)))


def z(scorer: Scorer, asked: Boxes) -> NDArray[np.float64]:
    """By the definition."""
    bound = scorer.bind(VIEW)
    known = bound(reference_boxes(VIEW.size))
    return (bound(asked) - known.mean()) / known.std()


def test_it_is_the_weighted_sum_of_its_parts_standardised_scores() -> None:
    both = EnsembleScorer([EnsemblePart("left", 0.7), EnsemblePart("large", -0.3)], [LEFT, LARGE])
    expected = 0.7 * z(LEFT, boxes()) - 0.3 * z(LARGE, boxes())
    assert np.allclose(both.bind(VIEW)(boxes()), expected, rtol=1e-9)


def test_units_do_not_matter() -> None:
    shifted = Plain(lambda b: 5 - 3e-7 * b[:, 0])
    one = EnsembleScorer([EnsemblePart("left", 1), EnsemblePart("large", 1)], [LEFT, LARGE]).bind(
        VIEW
    )
    other = EnsembleScorer(
        [EnsemblePart("left", 1), EnsemblePart("large", 1)], [shifted, LARGE]
    ).bind(VIEW)
    assert np.allclose(one(boxes()), other(boxes()), atol=1e-6)


@given(st.integers(1, 29))
def test_what_else_is_asked_changes_nothing(cut: int) -> None:
    bound = EnsembleScorer([EnsemblePart("left", 1), EnsemblePart("large", 2)], [LEFT, LARGE]).bind(
        VIEW
    )
    parts = [bound(boxes()[:cut]), bound(boxes()[cut:])]
    assert np.array_equal(np.concatenate(parts), bound(boxes()))


def test_a_judge_without_an_opinion_changes_nothing() -> None:
    both = EnsembleScorer([EnsemblePart("left", 1), EnsemblePart("flat", 1)], [LEFT, FLAT]).bind(
        VIEW
    )
    assert np.allclose(both(boxes()), z(LEFT, boxes()))


def test_its_spec_is_that_of_its_parts_together() -> None:
    spec = EnsembleScorer(
        [EnsemblePart("left", 1), EnsemblePart("large", 0.25)], [LEFT, LARGE]
    ).spec
    assert spec.name == "left+large*0.25"
    assert spec.costly
    assert spec.long_side == 700
    assert spec.licence == "licence 7; licence 5"
    assert not EnsembleScorer(
        [EnsemblePart("left", 1), EnsemblePart("flat", 1)], [LEFT, FLAT]
    ).spec.costly


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("cropnet", None),
        ("runs/my-best.safetensors", None),
        ("a+b", (EnsemblePart("a", 1), EnsemblePart("b", 1))),
        ("a*0.7+b*-0.3", (EnsemblePart("a", 0.7), EnsemblePart("b", -0.3))),
        (" a + b * 2 ", (EnsemblePart("a", 1), EnsemblePart("b", 2))),
        ("a+x/y.safetensors", (EnsemblePart("a", 1), EnsemblePart("x/y.safetensors", 1))),
    ],
)
def test_names_are_parsed(text: str, parts: tuple[EnsemblePart, ...] | None) -> None:
    assert parse_parts(text) == parts


@pytest.mark.parametrize("text", ["a+", "+", "a*", "a*b", "a*0+b", "a*nan+b", "a*inf", "*2+b"])
def test_a_broken_name_says_how_it_is_written(text: str) -> None:
    with pytest.raises(ConfigError, match=r"cropnet\*0.7\+mine.safetensors\*0.3"):
        parse_parts(text)


def test_a_scorer_counts_once() -> None:
    with pytest.raises(ConfigError, match="named once"):
        parse_parts("a+b+a")


def test_an_unknown_part_is_named() -> None:
    with pytest.raises(MissingModelError, match="no scorer 'nobody'"):
        load_scorer("cropnet+nobody", "cpu")


def test_a_file_with_a_plus_in_its_name_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a+b.safetensors"
    path.write_bytes(b"no weights")
    with pytest.raises(MissingModelError, match="not a cropper checkpoint"):
        load_scorer(str(path), "cpu")


def test_registered_scorers_are_joined_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._factories, "left", lambda device: LEFT)
    monkeypatch.setitem(registry._factories, "large", lambda device: LARGE)
    joined = load_scorer("left*2+large", "cpu")
    assert np.allclose(joined.bind(VIEW)(boxes()), 2 * z(LEFT, boxes()) + z(LARGE, boxes()))


def test_the_command_crops_by_cropnet_and_selfie_together(tmp_path: Path) -> None:
    io.imsave(tmp_path / "cat.png", data.chelsea(), check_contrast=False)
    line = ["best", str(tmp_path / "cat.png"), "--scorer", "cropnet+selfie", "--budget", "60",
        "--aspect", "1:1", "--device", "cpu", "-o", str(tmp_path / "out.png")]  # fmt: skip
    found = CliRunner().invoke(main, line, catch_exceptions=False)
    assert found.exit_code == 0, found.stderr
    assert from_array(io.imread(tmp_path / "out.png")).size[0] > 100
