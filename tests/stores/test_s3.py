"""The real command against a server that speaks S3, moto's, by s3fs: neither comes with an extra.

pip install 'moto[server]' s3fs
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from tests.bulk.conftest import tree
from tests.conftest import command, spotted
from tests.image.pictures import encoded
from tests.stores.conftest import PHOTOS, stored

pytest.importorskip("s3fs")
pytest.importorskip("moto.server")
pytestmark = pytest.mark.slow

SECRET = "aVerySecretKey00"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"
    server = subprocess.Popen([sys.executable, "-c", start], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def cloud(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bucket with photos, and the variables by which s3fs finds it."""
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }.items():
        monkeypatch.setenv(name, value)
    files = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
    if files.exists("bucket"):
        files.rm("bucket", recursive=True)
    files.mkdir("bucket")
    for name, x in PHOTOS.items():
        kind = "PNG" if name.endswith("png") else "JPEG"
        files.pipe_file(f"bucket/photos/{name}", encoded(spotted(spot=(x, 0.5)), kind))
    return files


def run(folder: Path, *arguments: object) -> tuple[int, str]:
    more = {"env": os.environ | {"PYTHONPATH": os.fspath(Path(__file__).parents[2])}}
    line = [*arguments, "--scorer", "spot", "--budget", 300]
    done = command(folder, *line, spot=True, **more)
    told = done.stderr.decode()
    assert SECRET not in told
    return done.returncode, told


def test_best(cloud: Any, tmp_path: Path) -> None:
    photo = "s3://bucket/photos/a.jpg"
    assert run(tmp_path, "best", photo)[0] == 0
    assert run(tmp_path, "best", photo, "-o", "s3://bucket/best.jpg")[0] == 0
    assert cloud.cat_file("bucket/best.jpg") == (tmp_path / "a-best.jpg").read_bytes()
    code, told = run(tmp_path, "best", photo, "-o", "s3://bucket/best.jpg", "--aspect", "1:1")
    assert code == 2
    assert "s3://bucket/best.jpg exists" in told
    code, told = run(tmp_path, "best", "s3://bucket/none.jpg")
    assert code == 1
    assert "s3://bucket/none.jpg: cannot be fetched: there is no such file" in told
    code, told = run(tmp_path, "best", photo, "-o", "s3://nobucket/a.jpg")
    assert code == 5
    assert "there is no such bucket or folder" in told


def test_bulk(cloud: Any, tmp_path: Path) -> None:
    cloud.get("bucket/photos/", f"{tmp_path}/in/", recursive=True)
    assert run(tmp_path, "bulk", "in", "-o", "out")[0] == 0
    wanted = tree(tmp_path / "out")
    line = ("bulk", "s3://bucket/photos", "-o", "s3://bucket/crops")
    assert "4 done" in run(tmp_path, *line)[1]
    assert stored(cloud, "bucket/crops") == wanted
    assert "0 done, 4 were done already" in run(tmp_path, *line)[1]
    edited = encoded(spotted(60, 40), "JPEG")
    cloud.pipe_file("bucket/crops/a.jpg", edited)
    cloud.rm_file("bucket/crops/b c.png")
    cloud.pipe_file("bucket/photos/sub/a.jpg", encoded(spotted(spot=(0.2, 0.3)), "JPEG"))
    code, told = run(tmp_path, *line)
    assert code == 0
    assert "s3://bucket/crops/a.jpg: changed since it was written: kept" in told
    assert "2 done, 2 were done already" in told
    now = stored(cloud, "bucket/crops")
    assert now["a.jpg"] == edited
    assert now["b c.png"] == wanted["b c.png"]
    assert now["sub/a.jpg"] != wanted["sub/a.jpg"]
    cloud.pipe_file("bucket/more/a.jpg", b"theirs")
    code, told = run(tmp_path, "bulk", "in", "-o", "s3://bucket/more")
    assert code == 2
    assert "s3://bucket/more/a.jpg exists and no earlier run wrote it" in told


def test_a_file_that_comes_up_while_a_crop_is_made_stays(cloud: Any) -> None:
    from cropper.stores.client import connected  # noqa: PLC0415

    cloud.pipe_file("bucket/a.jpg", b"theirs")
    with connected("s3://bucket", 60) as client, pytest.raises(FileExistsError):
        client.put(b"ours", "a.jpg", is_new=True)  # nothing was there when it was planned
    assert cloud.cat_file("bucket/a.jpg") == b"theirs"


def test_nobody_there_and_no_credentials(
    cloud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("HOME", str(tmp_path))
    code, told = run(tmp_path, "best", "s3://bucket/photos/a.jpg")
    assert code == 1
    assert "look at the credentials" in told
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    code, told = run(tmp_path, "bulk", "s3://bucket/photos", "-o", "out")
    assert code == 1
    assert "s3://bucket/photos: the folder cannot be listed: the server cannot be reached" in told
