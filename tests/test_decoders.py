"""Photos in processes of their own: the same answers, and an end to whatever takes too long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cropper.boxes import Crop
from cropper.decoders import Decoders, NoRoomError
from cropper.errors import ImageReadError, ImageTooLargeError
from cropper.image import MOST_BYTES, Output, SourceImage, load_image, needed
from cropper.render import render
from eval.bombs import heavy_files
from tests.conftest import ENVIRONMENT
from tests.image.pictures import encoded, photo, whole_files

PNG = encoded(photo(), "PNG")
NEEDS = needed(load_image(PNG).header)


def sleep(image: SourceImage, seconds: float) -> None:
    time.sleep(seconds)


def allocate(image: SourceImage, size: int) -> int:
    return len(bytes(size))


def resident(image: SourceImage, what: str) -> int:
    """Bytes, now (VmRSS) or at most until now (VmHWM)."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition(f"{what}:")[2].split()[0]) * 1024


class GoneError(Exception):
    pass


def end(image: SourceImage) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def number(image: SourceImage) -> int:
    return os.getpid()


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders(max_mpixels=1) as found:
        yield found


@pytest.mark.parametrize("content", whole_files().values(), ids=whole_files())
def test_a_decoder_answers_as_this_process_does(content: bytes, decoders: Decoders) -> None:
    here = load_image(content, name="photo")
    crop = Crop.of(np.array([1.0, 1.0, *np.array(here.size) - 1]), 0.0)
    with decoders.open(content, "photo", 60) as there:
        assert (there.name, there.header) == ("photo", here.header)
        assert np.array_equal(there.view(50).pixels, here.view(50).pixels)
        assert there.span == here.span
        assert there.cut(crop.box).tobytes() == here.cut(crop.box).tobytes()
        found = there.apply(render, crop, "PNG", size=(20, 30))
    assert found == render(here, crop, "PNG", size=(20, 30))


def test_errors_are_those_of_this_process(decoders: Decoders) -> None:
    for content in (PNG[:20], b"text", encoded(photo(1200, 1000), "PNG")):
        with pytest.raises(ImageReadError) as here:
            load_image(content, max_mpixels=1, name="photo")
        with pytest.raises(ImageReadError) as there, decoders.open(content, "photo", 60):
            pass
        assert type(there.value) is type(here.value)
        assert (str(there.value), there.value.reason) == (str(here.value), here.value.reason)
    assert isinstance(there.value, ImageTooLargeError)


def test_what_takes_too_long_is_killed_and_replaced(decoders: Decoders) -> None:
    started = time.monotonic()
    with decoders.open(PNG, "slow.png", 4) as image:
        before = image.apply(number)
        with pytest.raises(ImageReadError, match=r"^slow\.png: .*time limit") as caught:
            image.apply(sleep, 60)
    assert caught.value.reason == "too slow"
    assert time.monotonic() - started < 20
    assert not Path(f"/proc/{before}").exists()
    with decoders.open(PNG, "next.png", 60) as image:
        assert image.apply(number) != before


def test_the_time_limit_is_that_of_the_whole_photo(decoders: Decoders) -> None:
    with decoders.open(PNG, "photo", 4) as image:
        image.apply(sleep, 2.5)
        with pytest.raises(ImageReadError, match="time limit"):
            image.apply(sleep, 2.5)


def test_a_decoder_that_dies_is_an_error_of_its_photo_alone(decoders: Decoders) -> None:
    with (
        pytest.raises(ImageReadError, match=rf"photo: its decoder ended \(-{signal.SIGSEGV}\)"),
        decoders.open(PNG, "photo", 60) as image,
    ):
        image.apply(end)
    with decoders.open(PNG, "photo", 60) as image:
        assert image.size == (96, 64)


@pytest.fixture(scope="module")
def heavy() -> dict[str, bytes]:
    return heavy_files()


