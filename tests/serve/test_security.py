"""Who is let in, and what a browser is told to keep from."""

from __future__ import annotations

import io
import json
import logging
import shutil
import subprocess
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from cropper.errors import ConfigError
from cropper.serve import pages
from cropper.serve.settings import ServeOptions, is_loopback
from tests.conftest import ENVIRONMENT, command, spotted
from tests.serve.conftest import serving
from tests.serve.test_api import as_form, problem
from tests.stores.server import serving as serving_files

TOKEN = "correct-horse-battery"


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/v1/nothing", "/openapi.json"])
def test_every_answer_has_the_headers(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    parts = headers["content-security-policy"].split(";")
    policy = dict(part.strip().split(" ", 1) for part in parts)
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_the_token_is_asked_for_where_there_is_one(photo_bytes: bytes) -> None:
    with serving(token=TOKEN) as client:
        for wrong in (None, "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer tökèn"):
            headers = {} if wrong is None else {b"Authorization": wrong.encode("utf-8")}
            for path in ("/metrics", "/v1/limits", "/v1/nothing"):
                refused = client.get(path, headers=headers)
                problem(refused, 401, "no-token")
                assert refused.headers["www-authenticate"].startswith("Bearer")
        for path in ("/", "/docs", "/static/style.css", "/healthz", "/readyz", "/openapi.json"):
            assert client.get(path).status_code == 200
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        assert client.get("/metrics").status_code == 200
        assert as_form(client, photo_bytes).status_code == 200
        operation = client.get("/openapi.json").json()["paths"]["/v1/crop"]["post"]
        assert operation["security"] == [{"token": []}]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_other_host_names_are_refused_on_a_loopback_address(
    client: httpx.Client, host: str
) -> None:
    problem(client.get("/healthz", headers={"Host": host}), 403, "foreign-host")


def test_a_proxy_on_this_machine_may_bring_its_own_name_and_the_token(photo_bytes: bytes) -> None:
    with serving(token=TOKEN) as client:
        names = {"Host": "crops.example", "Origin": "https://crops.example"}
        files = {"photo": ("a.png", photo_bytes)}
        problem(client.post("/v1/crop", files=files, headers=names), 401, "no-token")
        names["Authorization"] = f"Bearer {TOKEN}"
        assert client.post("/v1/crop", files=files, headers=names).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://["]
)
def test_pages_of_other_sites_are_refused(
    client: httpx.Client, photo_bytes: bytes, origin: str
) -> None:
    files = {"photo": ("a.png", photo_bytes)}
    refused = client.post("/v1/crop", files=files, headers={"Origin": origin})
    problem(refused, 403, "foreign-origin")
    assert "access-control-allow-origin" not in refused.headers
    own = client.post("/v1/crop", files=files, headers={"Origin": str(client.base_url).rstrip("/")})
    assert own.status_code == 200


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_loopback_is_told_by_address(host: str, is_own: bool) -> None:
    assert is_loopback(host) == is_own
    if not is_own:
        with pytest.raises(ConfigError, match="`token`"):
            ServeOptions(host=host)
        assert not ServeOptions(host=host, token=TOKEN).local


@pytest.mark.parametrize(
    "token", ["", "short", "long enough but\nbroken", "long enough, but tökèn"]
)
def test_weak_tokens_are_refused(token: str) -> None:
    with pytest.raises(ConfigError, match="16"):
        ServeOptions(token=token)


def test_the_command_ends_with_2_for_an_open_address_without_a_token(tmp_path: Path) -> None:
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "CROPPER_TOKEN"}
    done = command(tmp_path, "serve", "--host", "0.0.0.0", env=environment)
    assert done.returncode == 2
    assert b"--token" in done.stderr


def test_nothing_of_a_photo_is_logged_or_left(
    client: httpx.Client,
    photo_bytes: bytes,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))  # where writing fails
    caplog.set_level(logging.INFO, "uvicorn")
    caplog.set_level(logging.INFO, "cropper")
    padded = photo_bytes + bytes(400_000)
    assert as_form(client, padded).status_code == 200
    problem(as_form(client, padded[:400]), 422, "unreadable-picture")
    assert "passwd" not in caplog.text


def test_the_page_loads_nothing_from_elsewhere() -> None:
    for entry in pages._FOLDER.iterdir():
        text = entry.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "https:" not in text
        assert "http://" not in text.replace("http://127.0.0.1:8000", "")


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
def test_names_in_the_page_s_zip_lead_nowhere() -> None:
    names = ["..\\..\\a.jpg", "../b.jpg", "C:c.jpg", "d\n.jpg", "e.jpg", "e.jpg"]
    page = Path(pages.__file__).parent / "static/zip.js"
    script = f"import({json.dumps(page.as_uri())}).then((zip) => "
    script += f"console.log(JSON.stringify(zip.uniqueNames({json.dumps(names)}))))"
    done = subprocess.run(["node", "-e", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == [".._.._a.jpg", ".._b.jpg", "C_c.jpg", "d_.jpg", "e.jpg", "e-2.jpg"]


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
def test_files_in_the_page_s_zip_are_dated_as_they_are_made() -> None:
    page = Path(pages.__file__).parent / "static/zip.js"
    script = f"import({json.dumps(page.as_uri())}).then(async ({{ zip }}) => {{ "
    script += "const blob = await zip([{ name: 'a.jpg', blob: new Blob(['photo']) }]); "
    script += "process.stdout.write(Buffer.from(await blob.arrayBuffer())); })"
    before = datetime.now()
    done = subprocess.run(["node", "-e", script], capture_output=True, check=True)
    with zipfile.ZipFile(io.BytesIO(done.stdout)) as archive:
        assert archive.testzip() is None
        made = datetime(*archive.infolist()[0].date_time)
    assert timedelta(seconds=-2) <= made - before <= timedelta(seconds=60)


def test_no_url_is_fetched_whatever_holds_it(client: httpx.Client, tmp_path: Path) -> None:
    spotted().save(tmp_path / "a.jpg")
    with serving_files(tmp_path) as other:
        url = f"{other.url}/a.jpg"
        for path in ("/v1/crop", "/v1/cut"):
            for given in (
                {"data": {"photo": url, "box": "0,0,20,20"}},
                {"files": {"photo": ("a.jpg", url.encode(), "text/uri-list")}},
                {"files": {"photo": (url, b"", "image/jpeg")}, "data": {"url": url}},
                {"json": {"photo": url, "url": url}},
                {"content": url, "headers": {"Content-Type": "image/jpeg"}},
                {"content": url, "headers": {"Content-Type": "message/external-body"}},
            ):
                answer = client.post(path, **given)
                assert 400 <= answer.status_code < 500, answer.text
        assert other.asked == []
