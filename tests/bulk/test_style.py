"""``--style`` of ``cropper bulk``: painted once, made anew for another painting, ended exactly."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from cropper import BulkOptions, CropRequest
from cropper.bulk import crop_folder
from cropper.bulk.outcome import Failed, Outcome
from cropper.bulk.report import Watcher
from cropper.style import CropStyle, StyleConfig
from tests.bulk.conftest import Bulk, assert_refused, stamps, tree
from tests.style.networks import small_vgg_file


@pytest.fixture
def style(tmp_path: Path) -> list[str]:
    like = tmp_path / "like.png"
    Image.fromarray(data.immunohistochemistry()[:160, :160]).save(like)
    line = ["--style", str(like), "--style-backbone", str(small_vgg_file(tmp_path))]
    return [*line, "--style-size", "48", "--style-steps", "3"]


def test_crops_are_painted_and_kept(
    bulk: Bulk, photos: Path, style: list[str], tmp_path: Path
) -> None:
    found = bulk(*style, "--json", "--aspect", "1:1", "--aspect", "4:5")
    assert found.exit_code == 0, found.stderr
    assert "each crop is painted, which takes minutes" in found.stderr
    records = [json.loads(line) for line in found.stdout.splitlines()]
    assert len(records) == 4
    for record in records:
        for each in record["crops"]:
            with Image.open(each["output"]) as crop:
                assert list(crop.size) == each["size"]
                assert max(crop.size) == 48
    before = stamps(tmp_path / "out")
    again = bulk(*style, "--aspect", "1:1", "--aspect", "4:5")
    assert "4 done already" in again.stderr
    assert "painted" not in again.stderr
    assert stamps(tmp_path / "out") == before


def test_another_painting_or_setting_makes_them_anew(
    bulk: Bulk, photos: Path, style: list[str], tmp_path: Path
) -> None:
    def made(*more: str) -> dict[str, bytes]:
        assert bulk(*style, *more).exit_code == 0
        return tree(tmp_path / "out")

    plain = [made()]
    plain.append(made("--style-strength", "200"))
    like = tmp_path / "like.png"
    Image.fromarray(np.asarray(Image.open(like))[:, ::-1] // 2).save(like)  # the same name
    plain.append(made("--style-strength", "200"))
    small_vgg_file(tmp_path, seed=1)
    plain.append(made("--style-strength", "200"))
    for before, after in itertools.pairwise(plain):
        assert before.keys() == after.keys()
        assert all(before[name] != after[name] for name in before)


def test_what_cannot_be_ends_before_any_photo(bulk: Bulk, photos: Path, style: list[str]) -> None:
    assert_refused(bulk(*style, "--xmp-only"), "a sidecar holds no style")
    found = bulk(*style[:2], "--style-backbone", "no.safetensors")
    assert found.exit_code == 3
    assert "no.safetensors holds no VGG network" in found.stderr
    assert not Path("out").exists()


def test_an_end_is_not_waited_for_by_a_painting(
    spot: None, photos: Path, style: list[str], tmp_path: Path
) -> None:
    """Nothing is half written, and the next run does what was left."""
    config = StyleConfig(size=96, steps=100_000)
    asked = CropStyle(Path(style[1]), style[3], config)
    options = BulkOptions(
        (CropRequest(budget=300, keep=("none",)),), scorer="spot", style=asked, workers=2
    )
    stop, seen = threading.Event(), list[Outcome]()

    class Stopping(Watcher):
        def started(self, _: object) -> None:
            threading.Timer(3, stop.set).start()

        def finished(self, outcome: Outcome) -> None:
            seen.append(outcome)

    started = time.monotonic()
    report = crop_folder(photos, tmp_path / "out", options, watcher=Stopping(), stop=stop)
    assert time.monotonic() - started < 60
    assert report.exit_code == 130
    assert {each.reason for each in seen if isinstance(each, Failed)} == {"interrupted"}
    assert not tree(tmp_path / "out")
    with contextlib.suppress(FileNotFoundError):
        assert not [*(tmp_path / "out").rglob("*.tmp")]
