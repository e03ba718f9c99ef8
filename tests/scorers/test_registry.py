"""Scorers by name, those of plug-ins among them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from cropper import BoundScorer, Scorer, View, load_scorer
from cropper.cli import main
from cropper.errors import ConfigError, MissingModelError
from cropper.scorers import describe_scorers, register_scorer, registry, scorer_names
from cropper.scorers.loading import resolve_device
from tests.conftest import spotted
from tests.scorers.support import SPEC


@pytest.fixture
def factories(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A copy of the registry that the test may change."""
    changed = dict(registry._factories)
    monkeypatch.setattr(registry, "_factories", changed)
    return changed


class Stub:
    """A judge that likes boxes near the left."""

    spec = SPEC

    def bind(self, view: View) -> BoundScorer:
        return BoundScorer(lambda boxes: -boxes[:, 0], view.size, 32)


def test_a_registered_scorer_is_loaded_with_the_device(factories: dict[str, Any]) -> None:
    seen = []

    @register_scorer("stub")
    def make(device: str) -> Scorer:
        seen.append(device)
        return Stub()

    assert "stub" in scorer_names()
    assert isinstance(load_scorer("stub", "cpu"), Stub)
    assert seen == ["cpu"]
    assert factories["stub"] is make


def test_a_name_is_registered_once(factories: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="'cropnet' is registered twice"):
        register_scorer("cropnet")(lambda device: Stub())
    assert "cropnet" in factories


def test_an_unknown_scorer_is_named_with_those_that_exist() -> None:
    with pytest.raises(MissingModelError, match=r"'critic'.*convnet, cropnet, selfie.*safetensors"):
        load_scorer("critic")


class Point:
    """An installed plug-in's entry point."""

    def __init__(self, name: str, factory: Callable[[str], Scorer]) -> None:
        self.name, self.factory, self.loads = name, factory, 0

    def load(self) -> Callable[[str], Scorer]:
        self.loads += 1
        return self.factory


def test_a_plug_in_is_listed_unloaded_and_loaded_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    point = Point("plugged", lambda device: Stub())
    asked = []

    def entry_points(group: str) -> list[Point]:
        asked.append(group)
        return [point]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    assert "plugged" in scorer_names()
    assert point.loads == 0
    assert isinstance(load_scorer("plugged", "cpu"), Stub)
    assert point.loads == 1
    assert set(asked) == {"cropper.scorers"}
    assert any(line.startswith("plugged ") for line in describe_scorers())


def leaves(device: str) -> Scorer:
    raise SystemExit(7)


def raises(device: str) -> Scorer:
    raise ImportError("no such module")


class Faulty(Stub):
    """A plug-in's scorer that breaks when it is asked."""

    def bind(self, view: View) -> BoundScorer:
        raise ZeroDivisionError("by its own fault")


class Unsure(Stub):
    def bind(self, view: View) -> BoundScorer:
        return BoundScorer(lambda boxes: boxes[:, 0] * np.nan, view.size, 64)


@pytest.mark.parametrize(
    ("factory", "code"),
    [
        (leaves, 3),
        (raises, 3),
        (lambda device: None, 3),
        (lambda device: Faulty(), 1),
        (lambda device: Unsure(), 1),
    ],
    ids=["leaves", "raises", "none", "faulty", "unsure"],
)
@pytest.mark.parametrize("line", ["best in/a.png -o out/", "bulk in -o out", "rank in"])
def test_a_plug_in_that_breaks_is_named_in_every_command(
    factory: Any, code: int, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    spotted().save(tmp_path / "in/a.png")
    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda group: [Point("plugged", factory)]
    )
    found = CliRunner().invoke(main, [*line.split(), "--scorer", "plugged"], catch_exceptions=False)
    assert found.exit_code in (code, 4 if line == "rank in" else code)  # where none is left to rank
    assert "plugged" in found.stderr or "finite" in found.stderr or "scorer" in found.stderr


def test_the_package_s_own_scorer_wins_over_a_plug_in_of_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    point = Point("cropnet", lambda device: Stub())
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point])
    assert load_scorer("cropnet", "cpu").spec.name == "cropnet"
    assert point.loads == 0


def test_scorers_are_described_with_default_and_licence() -> None:
    lines = [json.loads(line) for line in describe_scorers(as_json=True)]
    assert [line["name"] for line in lines if line["default"]] == ["cropnet"]
    assert all(line["summary"] for line in lines)
    assert next(line for line in lines if line["default"])["licence"] == "Apache-2.0"
    assert any("cropnet (default)" in line for line in describe_scorers())


def test_a_device_is_auto_cpu_or_cuda() -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(ConfigError, match="'tpu'"):
        resolve_device("tpu")
    with pytest.raises(ConfigError):
        load_scorer("cropnet", "gpu")
