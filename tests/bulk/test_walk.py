"""What is a photo, what is passed over and what is named as a problem."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cropper.bulk.walk import MANIFEST, matches, walk
from cropper.errors import ConfigError
from tests.image.pictures import encoded, photo


def found(folder: Path, **options: tuple[str, ...]) -> dict[str, str]:
    """Path -> ``photo``, the problem or why it was passed over."""
    return {
        entry.path: entry.problem or entry.ignored or "photo" for entry in walk(folder, **options)
    }


def test_pictures_are_found_at_any_depth(tmp_path: Path) -> None:
    for name in ("a.jpg", "B.JPG", "x/c.png", "x/y/d.webp", "x/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"content does not matter here")
    assert found(tmp_path) == {
        "a.jpg": "photo",
        "B.JPG": "photo",
        "x/c.png": "photo",
        "x/y/d.webp": "photo",
        "x/notes.txt": "not a picture",
    }


def test_a_file_without_extension_is_what_its_content_is(tmp_path: Path) -> None:
    (tmp_path / "scan").write_bytes(encoded(photo(), "PNG"))
    (tmp_path / "Makefile").write_text("all:")
    assert found(tmp_path) == {"scan": "photo", "Makefile": "not a picture"}


def test_a_file_of_any_name_is_what_its_content_is(tmp_path: Path) -> None:
    picture = encoded(photo(), "JPEG")
    for name in ("a.jpg_large", "b.jpg!d", "C.MPO", "d.HIF", "e.txt"):
        (tmp_path / name).write_bytes(picture)
    (tmp_path / "f.jpg_large").write_text("no picture")
    photos = dict.fromkeys(("a.jpg_large", "b.jpg!d", "C.MPO", "d.HIF", "e.txt"), "photo")
    assert found(tmp_path) == {**photos, "f.jpg_large": "not a picture"}


def test_what_programs_leave_needs_an_include(tmp_path: Path) -> None:
    left = ("a.jpg.bak", "a.THM", "a.jpg~", "b.jpg.part")
    for name in left:
        (tmp_path / name).write_bytes(encoded(photo(), "JPEG"))
    assert found(tmp_path) == dict.fromkeys(left, "left by a program")
    assert found(tmp_path, include=("*.bak",))["a.jpg.bak"] == "photo"


def test_raw_files_of_a_tiff_s_kind_are_no_photos(tmp_path: Path) -> None:
    for name in ("a.nef", "a", "a.tif"):
        (tmp_path / name).write_bytes(encoded(photo(), "TIFF"))
    assert found(tmp_path) == {"a.nef": "not a picture", "a": "photo", "a.tif": "photo"}
    assert found(tmp_path, include=("*.nef",))["a.nef"] == "photo"


def test_folders_of_systems_are_passed_over(tmp_path: Path) -> None:
    names = ("x/@eaDir/a.jpg", "#recycle/b.jpg", "$RECYCLE.BIN/c.jpg", "__MACOSX/d.jpg", "x/e.jpg")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"content does not matter here")
    passed = dict.fromkeys(
        ("x/@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX"), "a system's folder"
    )
    assert found(tmp_path) == {"x/e.jpg": "photo", **passed}


def test_hidden_names_and_folders_of_crops_are_passed_over(tmp_path: Path) -> None:
    for name in (".a.jpg", ".thumbs/b.jpg", "crops/c.jpg", f"crops/{MANIFEST}", "d.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert found(tmp_path) == {
        ".a.jpg": "hidden",
        ".thumbs": "hidden",
        "crops": "a folder of crops",
        "d.jpg": "photo",
    }


def test_links_stay_inside(tmp_path: Path) -> None:
    folder, outside = tmp_path / "in", tmp_path / "outside"
    (folder / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "b.jpg").touch()
    (folder / "sub/a.jpg").touch()
    (folder / "inside.jpg").symlink_to("sub/a.jpg")
    (folder / "out.jpg").symlink_to(outside / "b.jpg")
    (folder / "folder").symlink_to(outside)
    (folder / "up.jpg").symlink_to("..")
    (folder / "nothing.jpg").symlink_to("missing.jpg")
    (folder / "circle.jpg").symlink_to("circle.jpg")
    assert found(folder) == {
        "sub/a.jpg": "photo",
        "inside.jpg": "photo",
        "out.jpg": "a link out of the folder",
        "folder": "a link to a folder",
        "up.jpg": "a link to a folder",
        "nothing.jpg": "cannot be read: No such file or directory",
        "circle.jpg": "cannot be read: Too many levels of symbolic links",
    }


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    assert set(found(tmp_path).values()) == {"not a regular file"}


def test_excluded_folders_are_not_entered(tmp_path: Path) -> None:
    for name in ("raw/a.jpg", "x/raw/b.jpg", "x/c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert found(tmp_path, exclude=("raw",)) == {
        "raw": "excluded",
        "x/raw": "excluded",
        "x/c.jpg": "photo",
    }
    assert found(tmp_path, exclude=("/raw",))["x/raw/b.jpg"] == "photo"
    assert found(tmp_path, include=("x/*.jpg",), exclude=("**/c.*",)) == {
        "raw/a.jpg": "excluded",
        "x/raw/b.jpg": "excluded",
        "x/c.jpg": "excluded",
    }


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.jpg", "a/b/c.jpg", True),
        ("*.jpg", "a/b/c.JPG", True),
        ("*.jpg", "a/b.jpg/c.png", False),
        ("a/*.jpg", "a/c.jpg", True),
        ("a/*.jpg", "a/b/c.jpg", False),
        ("a/**/*.jpg", "a/c.jpg", True),
        ("a/**/*.jpg", "a/b/d/c.jpg", True),
        ("a/**", "a/b/c.jpg", True),
        ("a/**", "ab/c.jpg", False),
        ("**/c.jpg", "c.jpg", True),
        ("?.jpg", "ab.jpg", False),
        ("[ab].jpg", "b.jpg", True),
        ("[!ab].jpg", "b.jpg", False),
        ("a.b", "axb", False),
        ("a+(1).jpg", "a+(1).jpg", True),
        ("/a.jpg", "b/a.jpg", False),
    ],
)
def test_globs(pattern: str, path: str, expected: bool) -> None:
    assert matches(path, [pattern]) is expected


@pytest.mark.parametrize("pattern", ["", "/"])
def test_an_empty_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="pattern"):
        matches("a", [pattern])
