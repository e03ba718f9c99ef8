"""``cropper watch``, by the real command: photos that arrive, grow, break, go, and restarts."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from cropper import BulkOptions, CropRequest
from cropper.bulk import watch_folder
from cropper.bulk.arrivals import Arrivals
from cropper.errors import ConfigError, NoInputError
from tests.bulk.conftest import stamps, tree
from tests.conftest import command, process, spotted
from tests.image.pictures import encoded

pytestmark = pytest.mark.slow
SPOT = BulkOptions((CropRequest(budget=300, keep=("none",)),), scorer="spot")
LINE = ("watch", "in", "-o", "out", "--scorer", "spot", "--settle", "0.3", "--keep", "none")


class Watch:
    """The command while it runs."""

    def __init__(self, folder: Path, *more: object) -> None:
        line, options = process(folder, *LINE, *more, spot=True)
        self.folder = folder
        self.log = (folder / "log").open("wb")
        self.running = subprocess.Popen(line, stderr=self.log, **options)

    @property
    def told(self) -> str:
        return (self.folder / "log").read_text()

    def wait(self, until: Callable[[], bool], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not until():
            assert self.running.poll() is None, self.told
            assert time.monotonic() < end, self.told
            time.sleep(0.05)

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        self.running.send_signal(by)
        return self.running.wait(30)


@contextlib.contextmanager
def watching(folder: Path, *more: object) -> Iterator[Watch]:
    (folder / "in").mkdir(exist_ok=True)
    watch = Watch(folder, *more)
    try:
        yield watch
    finally:
        if watch.running.poll() is None:
            watch.running.kill()
            watch.running.wait()
        watch.log.close()


def is_whole(path: Path) -> bool:
    if not path.exists():
        return False
    with Image.open(path) as picture:
        picture.load()
    return True


def content(x: float = 0.5, kind: str = "JPEG") -> bytes:
    return encoded(spotted(240, 160, (x, 0.5)), kind)


def test_photos_are_cropped_as_they_arrive_and_a_signal_ends_it(tmp_path: Path) -> None:
    with watching(tmp_path, "--aspect", "1:1") as watch:
        watch.wait(lambda: "watching in" in watch.told)
        for name in ("a.jpg", "sub/b.png"):
            path = tmp_path / "in" / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content(kind="PNG" if name.endswith("png") else "JPEG"))
            watch.wait(lambda name=name: is_whole(tmp_path / "out" / name))  # type: ignore[misc]
        with Image.open(tmp_path / "out/a.jpg") as picture:
            assert picture.width == picture.height
        watch.wait(lambda: "1 done, 1 were done already" in watch.told)
        assert watch.end() == 130
        assert watch.told.splitlines()[-1] == "cropper: watched: 2 photos done"
        assert "Traceback" not in watch.told


def test_ctrl_c_ends_it_alike_while_there_is_nothing(tmp_path: Path) -> None:
    with watching(tmp_path) as watch:
        watch.wait(lambda: "watching in" in watch.told)
        assert watch.end(signal.SIGINT) == 130
        assert "0 photos done" in watch.told
        assert not (tmp_path / "out").exists()


def test_a_file_that_grows_is_left_until_it_rests(tmp_path: Path) -> None:
    whole = content(0.3)
    with watching(tmp_path) as watch:
        watch.wait(lambda: "watching in" in watch.told)
        with (tmp_path / "in/a.jpg").open("wb") as file:
            for at in range(0, len(whole), len(whole) // 20):
                file.write(whole[at : at + len(whole) // 20])
                file.flush()
                time.sleep(0.1)
                assert not (tmp_path / "out/a.jpg").exists()
        watch.wait(lambda: is_whole(tmp_path / "out/a.jpg"))
        assert "failed" not in watch.told


def leases_are_told(folder: Path) -> bool:
    """Whether the file system says that a file is open for writing."""
    probe = """
