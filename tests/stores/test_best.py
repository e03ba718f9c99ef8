"""``cropper best`` with URLs: what it writes, where, and what it says when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Crop, command, names, one_record, pixels, records, spotted
from tests.image.pictures import encoded
from tests.stores.conftest import stored
from tests.stores.server import Server


def test_the_crop_of_a_photo_in_the_web_is_that_of_the_same_file(
    crop: Crop, web: Server, tmp_path: Path
) -> None:
    found = crop(web.url.replace("//", "//me:secret12@") + "/a.jpg?signature=f00df00d", "--json")
    record = one_record(found)
    assert record["input"] == f"{web.url}/a.jpg?..."
    assert record["output"] == "a-best.jpg"
    assert crop("www/a.jpg", "-o", "here.jpg").exit_code == 0
    assert (tmp_path / "a-best.jpg").read_bytes() == (tmp_path / "here.jpg").read_bytes()
    for secret in ("secret12", "f00df00d"):
        assert secret not in found.stdout + found.stderr
    assert names(tmp_path) == {"www", "a-best.jpg", "here.jpg"}


def test_names_of_urls_are_read_as_a_browser_reads_them(
    crop: Crop, web: Server, tmp_path: Path
) -> None:
    for url in (f"{web.url}/b%20c.png", f"{web.url}/b c.png?x=y"):
        assert crop(url, "--overwrite").exit_code == 0
    assert names(tmp_path) == {"www", "b c-best.png"}


def test_a_crop_goes_to_a_store(crop: Crop, bucket: Any, tmp_path: Path) -> None:
    photo = "memory://bucket/photos/a.jpg"
    record = one_record(crop(photo, "-o", "memory://bucket/best.jpg", "--json"))
    assert record["output"] == "memory://bucket/best.jpg"
    assert crop(photo).exit_code == 0
    assert bucket.cat_file("/bucket/best.jpg") == (tmp_path / "a-best.jpg").read_bytes()
    again = crop(photo, "-o", "memory://bucket/best.jpg", "--aspect", "1:1")
    assert again.exit_code == 2
    assert "memory://bucket/best.jpg exists: use --overwrite" in again.stderr
    line = [photo, "-o", "memory://bucket/best.jpg", "--aspect", "1:1"]
    assert "is there" in crop(*line, "--skip-existing").stderr
    assert bucket.cat_file("/bucket/best.jpg") == (tmp_path / "a-best.jpg").read_bytes()
    assert crop(*line, "--overwrite").exit_code == 0
    (tmp_path / "best.jpg").write_bytes(bucket.cat_file("/bucket/best.jpg"))
    height, width, _ = pixels(tmp_path / "best.jpg").shape
    assert height == width


def test_templates_ranks_and_overlays_go_to_stores_too(
    crop: Crop, bucket: Any, photo_png: Path
) -> None:
    found = crop(photo_png.name, "memory://bucket/photos/a.jpg", "--top-k", 2, "--aspect", "free",
                 "-o", "memory://bucket/{stem}/{rank}{ext}", "--overlay",
                 "memory://bucket/why/{stem}.jpg")  # fmt: skip
    assert found.exit_code == 0, found.stderr
    made = {name for name in stored(bucket, "/bucket") if not name.startswith("photos/")}
    crops = {"photo/1.png", "photo/2.png", "a/1.jpg", "a/2.jpg"}
    assert made == {*crops, "why/photo.jpg", "why/a.jpg"}
    assert crop(photo_png.name, "-o", "memory://bucket/{dir}/here{ext}").exit_code == 0
    assert bucket.exists("/bucket/here.png")
    found = crop(f"../{photo_png.parent.name}/{photo_png.name}", "-o", "memory://b/{dir}/x{ext}")
    assert found.exit_code == 2
    assert "leads out of its folder: leave {dir} out of -o" in found.stderr
    assert crop("memory://bucket/photos/a.jpg", "-o", "memory://bucket/folder/").exit_code == 0
    assert bucket.exists("/bucket/folder/a-best.jpg")


def test_a_dry_run_puts_nothing(crop: Crop, bucket: Any, tmp_path: Path) -> None:
    before = stored(bucket, "/bucket")
    found = crop("memory://bucket/photos/a.jpg", "-o", "memory://bucket/x.jpg", "--dry-run")
    assert found.exit_code == 0
    assert "would be memory://bucket/x.jpg" in found.stderr
    assert stored(bucket, "/bucket") == before


def test_file_urls_are_files(crop: Crop, photo_png: Path, tmp_path: Path) -> None:
    assert crop(photo_png.as_uri()).exit_code == 0
    assert crop(photo_png.as_uri(), "-o", (tmp_path / "x y.png").as_uri()).exit_code == 0
    assert names(tmp_path) == {"photo.png", "photo-best.png", "x y.png"}


def test_a_source_in_a_store_is_replaced_only_by_its_own_name(crop: Crop, bucket: Any) -> None:
    photo = "memory://bucket/photos/a.jpg"
    before = bucket.cat_file(photo)
    found = crop(photo, "-o", photo)
    assert found.exit_code == 2
    assert "is an input and would be overwritten" in found.stderr
    assert bucket.cat_file(photo) == before
    assert crop(photo, "-o", photo, "--overwrite", "--aspect", "1:1").exit_code == 0
    assert bucket.cat_file(photo) != before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nope://host/a.jpg"], "fsspec knows no nope://"),
        (["simplecache::file:///etc/passwd"], "simplecache::file:// leads on to other files"),
        (["https://host/"], "https://host/ has no file's name"),
        (["https://host/a?key=f00d"], "https://host/a?... has no picture's extension"),
        (["x.png", "-o", "https://host/a.png?key=f00d"], "nothing is put to https://"),
        (["memory://b/a.jpg", "-o", "memory://b/x"], "-o memory://b/x has no extension"),
        (["memory://b/a.jpg", "--time-limit", "0"], "--time-limit"),
        (["memory://b/a.jpg", "--max-fetch-mb", "0"], "--max-fetch-mb"),
    ],
)
def test_what_no_url_can_be_is_told_before_any_work(
    crop: Crop, memory: Any, photo_png: Path, arguments: list[str], says: str
) -> None:
    photo_png.rename("x.png")
    found = crop(*arguments)
    assert found.exit_code == 2
    assert says in found.stderr
    assert "f00d" not in found.stderr


def test_a_photo_that_fails_does_not_stop_the_others(
    crop: Crop, web: Server, tmp_path: Path
) -> None:
    (tmp_path / "www/page.jpg").write_text("<!doctype html><title>Log in</title>")
    web.faults = {"sub/a.jpg": "cut", "c.jpeg": "short"}
    paths = ("none.jpg", "page.jpg", "sub/a.jpg", "sub/deep/c.jpeg", "b%20c.png")
    urls = [f"{web.url}/{path}?key=f00d" for path in paths]
    found = crop(*urls, "-o", "{stem}-{dir}.png", "--json", "--strict", "-o", "out/{stem}.png")
    assert found.exit_code == 2  # twice -o
    found = crop(*urls, "-o", "out/{stem}.png", "--json", "--strict")
    assert found.exit_code == 1
    errors = [each.get("error", "") for each in records(found)]
    assert "there is no such file" in errors[0]
    assert "not a picture in JPEG" in errors[1]
    assert "the connection was cut in the middle" in errors[2]
    assert "c.jpeg" in errors[3]
    assert errors[4] == ""
    assert names(tmp_path / "out") == {"b c.png"}
    assert "f00d" not in found.stdout + found.stderr


def test_a_format_names_what_has_no_extension(crop: Crop, bucket: Any, tmp_path: Path) -> None:
    bucket.pipe_file("/bucket/photo", encoded(spotted(), "JPEG"))
    assert crop("memory://bucket/photo", "--format", "png").exit_code == 0
    assert names(tmp_path) == {"photo-best.png"}


def test_a_write_that_a_store_refuses_ends_with_5(
    crop: Crop, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Access Denied")

    monkeypatch.setattr(type(bucket), "pipe_file", refuse)
    found = crop("memory://bucket/photos/a.jpg", "-o", "memory://bucket/x.jpg")
    assert found.exit_code == 5
    assert "memory://bucket/x.jpg: not written: access denied" in found.stderr


@pytest.mark.slow
def test_a_process_of_its_own_fetches_and_imports_nothing_of_it_without_a_url(
    web: Server, tmp_path: Path
) -> None:
    spied = "import atexit, sys\natexit.register(lambda: print([x in sys.modules for x in "
    spied += "('fsspec', 'aiohttp')], file=sys.stderr))"
    done = command(tmp_path, "best", f"{web.url}/a.jpg", "--json", prelude=spied)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"] == "a-best.jpg"
    assert b"[True, True]" in done.stderr
    done = command(tmp_path, "best", "www/a.jpg", "-o", "x.jpg", prelude=spied)
    assert b"[False, False]" in done.stderr
