"""What happened to one photo: the record that workers send back and the manifest keeps."""

from __future__ import annotations

import enum
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from cropper.boxes import Corners, Crop
from cropper.bulk.signature import Signature
from cropper.canvas import Canvas, Size
from cropper.request import CropRequest
from cropper.result import CropResult, SearchResult, StopReason
from cropper.tone import Filter
from cropper.turn import Orientation, Tilt

__all__ = [
    "STAYS",
    "Cropped",
    "Failed",
    "FileRole",
    "Outcome",
    "PhotoState",
    "Written",
    "outcome_from_json",
]

STAYS = "stays from an earlier run"  # a crop of a photo that is skipped now


class PhotoState(enum.StrEnum):
    """Of a photo, as the manifest keeps it and JSON tells it."""

    TODO = "todo"
    DONE = "done"
    SKIPPED = "skipped"  # no crop was liked enough, or nobody is in it who is to be kept
    FAILED = "failed"


class FileRole(enum.StrEnum):
    """What a file that was written for a photo is."""

    CROP = "crop"
    SIDECAR = "sidecar"
    OVERLAY = "overlay"


@dataclass(frozen=True)
class Written:
    """One file that was written for a photo: a crop, or what describes or explains one."""

    path: str  # relative to the output folder
    signature: Signature
    target: int  # index in BulkOptions.requests
    rank: int  # from 1
    crop: Crop
    what: FileRole = FileRole.CROP
    size: Size | None = None  # (width, height) px of a painted one

    def to_record(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        return {
            "path": self.path,
            "signature": asdict(self.signature),
            "target": self.target,
            "rank": self.rank,
            "box": self.crop.box,
            "score": self.crop.score,
            "corners": [[round(x, 2) + 0.0, round(y, 2) + 0.0] for x, y in self.crop.corners or ()]
            or None,
            "canvas": self.crop.canvas and asdict(self.crop.canvas),
            "what": self.what,
            **({"size": self.size} if self.size else {}),
            **({"filter": self.crop.filter.to_dict()} if self.crop.filter else {}),
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Written:
        return cls(
            path=record["path"],
            signature=Signature(**record["signature"]),
            target=record["target"],
            rank=record["rank"],
            crop=replace(
                Crop.of(np.array(record["box"]), record["score"], _corners(record)),
                canvas=Canvas(**record["canvas"]) if record.get("canvas") else None,
                filter=Filter.from_dict(record["filter"]) if record.get("filter") else None,
            ),
            what=FileRole(record["what"]),
            size=tuple(record["size"]) if record.get("size") else None,
        )


def _corners(record: dict[str, Any]) -> Corners | None:
    """Version 0.1 kept them as those of a ``warp``, of upright crops too."""
    warp = record.get("warp")
    if warp and warp["theta"][0][1] == warp["theta"][1][0] == 0:
        return None
    points = warp["corners"] if warp else record.get("corners")
    if points is None:
        return None
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = points
    return ((ax, ay), (bx, by), (cx, cy), (dx, dy))


@dataclass(frozen=True)
class Cropped:
    """A photo that was looked at, and what was written for it."""

    source: str  # relative to the input folder
    signature: Signature  # of the source
    result: CropResult  # of the first request; its seconds and evaluations are those of all
    written: tuple[Written, ...]
    notes: tuple[str, ...] = ()

    @property
    def state(self) -> PhotoState:
        return PhotoState.DONE if self.written else PhotoState.SKIPPED

    @property
    def gain(self) -> float:
        """Log-odds that people prefer the first request's best crop to the whole photo."""
        return self.result.best.score - self.result.full_frame_score

    @property
    def crops(self) -> list[Written]:
        return [each for each in self.written if each.what == FileRole.CROP]

    def to_json(self) -> str:
        """As the manifest keeps it."""
        result = self.result
        return json.dumps(
            {
                "source": self.source,
                "state": self.state,
                "signature": asdict(self.signature),
                "source_size": result.source_size,
                "size": result.size,
                "faces": result.faces,
                "tilt": result.tilt and asdict(result.tilt),
                "orientation": result.orientation and asdict(result.orientation),
                **({"absent": result.absent} if result.absent else {}),
                "full_frame_score": result.full_frame_score,
                "centre_score": result.centre_score,
                "calibrated": result.calibrated,
                "scorer": result.scorer,
                "candidates": result.search.evaluations,
                "strategy": result.search.strategy,
                "best": result.best.box,
                "best_score": result.best.score,
                "written": [each.to_record() for each in self.written],
                "notes": self.notes,
                "seconds": result.seconds,
            }
        )

    def to_dict(self, source: str, output: str, requests: Sequence[CropRequest]) -> dict[str, Any]:
        """The fields of `--json`, those of `cropper best` and ``status``.

        ``source`` and ``output`` are the folders' names, to be put in front of the paths.
        """
        record = {
            "input": f"{source}/{self.source}",
            "status": self.state,
            "output": f"{output}/{self.written[0].path}" if self.written else None,
            **self.result.to_dict(),
        }
        for each in self.written[1:]:
            if each.what != FileRole.CROP:
                record[each.what] = f"{output}/{each.path}"
        if len(self.crops) > 1:
            record["crops"] = [self._crop_record(each, output, requests) for each in self.crops]
        return record

    def _crop_record(
        self, written: Written, output: str, requests: Sequence[CropRequest]
    ) -> dict[str, Any]:
        request, record = requests[written.target], self.result.crop_record(written.crop)
        affine = {key: record.pop(key) for key in [*record] if key in ("theta", "corners")}
        return {
            "output": f"{output}/{written.path}",
            **record,
            "aspect": request.searched_aspect,
            "size": list(written.crop.layout(written.size or request.size)[0]),
            "rank": written.rank,
            **affine,
        }


@dataclass(frozen=True)
class Failed:
    """A photo that could not be cropped."""

    source: str  # relative to the input folder
    error: str  # the name of its type
    reason: str  # in a word or two, as failures are counted
    message: str
    stops: bool = False  # others would only repeat it: a full disk
    written: tuple[Written, ...] = ()  # before it failed
    state: PhotoState = PhotoState.FAILED

    def to_json(self) -> str:
        """As the manifest keeps it."""
        return json.dumps(
            {
                "source": self.source,
                "state": self.state,
                "kind": self.error,
                "reason": self.reason,
                "message": self.message,
                "stops": self.stops,
                "written": [each.to_record() for each in self.written],
            }
        )

    def to_dict(self, source: str, output: str, requests: Sequence[CropRequest]) -> dict[str, Any]:
        """As ``Cropped.to_dict``."""
        record = {"input": f"{source}/{self.source}", "status": self.state}
        return {**record, "error": self.message, "kind": self.error}


Outcome = Cropped | Failed


def outcome_from_json(text: str) -> Outcome:
    """What ``to_json`` made, by this version or by 0.1, which called skipped photos ``left``.

    What was damaged since raises one of many kinds of error.
    """
    record: dict[str, Any] = json.loads(text)
    written = tuple(Written.from_record(each) for each in record["written"])
    if record["state"] == PhotoState.FAILED:
        kept = {name: record[name] for name in ("source", "reason", "message", "stops")}
        return Failed(error=record["kind"], written=written, **kept)
    x0, y0, x1, y1 = (float(edge) for edge in record["best"])
    box = (x0, y0, x1, y1)
    crops = (each.crop for each in written if each.crop.box == box)
    best = next(crops, Crop.of(np.array(box), record["best_score"]))
    strategy = record.get("strategy", "")
    found = SearchResult((best,), strategy, record["candidates"], 0, StopReason.BUDGET)
    own: dict[str, Any] = {name: record[name] for name in ("calibrated", "scorer")}
    own |= {name: float(record[name]) for name in ("full_frame_score", "centre_score", "seconds")}
    own["size"] = tuple(map(int, record["size"])) if record.get("size") else None
    faces = record.get("faces")
    own["faces"] = None if faces is None else tuple(map(tuple, faces))
    own["absent"] = tuple(record.get("absent", ()))
    tilt = record.get("tilt")
    own["tilt"] = Tilt(float(tilt["angle"]), float(tilt["probability"])) if tilt else None
    up = record.get("orientation")
    own["orientation"] = Orientation(int(up["quarters"]), float(up["probability"])) if up else None
    width, height = map(int, record["source_size"])
    result = CropResult(source_size=(width, height), search=found, **own)
    signature = Signature(**record["signature"])
    return Cropped(record["source"], signature, result, written, tuple(map(str, record["notes"])))
