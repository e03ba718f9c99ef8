"""``cropper train selfies`` on generated pictures: it learns, stops, goes on, and is of use."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from cropper import load_image, load_scorer
from cropper.cli import main
from cropper.errors import ConfigError, DataError, MissingModelError
from cropper.scorers.header import read_header
from cropper.train import fit
from cropper.train.fit import json_of
from cropper.train.selfies.classifier import SelfiesConfig, train_selfies
from cropper.train.selfies.data import Selfies, read_folders
from cropper.train.selfies.quality import Quality, auc, measure
from cropper.train.selfies.start import preprocessing_for, start_from

pytestmark = pytest.mark.slow

torch.set_num_threads(1)  # the work is small, and threads on shared cores wait for each other

NOISE = 0.1  # share of the labels that are turned
QUICK = SelfiesConfig(
    backbone="trunk", side=65, epochs=2, batch=16, fresh_rate=1e-3, val_share=0.2, name="quick",
    licence="CC0-1.0",
)  # fmt: skip


def picture(rng: np.random.Generator, bright: bool) -> Image.Image:
    """Noise, its upper half brighter in a liked picture and its lower half in another."""
    pixels = rng.integers(0, 160, (40, 48, 3))
    half = slice(0, 20) if bright else slice(20, 40)
    pixels[half] += 90
    return Image.fromarray(pixels.astype(np.uint8))


def folder(root: Path, count: int, noise: float = 0.0, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    for number in range(count):
        bright = number % 2 == 0
        named_good = bright != (rng.random() < noise)
        where = root / ("good" if named_good else "bad")
        where.mkdir(parents=True, exist_ok=True)
        picture(rng, bright).save(where / f"{number:04}.png")
    return root


def ignore(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def selfies(tmp_path_factory: pytest.TempPathFactory) -> Selfies:
    return read_folders(folder(tmp_path_factory.mktemp("data"), 240, NOISE))


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Selfies:
    """For what shows on any pictures."""
    return read_folders(folder(tmp_path_factory.mktemp("few"), 60, NOISE))


@pytest.fixture(scope="module")
def trained(selfies: Selfies, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Quality]:
    out = tmp_path_factory.mktemp("trained")
    return out, train_selfies(selfies, out, QUICK, device="cpu", log=ignore)


def test_training_reaches_what_the_planted_noise_allows(trained: tuple[Path, Quality]) -> None:
    _, quality = trained
    assert quality.count == 48
    assert quality.accuracy >= 1 - NOISE - 0.09  # 2 standard errors of 48 pictures
    assert quality.auc_low < quality.auc < quality.auc_high


def test_the_checkpoint_says_what_it_is(trained: tuple[Path, Quality]) -> None:
    out, quality = trained
    header = read_header(out / "quick.safetensors")
    assert header["backbone"] == "trunk"
    assert header["preprocessing"]["side"] == 65
    assert header["licence"] == "CC0-1.0"
    assert header["data"]["format"] == "folders"
    assert header["validation"]["auc"] == quality.auc
    assert set(header["classes"]) == {"positive", "negative"}
    report = json.loads((out / "report.json").read_text())
    assert report["train"] + report["held_out"]["count"] == 240
    assert (out / "labels.txt").read_text().strip().startswith("240 pictures")


def test_a_curve_is_drawn(trained: tuple[Path, Quality]) -> None:
    pytest.importorskip("matplotlib")
    with Image.open(trained[0] / "curve.png") as curve:
        assert curve.width > curve.height


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def test_scores_in_training_are_the_scores_in_use(
    few: Selfies, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[int, float] = {}

    def remember(logits: NDArray[Any], label: NDArray[Any], user: NDArray[Any]) -> Quality:
        seen.update(zip(user.tolist(), logits.tolist(), strict=True))
        return measure(logits, label, user)

    monkeypatch.setattr("cropper.train.selfies.classifier.measure", remember)
    config = SelfiesConfig(**{**vars(QUICK), "epochs": 1})
    train_selfies(few, tmp_path, config, device="cpu", log=ignore)
    weights = tmp_path / "quick.safetensors"
    for user, logit in list(seen.items())[:4]:
        path = few.paths[user]
        whole = [[0.0, 0.0, *map(float, load_image(path).size)]]
        scorer = load_scorer(str(weights), "cpu")
        with torch.no_grad():
            bound = scorer.bind(scorer.spec.view(load_image(path)))
            assert bound(np.array(whole))[0] == pytest.approx(logit, abs=1e-5)
        found = run("best", path, "--scorer", weights, "--json", "--dry-run", "--budget", 60)
        assert found.exit_code == 0
        record = json.loads(found.stdout)
        assert record["full_frame_score"] == pytest.approx(logit, abs=1e-5)


class CutOffError(Exception):
    pass


def test_a_training_that_was_cut_off_ends_as_if_it_had_not_been(
    few: Selfies, tmp_path: Path
) -> None:
    whole = train_selfies(few, tmp_path / "whole", QUICK, device="cpu", log=ignore)

    def stop(line: str) -> None:
        if line.startswith("epoch 2/2"):
            raise CutOffError

    with pytest.raises(CutOffError):
        train_selfies(few, tmp_path / "cut", QUICK, device="cpu", log=stop)
    lines: list[str] = []
    quality = train_selfies(few, tmp_path / "cut", QUICK, device="cpu", log=lines.append)
    assert "continuing after epoch 1" in lines
    assert quality == whole
    straight, resumed = (load_file(tmp_path / f / "quick.safetensors") for f in ("whole", "cut"))
    assert all(torch.equal(straight[key], resumed[key]) for key in straight)


def test_a_finished_training_is_left_as_it_is(
    trained: tuple[Path, Quality], selfies: Selfies
) -> None:
    out, quality = trained
    before = (out / "quick.safetensors").stat().st_mtime_ns
    assert train_selfies(selfies, out, QUICK, device="cpu", log=ignore) == quality
    assert (out / "quick.safetensors").stat().st_mtime_ns == before


def test_pictures_that_cannot_be_read_are_left_out_and_named(tmp_path: Path) -> None:
    root = folder(tmp_path / "data", 24)
    (root / "good" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    lines: list[str] = []
    config = SelfiesConfig(**{**vars(QUICK), "epochs": 1})
    train_selfies(read_folders(root), tmp_path / "out", config, device="cpu", log=lines.append)
    assert sum("left out" in line and "broken.png" in line for line in lines) == 1
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(report["unreadable"]) == 1


def test_a_figure_that_is_none_is_null_in_json() -> None:
    def refused(name: str) -> None:
        raise AssertionError(name)

    text = json_of({"auc": math.nan, "bins": [0.5, math.inf]}, indent=1)
    assert json.loads(text, parse_constant=refused) == {"auc": None, "bins": [0.5, None]}


def test_no_readable_picture_is_an_error_and_not_a_scorer(tmp_path: Path) -> None:
    for name in ("good/a.png", "good/b.png", "bad/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(DataError, match="could be read"):
        train_selfies(read_folders(tmp_path), tmp_path / "out", QUICK, device="cpu", log=ignore)
    assert not (tmp_path / "out" / "quick.safetensors").exists()


@pytest.mark.parametrize("wrong", [{"val_share": 0.0}, {"val_share": 1.0}, {"side": 8}])
def test_a_config_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        SelfiesConfig(**wrong)


# The start


def test_weights_load_where_they_fit_and_the_rest_is_fresh(tmp_path: Path) -> None:
    import torchvision  # noqa: PLC0415

    torch.manual_seed(0)
    donor = torchvision.models.get_model("shufflenet_v2_x0_5", weights=None)
    torch.save(donor.state_dict(), tmp_path / "donor.pth")
    start = start_from("shufflenet_v2_x0_5", str(tmp_path / "donor.pth"))
    assert start.fresh == ("fc.weight", "fc.bias")
    state = start.module.state_dict()
    assert torch.equal(state["conv1.0.weight"], donor.state_dict()["conv1.0.weight"])


def test_the_trunk_starts_from_the_package_s_own_weights() -> None:
    start = start_from("trunk", "own")
    assert all(name.startswith("head.") for name in start.fresh)
    assert start.fresh


def test_dropout_is_off_unless_asked_for() -> None:
    def rates(dropout: bool) -> set[float]:
        module = start_from("mobilenet_v2", "none", dropout).module
        return {part.p for part in module.modules() if isinstance(part, torch.nn.Dropout)}

    assert rates(False) == {0.0}
    assert rates(True) == {0.2}


def test_weights_of_nothing_known_are_refused(tmp_path: Path) -> None:
    torch.save({"other": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(DataError, match=r"nothing in the weights .*other\.pth fits"):
        start_from("mobilenet_v2", str(tmp_path / "other.pth"))
    with pytest.raises(MissingModelError, match=r"none\.pth cannot be read"):
        start_from("mobilenet_v2", str(tmp_path / "none.pth"))
    torch.save({"run": print}, tmp_path / "code.pth")
    with pytest.raises(MissingModelError, match=r"code\.pth holds more than weights"):
        start_from("mobilenet_v2", str(tmp_path / "code.pth"))
    with pytest.raises(MissingModelError, match="no backbone 'nothing'"):
        start_from("nothing", "none")


def test_the_trunk_asks_for_sides_that_it_can_take() -> None:
    with pytest.raises(ConfigError, match=r"32 k \+ 1 px, as 161 or 225, got 224"):
        preprocessing_for("trunk", 224)
    assert preprocessing_for("trunk", 161).mean == (0.5, 0.5, 0.5)


def test_the_rate_warms_up_and_falls_to_nothing() -> None:
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    rates = []
    for step in range(101):
        fit.set_rates(optimiser, [1.0], step / 100)
        rates.append(optimiser.param_groups[0]["lr"])
    assert rates[0] == 0
    assert max(rates) == pytest.approx(rates[5], abs=0.01)
    assert rates[100] == pytest.approx(0, abs=1e-12)


# The command


def test_the_command_trains_from_posts_and_best_uses_the_result(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = tmp_path / "images"
    images.mkdir()
    rows = ["image,likes,followers,tags,posted_at,user"]
    for number in range(60):
        liked = number % 2 == 0
        picture(rng, liked).save(images / f"{number}.png")
        followers = int(rng.integers(500, 2000))
        rows.append(
            f"{number}.png,{followers * (3 if liked else 1)},{followers},1,2015-01-01,"
            f"u{number // 2}"
        )
    (tmp_path / "posts.csv").write_text("\n".join(rows))
    source = ["train", "selfies", "--posts", tmp_path / "posts.csv", "--images", images]
    out = tmp_path / "out"
    told = run(*source, "--as-of", "2015-10-25", "--group", 20, "--labels-only", "--out", out)
    assert told.exit_code == 0
    assert "3 groups of 20" in told.stdout
    assert (out / "labels.txt").read_text("utf-8") == told.stdout
    done = run(*source, "--as-of", "2015-10-25", "--group", 20, "--out", out, "--weights", "none",
        "--backbone", "shufflenet_v2_x0_5", "--side", 32, "--epochs", 1, "--name", "mine",
        "--device", "cpu")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "AUC" in done.stderr
    header = read_header(out / "mine.safetensors")
    assert header["data"]["posts"] == 60
    found = run("best", images / "0.png", "--scorer", out / "mine.safetensors", "--budget", 60,
        "-o", tmp_path / "best.png")  # fmt: skip
    assert found.exit_code == 0, found.stderr
    assert (tmp_path / "best.png").exists()


def test_posts_without_their_pictures_are_told_before_any_training(tmp_path: Path) -> None:
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    lines = [f"{number}.png,{10 * number},500,1,2015-01-01" for number in range(20)]
    table = "\n".join(["image,likes,followers,tags,posted_at", *lines])
    (tmp_path / "posts.csv").write_text(table)
    line = ["train", "selfies", "--posts", tmp_path / "posts.csv", "--images", images]
    line += ["--as-of", "2015-10-25", "--labels-only", "--out", out]
    told = run(*line)
    assert told.exit_code == 1
    assert f"none of 20 pictures is there, the first is {images / '0.png'}" in told.stderr
    for number in (1, 3, 15):
        picture(np.random.default_rng(0), True).save(images / f"{number}.png")
    told = run(*line)
    assert told.exit_code == 0
    words = f"-17 whose picture is not there, as {images / '0.png'}"
    assert words in told.stdout
    assert words in (out / "labels.txt").read_text("utf-8")


@pytest.mark.parametrize("arguments", [[], ["--ucf", ".", "--folders", "."], ["--posts", __file__]])
def test_the_command_wants_one_source(arguments: list[str]) -> None:
    assert run("train", "selfies", *arguments).exit_code == 2


# Quality


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=30).filter(
        lambda rows: len({label for _, label in rows}) == 2
    )
)
def test_auc_counts_pairs(rows: list[tuple[int, bool]]) -> None:
    scores, labels = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows], np.int8)
    pairs = [
        1.0 if a > b else 0.5 if a == b else 0.0
        for a in scores[labels == 1]
        for b in scores[labels == 0]
    ]
    assert auc(scores, labels) == pytest.approx(np.mean(pairs))


def test_measures_by_hand() -> None:
    logits = np.array([2.0, -1.0, 0.5, -3.0])
    label = np.array([1, 1, 0, 0], np.int8)
    p = 1 / (1 + np.exp(-logits))
    found = measure(logits, label, np.arange(4))
    assert found.accuracy == 0.5
    assert found.auc == 0.75
    assert found.loss == pytest.approx(-np.log([p[0], p[1], 1 - p[2], 1 - p[3]]).mean())
    assert found.brier == pytest.approx(((p - label) ** 2).mean())
    assert found.calibration_error == pytest.approx(np.abs(p - label).mean())  # a bin a picture
    assert Quality.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_calibration_of_true_probabilities_is_near_perfect() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 5_000)
    label = (rng.random(5_000) < 1 / (1 + np.exp(-logits))).astype(np.int8)
    assert measure(logits, label, np.arange(5_000)).calibration_error < 0.03
    assert measure(3 * logits, label, np.arange(5_000)).calibration_error > 0.05


def test_one_class_alone_has_no_auc() -> None:
    assert np.isnan(auc(np.arange(3.0), np.ones(3, np.int8)))
