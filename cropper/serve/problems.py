"""Errors as RFC 9457 problem documents that name the rule, the limit and the value that broke it.

A ``type`` is the address of its explanation on the service's own documentation page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from cropper.decoders import NoRoomError
from cropper.errors import (
    ConfigError,
    CropperError,
    CropTooSmallError,
    ImageReadError,
    ImageTooLargeError,
    ImageWriteError,
)

__all__ = ["GONE", "HANDLERS", "MEDIA_TYPE", "PROBLEM_TYPES", "ProblemError", "problem_response"]

MEDIA_TYPE = "application/problem+json"
_ROOM_COMES = "5"  # s
GONE = 499  # for the metrics: nobody is there any more to read it


@dataclass(frozen=True)
class _Type:
    status: int
    title: str
    remedy: str  # for the documentation


PROBLEM_TYPES = {
    "bad-option": _Type(400, "An option breaks its rule", "Correct the option that it names."),
    "bad-form": _Type(400, "The form cannot be read", "Send multipart/form-data as RFC 7578 says."),
    "no-photo": _Type(400, "No photo was sent", "Send it as the body, or as the form field photo."),
    "no-token": _Type(401, "The token is missing or wrong", "Send Authorization: Bearer TOKEN."),
    "foreign-host": _Type(403, "The request is for another host", "Use the address as started."),
    "foreign-origin": _Type(403, "Another site's page asked", "Use the service's own page."),
    "not-found": _Type(404, "There is nothing here", "The paths are listed on /docs."),
    "bad-method": _Type(405, "The path has no such method", "See the Allow header."),
    "not-acceptable": _Type(406, "No such type is made", "Accept JSON or a picture type."),
    "slow-upload": _Type(408, "The upload took too long", "Send a smaller picture."),
    "upload-too-large": _Type(413, "The upload is too large", "Send a smaller file."),
    "too-many-megapixels": _Type(413, "The picture is too large", "Scale it down."),
    "not-a-picture": _Type(415, "Not a known kind of picture", "Send one of the formats."),
    "unreadable-picture": _Type(422, "The picture is broken", "Save it anew in an editor."),
    "too-few-pixels": _Type(422, "The photo is too small", "Send a larger photo, or ask for less."),
    "cannot-encode": _Type(422, "The format cannot hold the crop", "Ask for another format."),
    "internal": _Type(500, "The service failed", "Report it, with the service's log."),
    "busy": _Type(503, "The service is busy", "Try again after Retry-After seconds."),
    "not-ready": _Type(503, "The service is not ready", "Try again later."),
    "too-slow": _Type(504, "The answer took too long", "Ask for less, or a smaller budget."),
}


class ProblemError(Exception):
    """One error of one request. ``more`` are further members of the document."""

    def __init__(
        self,
        problem: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        **more: str | float,
    ) -> None:
        super().__init__(detail)
        self.problem, self.detail, self.more = problem, detail, more
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        return PROBLEM_TYPES[self.problem].status

    def document(self) -> dict[str, Any]:
        return {
            "type": f"/docs#{self.problem}",
            "title": PROBLEM_TYPES[self.problem].title,
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }


def problem_response(problem: ProblemError) -> Response:
    content = json.dumps(problem.document())
    return Response(content, problem.status, problem.headers, MEDIA_TYPE)


def _from_library(error: CropperError) -> ProblemError:
    """The library's error as a problem. Its messages hold no path: photos have no name here."""
    problems: list[tuple[type[CropperError], str]] = [
        (ConfigError, "bad-option"),
        (ImageTooLargeError, "too-many-megapixels"),
        (ImageReadError, "unreadable-picture"),
        (ImageWriteError, "cannot-encode"),
        (CropTooSmallError, "too-few-pixels"),
    ]
    for error_type, name in problems:
        if isinstance(error, error_type):
            return ProblemError(name, str(error).replace("`", ""))  # around the names of options
    return ProblemError("internal", "the scorer failed on this picture")


async def _handle(_: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        return Response(status_code=GONE)
    if isinstance(error, NoRoomError):
        told = f"{error}: other photos are being decoded"
        error = ProblemError("busy", told, {"Retry-After": _ROOM_COMES}, rule="memory")
    if isinstance(error, CropperError):
        error = _from_library(error)
    if isinstance(error, HTTPException):  # the router's own
        problem = {404: "not-found", 405: "bad-method"}.get(error.status_code, "bad-form")
        error = ProblemError(problem, error.detail, error.headers)
    if not isinstance(error, ProblemError):
        error = ProblemError("internal", "an error that nobody expected; the service's log has it")
    return problem_response(error)


HANDLERS: dict[Any, Any] = dict.fromkeys(
    (ProblemError, CropperError, HTTPException, ClientDisconnect, Exception), _handle
)
