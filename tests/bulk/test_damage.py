"""A manifest that was damaged is named or done without, and never a traceback."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from cropper.bulk.walk import MANIFEST
from tests.bulk.conftest import Bulk, tree

ROWS: list[tuple[str, Any]] = [
    ("outcome", "{}"),
    ("outcome", "null"),
    ("outcome", "[[1]]"),
    ("outcome", '{"source": "a.jpg", "state": "done"'),
    ("outcome", 7),
    ("outcome", 1e308),
    ("outcome", b"\xff\x00"),
    ("outcome", ""),
    ("planned", "x"),
    ("state", "asleep"),
    ("settings", b"\xff"),
]


def changed(table: str, column: str, value: Any, where: str = "1") -> None:
    database = sqlite3.connect(Path("out", MANIFEST))
    with database:
        database.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (value,))
    database.close()


@pytest.mark.parametrize(("column", "value"), ROWS, ids=str)
def test_a_damaged_row_is_a_photo_to_do_again(
    column: str, value: Any, bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    assert bulk().exit_code == 0
    right = tree(tmp_path / "out")
    changed("photos", column, value, "source = x'612e6a7067'")  # a.jpg
    for line in (["--dry-run"], ["--report", "page.html"], []):
        found = bulk(*line)
        assert found.exit_code == 0
        assert "Traceback" not in found.stderr
    assert tree(tmp_path / "out") == right


@pytest.mark.parametrize("field", ["signature", "written", "best", "state", "source_size"])
@pytest.mark.parametrize("value", [None, "x", [], {}, -1, [[[]]]], ids=str)
def test_a_field_of_an_outcome_that_cannot_be_is_one_too(
    field: str, value: Any, bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    assert bulk().exit_code == 0
    database = sqlite3.connect(Path("out", MANIFEST))
    (text,) = database.execute("SELECT outcome FROM photos WHERE source = x'612e6a7067'").fetchone()
    database.close()
    changed("photos", "outcome", json.dumps(json.loads(text) | {field: value}), "plan > 0")
    assert bulk("--report", "page.html").exit_code in (0, 1)
    assert len(tree(tmp_path / "out")) == 4


def test_damaged_rows_are_told(bulk: Bulk, photos: Path) -> None:
    assert bulk().exit_code == 0
    changed("photos", "outcome", "{}")
    found = bulk()
    assert "manifest.sqlite: 4 damaged rows; their photos are done again" in found.stderr
    assert "4 done" in found.stderr


def test_a_plan_without_a_number_is_a_broken_manifest(bulk: Bulk, photos: Path) -> None:
    assert bulk().exit_code == 0
    changed("meta", "value", "x", "key = 'plan'")
    for options in ((), ("--dry-run",)):
        found = bulk(*options)
        assert found.exit_code == 2
        assert "cropper: out/.cropper/manifest.sqlite is broken" in found.stderr


def test_a_dry_run_that_cannot_copy_the_manifest_says_so(
    bulk: Bulk, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bulk().exit_code == 0

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("shutil.copyfile", full)
    found = bulk("--dry-run")
    assert found.exit_code == 5
    assert "No space left" in found.stderr
    assert "TMPDIR" in found.stderr
