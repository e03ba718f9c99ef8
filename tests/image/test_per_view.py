"""What is found once in each view."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cropper import SourceImage, from_array
from cropper.image.per_view import PerView


def test_threads_that_ask_at_once_look_once() -> None:
    looks: PerView[int] = PerView()
    views = [from_array(np.zeros((4, 4, 3), np.uint8)) for _ in range(3)]
    start, seen = threading.Barrier(9), []

    def look(image: SourceImage) -> int:
        seen.append(id(image))
        time.sleep(0.02)
        return id(image)

    def ask(image: SourceImage) -> bool:
        start.wait()
        return looks.get(image, look) == id(image)

    with ThreadPoolExecutor(9) as pool:
        assert all(pool.map(ask, views * 3))
    assert sorted(seen) == sorted(map(id, views))
    views.clear()
    assert len(looks) == 0


def test_a_look_that_fails_is_tried_again() -> None:
    looks: PerView[int] = PerView()
    view = from_array(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(ZeroDivisionError):
        looks.get(view, lambda _: 1 // 0)
    assert looks.get(view, lambda _: 7) == 7
