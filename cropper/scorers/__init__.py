"""Judges of crops. Importing this package imports no network library; loading a scorer does."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from cropper.scorers.base import BatchScorer, BoundScorer, Describes, Scorer, ScorerSpec
from cropper.scorers.header import KINDS, read_header
from cropper.scorers.loading import scorer_at
from cropper.scorers.registry import DEFAULT_SCORER, load_scorer, register_scorer, scorer_names

__all__ = [
    "DEFAULT_SCORER",
    "BatchScorer",
    "BoundScorer",
    "Describes",
    "Scorer",
    "ScorerSpec",
    "describe_scorers",
    "load_scorer",
    "register_scorer",
    "scorer_names",
]

WEIGHTS = Path(__file__).parent / "weights"


def describe_scorers(as_json: bool = False) -> list[str]:
    """A line for each known scorer; those of the package by the header of their weights."""
    lines = []
    for name in scorer_names():
        path = WEIGHTS / f"{name}.safetensors"
        header = read_header(path) if path.exists() else {}
        default = name == DEFAULT_SCORER
        summary = header.get("summary", "from an installed plug-in")
        if as_json:
            record = {"name": name, "default": default, "summary": summary}
            lines.append(json.dumps(record | {"licence": header.get("licence")}))
        else:
            lines.append(f"{name + (' (default)' if default else ''):20} {summary}")
    return lines


for _name in KINDS:  # the package has one of each, by its name
    register_scorer(_name)(partial(scorer_at, WEIGHTS / f"{_name}.safetensors"))
