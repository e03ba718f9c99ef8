"""The OpenAPI document, around the models that read the options."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from cropper.serve.answers import CropsAnswer, Limits, Problem, ScoresAnswer, SeveralAnswer, Status
from cropper.serve.handlers import MEDIA_TYPES
from cropper.serve.problems import MEDIA_TYPE, PROBLEM_TYPES
from cropper.serve.questions import CropQuestion, CutQuestion, ScoreQuestion
from cropper.serve.settings import ServeOptions

__all__ = ["describe"]

_ANY_POST: tuple[str, ...] = ("bad-option", "bad-form", "no-photo", "not-acceptable", "slow-upload")
_ANY_POST += ("upload-too-large", "too-many-megapixels", "not-a-picture", "unreadable-picture")
_ANY_POST += ("internal", "busy", "too-slow")
_CROPS = ("CropsAnswer", "SeveralAnswer")


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
            name: {"status": problem.status, "title": problem.title, "remedy": problem.remedy}
            for name, problem in PROBLEM_TYPES.items()
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
            "JSON by default; of one aspect the best crop itself where a picture type is accepted.",
            CropQuestion,
            {"application/json": {"schema": {"oneOf": [*map(_ref, _CROPS)]}}} | _pictures(),
        ),
        "/v1/score": _post(
            "score",
            "Score boxes of your own",
            "Scores compare crops of one photo; they mean nothing across photos.",
            ScoreQuestion,
            {"application/json": {"schema": _ref("ScoresAnswer")}},
        ),
        "/v1/cut": _post(
            "cut",
            "Cut one box of your own",
            "Cut and encoded as /v1/crop does: metadata true for the crop, colours kept.",
            CutQuestion,
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
    name: str, summary: str, about: str, options: type[BaseModel], answer: dict[str, Any]
) -> dict[str, Any]:
    schemas = _option_schemas(options)
    operation = {
        "operationId": name,
        "summary": summary,
        "description": about + " Options go into the query or into the form, each once.",
        "parameters": [
            {
                "name": option,
                "in": "query",
                "description": schema["description"],
                # a form may hold it instead, which OpenAPI cannot say
                "required": False,
                "schema": {key: schema[key] for key in schema if key != "description"},
            }
            for option, schema in schemas.items()
        ],
        "requestBody": _body(schemas),
        "responses": {
            "200": {"description": "Done", "content": answer},
            **_problems(*_ANY_POST, "cannot-encode", "no-token", "foreign-host"),
        },
    }
    return {"post": operation}


def _body(options: dict[str, Any]) -> dict[str, Any]:
    """The photo alone, or in a form with its options."""
    photo = {"type": "string", "contentMediaType": "application/octet-stream"}
    form = {
        "type": "object",
        "properties": {"photo": photo, **options},
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
    problems = (*problems, "foreign-host", *(("no-token",) if guarded else ()))
    content = {"application/json": {"schema": schema}} if schema else {"text/plain": {}}
    responses = {"200": {"description": "Done", "content": content}, **_problems(*problems)}
    return {"get": {"operationId": name, "summary": summary, "responses": responses}}


def _problems(*problems: str) -> dict[str, Any]:
    """One entry a status, which several problems may share."""
    titles: dict[str, list[str]] = {}
    for problem in problems:
        titles.setdefault(str(PROBLEM_TYPES[problem].status), []).append(
            PROBLEM_TYPES[problem].title
        )
    return {
        status: {
            "description": "; ".join(names),
            "content": {MEDIA_TYPE: {"schema": _ref("Problem")}},
        }
        for status, names in sorted(titles.items())
    }


def _schemas() -> dict[str, Any]:
    """Of answers; a field that may be left out is not null where it is there."""
    models = (CropsAnswer, SeveralAnswer, ScoresAnswer, Limits, Status, Problem)
    template = "#/components/schemas/{model}"
    _, shared = models_json_schema([(each, "validation") for each in models], ref_template=template)
    schemas: dict[str, Any] = shared["$defs"]
    for schema in schemas.values():
        for name, field in schema["properties"].items():
            if name not in schema["required"]:
                schema["properties"][name] = _given(field)
    return schemas


def _option_schemas(model: type[BaseModel]) -> dict[str, Any]:
    """Name -> JSON schema of each option."""
    properties = model.model_json_schema()["properties"]
    return {name: _given(schema) for name, schema in properties.items()}


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an optional field's value, where it is given."""
    kept = {key: value for key, value in schema.items() if key not in ("anyOf", "title")}
    if kept.get("default", "") is None:
        del kept["default"]
    return {**next(iter(schema.get("anyOf", [{}]))), **kept}
