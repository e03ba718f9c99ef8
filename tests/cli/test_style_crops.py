"""``--style`` of ``cropper best``: crops that are painted, through files and exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from skimage import data

from tests.conftest import Crop, cut, one_record, pixels, spotted
from tests.image.pictures import photo
from tests.style.networks import small_vgg_file

Painted = Callable[..., Result]


@pytest.fixture
def painted(crop: Crop, tmp_path: Path) -> Painted:
    """``cropper best photo.png -o out.png --style like.png`` by a small network, in few steps."""
    spotted(160, 120).save("photo.png")
    Image.fromarray(data.immunohistochemistry()[:160, :160]).save("like.png")
    usual: dict[str, object] = {"--style": "like.png", "--style-backbone": small_vgg_file(tmp_path)}
    usual |= {"--style-size": 64, "--style-steps": 30, "--aspect": "1:1"}

    def run(*more: object) -> Result:
        given = [x for name, value in usual.items() if name not in more for x in (name, value)]
        return crop("photo.png", "-o", "out.png", *given, "--overwrite", *more)

    return run


def test_a_crop_takes_the_painting_s_colours(painted: Painted) -> None:
    found = painted()
    assert found.exit_code == 0, found.stderr
    assert "painted like like.png: content cost" in found.stderr
    out, like = pixels("out.png"), pixels("like.png")
    assert out.shape == (64, 64, 3)  # long side of the style
    plain = cut("photo.png", one_record(painted("--dry-run", "--json"))["box"])
    far = [np.abs(each.mean((0, 1)) - like.mean((0, 1))).mean() for each in (out, plain)]
    assert far[0] < 0.8 * far[1]


def test_more_strength_changes_more(painted: Painted) -> None:
    means = []
    for strength in (0, 1, 100):
        assert painted("--style-strength", strength).exit_code == 0
        means.append(pixels("out.png").astype(float))
    changes = [np.abs(each - means[0]).mean() for each in means[1:]]
    assert 1 < changes[0] < changes[1]


def test_a_size_that_is_asked_for_is_kept_and_told(painted: Painted) -> None:
    found = painted("--size", "100x100", "--aspect", "1:1")
    assert Image.open("out.png").size == (100, 100)
    assert "enlarged from 64x64 px, a larger --style-size has finer strokes" in found.stderr
    found = painted("--size", "48x48", "--aspect", "1:1")
    assert Image.open("out.png").size == (48, 48)
    assert "finer strokes" not in found.stderr


def test_what_is_laid_around_stays_as_it_is(painted: Painted) -> None:
    """A filter's border is white, and the crop inside of it painted."""
    assert painted("--filter", "border", "--size", "80x80").exit_code == 0
    out = pixels("out.png")
    assert (out[0] == 255).all()
    assert (out[:, -1] == 255).all()
    assert out[20:60, 20:60].mean() < 250
    square = ("--fit", "pad", "--background", "#102030", "--keep", "0,0,160,120")
    assert painted(*square, "--size", "64x64").exit_code == 0
    out = pixels("out.png")
    assert (out[:7] == (16, 32, 48)).all()
    assert (out[9:54].std((0, 1)) > 5).all()


def test_the_same_options_have_the_same_pixels(painted: Painted) -> None:
    painted()
    first = Path("out.png").read_bytes()
    painted()
    assert Path("out.png").read_bytes() == first


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "I;16"])
def test_pictures_of_any_mode(painted: Painted, mode: str) -> None:
    """A grey photo takes colours; alpha stays."""
    if mode == "I;16":
        picture = Image.fromarray(
            np.asarray(spotted(160, 120).convert("L")).astype(np.uint16) * 257
        )
    else:
        picture = spotted(160, 120).convert(mode)
    if mode.endswith("A"):
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.save("photo.png", "TIFF" if mode == "CMYK" else "PNG")
    found = painted()
    assert found.exit_code == 0, found.stderr
    out = Image.open("out.png")
    assert out.mode == ("RGBA" if mode.endswith("A") else "RGB")
    assert np.ptp(np.asarray(out.convert("RGB")).astype(float), axis=2).mean() > 5
    if mode.endswith("A"):
        assert np.asarray(out)[..., 3].std() > 5


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (["--style-backbone", "no.safetensors"], 3, "no.safetensors holds no VGG network"),
        (["--style", "photo.gif"], 2, "photo.gif"),
        (["--style-strength", "-1"], 2, "--style-strength"),
    ],
)
def test_what_is_missing_is_told_before_any_work(
    painted: Painted, more: list[str], code: int, says: str
) -> None:
    found = painted("--dry-run", *more)
    assert found.exit_code == code
    assert says in found.stderr
    assert "->" not in found.stderr


def test_a_painting_that_is_broken_ends_the_run(painted: Painted) -> None:
    Path("like.png").write_bytes(Path("photo.png").read_bytes()[:200])
    found = painted()
    assert found.exit_code == 1
    assert "like.png" in found.stderr
    assert not Path("out.png").exists()


def test_options_of_a_style_need_one(crop: Crop) -> None:
    spotted().save("photo.png")
    found = crop("photo.png", "--style-size", 64)
    assert found.exit_code == 2
    assert "--style-size is about the picture of --style: add that" in found.stderr


def test_a_narrow_crop_fails_alone(painted: Painted, crop: Crop, tmp_path: Path) -> None:
    photo(300, 20).save("narrow.png")
    style = ["--style", "like.png", "--style-backbone", tmp_path / "small.safetensors"]
    style += ["--style-size", 64, "--style-steps", 2]
    found = crop("narrow.png", "photo.png", "-o", "out/", *style)
    assert found.exit_code == 1
    assert "too small or too narrow" in found.stderr
    assert [path.name for path in Path("out").iterdir()] == ["photo-best.png"]
