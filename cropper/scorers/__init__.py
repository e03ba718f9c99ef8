"""Judges of crops. Importing this package imports no network library; loading a scorer does."""

from __future__ import annotations

import json
from pathlib import Path

from cropper.scorers.base import BatchScorer, BoundScorer, Describes, Scorer, ScorerSpec
from cropper.scorers.header import read_header
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


@register_scorer("cropnet")
def _cropnet(device: str) -> Scorer:
    return scorer_at(WEIGHTS / "cropnet.safetensors", device)


@register_scorer("convnet")
def _convnet(device: str) -> Scorer:
    return scorer_at(WEIGHTS / "convnet.safetensors", device)


@register_scorer("selfie")
def _selfie(device: str) -> Scorer:
    return scorer_at(WEIGHTS / "selfie.safetensors", device)
