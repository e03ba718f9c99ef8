"""The comparison: one budget for all, what stuck and drifted mean, and reports that can be read."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from torch import Tensor

from cropper import load_scorer
from cropper.boxes import as_boxes, iou
from cropper.cli import main
from cropper.errors import ConfigError, DataError
from cropper.image import View
from cropper.scorers import BoundScorer, ScorerSpec
from cropper.scorers.affine import JUDGED, Reading
from cropper.scorers.checkpoint import save_scorer
from cropper.scorers.cropnet.network import CropNet, CropNetConfig
from eval.__main__ import cli
from eval.arms import Arm, ArmCrop, Context
from eval.compare import (
    CompareConfig,
    Comparison,
    _Photo,
    _share_photos,
    held_out,
    run_comparison,
)
from eval.compare_report import summarise_arms
from eval.datasets import Example
from eval.quads import polygon_area, quad_iou
from spatial_transformer.affine import AffineCrop, Warp
from spatial_transformer.optimize import Path as Climb
from spatial_transformer.optimize import Trajectory
from tests.image.pictures import photo

pytestmark = pytest.mark.slow

torch.set_num_threads(1)

TINY = CropNetConfig(pixels=9409, fused=16, channels=8, hidden=32)


SPEC = ScorerSpec("likes", 96, 4096, False, "for tests", "none")


@dataclass(frozen=True)
class Likes:
    """A smooth analytic judge: the nearer to one crop the better, or with ``sign`` -1 the worse."""

    sign: float = 1.0
    spec: ScorerSpec = SPEC
    size: tuple[int, int] = (96, 64)
    reads_pixels: bool = True
    mirror_invariant: bool = True

    def bind(self, view: View) -> BoundScorer:
        raise NotImplementedError

    def bind_affine(self, view: View) -> Likes:
        return replace(self, size=view.size)

    def __call__(self, theta: Tensor, reading: Reading = JUDGED) -> Tensor:
        best = theta.new_tensor([[0.6, 0.05, 0.1], [-0.05, 0.6, -0.1]])
        return -self.sign * (theta - best).square().sum((1, 2)).sqrt()


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    paths = [tmp_path / "one.png", tmp_path / "<two> & more.png"]
    photo(96, 64).save(paths[0])
    photo(80, 80).save(paths[1])
    human = np.array([[0.1, 0.1, 0.8, 0.9], [0.0, 0.0, 1.0, 1.0]])
    return [Example(paths[0], boxes=human), Example(paths[1])]


def test_every_arm_keeps_to_the_budget_and_climbing_beats_a_random_crop(
    examples: list[Example],
) -> None:
    found = run_comparison(examples, Likes(), Likes(), CompareConfig(600))
    names = [arm.name for arm in found.arms]
    assert {"search", "search free", "stn pixel", "stn", "search+stn"} <= set(names)
    for arm in found.arms:
        for outcome in arm.photos:
            assert 0 < outcome.evaluations <= 600
            assert outcome.own == pytest.approx(outcome.judge)
            if "robust" not in arm.name and "pixel" not in arm.name:
                assert outcome.own > 1
    by_name = {arm.name: arm for arm in found.arms}
    # six parameters reach what the judge likes, three do not
    assert all(
        six.judge > three.judge + 0.01
        for six, three in zip(by_name["search+stn"].photos, by_name["search"].photos, strict=True)
    )
    assert by_name["search"].photos[1].iou is None
    rows = {row.name: row for row in summarise_arms(found)}
    wins = rows["search+stn"].wins
    assert wins is not None
    assert wins.mean == 1
    assert rows["search"].wins is None
    assert rows["stn"].stuck is not None
    assert rows["stn"].stuck.mean == 0


def test_a_judge_that_wants_the_opposite_calls_every_climb_a_drift(
    examples: list[Example],
) -> None:
    found = run_comparison(
        examples, Likes(), Likes(-1.0), CompareConfig(600), only=["stn", "search"]
    )
    assert [arm.name for arm in found.arms] == ["search", "stn"]
    starts = [start for photo in found.arms[1].photos for start in photo.starts]
    assert len(starts) == 10  # the whole frame and four crops of each photo
    assert all(start.drifted for start in starts)


def test_an_end_at_a_start_that_could_be_better_is_stuck(examples: list[Example]) -> None:
    measured = _Photo(examples[0], Likes(), Likes(), CompareConfig(), None)
    space = AffineCrop.of((96, 64), "free", 0.6)

    def ended(start: Tensor, end: Tensor, last: Tensor) -> list[bool]:
        one, two, three = (Warp.of(each[0], (96, 64)) for each in (start, end, last))
        climb = Climb(one, 0.0, two, 0.0, three, (one, two), (0.0, 0.0))

        def run(context: Context) -> ArmCrop:
            return ArmCrop(two, 1, Trajectory("x", (climb,)))

        (start_of,) = measured.measure(Arm("x", "", 6, run)).starts
        return [start_of.stuck, start_of.drifted, start_of.last_stuck, start_of.last_left]

    whole = space.theta(space.identity)
    best = torch.tensor([[[0.6, 0.05, 0.1], [-0.05, 0.6, -0.1]]], dtype=torch.float64)
    outside = whole * 1.1
    assert ended(whole, whole, whole) == [True, False, True, False]
    assert ended(whole, best, outside) == [False, False, False, True]
    assert ended(best, best, best) == [False, False, False, False]  # nothing was to be had


def test_photos_that_cannot_be_read_are_named(examples: list[Example], tmp_path: Path) -> None:
    broken = Example(tmp_path / "broken.png")
    broken.path.write_bytes(b"no picture")
    found = run_comparison(
        [broken, examples[0]], Likes(), Likes(), CompareConfig(200), only=["search"]
    )
    assert [skip.photo for skip in found.skipped] == ["broken.png"]
    assert [path.name for path in found.photos] == ["one.png"]
    with pytest.raises(DataError, match="none of the 1 photos"):
        run_comparison([broken], Likes(), Likes(), CompareConfig(200))
    with pytest.raises(ConfigError, match="no arm 'magic'"):
        run_comparison(examples, Likes(), Likes(), CompareConfig(200), only=["magic"])


# Quadrilaterals


def test_an_upright_quadrilateral_overlaps_as_its_box() -> None:
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 50, (30, 2))
    boxes = as_boxes(np.concatenate([low, low + rng.uniform(5, 50, (30, 2))], 1))
    for box in boxes[:10]:
        x0, y0, x1, y1 = box
        quad = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
        np.testing.assert_allclose(quad_iou(quad, boxes), iou(box[None], boxes)[0], atol=1e-12)


def test_a_turned_quadrilateral_overlaps_as_a_fine_raster_says() -> None:
    angle = np.radians(20)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    quad = np.array([[-3.0, -2], [3, -2], [3, 2], [-3, 2]]) @ turn.T + [5, 4]
    box = np.array([3.0, 2.5, 9.0, 5.0])
    grid = np.stack(np.meshgrid(np.arange(0, 10, 0.01), np.arange(0, 10, 0.01)), -1) + 0.005
    local = np.abs((grid - [5, 4]) @ turn)
    in_quad = (local[..., 0] < 3) & (local[..., 1] < 2)
    in_box = ((grid > box[:2]) & (grid < box[2:])).all(-1)
    expected = (in_quad & in_box).sum() / (in_quad | in_box).sum()
    assert quad_iou(quad, box[None])[0] == pytest.approx(expected, abs=2e-3)
    assert polygon_area(quad) == pytest.approx(24)
    assert quad_iou(quad, np.array([[20.0, 20, 30, 30]]))[0] == 0


# The command


def write_judge(path: Path, seed: int = 1) -> Path:
    torch.manual_seed(seed)
    header = {
        "kind": "cropnet",
        "name": "judge",
        "summary": "for tests",
        "licence": "none",
        "long_side": 128,
        "batch_size": 512,
        "config": TINY.to_dict(),
        "trained": {"seed": seed, "fold": "0/2", "trunk": "frozen"},
    }
    save_scorer(CropNet(TINY), header, path)
    return path


def compare(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["compare", *map(str, arguments)])


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.crops = 0
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.crops += ("class", "crop") in attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_command_writes_text_json_and_a_page_that_needs_no_network(
    examples: list[Example], tmp_path: Path
) -> None:
    judge = write_judge(tmp_path / "judge.safetensors")
    page, record = tmp_path / "out.html", tmp_path / "out.json"
    ran = compare(
        *(each.path for each in examples),
        *("--judge", judge, "--budget", 300, "--report", page, "--json", record),
        *("--arm", "search", "--arm", "stn", "--arm", "search+stn"),
    )
    assert ran.exit_code == 0, ran.output
    for word in ("search+stn", "wins", "judge trained seed 1, fold 0/2, trunk frozen", "stuck"):
        assert word in ran.stdout
    data = json.loads(record.read_text())
    assert [row["name"] for row in data["rows"]] == ["search", "stn", "search+stn"]
    outcome = data["comparison"]["arms"][2]["photos"][0]
    assert len(outcome["warp"]["corners"]) == 4
    assert outcome["climbs"][0]["scores"]
    html = page.read_text()
    assert not re.search(r"(src|href)=\"(?!#|data:)", html)
    seen = _Page(html)
    assert seen.crops == 3 * 2
    assert "script" not in seen.tags
    assert "<two> & more.png" in seen.text


def test_any_two_arms_can_be_held_against_each_other(
    examples: list[Example], tmp_path: Path
) -> None:
    judge, record = write_judge(tmp_path / "judge.safetensors"), tmp_path / "out.json"
    ran = compare(
        *(each.path for each in examples),
        *("--judge", judge, "--budget", 200, "--json", record, "--arm", "search"),
        *("--between", "search free", "search robust", "--report", tmp_path / "out.html"),
    )
    assert ran.exit_code == 0, ran.output
    assert "search free - search robust" in ran.stdout
    assert "search free - search robust" in (tmp_path / "out.html").read_text("utf-8")
    data = json.loads(record.read_text())
    arms = {arm["name"]: arm["photos"] for arm in data["comparison"]["arms"]}
    assert set(arms) == {"search", "search free", "search robust"}
    (found,) = data["differences"]
    for key in ("own", "judge"):
        gaps = [
            a[key] - b[key]
            for a, b in zip(*(arms[name] for name in ("search free", "search robust")), strict=True)
        ]
        assert found[key]["mean"] == pytest.approx(sum(gaps) / len(gaps))


def test_a_pair_with_an_unknown_arm_is_refused_before_any_arm_runs(
    examples: list[Example], tmp_path: Path
) -> None:
    judge = write_judge(tmp_path / "judge.safetensors")
    ran = compare(examples[0].path, "--judge", judge, "--between", "search", "magic")
    assert ran.exit_code == 2
    assert "no arm 'magic'" in ran.output
    assert "search free" in ran.output


def test_the_packages_judge_takes_any_folder_at_once(
    examples: list[Example], tmp_path: Path
) -> None:
    for scorer, shared in (
        ("cropnet", "judge shares with the scorer architecture"),
        ("convnet", "judge shares with the scorer the trunk's architecture"),
    ):
        ran = CliRunner().invoke(
            main,
            [
                *("compare", str(examples[0].path.parent), "--scorer", scorer, "--budget", "60"),
                *("--arm", "search", "--limit", "1", "--report", str(tmp_path / "out.html")),
                "--overwrite",
            ],
        )
        assert ran.exit_code == 0, ran.output
        assert shared in ran.stdout
        assert "judge trained seed 1, fold 0/2" in ran.stdout
        assert "half of FCDB" in (tmp_path / "out.html").read_text("utf-8")


def test_images_or_a_dataset_have_to_be_given(tmp_path: Path) -> None:
    ran = compare("--judge", "x.safetensors")
    assert ran.exit_code == 2
    assert "give IMAGES or --root" in ran.output


def test_the_product_has_the_same_command(examples: list[Example], tmp_path: Path) -> None:
    judge = write_judge(tmp_path / "judge.safetensors")
    line = ["compare", str(examples[0].path), "--judge", str(judge), "--budget", "200"]
    ran = CliRunner().invoke(main, [*line, "--arm", "search"])
    assert ran.exit_code == 0, ran.output
    assert "search " in ran.stdout
    told = CliRunner().invoke(main, ["compare", "--help"])
    assert told.exit_code == 0
    assert "--judge" in told.stdout
    assert CliRunner().invoke(main, [*line, "--arm", "magic"]).exit_code == 2
    assert CliRunner().invoke(main, ["compare", "--judge", "x"]).exit_code == 2
    (tmp_path / "broken.png").write_bytes(b"no")
    line[1] = str(tmp_path / "broken.png")
    assert CliRunner().invoke(main, line).exit_code == 1


@pytest.mark.parametrize(
    ("program", "name"), [(main, "cropper"), (cli, "python -m eval")], ids=["cropper", "eval"]
)
def test_the_page_names_the_command_and_progress_is_told_off_a_terminal(
    examples: list[Example],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    program: click.Group,
    name: str,
) -> None:
    monkeypatch.setattr("cropper.progress._EVERY", 0.0)
    judge, page = write_judge(tmp_path / "judge.safetensors"), tmp_path / "two words.html"
    line = ["compare", *(str(each.path) for each in examples), "--judge", str(judge)]
    line += ["--budget", "200", "--arm", "search", "--report", str(page)]
    monkeypatch.setattr("sys.argv", ["/bin/any", *line])
    ran = CliRunner().invoke(program, line, prog_name=name)
    assert ran.exit_code == 0, ran.output
    assert f"{name} {shlex.join(line)}" in _Page(page.read_text("utf-8")).text
    assert f"cropper: 1/{len(examples)}, " in ran.stderr
    assert "photos/s" in ran.stderr


def test_a_judge_that_is_not_held_out_is_refused(tmp_path: Path) -> None:
    one = write_judge(tmp_path / "one.safetensors", seed=1)
    same_seed = write_judge(tmp_path / "two.safetensors", seed=1)
    other = write_judge(tmp_path / "three.safetensors", seed=2)
    with pytest.raises(ConfigError, match="is the scorer itself"):
        held_out(str(one), str(one))
    with pytest.raises(ConfigError, match="share the seed 1"):
        held_out(str(one), str(same_seed))
    notes = dict(held_out(str(one), str(other)))
    assert notes["judge trained"].startswith("seed 2")
    assert notes["photos of the two trainings, if of one data set"] == "some in both"


def test_a_judge_on_the_scorer_s_own_trunk_is_refused() -> None:
    with pytest.raises(ConfigError, match="share one trunk's weights"):
        held_out("cropnet", "convnet")


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [("0/1", "0/2", True), ("0/2", "1/2", False), ("0/2", "0/4", True), ("1/2", "2/4", False)],
)
def test_folds_share_photos_where_their_rows_meet(one: str, other: str, shared: bool) -> None:
    rows = [set(range(int(f[0]), 24, int(f[2]))) for f in (one, other)]
    assert bool(rows[0] & rows[1]) == shared == _share_photos(one, other)


def test_cropnet_has_no_pixel_arms(examples: list[Example]) -> None:
    cropnet = load_scorer("cropnet", "cpu")
    found: Comparison = run_comparison(
        examples[:1], cropnet, Likes(), CompareConfig(300), only=["search"]
    )
    assert len(found.arms) == 1
    with pytest.raises(ConfigError, match="stn pixel"):
        run_comparison(examples[:1], cropnet, Likes(), only=["stn pixel"])


def test_a_report_is_not_replaced_unless_that_is_asked_for(tmp_path: Path) -> None:
    kept = tmp_path / "kept.html"
    kept.write_text("old")
    ran = CliRunner().invoke(main, ["compare", str(tmp_path), "--report", str(kept)])
    assert ran.exit_code == 2
    assert "--overwrite" in ran.output
    assert kept.read_text() == "old"
