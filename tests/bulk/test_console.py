"""What a run tells while it plans, without and on a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from skimage.data import coffee

from cropper.bulk.console import Console
from cropper.bulk.plan import PlannedPhoto
from cropper.request import CropRequest
from tests.bulk.conftest import Bulk
from tests.faces import save


def test_a_plan_that_takes_long_tells_how_many_photos_it_has_found(
    bulk: Bulk, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cropper.bulk.console._EVERY", 0.0)
    lines = bulk().stderr.splitlines()
    told = [line for line in lines if line.endswith(" found")]
    assert told == [
        "cropper: 1 photo found",
        *(f"cropper: {number} photos found" for number in (2, 3, 4)),
    ]
    assert lines.index(told[-1]) < lines.index("cropper: 4 photos to crop")
    assert not [line for line in bulk("--quiet").stderr.splitlines() if line.endswith(" found")]


def test_photos_with_notes_are_counted_at_the_end(bulk: Bulk, tmp_path: Path) -> None:
    save(tmp_path / "in" / "small.png", coffee()[:100, :150])
    save(tmp_path / "in" / "large.png", coffee())
    told = "cropper: notes on 1 photo: --verbose and --json tell them"
    assert told in bulk("--focus", "300,200").stderr.splitlines()
    detailed = bulk("--focus", "300,200", "--verbose", output="again").stderr
    assert "small.png: cropped" in detailed
    assert "the point of --focus lies outside of the photo of 150x100 px" in detailed


def test_on_a_terminal_a_bar_counts_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cropper.bulk.console._SOON", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    console = Console("in", "out", (CropRequest(),), as_json=False, quiet=False, verbose=False)
    console.found(1)
    console.found(1234)
    bar = console._bar
    assert (bar.tasks[0].completed, bar.tasks[0].total) == (1234, None)
    console.planned(PlannedPhoto("a.jpg", ()), True)
    assert not bar.live.is_started
    assert console._bar is None
