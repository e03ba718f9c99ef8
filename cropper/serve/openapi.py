"""The OpenAPI document, made from the same table that reads the options."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from cropper.serve.options import ServeOptions
from cropper.serve.parameters import CROP, CUT, PARAMETERS, SCORE
from cropper.serve.problems import KINDS, MEDIA_TYPE
from cropper.serve.studio import MEDIA_TYPES

__all__ = ["describe"]

_ANY_POST: tuple[str, ...] = ("bad-option", "bad-form", "no-photo", "not-acceptable", "slow-upload")
_ANY_POST += ("upload-too-large", "too-many-megapixels", "not-a-picture", "unreadable-picture")
_ANY_POST += ("internal", "busy", "too-slow")
_BOX = {
    "type": "array",
    "items": {"type": "number"},
    "minItems": 4,
    "maxItems": 4,
    "description": "x0, y0, x1, y1 in pixels of the upright picture, half-open.",
}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_PREFERRED = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_TO_FULL_FRAME = _PREFERRED | {
    "description": "The probability that people prefer this crop to the whole picture; null where "
    "the scorer cannot say."
}


def describe(options: ServeOptions) -> dict[str, Any]:
    """OpenAPI 3.1 of a service that was started with these options."""
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "cropper",
            "version": _version(),
            "description": "Finds the crop of a photo that people like best. An upload has at most "
            f"{options.max_upload_mb:g} MB and {options.max_mpixels:g} megapixels; "
            f"{options.queue} requests are taken in at once. Nothing of a photo is kept.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(),
        "x-problems": {
            name: {"status": kind.status, "title": kind.title, "remedy": kind.remedy}
            for name, kind in KINDS.items()
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
    if options.token is not None:
        for path, item in document["paths"].items():
            if path.startswith(("/v1/", "/metrics")):
                for operation in item.values():
                    operation["security"] = [{"token": []}]
    return document


def _paths() -> dict[str, Any]:
    return {
        "/v1/crop": _post(
            "crop",
            "Find the best crops of a photo",
            "JSON by default; the best crop itself where a picture type is accepted.",
            CROP,
            {"application/json": {"schema": _ref("Crops")}} | _pictures(),
        ),
        "/v1/score": _post(
            "score",
            "Score boxes of your own",
            "Scores compare crops of one photo; they mean nothing across photos.",
            SCORE,
            {"application/json": {"schema": _ref("Scores")}},
        ),
        "/v1/cut": _post(
            "cut",
            "Cut one box of your own",
            "Cut and encoded as /v1/crop does: metadata true for the crop, colours kept.",
            CUT,
            _pictures(),
        ),
        "/v1/limits": _get("limits", "What the service takes", _ref("Limits"), guarded=True),
        "/healthz": _get("health", "Whether the process answers", _ref("Status")),
        "/readyz": _get("ready", "Whether a request would be taken in", _ref("Status"), "busy"),
        "/metrics": _get("metrics", "Counters for Prometheus", None, guarded=True),
    }


def _version() -> str:
    try:
        return version("cropper")
    except PackageNotFoundError:  # run from its source
        return "0"


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _pictures() -> dict[str, Any]:
    binary = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
    return dict.fromkeys(MEDIA_TYPES.values(), binary)


def _post(
    name: str, summary: str, about: str, options: Sequence[str], answer: dict[str, Any]
) -> dict[str, Any]:
    operation = {
        "operationId": name,
        "summary": summary,
        "description": about + " Options go into the query or into the form, each once.",
        "parameters": [
            {
                "name": option,
                "in": "query",
                "description": PARAMETERS[option].about,
                # a form may hold it instead, which OpenAPI cannot say
                "required": False,
                "schema": PARAMETERS[option].schema,
            }
            for option in options
        ],
        "requestBody": _body(options),
        "responses": {
            "200": {"description": "Done", "content": answer},
            **_problems(*_ANY_POST, "cannot-encode", "no-token", "foreign-host"),
        },
    }
    return {"post": operation}


def _body(options: Sequence[str]) -> dict[str, Any]:
    """The photo as it is, or in a form with its options."""
    properties: dict[str, Any] = {
        "photo": {"type": "string", "contentMediaType": "application/octet-stream"}
    }
    for option in options:
        properties[option] = {**PARAMETERS[option].schema, "description": PARAMETERS[option].about}
    form = {
        "type": "object",
        "properties": properties,
        "required": ["photo"],
        "additionalProperties": False,
    }
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": form},
            "application/octet-stream": {"schema": {}},
            "image/*": {"schema": {}},
        },
    }


def _get(
    name: str,
    summary: str,
    schema: dict[str, Any] | None,
    *problems: str,
    guarded: bool = False,
) -> dict[str, Any]:
    kinds = (*problems, "foreign-host", *(("no-token",) if guarded else ()))
    content = {"application/json": {"schema": schema}} if schema else {"text/plain": {}}
    responses = {"200": {"description": "Done", "content": content}, **_problems(*kinds)}
    return {"get": {"operationId": name, "summary": summary, "responses": responses}}


def _problems(*kinds: str) -> dict[str, Any]:
    """One entry a status, which several kinds may share."""
    titles: dict[str, list[str]] = {}
    for kind in kinds:
        titles.setdefault(str(KINDS[kind].status), []).append(KINDS[kind].title)
    return {
        status: {
            "description": "; ".join(names),
            "content": {MEDIA_TYPE: {"schema": _ref("Problem")}},
        }
        for status, names in sorted(titles.items())
    }


def _object(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _schemas() -> dict[str, Any]:
    number, text = {"type": "number"}, {"type": "string"}
    size = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}
    crop = {
        "box": _BOX,
        "box_norm": _BOX | {"items": _SHARE, "description": "The box in [0, 1]."},
        "score": number,
        "preferred_to_full_frame": _TO_FULL_FRAME,
    }
    shared = {"source_size": size, "full_frame_score": number, "scorer": text}
    crops = {
        **shared,
        **crop,
        "centre_score": number | {"description": "Of a centred crop of the best one's size."},
        "preferred_to_centre": _PREFERRED,
        "candidates": {"type": "integer"},
        "seconds": number,
        "crops": {"type": "array", "minItems": 1, "items": _object(crop)},
        "format": {"type": "string", "enum": [*MEDIA_TYPES]},
        "notes": {"type": "array", "items": text},
        "heat": _heat(),
    }
    scored = _object({key: crop[key] for key in ("box", "score", "preferred_to_full_frame")})
    problem = {
        "type": text | {"description": f"/docs# and one of {', '.join(KINDS)}."},
        "title": text,
        "status": {"type": "integer"},
        "detail": text,
        "rule": text | {"description": "What was broken: an option, a header or a limit."},
        "limit": number,
    }
    return {
        "Crops": _object(crops, "heat"),
        "Scores": _object({**shared, "boxes": {"type": "array", "items": scored}}),
        "Limits": _object({"max_upload_mb": number, "max_mpixels": number, "scorer": text}),
        "Status": _object({"status": text}),
        "Problem": _object(problem, "rule", "limit"),
    }


def _heat() -> dict[str, Any]:
    row = {"type": "array", "items": {"type": ["number", "null"]}}
    return _object(
        {
            "aspect": {"type": "number"},
            "rows": {"type": "integer"},
            "columns": {"type": "integer"},
            "scores": {
                "type": "array",
                "items": row,
                "description": "Row by row over the whole picture; null where no crop can be "
                "centred.",
            },
        }
    )
