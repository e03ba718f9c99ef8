"""``python -m eval bench-bot``: answers of the bot's own loop are timed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cropper.errors import ConfigError
from eval.bench_bot import run_bot
from tests.conftest import spotted


@pytest.mark.slow
def test_each_answer_has_its_time(tmp_path: Path) -> None:
    spotted(300, 200).save(tmp_path / "photo.jpg")
    seconds = run_bot(tmp_path / "photo.jpg", repeats=3)
    assert len(seconds) == 3
    assert all(0 < each < 60 for each in seconds)


@pytest.mark.slow
def test_a_file_that_has_no_crop_is_no_time(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"no picture")
    with pytest.raises(ConfigError, match="made no crop"):
        run_bot(tmp_path / "photo.jpg", repeats=1)
