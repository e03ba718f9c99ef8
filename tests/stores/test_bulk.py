"""``cropper bulk`` from stores and into them: the promises that it gives for folders hold."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cropper import BulkOptions, CropRequest, crop_folder
from cropper.bulk.walk import MANIFEST
from cropper.cli import main
from eval.crash import write_photos
from tests.bulk.conftest import spot_cluster, tree
from tests.conftest import process, records, spotted
from tests.image.pictures import encoded
from tests.stores import folder_store
from tests.stores.conftest import PHOTOS, stored
from tests.stores.server import Server

SPOT = BulkOptions((CropRequest(budget=300),), scorer="spot")
Bulk = Callable[..., Result]


@pytest.fixture
def bulk(spot: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bulk:
    """``cropper bulk SOURCE -o OUTPUT --scorer spot`` and more; manifests lie in ``state``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(source: str, output: str, *arguments: object) -> Result:
        line = ["bulk", source, "-o", output, "--scorer", "spot", "--budget", "300"]
        return CliRunner().invoke(main, [*line, *map(str, arguments)], catch_exceptions=False)

    return run


@pytest.fixture
def wanted(bucket: Any, bulk: Bulk, tmp_path: Path) -> dict[str, bytes]:
    """What a run from a folder into a folder makes of the same photos."""
    for name, content in stored(bucket, "/bucket/photos").items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
    assert bulk("in", "wanted").exit_code == 0
    return tree(tmp_path / "wanted")


