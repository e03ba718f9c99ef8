"""Which side of a photo is up: turns of a photo, the network without torch, and the command."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file
from skimage import data

from cropper import CropFinder, CropRequest
from cropper.cli import main
from cropper.decoders import Decoders
from cropper.errors import ConfigError, MissingModelError
from cropper.image import SourceImage, View, from_array, load_image
from cropper.orientation import (
    CHANNELS,
    GRID,
    OrientationFinder,
    _in_cells,
    features_of_turns,
    find_orientation,
)
from cropper.scorers import WEIGHTS, read_header
from cropper.scorers.checkpoint import trunk_digest
from cropper.train.orientation import OrientationConfig, OrientationNet, drawn_window, mirrored
from tests.conftest import one_record
from tests.image.pictures import with_exif


def _view(pixels: np.ndarray) -> View:
    pixels = np.ascontiguousarray(pixels)
    return View(pixels, (pixels.shape[1], pixels.shape[0]))


def _lying(quarters: int) -> np.ndarray:
    """A portrait that is upright once it is turned clockwise by ``quarters``."""
    return np.ascontiguousarray(np.rot90(data.astronaut(), quarters))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("quarters", range(4))
def test_a_turned_photo_is_the_turned_pixels(orientation: int, quarters: int) -> None:
    picture = Image.fromarray(data.astronaut()[:96, :160])
    file = with_exif(picture, "PNG", orientation)
    before, image = load_image(file), load_image(file)
    image.turn(quarters)
    wanted = np.rot90(before.view(200).pixels, -quarters)
    assert image.size == wanted.shape[1::-1]
    assert (image.view(200).pixels == wanted).all()
    box = (8, 16, 40, 80)
    assert (np.array(image.cut(box)) == wanted[16:80, 8:40]).all()
    image.turn(4 - quarters)
    assert image.header.orientation == orientation
    assert image.size == before.size


def test_a_photo_in_a_decoder_is_turned_there_too() -> None:
    file = io.BytesIO()
    Image.fromarray(data.astronaut()[:96, :160]).save(file, "PNG")
    with Decoders(10) as decoders, decoders.open(file.getvalue(), "photo", 10) as image:
        image.turn(1)
        assert image.size == (96, 160)
        upright = np.rot90(data.astronaut()[:96, :160], -1)
        assert (np.array(image.cut((0, 0, 96, 160))) == upright).all()


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("name", ["astronaut", "coffee", "rocket"])
def test_photos_are_set_upright(name: str, quarters: int) -> None:
    photo = getattr(data, name)()
    found = find_orientation(_view(np.rot90(photo, quarters)))
    assert found.turned == quarters
    assert found.probability > 0.9


def test_what_has_no_side_up_is_left() -> None:
    y, x = np.mgrid[-100:100, -100:100]
    circle = np.where((x + 0.5) ** 2 + (y + 0.5) ** 2 < 60**2, 60, 190).astype(np.uint8)
    for picture in (np.full((200, 300), 128, np.uint8), circle):
        found = find_orientation(_view(picture[..., None].repeat(3, 2)))
        assert found.turned == 0
        assert found.probability < 0.6


def test_cells_are_torchs_adaptive_means() -> None:
    maps = np.random.default_rng(0).normal(size=(2, 5, 10, 19)).astype(np.float32)
    wanted = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(maps), GRID)
    assert np.allclose(_in_cells(maps), wanted.numpy(), atol=1e-6)


def test_it_is_the_network_that_was_trained(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = OrientationNet(OrientationConfig()).eval()
    net.mean.normal_()
    net.spread.uniform_(0.5, 2)
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    features = np.random.default_rng(0).normal(size=(5, CHANNELS, GRID, GRID)).astype(np.float32)
    found = OrientationFinder(tmp_path / "net.safetensors").uprightness(features)
    with torch.no_grad():
        assert np.allclose(found, net(torch.from_numpy(features)).numpy(), atol=1e-4)


def test_turns_of_a_turned_photo_are_the_same_features() -> None:
    photo = data.coffee()[:400, :600]
    own, turned = (features_of_turns(_view(np.rot90(photo, -k))) for k in (0, 1))
    near = np.abs(np.roll(own, -1, 0) - turned)
    assert near.mean() < 0.05 * np.abs(own).mean()  # but for how the view was scaled
    assert np.abs(own - turned).mean() > 0.3 * np.abs(own).mean()


def test_mirrored_features_swap_the_sides() -> None:
    features = torch.rand(2, 4, 3, GRID, GRID)
    back = mirrored(mirrored(features))
    assert torch.equal(back, features)
    assert torch.equal(mirrored(features)[:, 1], features[:, 3].flip(-1))


def test_windows_are_tall_or_wide_whatever_the_photo_is() -> None:
    rng, view = np.random.default_rng(0), _view(data.coffee())
    for tall in (True, False):
        for _ in range(20):
            width, height = drawn_window(view, OrientationConfig(), tall, rng).size
            aspect = height / width if tall else width / height
            assert 0.98 < aspect < 1.85


def test_the_weights_name_the_trunk_that_they_were_trained_on() -> None:
    header = read_header(WEIGHTS / "orientation.safetensors")
    assert header["trunk"]["sha256"] == trunk_digest(WEIGHTS / header["trunk"]["file"])


def test_another_file_is_no_orientation_network(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match="holds no orientation network"):
        OrientationFinder(WEIGHTS / "tilt.safetensors")
    with pytest.raises(MissingModelError, match="holds no orientation network"):
        OrientationFinder(tmp_path / "none.safetensors")


def test_the_command_sets_a_photo_upright(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(_lying(1)[:400]).save("lying.png")
    Image.fromarray(data.astronaut()).save("upright.png")
    line = ["best", "lying.png", "--orient", "--aspect", "4:5", "-o", "out.png"]
    found = CliRunner().invoke(main, line)
    assert found.exit_code == 0, found.stderr
    assert "set upright: turned 90 degrees clockwise" in found.stderr
    record = one_record(CliRunner().invoke(main, [*line[:-1], "again.png", "--json"]))
    assert (record["turned"], record["source_size"]) == (90, [400, 512])
    x0, y0, x1, y1 = (round(edge) for edge in record["box"])
    upright = np.rot90(_lying(1)[:400], -1)
    assert (np.array(Image.open("out.png")) == upright[y0:y1, x0:x1]).all()
    left = one_record(CliRunner().invoke(main, ["best", "upright.png", "--orient", "--json"]))
    assert (left["turned"], left["orientation"]) == (0, 0)
    plain = one_record(CliRunner().invoke(main, ["best", "upright.png", "--json", "-o", "b.png"]))
    assert "turned" not in plain


def test_a_photo_that_it_is_not_sure_of_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cat's face fills it."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(data.chelsea()).save("cat.png")
    found = CliRunner().invoke(main, ["best", "cat.png", "--orient"])
    assert found.exit_code == 0
    assert re.search(r"left as it is: .* but only [2-8]\d% sure", found.stderr)
    assert Image.open("cat-best.png").width > Image.open("cat-best.png").height


def test_a_folder_is_set_upright_with_its_sidecars_and_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    upright = data.astronaut()[:, 60:460]
    for quarters in range(4):
        Image.fromarray(np.rot90(upright, quarters)).save(f"in/{quarters}.png")
    line = ["bulk", "in", "-o", "out", "--orient", "--aspect", "1:1", "--aspect", "4:5"]
    found = CliRunner().invoke(main, [*line, "--xmp", "--report", "out/report.html", "--json"])
    assert found.exit_code == 0, found.stderr
    records = [json.loads(each) for each in found.stdout.splitlines()]
    assert sorted(each["turned"] for each in records) == [0, 90, 180, 270]
    for record in records:
        assert record["source_size"] == [400, 512]
        x0, y0, x1, y1 = (round(edge) for edge in record["box"])
        crop = np.array(Image.open(record["output"]))
        assert (crop == upright[y0:y1, x0:x1]).all()
    orientations = [
        re.search(r'tiff:Orientation="(\d)"', path.read_text())[1]  # type: ignore[index]
        for path in sorted(Path("in").glob("*.xmp")) or sorted(Path("out").glob("**/*.xmp"))
    ]
    assert orientations == ["1", "6", "3", "8"]
    page = Path("out/report.html").read_text()
    pictures = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", page)
    wholes = [Image.open(io.BytesIO(base64.b64decode(each))).size for each in pictures]
    assert len(wholes) >= 4
    assert all(high >= wide for wide, high in wholes)
    again = CliRunner().invoke(main, [*line, "--xmp", "--json"])
    assert "4 done already" in again.stderr


def test_boxes_of_the_photo_as_it_is_do_not_go_with_it() -> None:
    with pytest.raises(ConfigError, match="boxes and points are of the photo as it is"):
        CropRequest(orient=True, focus=(0.5, 0.5))
    with pytest.raises(ConfigError, match="leave them out, or `orient`"):
        CropRequest(orient=True, avoid=((0, 0, 0.1, 0.1),))


def test_python_turns_the_photo_that_it_is_given() -> None:
    image = from_array(_lying(3))
    assert isinstance(image, SourceImage)
    finder = CropFinder()
    found = finder.find(image, orient=True, aspect="1:1")
    assert found.orientation is not None
    assert found.orientation.turned == 3
    own = finder.find(data.astronaut(), aspect="1:1")
    assert (np.array(found.crop()) == np.array(own.crop())).all()
    again = finder.find(image, orient=True, aspect="4:5")
    assert again.orientation == found.orientation  # it is not turned twice
