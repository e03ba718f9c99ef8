"""From a checkpoint to a scorer: which backend runs it. Imports torch only where that is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cropper.errors import ConfigError, MissingModelError, extra
from cropper.scorers.base import Scorer
from cropper.scorers.cropnet_config import CropNetConfig
from cropper.scorers.header import read_header, spec_from

__all__ = ["scorer_at"]

_ONNX_BATCH = 16_384  # boxes at once: the more, the more of them share a lattice


def scorer_at(path: Path, device: str = "auto") -> Scorer:
    """The scorer in a checkpoint.

    ``cropnet`` runs on ONNX Runtime unless ``device`` is ``cuda``; all else on torch. Raises
    MissingModelError for a broken file and MissingExtraError where torch is needed and missing.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device is auto, cpu or cuda, got {device!r}")
    header = read_header(path)
    if header.get("kind") == "cropnet" and device != "cuda":
        try:
            config = CropNetConfig(**header["config"])
        except (KeyError, TypeError) as error:
            raise MissingModelError(
                f"{path} has a broken header ({error!r}): train it again with this version"
            ) from error
        from cropper.scorers.cropnet_onnx import OnnxCropNetScorer, fits_graph  # noqa: PLC0415

        if fits_graph(config):
            spec = replace(spec_from(header, path), batch_size=_ONNX_BATCH)
            return OnnxCropNetScorer(path, config, spec)
    with extra("torch"):
        from cropper.scorers.checkpoint import scorer_from_file  # noqa: PLC0415 - slow
    return scorer_from_file(path, device)
