"""The weights that the package ships."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cropper import Scorer, load_scorer
from cropper.errors import MissingModelError
from cropper.scorers import WEIGHTS, read_header
from cropper.scorers.loading import scorer_at

pytestmark = pytest.mark.slow

PACKAGED = sorted(WEIGHTS.glob("*.safetensors"))


NO_SCORERS = ("localizer", "orientation", "tilt")
SCORERS = [path for path in PACKAGED if path.stem not in NO_SCORERS]


def test_packaged_weights_load_without_torchvision_and_listing_without_torch() -> None:
    code = """
import sys
from pathlib import Path
from cropper.scorers import WEIGHTS, describe_scorers, load_scorer
describe_scorers()
assert "torch" not in sys.modules, "torch"
for name in ("cropnet", "convnet", "selfie"):
    print(load_scorer(str(WEIGHTS / f"{name}.safetensors"), "cpu").spec.name)
assert "torchvision" not in sys.modules, "torchvision"
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "cropnet" in done.stdout.split()


@pytest.mark.parametrize("name", ["cropnet", "convnet", "selfie"])
def test_every_scorer_of_the_package_has_its_weights(name: str) -> None:
    scorer = load_scorer(name, "cpu")
    assert scorer.spec.name == name
    assert scorer.spec.costly == (name != "cropnet")
    assert isinstance(scorer, Scorer)


def test_the_weights_are_small_enough_for_a_package() -> None:
    assert 0 < sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 8_000_000


@pytest.mark.parametrize("name", NO_SCORERS)
def test_other_networks_are_no_scorers(name: str) -> None:
    with pytest.raises(MissingModelError, match=f"holds a '{name}', no scorer"):
        load_scorer(str(WEIGHTS / f"{name}.safetensors"), "cpu")


@pytest.mark.parametrize("path", SCORERS, ids=lambda path: path.stem)
def test_weights_carry_licence_and_preprocessing(path: Path) -> None:
    header = read_header(path)
    assert header["name"] == path.stem
    assert header["licence"] == "Apache-2.0"
    assert header["summary"]
    assert header["long_side"] >= 128
    assert scorer_at(path, "cpu", torch=True).spec.licence == "Apache-2.0"
