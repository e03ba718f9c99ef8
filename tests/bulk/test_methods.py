"""``cropper bulk --method`` and ``--overlay``: what `cropper best` does, over a folder."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image, ImageFile
from skimage import data

from cropper import CropRequest
from cropper.bulk import BulkOptions
from cropper.cli import main
from cropper.decoders import Decoders
from cropper.errors import ConfigError
from cropper.image import SourceImage, load_image
from cropper.image.jpeg import decode_jpeg
from tests.bulk.conftest import Bulk, stamps, tree
from tests.conftest import pixels, records

SIZE = (240, 160)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def cups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A photo that the scorer would rather have turned, and its mirror image."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in/sub").mkdir(parents=True)
    cup = np.array(Image.fromarray(data.coffee()).resize(SIZE))
    Image.fromarray(cup).save("in/a.png")
    Image.fromarray(cup[:, ::-1]).save("in/sub/b.png")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in bulk: sums in another order climb elsewhere
    yield tmp_path
    torch.set_num_threads(threads)


@pytest.mark.parametrize("method", ["stn", "search+stn", "localizer"])
def test_a_folder_gets_the_crops_that_best_makes(cups: Path, method: str) -> None:
    line = ("--method", method, "--aspect", "4:5")
    line += () if method == "localizer" else ("--budget", 400)
    found = run("bulk", "in", "-o", "out", *line, "--json")
    assert found.exit_code == 0, found.stderr
    written = {Path(each["input"]).name: each for each in records(found)}
    for name in ("a.png", "sub/b.png"):
        one = run("best", f"in/{name}", "-o", "one.png", "--overwrite", *line, "--json")
        (expected,) = records(one)
        record = written[Path(name).name]
        assert record["box"] == expected["box"]
        assert record["score"] == pytest.approx(expected["score"], abs=1e-4)
        assert record["corners"] == expected["corners"]
        assert record["theta"] == expected["theta"]
        assert np.array_equal(pixels(f"out/{name}"), pixels("one.png"))
    before = stamps(Path("out"))
    again = run("bulk", "in", "-o", "out", *line)
    assert "2 were done already" in again.stderr
    assert stamps(Path("out")) == before


def test_a_turned_crop_is_measured_along_its_own_sides(cups: Path) -> None:
    line = ("--method", "stn", "--aspect", "4:5", "--aspect", "1:1", "--budget", 400, "--json")
    found = run("bulk", "in", "-o", "out", *line)
    turned = 0
    for record in records(found):
        for each in record["crops"]:
            x0, y0, x1, y1 = each["box"]
            assert each["size"] == [*pixels(each["output"]).shape[1::-1]]
            turned += each["size"] != [x1 - x0, y1 - y0]
    assert turned


def test_turned_crops_are_drawn_turned(cups: Path) -> None:
    line = ("--method", "stn", "--aspect", "4:5", "--budget", 400)
    found = run(
        "bulk", "in", "-o", "out", *line, "--json", "--report", "r.html", "--sheet", "s.png"
    )
    assert found.exit_code == 0, found.stderr
    page = Path("r.html").read_text("utf-8")
    for record in records(found):
        x, y = record["corners"][0]
        assert f"{x:g},{y:g} " in page
    assert pixels("s.png").std() > 10


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"requests": (CropRequest(method="stn"),), "xmp": "beside"}, "no shear"),
        ({"requests": (CropRequest(top_k=2), CropRequest(aspect="1:1"))}, "aspect and size alone"),
        ({"requests": ()}, "aspect and size alone"),
        ({"cluster": "here"}, "`backend`"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        BulkOptions(**options)


def test_overlays_are_outputs_like_others(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    line = ("--overlay", "why/{dir}/{stem}.png", "--aspect", "1:1", "--aspect", "4:5", "--json")
    found = bulk(*line)
    assert found.exit_code == 0, found.stderr
    for record in records(found):
        stem = Path(record["input"]).relative_to("in").with_suffix("")
        assert record["overlay"] == f"out/why/{stem}.png"
        assert len(record["crops"]) == 2
        x0, y0, x1, y1 = record["box"]
        shown = pixels(record["overlay"]).astype(int)
        assert shown.shape[:2] == pixels(record["input"]).shape[:2]
        inside = shown[y0 + 8 : y1 - 8, x0 + 8 : x1 - 8].mean()
        outside = np.delete(shown.mean(2), np.s_[x0:x1], axis=1).mean()
        assert outside < inside
    before = tree(tmp_path / "out")
    (tmp_path / "out/why/a.png").write_bytes(b"torn")
    assert "1 done" in bulk(*line).stderr
    assert tree(tmp_path / "out") == before
    assert "4 done" in bulk("--aspect", "1:1", "--aspect", "4:5").stderr  # it is a setting


def test_a_sidecar_and_its_overlay(bulk: Bulk, photos: Path) -> None:
    found = bulk("--overlay", "why/{dir}/{stem}.png", "--xmp-only", "--json")
    for record in records(found):
        stem = Path(record["input"]).relative_to("in").with_suffix("")
        assert record["output"] == f"out/{stem}.xmp"
        assert record["overlay"] == f"out/why/{stem}.png"
    refused = bulk("--overlay", "{stem}_why.png", "--xmp-only", output="in")
    assert refused.exit_code == 2
    assert "--overlay" in refused.stderr
    beside = bulk("--xmp", "--overwrite", "--json", output="other")
    assert all(Path(each["sidecar"]).suffix == ".xmp" for each in records(beside))


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("why.png", "template"),
        ("{dir}/{stem}_1x1{ext}", "more than one file"),
        ("../{stem}.png", "would leave"),
        ("{stem}.txt", "format"),
        (".cropper/{stem}.png", "manifest"),
        ("{stem}{magic}.png", "magic"),
    ],
)
def test_overlays_obey_the_rules_of_names(
    template: str, words: str, bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    found = bulk("--overlay", template, "--aspect", "1:1", "--aspect", "4:5")
    assert found.exit_code == 2
    assert words in found.stderr
    assert not (tmp_path / "out").exists()


class ImageHere(SourceImage):
    def apply(self, work: Any, *arguments: Any, **options: Any) -> Any:
        return work(self, *arguments, **options)


class DecodersHere(Decoders):
    """In this process, where its work can be counted."""

    @contextlib.contextmanager
    def open(self, data: bytes, name: str, *_: Any) -> Iterator[Any]:
        source = load_image(data, name=name)
        yield ImageHere(name, source.header, data)


def test_a_jpeg_is_decoded_once_for_crops_of_a_size(
    bulk: Bulk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    buffer = io.BytesIO()
    Image.fromarray(data.astronaut()).resize((1200, 800)).save(buffer, "JPEG")
    (tmp_path / "in/a.jpg").write_bytes(buffer.getvalue())
    loads: list[int] = []

    def counted(image: ImageFile.ImageFile, data: bytes) -> tuple[Image.Image, str | None]:
        loads.append(max(image.size))
        return decode_jpeg(image, data)

    monkeypatch.setattr("cropper.image.source.decode_jpeg", counted)
    monkeypatch.setattr("cropper.bulk.pipeline.Decoders", DecodersHere)
    assert bulk("--size", "200x200", "--size", "30x20", "--min-scale", "0.95").exit_code == 0
    assert loads == [600]
