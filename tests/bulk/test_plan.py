"""Names and rules: everything that is found before any work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cropper.cli import main
from tests.bulk.conftest import Bulk, assert_refused, tree
from tests.conftest import pixels, records, spotted


def test_the_tree_is_mirrored(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    found = bulk("--aspect", "1:1")
    assert found.exit_code == 0, found.stderr
    assert set(tree(tmp_path / "out")) == {"a.jpg", "b.png", "sub/a.jpg", "sub/deep/c.jpeg"}
    assert {pixels(tmp_path / "out" / name).shape[:2] for name in tree(tmp_path / "out")} == {
        pixels(tmp_path / "out/a.jpg").shape[:2]
    }


def test_aspects_sizes_and_ranks_are_made_in_one_run(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    found = bulk("--aspect", "1:1", "--aspect", "4:5", "--size", "32x32", "--top-k", "2")
    assert found.exit_code == 0, found.stderr
    names = {name for name in tree(tmp_path / "out") if name.startswith("a")}
    assert names == {"a_4x5_1.jpg", "a_4x5_2.jpg", "a_32x32_1.jpg", "a_32x32_2.jpg"}
    assert pixels(tmp_path / "out/a_32x32_1.jpg").shape[:2] == (32, 32)
    height, width = pixels(tmp_path / "out/a_4x5_1.jpg").shape[:2]
    assert abs(width / height - 0.8) < 0.03


def test_a_size_takes_the_place_of_its_aspect(bulk: Bulk, photos: Path) -> None:
    """So the first aspect stays the one of the sheet and the sidecars."""
    options = ("--aspect", "1:1", "--aspect", "4:5", "--size", "64x48", "--size", "32x32")
    lines = bulk(*options, "--dry-run").stdout
    assert "out/a_32x32.jpg, out/a_4x5.jpg, out/a_64x48.jpg" in lines


def test_names_by_template(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    template = "new/{aspect}/{dir}/{stem}-{rank}{ext}"
    found = bulk("--aspect", "1:1", "--aspect", "3:2", output=template)
    assert found.exit_code == 0, found.stderr
    assert (tmp_path / "new/1x1/sub/deep/c-1.jpeg").exists()
    assert (tmp_path / "new/3x2/b-1.png").exists()
    assert (tmp_path / "new/.cropper/manifest.sqlite").exists()


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("", "-o is empty"),
        ("-", "standard output"),
        ("x.png", "name a folder"),
        ("{dir}/{stem}_c{ext}", "as in crops/{dir}/{stem}_c{ext}"),
        ("./{stem}.jpg", "as in crops/{stem}.jpg"),
    ],
)
def test_an_output_that_is_hardly_meant_as_a_folder_is_refused(
    bulk: Bulk, photos: Path, tmp_path: Path, output: str, says: str
) -> None:
    found = bulk(output=output)
    assert found.exit_code == 2
    assert says in found.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_an_empty_input_name_is_refused(bulk: Bulk, tmp_path: Path) -> None:
    found = CliRunner().invoke(main, ["bulk", "", "-o", "out"])
    assert found.exit_code == 2
    assert "input folder's name is empty" in found.stderr


def test_a_folder_that_is_there_may_be_called_anything(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    for name in ("old.png", "{dir}"):
        (tmp_path / name).mkdir()
        found = bulk("--json", output=name)
        assert found.exit_code == 0
        assert all(each["output"].startswith(f"{name}/") for each in records(found))
        assert len(tree(tmp_path / name)) == 4


def test_a_photo_without_extension_gets_that_of_its_content(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    (photos / "b.png").rename(photos / "scan")
    assert bulk().exit_code == 0
    assert "scan.png" in tree(tmp_path / "out")


def test_names_that_tell_no_format_are_kept_and_meet_no_other(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    content = (photos / "a.jpg").read_bytes()
    for name in ("a.mpo", "a.jpg!d", "a.JPG_large"):
        (photos / name).write_bytes(content)
    found = bulk()
    assert found.exit_code == 0, found.stderr
    made = {name for name in tree(tmp_path / "out") if name.startswith("a.")}
    assert made == {"a.jpg", "a.mpo", "a.jpg!d.jpg", "a.JPG_large.jpg"}


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    found = bulk("--dry-run")
    assert found.exit_code == 0
    assert "in/sub/a.jpg -> out/sub/a.jpg" in found.stdout.splitlines()
    assert "cropper: 4 photos, 4 files would be written; " in found.stderr
    assert not (tmp_path / "out").exists()


def test_a_dry_run_knows_what_is_done(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    assert bulk().exit_code == 0
    spotted().save(photos / "new.png")
    assert "1 photo, 1 file would be written, 4 were done already" in bulk("--dry-run").stderr
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    lines = [json.loads(line) for line in bulk("--dry-run", "--json").stdout.splitlines()]
    assert {line["input"]: line["done"] for line in lines} == {
        "in/a.jpg": True,
        "in/b.png": True,
        "in/new.png": False,
        "in/sub/a.jpg": True,
        "in/sub/deep/c.jpeg": True,
    }
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before


@pytest.mark.parametrize(
    ("extra", "output"),
    [
        ("a.png", "out/{dir}/{stem}.jpg"),  # same stem, other extension
        ("A.JPG", "out"),  # one name where case does not count
        ("other/a.jpg", "out/{stem}{ext}"),  # flattened
    ],
)
def test_collisions_are_found_before_any_work(
    bulk: Bulk, photos: Path, tmp_path: Path, extra: str, output: str
) -> None:
    (photos / extra).parent.mkdir(exist_ok=True)
    spotted().save(photos / extra)
    found = bulk(output=output)
    assert found.exit_code == 2
    assert "would both be written to" in found.stderr
    assert not (tmp_path / "out").exists()


def test_a_template_that_lacks_the_aspect_is_told_so(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    found = bulk("--aspect", "1:1", "--aspect", "4:5", output="out/{dir}/{stem}.png")
    assert found.exit_code == 2
    assert "add {aspect} to -o" in found.stderr
    assert "--exclude" not in found.stderr


@pytest.mark.parametrize("output", ["in", "in/crops", "in/sub/../new", "./in"])
def test_crops_are_never_written_among_sources(bulk: Bulk, photos: Path, output: str) -> None:
    before = tree(photos)
    found = bulk(output=output)
    assert found.exit_code == 2
    assert "inside the input folder" in found.stderr
    assert tree(photos) == before


def test_a_link_in_the_output_folder_does_not_lead_to_sources(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    before = tree(photos)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/sub").symlink_to(photos / "sub")
    found = bulk("--overwrite")
    assert found.exit_code == 2
    assert "could replace sources" in found.stderr
    (tmp_path / "out/sub").unlink()
    (tmp_path / "out/a.jpg").symlink_to(photos / "a.jpg")
    assert bulk("--overwrite").exit_code == 2
    assert tree(photos) == before


def test_the_input_may_lie_in_the_output_folder_where_names_do_not_meet(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    before = tree(photos)
    assert bulk(output=".").exit_code == 0
    assert (tmp_path / "sub/deep/c.jpeg").exists()
    (photos / "in").mkdir()  # its crops would go to ./in, that is, among the sources
    spotted().save(photos / "in/a.jpg")
    found = bulk(output=".")
    assert found.exit_code == 2
    assert "could replace sources" in found.stderr
    assert {name: content for name, content in tree(photos).items() if name in before} == before


def test_files_of_others_are_not_replaced_unless_asked(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/b.png").write_text("precious")
    found = bulk()
    assert found.exit_code == 2
    assert "out/b.png exists" in found.stderr
    assert tree(tmp_path / "out") == {"b.png": b"precious"}
    assert bulk("--overwrite").exit_code == 0
    assert pixels(tmp_path / "out/b.png").shape


def test_a_name_that_was_only_planned_is_not_a_run_s_own(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    sound = (photos / "a.jpg").read_bytes()
    (photos / "a.jpg").write_bytes(b"no picture")
    assert bulk().exit_code == 1
    (tmp_path / "out/a.jpg").write_text("precious")
    (photos / "a.jpg").write_bytes(sound)
    found = bulk()
    assert found.exit_code == 2
    assert "out/a.jpg exists" in found.stderr
    assert (tmp_path / "out/a.jpg").read_text() == "precious"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("-o out/{name}{ext}", "{name}"),
        ("-o out/{stem}.txt", "extension"),
        ("-o out/{dir}/../../{stem}{ext}", "would leave"),
        ("--aspect 1:0", "aspect"),
        ("--min-scale 0.9 --max-scale 0.5", "scales"),
        ("--cluster tcp://x:1", "--backend"),
        ("--exclude /", "pattern"),
    ],
)
def test_what_cannot_work_is_a_usage_error(bulk: Bulk, photos: Path, line: str, says: str) -> None:
    assert_refused(bulk(*line.split()), says)


def test_no_photos_are_an_error_of_their_own(bulk: Bulk, tmp_path: Path) -> None:
    assert bulk().exit_code == 4
    (tmp_path / "in").mkdir()
    (tmp_path / "in/notes.txt").touch()
    found = bulk()
    assert found.exit_code == 4
    assert "1 not a picture" in found.stderr
    assert not (tmp_path / "out").exists()


def test_an_unknown_scorer_leaves_what_was_done_as_it_was(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    assert bulk().exit_code == 0
    assert bulk("--scorer", "nobody").exit_code == 3
    assert "4 were done already" in bulk().stderr


def test_names_that_are_not_utf_8(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    (photos / "b.png").rename(photos / name)
    assert bulk("--json").exit_code == 0
    assert (tmp_path / "out" / name).exists()
    assert "4 were done already" in bulk().stderr


def test_a_name_that_is_too_long_fails_alone(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    long = "x" * 250 + ".jpg"
    (photos / "a.jpg").rename(photos / long)
    found = bulk("--aspect", "1:1", "--aspect", "4:5")  # which adds _1x1 to the name
    assert found.exit_code == 1
    assert "is too long a name: rename it, or change -o" in found.stderr
    assert "3 done, 1 failed (1 name too long)" in found.stderr
    assert len(tree(tmp_path / "out")) == 6


def test_names_are_shown_as_one_line_that_a_terminal_does_not_obey(
    bulk: Bulk, photos: Path
) -> None:
    name = "a\nerror: b\x1b]0;title\x07.jpg"
    (photos / name).write_bytes(b"no picture")
    for line in (["-v"], ["--dry-run"]):
        found = bulk(*line)
        said = found.stderr + found.stdout
        assert "\x1b" not in said
        assert "\x07" not in said
        assert r"a\nerror: b\x1b]0;title\x07.jpg" in said