import fcntl, os, sys
open("probe", "w").close()
writer = open("probe", "a")
try:
    fcntl.fcntl(os.open("probe", os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK)
except BlockingIOError:
    sys.exit(0)
except (AttributeError, OSError):
    pass
sys.exit(1)
"""
    return subprocess.run(["python3", "-c", probe], cwd=folder, check=False).returncode == 0


def test_a_writer_that_pauses_is_waited_for(tmp_path: Path) -> None:
    if not leases_are_told(tmp_path):
        pytest.skip("the file system does not tell who writes")
    whole = content(0.3)
    with watching(tmp_path) as watch:
        watch.wait(lambda: "watching in" in watch.told)
        with (tmp_path / "in/a.jpg").open("wb") as file:
            file.write(whole[:2000])
            file.flush()
            time.sleep(2)  # many looks
            file.write(whole[2000:])
        watch.wait(lambda: is_whole(tmp_path / "out/a.jpg"))
        assert "failed" not in watch.told


def test_it_goes_on_after_a_kill_and_finds_what_came_and_changed(tmp_path: Path) -> None:
    with watching(tmp_path) as watch:
        for name in ("a.jpg", "b.jpg"):
            (tmp_path / "in" / name).write_bytes(content(0.3))
        watch.wait(lambda: "2 done" in watch.told)
        watch.running.kill()
        watch.running.wait()
    before = stamps(tmp_path / "out")
    (tmp_path / "in/b.jpg").write_bytes(content(0.7))
    (tmp_path / "in/c.jpg").write_bytes(content(0.5))
    with watching(tmp_path) as watch:
        watch.wait(lambda: "2 done" in watch.told)
        assert "2 photos to crop, 1 done already" in watch.told
        assert watch.end() == 130
    after = stamps(tmp_path / "out")
    assert after["a.jpg"] == before["a.jpg"]
    assert after["b.jpg"] != before["b.jpg"]
    assert set(after) == {"a.jpg", "b.jpg", "c.jpg"}
    bulk = command(tmp_path, "bulk", *LINE[1:6], "--keep", "none", spot=True)
    assert b"0 done, 3 were done already" in bulk.stderr


def test_a_broken_file_fails_once_and_again_when_it_changes(tmp_path: Path) -> None:
    with watching(tmp_path) as watch:
        (tmp_path / "in/a.jpg").write_bytes(content()[:1500])
        watch.wait(lambda: "1 failed" in watch.told)
        for name in ("b.jpg", "c.jpg"):
            (tmp_path / "in" / name).write_bytes(content(0.4))
            watch.wait(lambda name=name: is_whole(tmp_path / "out" / name))  # type: ignore[misc]
        time.sleep(1)
        assert watch.told.count("error: in/a.jpg") == 1
        (tmp_path / "in/a.jpg").write_bytes(content())
        watch.wait(lambda: is_whole(tmp_path / "out/a.jpg"))
        watch.wait(lambda: watch.told.count("cropper: 1 done") == 3)
        assert watch.end() == 130
        assert watch.told.splitlines()[-1] == "cropper: watched: 3 photos done"


def test_photos_that_go_leave_their_crops_and_end_nothing(tmp_path: Path) -> None:
    with watching(tmp_path) as watch:
        (tmp_path / "in/a.jpg").write_bytes(content())
        watch.wait(lambda: "1 done" in watch.told)
        (tmp_path / "in/a.jpg").unlink()
        gone = tmp_path / "in/gone.jpg"
        gone.write_bytes(content())
        gone.unlink()
        (tmp_path / "in").rename(tmp_path / "moved")  # a mount that goes, and comes again
        time.sleep(1)
        (tmp_path / "moved").rename(tmp_path / "in")
        (tmp_path / "in/b.jpg").write_bytes(content(0.4))
        watch.wait(lambda: is_whole(tmp_path / "out/b.jpg"))
        assert set(tree(tmp_path / "out")) == {"a.jpg", "b.jpg"}
        assert "failed" not in watch.told


def test_photos_that_meet_under_one_name_are_told_and_the_rest_waits(tmp_path: Path) -> None:
    with watching(tmp_path, "--format", "webp") as watch:
        (tmp_path / "in/a.jpg").write_bytes(content(0.3))
        watch.wait(lambda: "1 done" in watch.told)
        before = tree(tmp_path / "out")
        (tmp_path / "in/a.png").write_bytes(content(0.7, "PNG"))
        watch.wait(lambda: "would both be written to a.webp" in watch.told)
        time.sleep(1)
        assert watch.told.count("would both") == 1
        assert tree(tmp_path / "out") == before
        (tmp_path / "in/a.png").rename(tmp_path / "in/b.png")
        watch.wait(lambda: is_whole(tmp_path / "out/b.webp"))


def test_once_crops_what_rests_and_ends(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    found = command(tmp_path, *LINE, "--once", spot=True)
    assert found.returncode == 4
    (tmp_path / "in/a.jpg").write_bytes(content())
    (tmp_path / "in/b.jpg").write_bytes(content()[:1500])
    found = command(tmp_path, *LINE, "--once", spot=True)
    assert found.returncode == 1
    assert set(tree(tmp_path / "out")) == {"a.jpg"}
    (tmp_path / "in/b.jpg").unlink()
    found = command(tmp_path, *LINE, "--once", spot=True)
    assert (found.returncode, found.stderr) == (0, b"")  # nothing new


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (("--scorer", "spot", "--settle", "0"), 2),
        (("--scorer", "spot", "--dry-run"), 2),
        (("--scorer", "spot", "--aspect", "0:1"), 2),
        (("--scorer", "no"), 3),
    ],
)
def test_what_cannot_begin_ends_it(tmp_path: Path, line: tuple[str, ...], code: int) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jpg").write_bytes(content())
    found = command(tmp_path, "watch", "in", "-o", "out", *line, spot=True)
    assert found.returncode == code, found.stderr
    assert b"Traceback" not in found.stderr


# --- in this process


def test_all_runs_share_one_scorer(
    spot: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cropper.bulk import pipeline  # noqa: PLC0415

    loads: list[object] = []
    load = pipeline.load_photo_finder
    monkeypatch.setattr(pipeline, "load_photo_finder", lambda o: loads.append(o) or load(o))
    (tmp_path / "in").mkdir()
    stop = threading.Event()

    def arrive() -> None:
        for index in range(3):
            (tmp_path / f"in/{index}.jpg").write_bytes(content(0.3 + index / 10))
            while not (tmp_path / f"out/{index}.jpg").exists():
                time.sleep(0.05)
        stop.set()

    thread = threading.Thread(target=arrive)
    thread.start()
    report = watch_folder(tmp_path / "in", tmp_path / "out", SPOT, settle=0.2, stop=stop)
    thread.join()
    assert (report.done, report.exit_code) == (3, 130)
    assert len(loads) == 1


def test_what_it_refuses(tmp_path: Path) -> None:
    with pytest.raises(NoInputError):
        watch_folder(tmp_path / "none", tmp_path / "out", SPOT)
    with pytest.raises(ConfigError, match="settle"):
        watch_folder(tmp_path, tmp_path / "out", SPOT, settle=0)


def test_two_looks_tell_what_rests(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path)
    path = tmp_path / "a.jpg"
    path.write_bytes(b"1")
    (tmp_path / ".hidden.jpg").write_bytes(b"1")
    assert not arrivals.look()
    assert not arrivals.rests("a.jpg")
    assert arrivals.look()
    assert arrivals.rests("a.jpg")
    assert not arrivals.was_tried("a.jpg")
    arrivals.take()
    assert arrivals.was_tried("a.jpg")
    assert not arrivals.look()
    path.write_bytes(b"12")
    assert not arrivals.look()
    assert not arrivals.rests("a.jpg")
    assert not arrivals.was_tried("a.jpg")
    os.utime(path, (1, 1))  # still changing
    assert not arrivals.look()
    assert arrivals.look()
    path.unlink()
    assert not arrivals.look()
