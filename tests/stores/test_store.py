"""A store as the commands use it: versions, limits, writes that are whole, and faults."""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from cropper.errors import ConfigError, ImageReadError, ImageWriteError, MissingExtraError
from cropper.image import sniff
from cropper.stores import Store, StoreLimits, UnsureWriteError
from cropper.stores.client import connected
from tests.conftest import command, spotted
from tests.stores import folder_store
from tests.stores.server import Server

QUICK = StoreLimits(seconds=1)


def test_what_is_written_is_read_and_known_by_its_version(memory: Any) -> None:
    store = Store("memory://bucket")
    assert store.version("a") is None
    first = store.write(b"one", "a")
    assert store.read("a") == (b"one", first)
    assert store.version("a") == first
    time.sleep(0.001)
    second = store.write(b"two", "a", replaces=first)
    assert second != first
    assert second[0] == 3


def test_a_file_that_came_up_is_not_replaced_but_by_itself(memory: Any) -> None:
    store = Store("memory://bucket")
    version = store.write(b"theirs", "a")
    with pytest.raises(ImageWriteError, match="memory://bucket/a: exists already; `overwrite`"):
        store.write(b"ours", "a")
    with pytest.raises(ImageWriteError, match="exists already"):
        store.write(b"ours", "a", replaces=(version[0], version[1] + 1))
    assert store.write(b"theirs", "a") == version  # another worker's, who was lost
    store.write(b"ours", "b", replaces=version)  # what was there is gone
    assert store.read("a")[0] == b"theirs"


def test_it_is_as_good_in_another_process(memory: Any) -> None:
    store = pickle.loads(pickle.dumps(Store("memory://u:secret@bucket/x", QUICK)))
    assert (store.url, store.limits) == ("memory://u:secret@bucket/x", QUICK)
    assert "secret" not in f"{store} {store!r}"


@pytest.mark.parametrize("url", ["memory://bucket", "web"])
def test_a_folder_is_listed_one_level_deep(bucket: Any, web: Server, url: str) -> None:
    store = Store(web.url if url == "web" else f"{url}/photos")
    found = {each.name: each.is_folder for each in store.listed() or ()}
    assert found == {"a.jpg": False, "b c.png": False, "sub": True}
    assert {each.name for each in store.listed("sub") or ()} == {"a.jpg", "deep"}
    assert store.listed("none") is None
    assert store.read("b c.png", sniff)[0].startswith(b"\x89PNG")


def test_links_out_of_a_web_folder_are_none_of_its_files(web: Server, tmp_path: Path) -> None:
    page = "".join(f'<a href="{link}">x</a>' for link in ("/", "../", "/x/b.jpg", "b.jpg?C=N",
        "https://elsewhere.example/c.jpg", "/x/deep/d.jpg", "a&amp;b.jpg"))  # fmt: skip
    (tmp_path / "www/x").mkdir()
    (tmp_path / "www/x/index.html").write_text(page)
    assert {each.name for each in Store(f"{web.url}/x").listed() or ()} == {"b.jpg", "a&b.jpg"}


# --- limits


@pytest.mark.parametrize("fault", ["", "endless", "no head"])
def test_more_bytes_than_allowed_are_not_read(web: Server, fault: str) -> None:
    web.faults = {"a.jpg": fault}
    with pytest.raises(ImageReadError, match=r"/a.jpg: more than 0.001 MB: `max_fetch_mb`") as told:
        Store(f"{web.url}/a.jpg", StoreLimits(megabytes=0.001)).read()
    assert told.value.reason == "too large"


def test_of_no_picture_the_first_bytes_alone_are_read(web: Server, tmp_path: Path) -> None:
    (tmp_path / "www/x.jpg").write_text("<html>" * 10_000)
    web.faults = {"x.jpg": "endless"}
    data, _ = Store(f"{web.url}/x.jpg").read(wanted=sniff)
    assert data.startswith(b"<html>")
    assert len(data) < 2 << 20


@pytest.mark.parametrize("fault", ["silent", "trickle"])
def test_a_slow_server_is_left(web: Server, fault: str) -> None:
    web.faults = {"a.jpg": fault}
    begun = time.monotonic()
    with pytest.raises(ImageReadError, match="took longer than `time_limit=1` s"):
        Store(f"{web.url}/a.jpg", QUICK).read()
    assert time.monotonic() - begun < 10


def test_who_waits_may_be_called_away(web: Server) -> None:
    web.faults = {"a.jpg": "silent"}
    begun = time.monotonic()

    def check() -> None:
        if time.monotonic() - begun > 0.3:
            raise ImageReadError("interrupted", "interrupted")

    with pytest.raises(ImageReadError, match="interrupted"):
        Store(f"{web.url}/a.jpg").read(check=check)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("limits", [{"megabytes": 0}, {"seconds": -1}])
def test_limits_are_above_zero(limits: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        StoreLimits(**limits)


# --- faults


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("404", "there is no such file"),
        ("403", "the server answered 403 Forbidden; look at the credentials"),
        ("500", "the server answered 500 Internal Server Error"),
        ("cut", "the connection was cut in the middle"),
        ("round", "too many redirects"),
        ("away", "NonHttpUrlRedirect"),
        ("long", "what the server answered is no HTTP"),
    ],
)
def test_what_a_web_server_does_wrong_is_told_without_secrets(
    web: Server, fault: str, says: str
) -> None:
    web.faults = {"a.jpg": fault}
    url = web.url.replace("//", "//user:pass1234@") + "/a.jpg?signature=f00df00d"
    with pytest.raises(ImageReadError) as told:
        Store(url).read()
    assert str(told.value).startswith(f"{web.url}/a.jpg?...: cannot be fetched: {says}")
    assert "pass1234" not in str(told.value)
    assert "f00df00d" not in str(told.value)
    assert set(web.credentials) == {"Basic dXNlcjpwYXNzMTIzNA=="}
    assert len(web.asked) < 30


