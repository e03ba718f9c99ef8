"""The learned transformer: mirror-invariant, trained, written, read and used."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from cropper import Scorer, from_array, load_image, load_scorer
from cropper.cli import main
from cropper.errors import ConfigError, MissingModelError
from cropper.scorers import WEIGHTS
from cropper.scorers.affine import as_affine, on_torch
from cropper.scorers.checkpoint import module_digest, save_scorer
from cropper.scorers.cropnet.network import CropNet, CropNetConfig, CropNetScorer
from cropper.train.localizer import LocalizeConfig, train_localizer
from spatial_transformer.affine import AffineCrop
from spatial_transformer.localizer import Localizer, load_localizer, save_localizer, within
from tests.image.pictures import photo
from tests.train.support import TINY, write_folder

pytestmark = pytest.mark.slow

torch.set_num_threads(1)


def untrained_scorer(path: Path, config: CropNetConfig = TINY, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    header = {
        "kind": "cropnet",
        "name": "tiny",
        "summary": "for tests",
        "licence": "none",
        "long_side": 128,
        "batch_size": 512,
        "config": config.to_dict(),
    }
    save_scorer(CropNet(config), header, path)
    return path


@pytest.fixture(scope="module")
def cropnet() -> CropNetScorer:
    scorer = on_torch(load_scorer("cropnet", "cpu"))
    assert isinstance(scorer, CropNetScorer)
    return scorer


def lively(seed: int = 0) -> Localizer:
    """Untrained, but with an opinion."""
    torch.manual_seed(seed)
    net = Localizer()
    torch.nn.init.normal_(net.head[-1].weight, std=0.05)  # type: ignore[arg-type]
    return net.eval()


def test_a_mirrored_picture_gets_the_mirrored_crop(cropnet: CropNetScorer) -> None:
    pixels = np.array(photo(300, 200))
    space = AffineCrop.of((300, 200), "free")
    net = lively()
    found = []
    for each in (pixels, np.ascontiguousarray(pixels[:, ::-1])):
        with torch.no_grad():
            bound = cropnet.bind_affine(from_array(each).view(300))
        found.append(net.params(bound, space)[0])
    plain, mirrored = found
    assert (plain - space.identity[0]).abs().max() > 0.01
    turned = torch.tensor([1, -1, 1, 1, -1, -1]) * plain + torch.tensor([0, 1, 0, 0, 0, 0])
    torch.testing.assert_close(mirrored, turned, rtol=0, atol=2e-3)


def test_answers_span_the_bounds() -> None:
    space = AffineCrop.of((300, 200), "free", 0.5)
    ends = within(torch.tensor([[-1.0, -1, -1, 0, 0, 0], [1.0, 1, 1, 0, 0, 0]]), space)
    assert ends[:, 0].tolist() == pytest.approx([math.log(0.5), 0], abs=1e-6)
    assert ends[:, 1:3].tolist() == [[0, 0], [1, 1]]


def test_a_localizer_is_read_as_it_was_written(tmp_path: Path, cropnet: CropNetScorer) -> None:
    path = tmp_path / "localizer.safetensors"
    net = lively()
    save_localizer(net, "cropnet", "abc", path)
    again = load_localizer(path, "abc")
    with torch.no_grad():
        bound = cropnet.bind_affine(from_array(photo(300, 200)).view(300))
    space = AffineCrop.of((300, 200))
    torch.testing.assert_close(
        again.params(bound, space), net.params(bound, space), rtol=0, atol=1e-2
    )
    assert path.stat().st_size < 500_000
    with pytest.raises(MissingModelError, match="another scorer's features"):
        load_localizer(path, "def")
    with pytest.raises(MissingModelError, match=r"no weights at .* train localizer"):
        load_localizer(tmp_path / "none.safetensors", "abc")
    scorer = untrained_scorer(tmp_path / "scorer.safetensors")
    with pytest.raises(MissingModelError, match="holds a 'cropnet'"):
        load_localizer(scorer, "abc")


def test_a_scorer_without_its_features_is_refused() -> None:
    scorer: Scorer = load_scorer("convnet", "cpu")
    bound = as_affine(scorer).bind_affine(from_array(photo(96, 64)).view(96))
    with pytest.raises(ConfigError, match="CropNet's features"):
        lively().params(bound, AffineCrop.of((96, 64)))


def test_training_climbs_towards_the_search_and_the_command_uses_it(
    tmp_path: Path, cropnet: CropNetScorer
) -> None:
    data = write_folder(tmp_path / "data", 12, 6)
    log: list[str] = []
    config = LocalizeConfig(epochs=10, budget=120, rate=3e-3)
    best = train_localizer(data, tmp_path, config=config, device="cpu", log=log.append)
    scores = [float(line.split("val score ")[1].split()[0]) for line in log if "val" in line]
    assert len(scores) == 10
    assert best == pytest.approx(max(scores), abs=1e-3)
    assert best > scores[0] + 0.1
    weights = tmp_path / "localizer.safetensors"
    load_localizer(weights, module_digest(cropnet.net))
    picture = next((data / "images").glob("*.png"))
    line = ["best", str(picture), "--method", "localizer", "--localizer", str(weights)]
    line += ["-o", str(tmp_path / "out.png"), "--json"]
    ran = CliRunner().invoke(main, line, catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    assert load_image(tmp_path / "out.png").size[0] > 10
    # of another scorer's features it knows nothing
    other = untrained_scorer(tmp_path / "other.safetensors", seed=1)
    line += ["--scorer", str(other), "--overwrite"]
    ran = CliRunner().invoke(main, line, catch_exceptions=False)
    assert ran.exit_code == 3


def test_the_training_command_names_a_scorer_that_it_cannot_use(tmp_path: Path) -> None:
    data = write_folder(tmp_path / "data", 2, 1)
    line = ["train", "localizer", "--data", str(data), "--scorer", "convnet"]
    ran = CliRunner().invoke(main, [*line, "--out", str(tmp_path / "out")])
    assert ran.exit_code == 2
    assert "convnet has none" in ran.output


def test_the_package_s_localizer_fits_the_package_s_scorer() -> None:
    scorer = on_torch(load_scorer("cropnet", "cpu"))
    assert isinstance(scorer, CropNetScorer)
    load_localizer(WEIGHTS / "localizer.safetensors", module_digest(scorer.net))
