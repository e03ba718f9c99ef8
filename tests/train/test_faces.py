"""Triplets against loops, a collapse that is noticed, and people who were never seen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from torch import nn

from cropper.cli import main
from cropper.errors import ConfigError, DataError
from cropper.identity.config import WEIGHTS
from cropper.identity.descriptor import Descriptor
from cropper.train.faces import FacesConfig, Identities, read_identities
from cropper.train.faces.data import split, varied
from cropper.train.faces.training import FacesTraining
from cropper.train.faces.triplet import check_spread, distances, triplet_loss
from cropper.train.fit import fit
from tests.faces import identity_folder, save, stranger


def faces_of(people: list[int], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.normal(size=(len(people), 6))), torch.tensor(people)


def slow_loss(encodings: np.ndarray, people: list[int], margin: float, mining: str) -> float:
    """By loops over anchors, positives and negatives."""
    gap = np.linalg.norm(encodings[:, None] - encodings[None], axis=2)
    losses = []
    for anchor, person in enumerate(people):
        own = [i for i, other in enumerate(people) if other == person and i != anchor]
        others = [gap[anchor, i] for i, other in enumerate(people) if other != person]
        if mining == "hard":
            losses.append(max(0.0, max(gap[anchor, own]) - min(others) + margin))
            continue
        for positive in own:
            beyond = [each for each in others if each > gap[anchor, positive]]
            negative = min(beyond) if beyond else max(others)
            losses.append(max(0.0, gap[anchor, positive] - negative + margin))
    return float(np.mean(losses))


@pytest.mark.parametrize("mining", ["hard", "semi-hard"])
@pytest.mark.parametrize("margin", [0.0, 0.2, 3.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_triplets_are_those_of_loops(mining: str, margin: float, seed: int) -> None:
    people = [0, 0, 1, 1, 1, 2, 2]
    encodings, numbers = faces_of(people, seed)
    found = float(triplet_loss(encodings, numbers, margin, mining))
    assert found == pytest.approx(slow_loss(encodings.numpy(), people, margin, mining))


@pytest.mark.parametrize("mining", ["hard", "semi-hard"])
def test_its_gradient_is_right(mining: str) -> None:
    encodings, numbers = faces_of([0, 0, 1, 1, 2, 2])
    torch.autograd.gradcheck(
        lambda x: triplet_loss(x, numbers, 0.3, mining), encodings.requires_grad_()
    )


def test_the_gradient_of_two_equal_faces_is_finite() -> None:
    encodings = torch.ones(4, 6, dtype=torch.float64, requires_grad=True)
    triplet_loss(encodings, torch.tensor([0, 0, 1, 1]), 0.2, "hard").backward()
    assert encodings.grad is not None
    assert encodings.grad.isfinite().all()
    assert (distances(encodings) == 0).all()


def test_a_triplet_that_is_apart_by_the_margin_costs_nothing() -> None:
    encodings = torch.tensor([[0.0], [0.1], [5.0], [5.1]])
    for mining in ("hard", "semi-hard"):
        assert triplet_loss(encodings, torch.tensor([0, 0, 1, 1]), 0.2, mining) == 0


def synthetic(people: int, photos: int, own: float = 15.0) -> Identities:
    """Faces of 5 x 5 cells: the upper ones tell who it is, and the lower ones change more.

    ``own`` is by how much people differ, in levels.
    """
    rng = np.random.default_rng(0)
    cells = np.repeat(rng.normal(127, own, (people, 1, 5, 5, 3)), photos, 1)
    cells[:, :, 2:] = rng.normal(127, 45, (people, photos, 3, 5, 3))
    cells += rng.normal(0, 4, cells.shape)
    large = cells.repeat(30, 2).repeat(30, 3).clip(0, 255).astype(np.uint8)
    numbers = np.repeat(np.arange(people), photos)
    names = tuple(str(number) for number in range(people))
    return Identities(large.reshape(-1, 150, 150, 3), numbers, names)


class Linear(nn.Module):
    """A network of one layer, which learns in seconds: cells -> 16 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(75, 16)
        self.gain = nn.Parameter(torch.zeros(()))  # by which all can shrink, as a deep one does

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        planes = (faces.float() - 127).permute(0, 3, 1, 2) / 40
        found: torch.Tensor = self.layer(nn.functional.avg_pool2d(planes, 30).flatten(1))
        return found * (10 * self.gain).exp()


