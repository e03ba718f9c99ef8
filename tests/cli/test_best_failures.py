"""``cropper best``: what fails, and how."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cropper import CropFinder, SourceImage
from tests.conftest import (
    Crop,
    names,
    spotted,
)
from tests.image.pictures import encoded
from tests.spot import SpotScorer


def test_one_bad_file_fails_alone(crop: Crop, photo_png: Path) -> None:
    spotted().save("second.png")
    Path("broken.png").write_bytes(photo_png.read_bytes()[:300])
    found = crop("photo.png", "broken.png", "missing.png", "second.png")
    assert found.exit_code == 1
    assert {"photo-best.png", "second-best.png"} < names(photo_png.parent)
    assert not {"broken-best.png", "missing-best.png"} & names(photo_png.parent)
    errors = [line for line in found.stderr.splitlines() if "error" in line]
    assert len(errors) == 2
    assert "broken.png" in errors[0]
    assert "missing.png" in errors[1]
    assert "2 of 4 failed" in found.stderr


@pytest.mark.parametrize("name", ["notes.txt", "README", "missing", "missing.txt"])
def test_a_file_that_is_no_picture_by_its_name_fails_alone(
    name: str, crop: Crop, photo_png: Path
) -> None:
    if "missing" not in name:
        Path(name).write_text("not a picture\n")
    found = crop("photo.png", name)
    assert found.exit_code == 1, found.stderr
    assert name in found.stderr
    assert "photo-best.png" in names(photo_png.parent)


def test_a_picture_without_an_extension_is_told_by_its_content(crop: Crop) -> None:
    Path("photo").write_bytes(encoded(spotted(), "JPEG"))
    assert crop("photo").exit_code == 0
    with Image.open("photo-best.jpg") as picture:
        assert picture.format == "JPEG"


def test_a_picture_whose_shape_the_budget_does_not_suit_fails_alone(
    crop: Crop, photo_png: Path
) -> None:
    spotted(3000, 20).save("banner.png")
    spotted().save("second.png")
    files, search = ("photo.png", "banner.png", "second.png"), ("--strategy", "grid")
    found = crop(*files, "--aspect", "1:1", "--budget", 50, *search)
    assert found.exit_code == 1
    assert "banner.png" in found.stderr
    assert {"photo-best.png", "second-best.png"} < names(photo_png.parent)


def test_a_fault_of_the_program_ends_no_other_photo(
    crop: Crop, photo_png: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spotted(96, 32).save("second.png")
    spotted().save("third.png")
    find = CropFinder.find

    def faulty(self: CropFinder, photo: SourceImage, *given: Any, **more: Any) -> Any:
        return find(self, photo, *given, **more) if photo.size[1] != 32 else 1 // 0

    monkeypatch.setattr(CropFinder, "find", faulty)
    found = crop("photo.png", "second.png", "third.png")
    assert found.exit_code == 1
    assert "second.png: ZeroDivisionError: " in found.stderr
    assert {"photo-best.png", "third-best.png"} < names(photo_png.parent)
    with pytest.raises(ZeroDivisionError):
        crop("second.png")


def test_no_input_at_all_is_code_4(crop: Crop) -> None:
    found = crop("missing.jpg", "gone.png")
    assert found.exit_code == 4
    assert "missing.jpg" in found.stderr


def test_a_folder_as_input_is_code_2_with_the_remedy(crop: Crop, photo_png: Path) -> None:
    Path("trip").mkdir()
    found = crop("photo.png", "trip")
    assert found.exit_code == 2
    assert "trip/*" in found.stderr
    assert names(photo_png.parent) == {"photo.png", "trip"}


def test_an_unknown_scorer_is_code_3_with_the_known_ones(crop: Crop, photo_png: Path) -> None:
    found = crop("photo.png", "--scorer", "nobody")
    assert found.exit_code == 3
    assert "nobody" in found.stderr
    assert "cropnet" in found.stderr
    assert names(photo_png.parent) == {"photo.png"}


def test_a_device_that_is_not_there_is_code_2(crop: Crop, photo_png: Path) -> None:
    import torch  # noqa: PLC0415

    if torch.cuda.is_available():
        pytest.skip("CUDA is here")
    found = crop("photo.png", "--scorer", "cropnet", "--device", "cuda")
    assert found.exit_code == 2
    assert "--device cpu" in found.stderr
    assert names(photo_png.parent) == {"photo.png"}


@pytest.mark.parametrize("metadata", [None, {"other": "1"}, {"cropper": "{}"}, {"cropper": "[]"}])
def test_a_file_that_is_no_checkpoint_is_code_3(
    metadata: dict[str, str] | None, crop: Crop, photo_png: Path
) -> None:
    from safetensors.numpy import save_file  # noqa: PLC0415

    save_file({"a": np.zeros(3, np.float32)}, "some.safetensors", metadata)
    Path("torn.safetensors").write_bytes(b"123")
    for name in ("some.safetensors", "torn.safetensors", "missing.safetensors"):
        found = crop("photo.png", "--scorer", name)
        assert found.exit_code == 3, name
        assert name in found.stderr


@pytest.mark.parametrize("option", ["-o", "--overlay"])
@pytest.mark.parametrize("where", ["photo.png/out.png", "/dev/null/out.png"])
def test_a_place_that_takes_no_file_is_code_5(
    where: str, option: str, crop: Crop, photo_png: Path
) -> None:
    before = photo_png.read_bytes()
    found = crop("photo.png", option, where)
    assert found.exit_code == 5
    assert str(Path(where).parent) in found.stderr
    assert photo_png.read_bytes() == before
    assert names(photo_png.parent) <= {"photo.png", "photo-best.png"}


def test_names_too_long_for_the_system_are_errors_too(crop: Crop, photo_png: Path) -> None:
    spotted().save("n" * 248 + ".png")
    assert crop("x" * 300 + ".png").exit_code == 4
    assert crop("photo.png", "-o", "x" * 300 + ".png").exit_code in (2, 5)
    assert crop("n" * 248 + ".png").exit_code in (2, 5)  # '-best' would make it too long
    assert len(names(photo_png.parent)) == 2


def test_more_megapixels_than_allowed_are_refused(crop: Crop, photo_png: Path) -> None:
    found = crop("photo.png", "--max-mpixels", "0.009")
    assert found.exit_code == 1
    assert "photo.png" in found.stderr
    assert "--max-mpixels" in found.stderr
    assert names(photo_png.parent) == {"photo.png"}
    assert "0.0096 megapixels" in found.stderr
    assert crop("photo.png", "--max-mpixels", "0.0096").exit_code == 0


def test_an_interrupt_ends_with_code_130_and_a_summary(
    crop: Crop, photo_png: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b.png", "c.png"):
        spotted().save(name)
    bind, calls = SpotScorer.bind, itertools.count()

    def interrupted(self: SpotScorer, view: object) -> object:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return bind(self, view)  # type: ignore[arg-type]

    monkeypatch.setattr(SpotScorer, "bind", interrupted)
    found = crop("photo.png", "b.png", "c.png")
    assert found.exit_code == 130
    assert found.stderr.splitlines()[-1] == "cropper: interrupted: 1 of 3 done, 0 failed"
    assert names(photo_png.parent) == {"photo.png", "b.png", "c.png", "photo-best.png"}
