"""The OpenAPI document against the service, by schemathesis where it is installed, and a corpus of
broken files posted to it.
"""

from __future__ import annotations

import random
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings

from tests.conftest import spotted
from tests.image.pictures import encoded
from tests.serve.conftest import serving
from tests.serve.test_api import as_form, post

pytestmark = pytest.mark.slow


def corpus() -> list[bytes]:
    """Pictures cut off, with bytes changed, with lies in their headers, and no pictures at all."""
    chance = random.Random(5)
    photo = spotted(60, 40)
    whole = [encoded(photo, kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")]
    broken = [b"GIF89a", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"\x89PNG\r\n\x1a\n" + bytes(50)]
    broken += [b"II*\0\xff\xff\xff\xff", b"<svg/>", b"%PDF-1.4", bytes(range(256))]
    for content in whole:
        broken += [content[: len(content) * part // 4] for part in (1, 2, 3)]
        for _ in range(6):
            changed = bytearray(content)
            for _ in range(chance.choice((1, 8, 40))):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            broken.append(bytes(changed))
    lie = bytearray(encoded(photo, "GIF"))
    lie[6:10] = b"\xff" * 4  # its width and height
    return [*broken, bytes(lie), photo.tobytes()]


def test_broken_files_are_problems_of_theirs_never_of_the_service(client: httpx.Client) -> None:
    statuses = set()
    for content in corpus():
        for send in (post, as_form):
            answer = send(client, content, budget=100, strategy="random")
            assert answer.status_code in (200, 413, 415, 422), answer.text
            statuses.add(answer.status_code)
    assert statuses >= {200, 413, 415, 422}  # some changes do not matter
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
def test_the_service_keeps_to_its_document(mode: str) -> None:
    """With a photo in every body, so that the options are what matters; without one, by fuzzing."""
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    generation = schemathesis.GenerationMode[mode]
    content = encoded(spotted(40, 30), "PNG")
    bodies: list[dict[str, Any]] = [{"body": content, "media_type": "application/octet-stream"}, {}]
    with serving(max_mpixels=1, max_upload_mb=1) as client:
        schema = schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")
        operations = [result.ok() for result in schema.get_all_operations()]
        assert len(operations) == 7
        for operation in operations:
            posts = operation.method.upper() == "POST"
            for body in bodies if posts else [{}]:
                if posts or generation == schemathesis.GenerationMode.POSITIVE:
                    _check(operation.as_strategy(generation, **body))


def _check(cases: Any) -> None:
    from schemathesis.checks import not_a_server_error, response_schema_conformance  # noqa: PLC0415
    from schemathesis.specs.openapi import checks  # noqa: PLC0415

    wanted = [not_a_server_error, response_schema_conformance, checks.status_code_conformance]
    wanted += [checks.content_type_conformance, checks.response_headers_conformance]

    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def run(case: Any) -> None:
        case.call_and_validate(checks=wanted)

    run()