def training(out: Path, own: float = 15.0, count: int = 96, **fields: object) -> FacesTraining:
    torch.manual_seed(0)
    usual = {"start": "nothing", "people": 12, "epochs": 6, "augment": False, "rate": 1e-2}
    usual["mining"] = "hard"
    config = FacesConfig(**(usual | fields))  # type: ignore[arg-type]
    seen, held = split(synthetic(count, 4, own), 0.25, 0)
    out.mkdir(exist_ok=True)
    return FacesTraining(seen, held, out, config=config, log=lambda _: None, network=Linear())


def test_people_who_were_never_seen_are_told_apart_better(tmp_path: Path) -> None:
    trained = training(tmp_path)
    fit(trained)
    measures = trained.measures
    most = max(measures["before"]["auc"], measures["an L2 on pixels"]["auc"])
    assert measures["after"]["auc_interval"][0] > most + 0.1
    assert measures["after"]["one_shot"]["10"] > measures["before"]["one_shot"]["10"] + 0.1


def test_a_margin_of_nothing_collapses_and_that_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the training collapsed: .* Use a larger `margin`"):
        fit(training(tmp_path, own=0.0, margin=0.0))


def test_a_collapse_is_what_lies_together() -> None:
    check_spread(0.06, 1.0, 0.2)
    with pytest.raises(ConfigError, match="collapsed"):
        check_spread(0.04, 1.0, 0.2)


def test_a_run_that_was_cut_off_goes_on_to_the_same_end(tmp_path: Path) -> None:
    few = {"count": 24, "people": 4, "epochs": 2}
    whole, cut = training(tmp_path / "a", **few), training(tmp_path / "b", **few)
    for each in (whole, cut):
        each.resume()
        each.train_epoch()
        each.finish_epoch()
    again = training(tmp_path / "b", **few)
    fit(again)
    fit(whole)
    for one, other in zip(whole.network.parameters(), again.network.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    with pytest.raises(ConfigError, match="another recipe"):
        fit(training(tmp_path / "b", margin=0.3, **few))


def test_people_are_split_whole() -> None:
    seen, held = split(synthetic(12, 3), 0.25, 0)
    assert not {*seen.names} & {*held.names}
    assert len(held.names) == 3
    assert sorted({*seen.people}) == list(range(9))
    assert len(held.faces) == 9


def test_varied_faces_keep_shape_and_range() -> None:
    faces = torch.from_numpy(synthetic(2, 2).faces)
    other = varied(faces, np.random.default_rng(0))
    assert other.shape == faces.shape
    assert other.min() >= 0
    assert other.max() <= 255
    assert (other - faces.float()).abs().mean() > 1


def test_one_photo_a_person_is_refused_and_told_why(tmp_path: Path) -> None:
    for person in range(5):
        save(tmp_path / f"p{person}" / "a.png", stranger(person))
    lines: list[str] = []
    with pytest.raises(DataError, match="with one photo a person there is nothing that could lie"):
        read_identities(tmp_path, lines.append)
    assert "5 of 5 people have fewer than two faces" in lines[-1]


@pytest.mark.parametrize(
    "fields",
    [
        {"start": "x"},
        {"mining": "x"},
        {"head": "x"},
        {"margin": -1.0},
        {"photos": 1},
        {"rate": float("nan")},
    ],
)
def test_a_recipe_checks_itself(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        FacesConfig(**fields)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_command_writes_weights_that_encode_and_their_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cropper.train.faces.training._STEPS", 4)
    folder = identity_folder(tmp_path / "people", 8, 3)
    line = ["train", "faces", "--people", str(folder), "--out", str(tmp_path / "out")]
    found = CliRunner().invoke(main, [*line, "--epochs", "1", "--head", "binary"])
    assert found.exit_code == 0, found.output
    path = tmp_path / "out" / "faces.safetensors"
    stored = load_file(path)
    assert stored["head.weight"].shape == (1, 128)
    assert {name for name in stored if not name.startswith("head")} == {*load_file(WEIGHTS)}
    chips = synthetic(2, 1).faces
    assert Descriptor(path).encode(chips).shape == (2, 128)
    measures = json.loads((tmp_path / "out" / "measures.json").read_text())
    assert measures.keys() == {"an L2 on pixels", "before", "after", "binary head"}
    assert measures["before"]["auc"] > 0.9
    assert "right of K people" in found.stderr
    assert (tmp_path / "out" / "one_shot.png").stat().st_size > 1000