@pytest.mark.skipif(sys.platform != "linux", reason="others do not hold processes to it")
def test_memory_is_bounded_by_the_system(decoders: Decoders) -> None:
    with decoders.open(PNG, "photo", 60) as image:
        assert image.apply(allocate, 100_000_000)
        with pytest.raises(MemoryError):
            image.apply(allocate, 1_000_000_000)
        assert image.view(50).pixels.shape == (33, 50, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["float TIFF", "PNG", "WebP"])
def test_the_bound_is_enough_for_the_largest_pictures(name: str, heavy: dict[str, bytes]) -> None:
    with Decoders(max_mpixels=60) as decoders, decoders.open(heavy[name], name, 60) as image:
        before = image.apply(resident, "VmRSS")
        assert image.view(256).pixels.max() == 0
        assert image.apply(resident, "VmHWM") - before <= needed(image.header)
        whole = Crop.of(np.array([0.0, 0.0, *image.size]), 0.0)
        assert image.apply(render, whole, image.format)
        most = needed(image.header, Output(None))
        assert image.apply(resident, "VmHWM") - before <= most <= MOST_BYTES * 60e6


def test_work_that_nobody_waits_for_ends(decoders: Decoders) -> None:
    def check() -> None:
        raise GoneError

    with decoders.open(PNG, "photo", 60, check) as image:
        image.apply(sleep, 0.01)  # quick work is not asked about
        with pytest.raises(GoneError):
            image.apply(sleep, 60)


def test_a_photo_that_was_given_back_is_no_other_photo(decoders: Decoders) -> None:
    with decoders.open(PNG, "photo", 60) as image:
        pass
    another = encoded(photo(50, 40), "PNG")
    with decoders.open(another, "another", 60), pytest.raises(ValueError, match="given back"):
        image.view(50)


def test_photos_wait_until_there_is_room() -> None:
    order: list[str] = []
    with Decoders(max_mpixels=1, together=NEEDS * 1.5) as decoders:

        def second() -> None:
            with decoders.open(PNG, "second", 60):
                order.append("second")

        with decoders.open(PNG, "first", 60):
            thread = threading.Thread(target=second)
            thread.start()
            time.sleep(0.5)
            order.append("first")
        thread.join(30)
    assert order == ["first", "second"]


def test_a_photo_waits_no_longer_than_its_patience_and_a_smaller_one_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cropper.decoders._PATIENCE", 0.5)
    small = encoded(photo(48, 32), "PNG")
    with (
        Decoders(max_mpixels=1, together=NEEDS * 1.5) as decoders,
        decoders.open(PNG, "first", 60),
    ):
        with decoders.open(small, "small", 60) as image:
            assert image.view(20).pixels.shape == (13, 20, 3)
        with pytest.raises(NoRoomError, match="no room"), decoders.open(PNG, "second", 60):
            pass
    with Decoders(max_mpixels=1, together=1) as decoders, decoders.open(PNG, "alone", 60) as image:
        assert image.size == (96, 64)


@pytest.mark.parametrize("name", ["PIL", "numpy", "struct", "sitecustomize"])
def test_nothing_is_imported_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / f"{name}.py").write_text("open('ran', 'w')")
    monkeypatch.chdir(tmp_path)
    with Decoders(max_mpixels=1) as decoders, decoders.open(PNG, "photo", 60):
        assert not Path("ran").exists()


def test_decoders_end_with_a_process_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom cropper.decoders import Decoders\nimport tests.test_decoders as t\n"
        "decoders = Decoders(1)\n"
        "with decoders.open(t.PNG, 'photo', 60) as image:\n"
        "    print(image.apply(t.number), flush=True)\n    sys.stdin.read()\n"
    )
    line = [sys.executable, "-c", script]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(line, env=ENVIRONMENT, cwd=tmp_path, **pipes) as running:
        assert running.stdout is not None
        decoder = int(running.stdout.readline())
        running.kill()
    until = time.monotonic() + 20
    while _runs(decoder):
        assert time.monotonic() < until
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    """A process that has ended may stay in the table until somebody asks for its code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