def test_crops_are_those_of_folders(
    bulk: Bulk, bucket: Any, web: Server, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    assert set(wanted) == set(PHOTOS)
    sources = ("in", "memory://bucket/photos", "memory://bucket/photos/", web.url)
    for place, source in enumerate(sources):
        found = bulk(source, f"memory://crops/{place}")
        assert found.exit_code == 0, found.stderr
        assert stored(bucket, f"/crops/{place}") == wanted
        assert bulk(source, f"out{place}").exit_code == 0
        assert tree(tmp_path / f"out{place}") == wanted


def test_the_same_command_again_does_what_is_missing_new_or_changed(
    bulk: Bulk, bucket: Any, wanted: dict[str, bytes]
) -> None:
    line = ("memory://bucket/photos", "memory://bucket/crops")
    assert "4 done;" in bulk(*line).stderr
    assert "0 done, 4 were done already" in bulk(*line).stderr
    bucket.rm_file("/bucket/crops/a.jpg")
    bucket.pipe_file("/bucket/photos/new.png", encoded(spotted(), "PNG"))
    bucket.pipe_file("/bucket/photos/sub/a.jpg", encoded(spotted(spot=(0.2, 0.3)), "JPEG"))
    found = bulk(*line, "--json")
    assert "3 done, 2 were done already" in found.stderr
    assert {each["input"] for each in records(found)} == {
        f"memory://bucket/photos/{name}" for name in ("a.jpg", "new.png", "sub/a.jpg")
    }
    now = stored(bucket, "/bucket/crops")
    assert now["a.jpg"] == wanted["a.jpg"]
    assert now["sub/a.jpg"] != wanted["sub/a.jpg"]
    # touched, with the content that it had: looked at and known
    bucket.pipe_file("/bucket/photos/a.jpg", bucket.cat_file("/bucket/photos/a.jpg"))
    assert "0 done, 5 were done already" in bulk(*line).stderr
    assert "5 done" in bulk(*line, "--quality", 80).stderr


def test_the_manifest_is_of_this_machine_and_told(bulk: Bulk, bucket: Any, tmp_path: Path) -> None:
    found = bulk("memory://bucket/photos", "memory://u:pass1234@bucket/crops")
    (folder,) = (tmp_path / "state/cropper").iterdir()
    assert f"the manifest of memory://bucket/crops lies in {folder}" in found.stderr
    assert b"pass1234" not in (folder / MANIFEST).read_bytes()
    assert "pass1234" not in found.stderr + str(folder)
    line = ("memory://bucket/photos", "memory://bucket/more", "--manifest", "mine")
    assert bulk(*line).exit_code == 0
    assert (tmp_path / "mine" / MANIFEST).exists()
    assert "4 were done already" in bulk(*line).stderr
    found = bulk("memory://bucket/photos", "out", "--manifest", "mine")
    assert found.exit_code == 2
    assert "--manifest is for crops in a store" in found.stderr


def test_an_edited_crop_is_kept_and_a_torn_one_is_not(
    bulk: Bulk, bucket: Any, wanted: dict[str, bytes]
) -> None:
    line = ("memory://bucket/photos", "memory://bucket/crops")
    bulk(*line)
    edited = encoded(spotted(60, 40), "JPEG")
    bucket.pipe_file("/bucket/crops/a.jpg", edited)
    bucket.pipe_file("/bucket/crops/sub/a.jpg", wanted["sub/a.jpg"][:500])
    found = bulk(*line)
    assert "memory://bucket/crops/a.jpg: changed since it was written: kept" in found.stderr
    now = stored(bucket, "/bucket/crops")
    assert now == wanted | {"a.jpg": edited}
    assert bulk(*line, "--overwrite").exit_code == 0
    assert stored(bucket, "/bucket/crops") == wanted


def test_a_file_that_no_run_wrote_is_not_replaced(bulk: Bulk, bucket: Any) -> None:
    bucket.pipe_file("/bucket/crops/sub/a.jpg", b"theirs")
    found = bulk("memory://bucket/photos", "memory://bucket/crops")
    assert found.exit_code == 2
    assert "memory://bucket/crops/sub/a.jpg exists and no earlier run wrote it" in found.stderr
    assert stored(bucket, "/bucket/crops") == {"sub/a.jpg": b"theirs"}
    assert bulk("memory://bucket/photos", "memory://bucket/crops", "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("source", "output", "says"),
    [
        ("memory://bucket/photos", "memory://bucket/photos/x", "lies inside the input folder"),
        ("memory://bucket", "memory://bucket/crops", "lies inside the input folder"),
        ("memory://", "memory://bucket/crops", "lies inside the input folder"),
        ("memory://bucket/photos", "https://host/crops", "nothing is put to https://"),
        ("https://host/photos?key=f00d", "out", "https://host/photos?...: a folder's URL has no q"),
        ("zip://photos::memory://x.zip", "out", "leads on to other files"),
        ("memory://bucket/photos", "memory://{stem}.jpg", "no folder before the first field"),
        ("memory://bucket/photos", "memory://crops/a.jpg", "a picture's name for many crops"),
    ],
)
def test_what_cannot_be_is_told_before_any_work(
    bulk: Bulk, bucket: Any, source: str, output: str, says: str
) -> None:
    before = stored(bucket, "/bucket")
    found = bulk(source, output)
    assert found.exit_code == 2
    assert says in found.stderr
    assert "f00d" not in found.stderr
    assert stored(bucket, "/bucket") == before


def test_a_folder_that_is_not_there_has_no_pictures(bulk: Bulk, bucket: Any) -> None:
    for source in ("memory://bucket/none", "file:///no/such/folder"):
        found = bulk(source, "out")
        assert found.exit_code == 4
        assert "no input pictures: there is no" in found.stderr


def test_names_that_no_file_here_can_have_fail_alone(
    bulk: Bulk, bucket: Any, tmp_path: Path
) -> None:
    content = bucket.cat_file("/bucket/photos/a.jpg")
    bucket.store["/bucket/photos/.."] = bucket.store["/bucket/photos/a.jpg"]
    for name in (f"{'x' * 300}.jpg", ".hidden.jpg", "@eaDir/a.jpg", "notes.txt", "a.jpg~"):
        bucket.pipe_file(f"/bucket/photos/{name}", content)
    found = bulk("memory://bucket/photos", "out", "--include", "*", "--exclude", "sub/**")
    assert found.exit_code == 1
    assert "memory://bucket/photos/..: no file here can have this name" in found.stderr
    assert "too long a name" in found.stderr
    assert "2 done, 2 failed" in found.stderr
    assert "1 a system's folder" in found.stderr
    assert set(tree(tmp_path / "out")) == {"a.jpg", "b c.png"}
    assert set(os.listdir(tmp_path)) == {"out"}


@pytest.mark.slow
def test_a_photo_that_cannot_be_fetched_fails_alone(
    bulk: Bulk, web: Server, tmp_path: Path
) -> None:
    (tmp_path / "www/page.jpg").write_text("<!doctype html><title>Log in</title>")
    for name in ("silent", "gone", "big"):
        spotted().save(tmp_path / f"www/{name}.png")
    web.faults = {"deep/c.jpeg": "cut", "silent.png": "silent", "gone.png": "404",
                  "big.png": "endless"}  # fmt: skip
    url = web.url.replace("//", "//me:pass1234@")
    line = (url, "out", "--time-limit", 12, "--max-fetch-mb", 5, "--report", "r.html", "--xmp")
    found = bulk(*line)
    assert found.exit_code == 1
    for name, why in (
        ("page.jpg", "not a picture"),
        ("silent.png", "cannot be fetched: took longer than --time-limit 12 s"),
        ("gone.png", "cannot be fetched: there is no such file"),
        ("big.png", "more than 5 MB: --max-fetch-mb is the limit"),
        ("sub/deep/c.jpeg", "cannot be fetched: the connection was cut in the middle"),
    ):
        assert f"error: {web.url}/{name}: {why}" in found.stderr
    assert "3 done, 5 failed" in found.stderr
    web.faults = {}
    found = bulk(*line)
    assert "4 done, 3 were done already, 1 failed (1 not a picture)" in found.stderr
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"pass1234" not in written
    assert "pass1234" not in found.stderr
    page = (tmp_path / "r.html").read_text()
    assert f'"{web.url}/b%20c.png"' in page


def test_a_tree_that_cannot_be_listed(bulk: Bulk, web: Server) -> None:
    web.faults = {"sub/deep/": "500"}
    found = bulk(web.url, "out")
    assert found.exit_code == 1
    assert f"{web.url}/sub/deep: the folder cannot be listed: the server answered" in found.stderr
    assert "3 done, 1 failed" in found.stderr


def test_a_store_that_takes_nothing_ends_the_run_with_5(
    bulk: Bulk, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Access Denied")

    with monkeypatch.context() as patched:
        patched.setattr(type(bucket), "pipe_file", refuse)
        found = bulk("memory://bucket/photos", "memory://crops", "--workers", 1)
    assert found.exit_code == 5
    assert "not written: access denied" in found.stderr
    assert "stopped, nothing more can be written: 0 done" in found.stderr
    assert bulk("memory://bucket/photos", "memory://crops").exit_code == 0
    assert set(stored(bucket, "/crops")) == set(PHOTOS)


@pytest.mark.slow
def test_a_put_whose_end_nobody_saw_is_the_runs_own(
    bulk: Bulk, bucket: Any, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, bytes]
) -> None:
    put = type(bucket).pipe_file

    def late(self: object, path: str, value: bytes, **more: Any) -> None:
        put(self, path, value, **more)
        if path.endswith("b c.png"):
            time.sleep(12)

    with monkeypatch.context() as patched:
        patched.setattr(type(bucket), "pipe_file", late)
        found = bulk("memory://bucket/photos", "memory://crops", "--time-limit", 8)
    assert found.exit_code == 1
    assert "b c.png: not written: took longer than --time-limit 8 s" in found.stderr
    found = bulk("memory://bucket/photos", "memory://crops")
    assert found.exit_code == 0
    assert stored(bucket, "/crops") == wanted


def test_sidecars_overlays_and_templates(bulk: Bulk, bucket: Any) -> None:
    found = bulk("memory://bucket/photos", "memory://out/{aspect}/{dir}/{stem}{ext}",
                 "--aspect", "1:1", "--aspect", "4:5", "--overlay", "why/{dir}/{stem}.jpg",
                 "--xmp")  # fmt: skip
    assert found.exit_code == 0, found.stderr
    made = set(stored(bucket, "/out"))
    for name in ("a", "b c", "sub/a", "sub/deep/c"):
        assert {f"{name}.xmp", f"why/{name}.jpg"} <= made
    assert {"1x1/a.jpg", "4x5/sub/deep/c.jpeg"} <= made
    assert len(made) == 16
    beside = bulk("memory://bucket/photos", "memory://bucket/photos", "--xmp-only")
    assert beside.exit_code == 0, beside.stderr
    assert {"a.xmp", "b c.xmp", "a.jpg"} <= set(stored(bucket, "/bucket/photos"))
    assert b"bucket" not in bucket.cat_file("/bucket/photos/a.xmp")


def test_a_dry_run_writes_nothing_anywhere(bulk: Bulk, bucket: Any, tmp_path: Path) -> None:
    before = stored(bucket, "/bucket")
    found = bulk("memory://bucket/photos", "memory://bucket/crops", "--dry-run")
    assert "memory://bucket/photos/a.jpg -> memory://bucket/crops/a.jpg" in found.stdout
    assert "4 photos, 4 files would be written" in found.stderr
    assert stored(bucket, "/bucket") == before
    assert list(tmp_path.iterdir()) == []


def test_another_folders_photos_are_not_taken_for_these(bulk: Bulk, bucket: Any) -> None:
    assert bulk("memory://bucket/photos", "memory://crops").exit_code == 0
    bucket.copy("/bucket/photos", "/bucket/others", recursive=True)
    found = bulk("memory://bucket/others", "memory://crops")
    assert found.exit_code == 2
    assert "holds crops of memory://bucket/photos" in found.stderr


def test_file_urls_are_folders(bulk: Bulk, bucket: Any, wanted: Any, tmp_path: Path) -> None:
    found = bulk((tmp_path / "in").as_uri(), f"{(tmp_path / 'o u t').as_uri()}/", "--json")
    assert found.exit_code == 0
    assert tree(tmp_path / "o u t") == wanted
    assert f"{tmp_path}/in/a.jpg" in {each["input"] for each in records(found)}
    assert (tmp_path / "o u t" / MANIFEST).exists()


def test_watch_takes_folders_of_this_machine(bucket: Any, tmp_path: Path) -> None:
    found = CliRunner().invoke(main, ["watch", "memory://bucket/photos", "-o", str(tmp_path)])
    assert found.exit_code == 2
    assert "only folders of this machine are watched" in found.stderr


@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_torn_or_lost(spot: None, tmp_path: Path) -> None:
    """Into a store that shows what it has got so far, as sftp does."""
    folder_store.setup()
    write_photos(tmp_path / "in", 12)
    crop_folder(tmp_path / "in", tmp_path / "wanted", SPOT)
    wanted = tree(tmp_path / "wanted")
    out = tmp_path / "out"
    arguments = ["bulk", f"folder://{tmp_path}/in", "-o", f"folder://{out}", "--scorer", "spot",
                 "--budget", "300", "--manifest", "state"]  # fmt: skip
    prelude = "from tests.stores import folder_store"
    line, more = process(tmp_path, *arguments, prelude=prelude, spot=True)
    more["env"] = more["env"] | {"STORE_PAUSE": "0.05"}
    pauses = random.Random(0)
    killed = 0
    for _ in range(8):
        running = subprocess.Popen(line, stderr=subprocess.DEVNULL, **more)
        until = time.monotonic() + 30
        while not out.exists() and running.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(pauses.uniform(0.05, 0.6))
        killed += running.poll() is None
        running.send_signal(signal.SIGKILL)
        running.wait()
        there = tree(out)
        assert {name: there[name] for name in there if "/." not in f"/{name}"}.items() <= (
            wanted.items()
        )
    assert killed >= 2
    done = subprocess.run(line, capture_output=True, check=False, timeout=120, **more)
    assert done.returncode == 0, done.stderr
    assert tree(out) == wanted


@pytest.mark.slow
def test_workers_of_a_cluster_fetch_and_put(spot: None, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    folder_store.setup()
    write_photos(tmp_path / "in", 6)
    crop_folder(tmp_path / "in", tmp_path / "wanted", SPOT)
    from dataclasses import replace  # noqa: PLC0415

    with spot_cluster(2, "tests.stores.folder_store") as cluster:
        options = replace(
            SPOT, backend="dask", cluster=cluster.scheduler_address, manifest=tmp_path / "state"
        )
        report = crop_folder(f"folder://{tmp_path}/in", f"folder://{tmp_path}/out", options)
    assert (report.done, report.exit_code) == (6, 0)
    assert tree(tmp_path / "out") == tree(tmp_path / "wanted")
