from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cropper.boxes import Boxes
from cropper.errors import ConfigError, DataError
from cropper.finder import CropFinder
from cropper.image import SourceImage, View, load_image
from cropper.request import CropRequest
from cropper.scorers.base import BoundScorer, ScorerSpec
from eval.crop_quality import Benchmark, run_benchmark
from eval.datasets import load_dataset
from eval.environment import read_environment
from eval.methods import (
    Centre,
    Choice,
    FullFrame,
    LibVips,
    ScorerMethod,
    SmartCrop,
    installed_baselines,
)
from eval.report import Report, render, to_json, write_json
from eval.summary import summarise
from tests.eval import data


class Bright:
    """Likes crops whose mean is bright: those close around the disc."""

    spec = ScorerSpec(
        name="bright",
        long_side=96,
        batch_size=100,
        costly=False,
        summary="the mean grey",
        licence="Apache-2.0",
    )

    def bind(self, view: View) -> BoundScorer:
        table = np.pad(view.pixels.mean(axis=2), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
        height, width = view.pixels.shape[:2]
        scale = np.array([width, height] * 2) / np.array(view.size * 2)

        def objective(boxes: Boxes) -> np.ndarray:
            x0, y0, x1, y1 = (boxes * scale).round().astype(int).T
            inside = table[y1, x1] - table[y0, x1] - table[y1, x0] + table[y0, x0]
            return inside / np.maximum((x1 - x0) * (y1 - y0), 1)

        return BoundScorer(objective, view.size, self.spec.batch_size)


@dataclass(frozen=True)
class Fixed:
    """Always one box of the photo; as a scorer, the further right the better."""

    box: tuple[float, float, float, float]  # in [0, 1]
    name: str = "fixed"

    def crop(self, image: SourceImage, aspect: float | None) -> Choice:
        return Choice(tuple(np.array(self.box) * np.array(image.size * 2)), 7)

    def score(self, image: SourceImage, boxes: Boxes) -> np.ndarray | None:
        return boxes[:, 0]


@dataclass(frozen=True)
class Fails:
    name: str = "fails"
    on: str = "1.png"

    def crop(self, image: SourceImage, aspect: float | None) -> Choice:
        raise DataError("fails finds no crop: it is too dark")

    def score(self, image: SourceImage, boxes: Boxes) -> None:
        return None


@pytest.fixture
def bright() -> ScorerMethod:
    return ScorerMethod("bright", CropFinder(Bright()), CropRequest(budget=400))


def run(root: Path, *more: object, protocol: str = "given", **options: object) -> Benchmark:
    chosen = [FullFrame(), Centre(), *more]
    return run_benchmark(load_dataset(root), chosen, protocol, **options)  # type: ignore[arg-type]


class TestProtocols:
    def test_given_the_human_crop_is_found_by_who_knows_it(self, tmp_path: Path) -> None:
        found = run(data.folder(tmp_path), Fixed(tuple(data.fractions(data.CROP))))
        assert found.photos == ("0.png", "1.png", "2.png", "3.png")
        crop = found.methods[2].photos[0].cropping
        assert crop is not None
        assert (crop.iou, crop.bde) == pytest.approx((1, 0))
        assert crop.candidates == 7
        assert crop.seconds > 0

    def test_given_the_centre_has_the_human_aspect_in_pixels(self, tmp_path: Path) -> None:
        crop = run(data.folder(tmp_path)).methods[1].photos[0].cropping
        assert crop is not None
        x0, y0, x1, y1 = np.array(crop.boxes[0]) * data.PIXELS
        assert (x1 - x0) / (y1 - y0) == pytest.approx(84 / 64, rel=1e-3)
        assert y1 - y0 == pytest.approx(80)  # the largest that fits

    def test_given_each_human_crop_gets_a_search_and_one_aspect_only_one(
        self, tmp_path: Path
    ) -> None:
        asked = []

        class Counts(Fixed):
            def crop(self, image: SourceImage, aspect: float | None) -> Choice:
                asked.append(aspect)
                return super().crop(image, aspect)

        human = data.fractions(data.CROP)
        crop = run(data.crowd(tmp_path, 1), Counts(tuple(human))).methods[2].photos[0].cropping
        assert asked == pytest.approx([84 / 64, 1], rel=1e-3)
        assert crop is not None
        assert len(crop.boxes) == 3
        assert crop.iou == crop.mean_iou < 1  # held against each, not against the best

    def test_free_asks_once_and_meets_the_best_human_crop(self, tmp_path: Path) -> None:
        method = Fixed(tuple(data.fractions(data.CROP)))
        crop = run(data.crowd(tmp_path), method, protocol="free").methods[2].photos[0].cropping
        assert crop is not None
        assert len(crop.boxes) == 1
        assert (crop.iou, crop.bde) == pytest.approx((1, 0))
        assert crop.mean_iou < 1

    def test_free_centre_is_ninety_per_cent(self, tmp_path: Path) -> None:
        crop = run(data.folder(tmp_path), protocol="free").methods[1].photos[0].cropping
        assert crop is not None
        assert crop.boxes[0] == pytest.approx((0.05, 0.05, 0.95, 0.95))

    def test_a_search_goes_where_the_scorer_looks(
        self, tmp_path: Path, bright: ScorerMethod
    ) -> None:
        found = run(data.folder(tmp_path), bright)
        crop = found.methods[2].photos[0].cropping
        assert crop is not None
        x0, y0, x1, y1 = crop.boxes[0]
        assert x0 < 0.65 < x1
        assert y0 < 0.4 < y1
        assert x1 - x0 < 0.6  # the smallest allowed has the brightest mean
        assert 100 < crop.candidates <= 400
        free = run(data.folder(tmp_path), bright, protocol="free").methods[2].photos[0].cropping
        assert free is not None
        assert free.candidates <= 400


class TestRanking:
    def test_pairs(self, tmp_path: Path, bright: ScorerMethod) -> None:
        found = run(data.folder(tmp_path), Fixed((0, 0, 1, 1)), bright)
        full, centre, right, lit = (method.photos[0] for method in found.methods)
        assert full.equal_pairs is not None
        assert full.all_pairs is not None
        assert (full.equal_pairs.right, full.equal_pairs.total) == (1, 2)  # by chance
        assert (full.all_pairs.right, full.all_pairs.total) == (2, 3)
        assert centre.equal_pairs is not None
        assert centre.equal_pairs.right == 1.5  # both of the first pair are as far off
        assert right.equal_pairs is not None
        assert right.equal_pairs.right == 1
        assert lit.equal_pairs is not None
        assert lit.equal_pairs.total == 2

    def test_rated_crops_need_no_search(self, tmp_path: Path) -> None:
        found = run(data.gaicd(tmp_path), Fixed((0, 0, 1, 1)))
        photo = found.methods[2].photos[0]
        assert photo.cropping is None
        assert photo.ranking is not None
        assert photo.ranking.srcc == pytest.approx(1)
        assert photo.ranking.pcc == pytest.approx(1)
        assert photo.ranking.acc_5 == (1, 1, 1, 1)
        flat = found.methods[0].photos[0].ranking
        assert flat is not None
        assert flat.srcc == 0
        assert flat.acc_5 == pytest.approx([5 / 11] * 4)  # as good as chance


class TestFailures:
    def test_an_unreadable_photo_is_reported_and_left_out(self, tmp_path: Path) -> None:
        root = data.folder(tmp_path)
        (root / "images" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
        found = run(root)
        assert found.photos == ("0.png", "2.png", "3.png")
        assert [skip.photo for skip in found.skipped] == ["1.png"]
        assert all(len(method.photos) == 3 for method in found.methods)

    def test_where_nothing_is_left(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"none of the 4 photos.*too dark"):
            run(data.folder(tmp_path), Fails())

    def test_names_are_unique(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="different names"):
            run(data.folder(tmp_path), Centre())

    def test_protocols_are_two(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="given, free"):
            run(data.folder(tmp_path), protocol="square")

    def test_limit_and_progress(self, tmp_path: Path) -> None:
        seen: list[tuple[int, int]] = []
        found = run(data.folder(tmp_path), limit=2, progress=lambda *step: seen.append(step))
        assert len(found.photos) == 2
        assert seen == [(0, 2), (1, 2), (2, 2)]


class TestBaselines:
    @pytest.mark.parametrize("aspect", [1.0, 16 / 9, 0.5, None])
    def test_crops_of_others_lie_inside_and_have_the_aspect(
        self, tmp_path: Path, aspect: float | None
    ) -> None:
        others = installed_baselines("given")
        image = load_image(data.photo(tmp_path / "a.png", (240, 160)))
        for method in others.methods:
            box = method.crop(image, aspect).box
            assert 0 <= box[0] < box[2] <= 240
            assert 0 <= box[1] < box[3] <= 160
            shape = (box[2] - box[0]) / (box[3] - box[1])
            assert shape == pytest.approx(aspect or 1.5, rel=0.05)
            assert method.score(image, np.array([box])) is None

    def test_vips_attention_slides_to_what_stands_out(self, tmp_path: Path) -> None:
        pytest.importorskip("pyvips")
        image = load_image(data.photo(tmp_path / "a.png", (300, 100)))
        x0, y0, x1, y1 = LibVips("attention").crop(image, 1.0).box
        assert (x1 - x0, y1 - y0) == (100, 100)
        assert x0 < 195 < x1  # the disc

    def test_what_is_not_installed_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def gone(name: str) -> None:
            raise ImportError(f"No module named {name!r}")

        monkeypatch.setattr("eval.methods.importlib.import_module", gone)
        others = installed_baselines("given")
        assert others.methods == ()
        assert [note.split(":")[0] for note in others.missing] == [
            "smartcrop.py",
            "pyvips attention",
            "pyvips entropy",
        ]
        assert "cropper[baselines]" in others.missing[0]

    def test_a_failure_of_another_package_is_a_photo_not_measured(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Broken:
            def crop(self, *_: object) -> None:
                raise ValueError("no crops\nand a long story")

        monkeypatch.setattr(
            "eval.methods.importlib.import_module", lambda _: SimpleNamespace(SmartCrop=Broken)
        )
        image = load_image(data.photo(tmp_path / "a.png"))
        with pytest.raises(DataError, match=r"^smartcrop\.py finds no crop: no crops$"):
            SmartCrop().crop(image, 1.0)


def report(benchmark: Benchmark) -> Report:
    statistics = summarise(benchmark, rounds=200)
    return Report(benchmark, statistics, (("seed", "0"),), (), read_environment(), "the command")


class TestReport:
    def test_statistics_are_paired_with_the_centre(self, tmp_path: Path) -> None:
        found = summarise(run(data.folder(tmp_path), Fixed(tuple(data.fractions(data.CROP)))))
        by = {(s.method, s.metric): s for s in found}
        fixed, centre = by["fixed", "iou"], by["centre", "iou"]
        assert fixed.difference is not None
        assert fixed.difference.mean == pytest.approx(fixed.value.mean - centre.value.mean)
        assert centre.difference is None
        assert by["fixed", "equal_pairs"].count == 8
        assert by["fixed", "all_pairs"].count == 12
        assert ("fixed", "srcc") not in by

    def test_text_of_one_human_crop(self, tmp_path: Path, bright: ScorerMethod) -> None:
        text = render(report(run(data.folder(tmp_path), bright)))
        head, row = text.splitlines()[2:6:3]
        assert head.split("  ")[0] == "crops"
        for column in ("IoU ↑", "BDE ↓", "IoU - centre", "BDE - centre", "ms", "candidates"):
            assert column in head
        assert row.startswith("centre")
        assert "equal-area pairs ↑" in text
        assert "8 equal-area pairs, 12 all pairs" in text
        assert "all human crops" not in text
        assert "ranking" not in text
        assert text.endswith("the command")
        assert "numpy" in text

    def test_text_of_several_human_crops(self, tmp_path: Path) -> None:
        text = render(report(run(data.crowd(tmp_path), protocol="free")))
        assert "IoU to all ↑" in text
        assert "the human crop that it overlaps best" in text
        assert "pairs" not in text
        text = render(report(run(data.crowd(tmp_path))))
        assert "IoU to all" not in text
        assert "a search for each human crop" in text

    def test_text_of_rated_crops(self, tmp_path: Path) -> None:
        text = render(report(run(data.gaicd(tmp_path), Fixed((0, 0, 1, 1)))))
        for column in ("SRCC ↑", "PCC ↑", "Acc1/5 ↑", "Acc4/5 ↑", "Acc1/10 ↑", "Acc4/10 ↑"):
            assert column in text
        assert "IoU" not in text
        assert "1.0000" in text

    def test_skipped_photos_are_in_the_text(self, tmp_path: Path) -> None:
        text = render(report(run(data.fcdb(tmp_path))))
        assert "skipped: 1 x no such photo on disk" in text

    def test_json_holds_every_photo(self, tmp_path: Path) -> None:
        path = tmp_path / "out.json"
        write_json([report(run(data.folder(tmp_path / "data")))], path)
        found = json.loads(path.read_text("utf-8"))["given"]
        assert found["benchmark"]["photos"] == ["0.png", "1.png", "2.png", "3.png"]
        centre = found["benchmark"]["methods"][1]
        assert centre["name"] == "centre"
        assert 0 < centre["photos"][3]["cropping"]["iou"] < 1
        assert found["statistics"][0]["value"]["low"] <= found["statistics"][0]["value"]["mean"]
        assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["out.json"]

    def test_one_seed_gives_one_report(self, tmp_path: Path) -> None:
        found = run(data.folder(tmp_path))
        assert to_json([report(found)]) == to_json([report(found)])
