"""What happened to one photo: the record that workers send back and the manifest keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cropper.boxes import Crop
from cropper.bulk.options import Target
from cropper.bulk.signature import Signature
from cropper.result import preference

__all__ = ["CROP", "DONE", "FAILED", "LEFT", "OVERLAY", "SIDECAR", "Outcome", "Written"]

DONE, LEFT, FAILED = "done", "left", "failed"
CROP, SIDECAR, OVERLAY = "crop", "sidecar", "overlay"


@dataclass(frozen=True)
class Written:
    """One file that was written for a photo: a crop, or what describes or explains one."""

    path: str  # relative to the output folder
    signature: Signature
    target: int  # index in BulkOptions.targets()
    rank: int  # from 1
    box: tuple[float, float, float, float]  # whole px of the upright source
    score: float
    what: str = CROP  # or SIDECAR or OVERLAY
    warp: dict[str, Any] | None = None  # of a turned crop: the fields of ``Warp.to_dict``

    @property
    def crop(self) -> Crop:
        return Crop(*self.box, self.score)

    @property
    def side_lengths(self) -> tuple[int, int]:
        """(width, height) of the box, px."""
        return round(self.crop.width), round(self.crop.height)


@dataclass(frozen=True)
class Outcome:
    source: str  # relative to the input folder
    state: str  # DONE, FAILED, or LEFT: no crop was liked enough to be written
    signature: Signature | None = None  # of the source; None where it could not be read
    source_size: tuple[int, int] = (0, 0)  # (width, height), upright
    full_frame_score: float = 0.0
    centre_score: float = 0.0  # of a centred crop of the best one's size
    calibrated: bool = True  # differences of the scores are log-odds of preference
    scorer: str = ""
    candidates: int = 0  # boxes that were scored
    best: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # of the first target
    best_score: float = 0.0
    written: tuple[Written, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    kind: str = ""  # of a failure: the name of its error
    reason: str = ""  # of a failure, in a word or two, as they are counted
    message: str = ""
    stops: bool = False  # a failure that others would only repeat: a full disk

    @property
    def gain(self) -> float:
        """Log-odds that people prefer the first target's best crop to the whole picture."""
        return self.best_score - self.full_frame_score

    def to_json(self) -> str:
        """As the manifest keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        record: dict[str, Any] = json.loads(text)
        for name in ("source_size", "best", "notes"):
            record[name] = tuple(record[name])
        for each in record["written"]:
            each |= {"box": tuple(each["box"]), "signature": Signature(**each["signature"])}
        record["written"] = tuple(Written(**each) for each in record["written"])
        if record["signature"]:
            record["signature"] = Signature(**record["signature"])
        return cls(**record)

    def to_dict(self, source: str, output: str, targets: Sequence[Target]) -> dict[str, Any]:
        """The fields of `--json`, those of `cropper best` and ``status``.

        ``source`` and ``output`` are the folders' names, to be put in front of the paths.
        """
        record: dict[str, Any] = {"input": f"{source}/{self.source}", "status": self.state}
        if self.state == FAILED:
            return record | {"error": self.message, "kind": self.kind}
        record["output"] = f"{output}/{self.written[0].path}" if self.written else None
        record["source_size"] = list(self.source_size)
        record |= Crop(*self.best, self.best_score).to_dict(self.source_size)
        record |= {
            "full_frame_score": self.full_frame_score,
            "centre_score": self.centre_score,
            "preferred_to_full_frame": self._preferred_to(self.full_frame_score),
            "preferred_to_centre": self._preferred_to(self.centre_score),
            "scorer": self.scorer,
            "candidates": self.candidates,
            "seconds": round(self.seconds, 4),
        }
        crops = [each for each in self.written if each.what == CROP]
        if crops and crops[0].warp and crops[0].box == self.best:
            record |= crops[0].warp
        record |= {
            each.what: f"{output}/{each.path}" for each in self.written[1:] if each.what != CROP
        }
        if len(crops) > 1:
            record["crops"] = [
                {
                    "output": f"{output}/{each.path}",
                    **each.crop.to_dict(self.source_size),
                    "aspect": targets[each.target].aspect,
                    "size": list(targets[each.target].size or each.side_lengths),
                    "rank": each.rank,
                    **(each.warp or {}),
                }
                for each in crops
            ]
        return record

    def _preferred_to(self, score: float) -> float | None:
        return round(preference(self.best_score - score), 4) if self.calibrated else None
