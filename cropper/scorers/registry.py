"""Scorers by name: those of the package, those of installed plug-ins, and checkpoint files.

A plug-in is a factory ``(device: str) -> Scorer`` under the entry point group ``cropper.scorers``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cropper.errors import ConfigError, CropperError, MissingModelError
from cropper.scorers.base import Scorer, ScorerSpec
from cropper.scorers.ensemble import EnsembleScorer, parse_parts
from cropper.scorers.loading import scorer_at

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

__all__ = ["DEFAULT_SCORER", "load_scorer", "register_scorer", "scorer_names"]

DEFAULT_SCORER = "cropnet"

Factory = Callable[[str], Scorer]
_factories: dict[str, Factory] = {}


def register_scorer(name: str) -> Callable[[Factory], Factory]:
    """Decorator: make ``factory(device)`` the scorer ``name``. A name is registered once."""

    def add(factory: Factory) -> Factory:
        if name in _factories:
            raise ConfigError(f"scorer {name!r} is registered twice: give one another name")
        _factories[name] = factory
        return factory

    return add


def scorer_names() -> list[str]:
    """Every scorer that ``load_scorer`` knows by name, plug-ins included, none of them loaded."""
    plugins = {point.name for point in _plugins()}
    return sorted(plugins | _factories.keys())


def load_scorer(name: str, device: str = "auto") -> Scorer:
    """A scorer by registered name or by the path of a ``.safetensors`` checkpoint.

    Several of them, joined by ``+``, are an ensemble (``cropper.scorers.ensemble``). ``device`` is
    ``auto``, ``cpu`` or ``cuda``. Raises MissingModelError for an unknown name.
    """
    if name in _factories:
        return _factories[name](device)
    parts = None if os.path.isfile(name) else parse_parts(name)
    if parts is not None:
        return EnsembleScorer(parts, [load_scorer(part.name, device) for part in parts])
    if Path(name).suffix == ".safetensors":
        return scorer_at(Path(name), device)
    for point in _plugins():
        if point.name == name:
            return _plugged_in(point, device)
    raise MissingModelError(
        f"no scorer {name!r}: choose {', '.join(scorer_names())}, several joined by '+', or give a "
        ".safetensors file"
    )


def _plugged_in(point: EntryPoint, device: str) -> Scorer:
    """Raises MissingModelError for whatever a plug-in does that is no scorer, leaving included."""
    try:
        scorer: Scorer = point.load()(device)
        if not isinstance(scorer, Scorer) or not isinstance(scorer.spec, ScorerSpec):
            raise TypeError(f"it gave a {type(scorer).__name__}, which is no scorer")
    except CropperError:
        raise
    except (Exception, SystemExit) as error:
        raise MissingModelError(
            f"the plug-in of scorer {point.name!r} cannot be loaded ({type(error).__name__}: "
            f"{error}): mend or remove it"
        ) from error
    return scorer


def _plugins() -> EntryPoints:
    from importlib.metadata import entry_points  # noqa: PLC0415 - 15 ms that most runs can save

    return entry_points(group="cropper.scorers")
