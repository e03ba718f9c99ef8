"""``cropper best``: what is never lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import (
    Crop,
    names,
    one_record,
    pixels,
    spotted,
)


def test_a_dry_run_finds_the_crop_and_writes_nothing(crop: Crop, photo_png: Path) -> None:
    found = crop("photo.png", "--dry-run", "--json", "--overlay", "why.png", "-o", "new/out.png")
    assert names(photo_png.parent) == {"photo.png"}
    assert "would be" in found.stderr
    assert one_record(found)["box"] == one_record(crop("photo.png", "--json"))["box"]


def test_a_dry_run_tells_what_exists(crop: Crop, photo_png: Path) -> None:
    Path("photo-best.png").write_bytes(b"mine")
    found = crop("photo.png", "--dry-run")
    assert found.exit_code == 0
    assert "photo-best.png exists" in found.stderr
    assert "--overwrite" in found.stderr
    assert "exists" not in crop("photo.png", "--dry-run", "--overwrite").stderr
    assert Path("photo-best.png").read_bytes() == b"mine"


def test_messages_name_the_option_that_is_meant(crop: Crop, photo_png: Path) -> None:
    spotted().save("second.png")
    assert "in --overlay" in crop("photo.png", "second.png", "--overlay", "why.png").stderr
    assert "elsewhere with --overlay" in crop("photo.png", "--overlay", "second.png").stderr
    assert "a folder ends with /" in crop("photo.png", "-o", "newdir").stderr


def test_an_output_that_exists_is_replaced_only_when_asked(crop: Crop, photo_png: Path) -> None:
    Path("photo-best.png").write_bytes(b"mine")
    found = crop("photo.png")
    assert found.exit_code == 2
    assert "photo-best.png" in found.stderr
    assert "--overwrite" in found.stderr
    assert Path("photo-best.png").read_bytes() == b"mine"
    assert crop("photo.png", "--overwrite").exit_code == 0
    assert pixels("photo-best.png").ndim == 3


def test_photos_whose_crop_is_there_are_passed_over_when_asked(crop: Crop, photo_png: Path) -> None:
    spotted().save("second.png")
    Path("photo-best.png").write_bytes(b"mine")
    found = crop("photo.png", "second.png", "--skip-existing")
    assert found.exit_code == 0
    assert "photo.png: skipped, photo-best.png is there" in found.stderr
    assert Path("photo-best.png").read_bytes() == b"mine"
    assert pixels("second-best.png").ndim == 3
    assert crop("photo.png", "second.png", "--skip-existing").exit_code == 0
    assert crop("photo.png", "--skip-existing", "--overwrite").exit_code == 2
    assert crop("photo.png", "--skip-existing", "--top-k", 2).exit_code == 0
    assert Path("photo-best.png").read_bytes() == b"mine"
    assert pixels("photo-best-2.png").ndim == 3  # what was missing


def test_an_overlay_that_exists_is_replaced_only_when_asked(crop: Crop, photo_png: Path) -> None:
    Path("why.png").write_bytes(b"mine")
    assert crop("photo.png", "--overlay", "why.png").exit_code == 2
    assert names(photo_png.parent) == {"photo.png", "why.png"}
    assert Path("why.png").read_bytes() == b"mine"
    assert crop("photo.png", "--overlay", "why.png", "--overwrite").exit_code == 0
    assert pixels("why.png").ndim == 3


def test_a_source_is_replaced_only_by_name_and_with_overwrite(crop: Crop, photo_png: Path) -> None:
    spotted().save("second.png")
    before = photo_png.read_bytes()
    assert crop("photo.png", "-o", "photo.png").exit_code == 2
    assert crop("photo.png", "second.png", "-o", "{stem}{ext}").exit_code == 2
    assert crop("photo.png", "second.png", "-o", "{stem}{ext}", "--overwrite").exit_code == 2
    assert crop("second.png", "photo.png", "--overlay", "photo.png", "--overwrite").exit_code == 2
    assert photo_png.read_bytes() == before
    assert names(photo_png.parent) == {"photo.png", "second.png"}
    assert crop("photo.png", "-o", "photo.png", "--overwrite").exit_code == 0
    assert pixels("photo.png").shape[1] < 120


def test_a_source_behind_a_link_is_safe_too(crop: Crop, photo_png: Path) -> None:
    spotted().save("second.png")
    Path("link.png").symlink_to("photo.png")
    before = photo_png.read_bytes()
    found = crop("photo.png", "second.png", "-o", "{stem}.png", "--overwrite")
    assert found.exit_code == 2
    Path("photo-best.png").symlink_to("photo.png")
    assert crop("photo.png", "--overwrite").exit_code == 2
    assert photo_png.read_bytes() == before


def test_a_run_leaves_the_source_untouched(crop: Crop, photo_png: Path) -> None:
    before = (photo_png.read_bytes(), photo_png.stat().st_mtime_ns)
    crop("photo.png", "--overlay", "why.png", "--top-k", 3)
    assert (photo_png.read_bytes(), photo_png.stat().st_mtime_ns) == before


def test_a_second_run_skips_its_own_crops_and_is_refused_without_overwrite(
    crop: Crop, photo_png: Path
) -> None:
    spotted().save("second.png")
    glob = lambda: sorted(str(path) for path in Path().glob("*.png"))  # noqa: E731
    assert crop(*glob()).exit_code == 0
    after = {"photo.png", "second.png", "photo-best.png", "second-best.png"}
    assert names(photo_png.parent) == after
    contents = {name: Path(name).read_bytes() for name in after}
    assert crop(*glob()).exit_code == 2
    again = crop(*glob(), "--overwrite")
    assert again.exit_code == 0
    assert "photo-best.png: skipped" in again.stderr
    assert {name: Path(name).read_bytes() for name in names(photo_png.parent)} == contents


@pytest.mark.parametrize("where", ["out.png", "out/{stem}.png", "out/"])
def test_two_inputs_onto_one_output_are_refused_before_any_work(where: str, crop: Crop) -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        spotted().save(f"{folder}/photo.png")
    found = crop("a/photo.png", "b/photo.png", "-o", where)
    assert found.exit_code == 2
    assert "a/photo.png" in found.stderr
    assert "b/photo.png" in found.stderr
    assert names(Path()) == {"a", "b"}


def test_two_inputs_onto_one_overlay_are_refused_before_any_work(
    crop: Crop, photo_png: Path
) -> None:
    spotted().save("second.png")
    assert crop("photo.png", "second.png", "--overlay", "why.png").exit_code == 2
    assert names(photo_png.parent) == {"photo.png", "second.png"}
    assert crop("photo.png", "second.png", "--overlay", "{stem}-why.png").exit_code == 0
    assert {"photo-why.png", "second-why.png"} < names(photo_png.parent)


@pytest.mark.parametrize("twice", [("photo.png", "photo.png"), ("photo.png", "./photo.png")])
def test_an_input_named_twice_is_refused_before_any_work(
    twice: tuple[str, str], crop: Crop, photo_png: Path
) -> None:
    assert crop(*twice).exit_code == 2
    assert names(photo_png.parent) == {"photo.png"}