def test_a_server_without_heads_is_read(web: Server) -> None:
    web.faults = {"a.jpg": "no head"}
    assert sniff(Store(f"{web.url}/a.jpg").read()[0]) == "JPEG"


def test_nobody_there(web: Server) -> None:
    web.shutdown()
    web.server_close()
    with pytest.raises(ImageReadError, match="the server cannot be reached: Connection refused"):
        Store(f"{web.url}/a.jpg").read()
    with pytest.raises(OSError, match="the server cannot be reached"):
        Store(web.url).listed()


@pytest.mark.parametrize(
    "url",
    ["simplecache::file:///etc/passwd", "zip://a.jpg::memory://x.zip", "zip://a.jpg",
     "reference://x", "filecache::https://host/a.jpg", "dir://x"],
)  # fmt: skip
def test_chains_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="leads on to other files"):
        Store(url)


def test_schemes_that_nobody_knows_or_that_need_a_package() -> None:
    with pytest.raises(ConfigError, match="fsspec knows no nope://"):
        Store("nope://host/a.jpg")
    fsspec.register_implementation("unmade", "no_such_module.Files", errtxt="Install it")
    with pytest.raises(MissingExtraError, match="unmade:// needs a package: Install it, with pip"):
        Store("unmade://host/a.jpg")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nothing_is_put_to_the_web(scheme: str) -> None:
    with pytest.raises(ConfigError, match=f"nothing is put to {scheme}://"):
        Store.for_output(f"{scheme}://host/a.jpg", StoreLimits())


# --- writes that go wrong


def failing(memory: Any, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    def pipe_file(self: object, *_: object, **__: object) -> None:
        act()

    monkeypatch.setattr(type(memory), "pipe_file", pipe_file)


def test_a_put_that_takes_too_long_may_have_been_done(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()
    failing(memory, monkeypatch, lambda: held.wait(20) and None)
    with pytest.raises(UnsureWriteError, match="memory://b/a: not written: took longer than"):
        Store("memory://b", QUICK).write(b"x", "a")
    held.set()


def test_a_store_that_refuses_refuses_all(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError(13, "Access Denied")

    failing(memory, monkeypatch, refuse)
    with pytest.raises(ImageWriteError, match="access denied") as told:
        Store("memory://b").write(b"x", "a")
    assert isinstance(told.value.__cause__, OSError)
    assert not isinstance(told.value, UnsureWriteError)


def test_a_put_that_is_given_up_before_it_begins_does_not_begin(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, asked = threading.Event(), threading.Event()
    info = type(memory).info

    def late(self: object, path: str, **more: Any) -> Any:
        held.wait(20)
        asked.set()
        return info(self, path, **more)

    monkeypatch.setattr(type(memory), "info", late)
    with pytest.raises(ImageWriteError, match="took longer than") as told:
        Store("memory://b", QUICK).write(b"x", "a")
    assert not isinstance(told.value, UnsureWriteError)
    held.set()
    assert asked.wait(20)
    time.sleep(0.3)
    assert memory.find("/b") == []


def test_clients_that_may_not_be_shared_are_not(memory: Any, web: Server) -> None:
    with connected("memory://x", 7) as one, connected("memory://y", 7) as other:
        assert one.files is not other.files
    with connected("memory://z", 7) as again:
        assert id(again.files) in (id(one.files), id(other.files))
    with pytest.raises(OSError, match="lost"), connected("memory://z", 7) as failed:
        raise OSError("lost")
    with connected("memory://z", 7) as one, connected("memory://z", 7) as other:
        assert id(failed.files) not in (id(one.files), id(other.files))
    with connected(web.url, 7) as one, connected(f"{web.url}/sub", 7) as other:
        assert one.files is other.files


def test_a_server_that_renames_onto_no_file_gets_the_new_one_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_store.setup()
    move = folder_store.FolderStore.mv

    def strict(self: Any, old: str, new: str, **more: Any) -> None:
        if os.path.exists(new):
            raise FileExistsError(17, "File exists")
        move(self, old, new, **more)

    monkeypatch.setattr(folder_store.FolderStore, "mv", strict)
    store = Store(f"folder://{tmp_path}/bucket")
    version = store.write(b"one", "sub/a")
    store.write(b"two", "sub/a", replaces=version)
    assert (tmp_path / "bucket/sub/a").read_bytes() == b"two"
    assert os.listdir(tmp_path / "bucket/sub") == ["a"]
    (tmp_path / "bucket/sub/.cropper-0123456789abcdef.tmp").write_bytes(b"left")
    store.sweep()
    assert os.listdir(tmp_path / "bucket/sub") == ["a"]


@pytest.mark.parametrize("package", ["fsspec", "aiohttp"])
@pytest.mark.slow
def test_the_extra_is_named_where_it_is_missing(tmp_path: Path, package: str) -> None:
    prelude = f"import sys; sys.modules['{package}'] = None"
    done = command(tmp_path, "best", "https://host/a.jpg?key=f00d", prelude=prelude)
    assert done.returncode == 3
    told = "https://host/a.jpg?...: https:// needs a package: pip install 'cropper[remote]'"
    assert done.stderr.decode() == f"cropper: {told}\n"
    spotted().save(tmp_path / "a.jpg")
    done = command(tmp_path, "best", "a.jpg", prelude=prelude)
    assert done.returncode == 0
