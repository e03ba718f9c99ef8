"""What a client sends, read into memory within the limits of size and time, never to a file."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from cropper.serve.problems import ProblemError
from cropper.serve.settings import MEGABYTE, ServeOptions

__all__ = ["Upload", "drain", "read_upload"]

Fields = list[tuple[str, str]]

_PHOTO = "photo"  # the form's field
_MAX_FIELDS = 32
_MAX_FIELD = 1 << 18  # bytes; of the longest, the boxes to score
_DRAIN_SECONDS = 3.0
_CLOSE = {"Connection": "close"}  # what is left of the request is not read


@dataclass(frozen=True)
class Upload:
    photo: bytes
    fields: Fields  # of the query and of the form, in their order


class _InMemory(MultiPartParser):
    """Starlette's, but without its temporary files; the stream's limit bounds the memory."""

    def __init__(self, request: Request, stream: AsyncGenerator[bytes, None], limit: int) -> None:
        self.spool_max_size = limit + 1
        super().__init__(
            request.headers,
            stream,
            max_files=1,
            max_fields=_MAX_FIELDS,
            max_part_size=_MAX_FIELD,
        )


async def read_upload(request: Request, options: ServeOptions) -> Upload:
    """Raises ProblemError for what is too large, too slow, broken or empty."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > options.max_upload:
        await drain(request, options)
        raise _too_large(options)
    try:
        async with asyncio.timeout(options.upload_seconds):
            photo, fields = await _read(request, options)
    except TimeoutError:
        raise ProblemError(
            "slow-upload",
            f"a request arrives within {options.upload_seconds:g} s",
            _CLOSE,
            rule="upload_seconds",
            limit=options.upload_seconds,
        ) from None
    if not photo:
        raise ProblemError("no-photo", f"the body, or the form's file field {_PHOTO!r}, is empty")
    return Upload(photo, [*request.query_params.multi_items(), *fields])


async def drain(request: Request, options: ServeOptions) -> None:
    """Read and forget what a refused client still sends, for a while.

    Most clients read no answer before they have sent everything; a connection that is closed
    earlier takes the answer with it. One that waits for a 100 Continue does read it.
    """
    if request.headers.get("expect"):
        return
    left = 4 * options.max_upload
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for chunk in request.stream():
                left -= len(chunk)
                if left < 0:
                    return


async def _read(request: Request, options: ServeOptions) -> tuple[bytes, Fields]:
    stream = _bounded(request, options)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "multipart/form-data":
        return b"".join([chunk async for chunk in stream]), []
    try:
        form = await _InMemory(request, stream, options.max_upload).parse()
    except MultiPartException as error:
        raise ProblemError("bad-form", error.message, _CLOSE) from error
    except (KeyError, UnicodeError, ValueError, AssertionError) as error:  # of broken headers
        raise ProblemError("bad-form", "the form's headers cannot be read", _CLOSE) from error
    photo, fields = b"", []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile) != (name == _PHOTO):
            wanted = f"the field {_PHOTO!r} is a file, with a filename"
            if name != _PHOTO:
                wanted = f"the file goes into the field {_PHOTO!r}, got it in {name!r}"
            raise ProblemError("bad-form", wanted, rule=name)
        if isinstance(value, UploadFile):
            photo = await value.read()
        else:
            fields.append((name, value))
    await form.close()
    return photo, fields


async def _bounded(request: Request, options: ServeOptions) -> AsyncGenerator[bytes, None]:
    taken = 0
    async for chunk in request.stream():
        taken += len(chunk)
        if taken > options.max_upload:
            await drain(request, options)
            raise _too_large(options)
        yield chunk


def _too_large(options: ServeOptions) -> ProblemError:
    return ProblemError(
        "upload-too-large",
        f"an upload has at most {options.max_upload / MEGABYTE:g} MB: send a smaller file, or "
        "start the service with another max_upload_mb",
        _CLOSE,
        rule="max_upload_mb",
        limit=options.max_upload_mb,
    )
