"""``cropper best``: JSON and messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.support import FIELDS
from tests.conftest import (
    Crop,
    one_record,
    records,
    spotted,
)
from tests.image.pictures import encoded


def test_json_has_exactly_the_promised_fields(crop: Crop, photo_png: Path) -> None:
    found = crop("photo.png", "--json")
    record = one_record(found)
    assert list(record) == FIELDS
    assert record["input"] == "photo.png"
    assert record["output"] == "photo-best.png"
    assert record["source_size"] == [120, 80]
    assert all(isinstance(edge, int) for edge in record["box"])
    assert record["box_norm"] == [
        round(edge / side, 6) for edge, side in zip(record["box"], (120, 80) * 2, strict=True)
    ]
    assert record["score"] > record["full_frame_score"]
    assert record["scorer"] == "spot"
    assert isinstance(record["candidates"], int)
    assert record["seconds"] > 0


def test_json_is_one_line_a_picture_with_input_and_error_for_a_failure(
    crop: Crop, photo_png: Path
) -> None:
    Path("broken.png").write_bytes(b"not a picture")
    found = crop("broken.png", "photo.png", "--json")
    broken, good = records(found)
    assert list(broken) == ["input", "error"]
    assert broken["input"] == "broken.png"
    assert list(good) == FIELDS


def test_json_names_standard_streams_by_a_dash(crop: Crop) -> None:
    record = one_record(crop("-", "--json", "--dry-run", input=encoded(spotted(), "PNG")))
    assert (record["input"], record["output"]) == ("-", "-")


def test_quiet_is_silent_on_success_and_tells_errors(crop: Crop, photo_png: Path) -> None:
    assert crop("photo.png", "-q", "--size", "900x600").output == ""
    Path("broken.png").write_bytes(b"not a picture")
    assert "broken.png" in crop("broken.png", "-q").stderr


def test_every_error_line_names_its_file(
    crop: Crop, photo_png: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spotted().save("second.png")
    monkeypatch.setattr("tests.spot.SHARE", float("nan"))  # a scorer that breaks its contract
    found = crop("photo.png", "second.png")
    assert found.exit_code == 1
    first, second = (line for line in found.stderr.splitlines() if "error [" in line)
    assert "photo.png" in first
    assert "second.png" in second
