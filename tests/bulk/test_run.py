"""Runs over folders: resume, failures, signals, locks, by real files and exit codes."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from cropper import BulkOptions, CropRequest, crop_folder
from cropper.bulk import Outcome, Watcher
from cropper.bulk.manifest import Manifest
from cropper.bulk.outcome import Cropped, Failed, PhotoState, outcome_from_json
from cropper.bulk.prepare import Prepared
from cropper.bulk.report import Ending
from cropper.bulk.signature import Signature
from cropper.bulk.trees import LocalTree
from cropper.bulk.user_edits import is_user_edit
from cropper.person import Person
from eval.crash import run_crash, write_photos
from tests.bulk.conftest import Bulk, stamps, tree
from tests.conftest import Crop, pixels, process, records, spotted
from tests.image.pictures import encoded, photo, png, png_chunk
from tests.stuck import stuck_at_b

SPOT = BulkOptions((CropRequest(budget=300),), scorer="spot")

# --- resume


def test_a_finished_run_has_nothing_to_do(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    assert bulk().exit_code == 0
    before = stamps(tmp_path / "out")
    found = bulk()
    assert found.exit_code == 0
    assert "0 done, 4 were done already" in found.stderr
    assert stamps(tmp_path / "out") == before


def remove(path: Path) -> None:
    path.unlink()


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def spoil_unseen(path: Path) -> None:
    """Same size and time of modification, other content."""
    stat = path.stat()
    content = path.read_bytes()
    path.write_bytes(bytes([*content[:200], content[200] ^ 1, *content[201:]]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def put_a_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("harm", [remove, tear, spoil_unseen])
def test_outputs_are_checked_not_trusted(
    bulk: Bulk, photos: Path, tmp_path: Path, harm: Any
) -> None:
    assert bulk().exit_code == 0
    right, before = tree(tmp_path / "out"), stamps(tmp_path / "out")
    harm(tmp_path / "out/sub/a.jpg")
    found = bulk()
    assert "1 done, 3 were done already" in found.stderr
    assert tree(tmp_path / "out") == right
    after = stamps(tmp_path / "out")
    assert {name for name in after if after[name] == before[name]} >= {"a.jpg", "b.png"}


@pytest.mark.parametrize("name", ["a.jpg", "b.png", "b.xmp"])
def test_what_somebody_changed_since_is_kept(
    bulk: Bulk, photos: Path, tmp_path: Path, name: str
) -> None:
    (photos / "sub/a.jpg").unlink()
    assert bulk("--xmp").exit_code == 0
    path = tmp_path / "out" / name
    if path.suffix == ".xmp":
        path.write_bytes(path.read_bytes().replace(b"CropAngle", b"Exposure"))
    else:
        spotted(50, 50).save(path)
    mine = path.read_bytes()
    for _ in range(2):
        found = bulk("--xmp")
        assert f"out/{name}: changed since it was written: kept" in found.stderr
        assert "0 done, 3 were done already (1 changed since and kept)" in found.stderr
    assert path.read_bytes() == mine
    assert "to be replaced" in bulk("--xmp", "--quality", "80", "--dry-run").stderr
    assert "1 done, 2 were done already;" in bulk("--xmp", "--overwrite").stderr
    assert path.read_bytes() != mine


def test_what_somebody_changed_is_kept_whatever_its_date(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    assert bulk().exit_code == 0
    path = tmp_path / "out/b.png"
    spotted(50, 50).save(path)
    mine = path.read_bytes()
    os.utime(path, (946_684_800, 946_684_800))  # as an archive or a copy of a backup has it
    found = bulk()
    assert "out/b.png: changed since it was written: kept" in found.stderr
    assert path.read_bytes() == mine


@pytest.mark.parametrize("name", ["a.jpg", "b.png", "c.gif", "d.bmp"])
def test_a_crop_without_its_end_is_made_again(bulk: Bulk, photos: Path, name: str) -> None:
    spotted().save(photos / name)
    assert bulk().exit_code == 0
    path = Path("out", name)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert "1 done" in bulk().stderr
    assert path.read_bytes() == whole


def test_what_somebody_changed_is_kept_where_another_crop_is_missing(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    line = ("--aspect", "1:1", "--aspect", "4:5", "--xmp", "--exclude", "sub/a.jpg")
    assert bulk(*line).exit_code == 0
    whole = tree(tmp_path / "out")
    path = tmp_path / "out/a_1x1.jpg"
    spotted(50, 50).save(path)
    mine = path.read_bytes()
    (tmp_path / "out/a_4x5.jpg").unlink()
    (tmp_path / "out/a.xmp").unlink()
    found = bulk(*line)
    assert "out/a_1x1.jpg: changed since it was written: kept" in found.stderr
    assert "1 done, 2 were done already;" in found.stderr
    assert tree(tmp_path / "out") == whole | {"a_1x1.jpg": mine}
    assert "0 done, 3 were done already" in bulk(*line).stderr
    assert "3 done" in bulk(*line, "--overwrite", "--restart").stderr
    assert tree(tmp_path / "out") == whole


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_a_truncated_file_is_not_somebodys_work(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind.lower()}"
    seen = Signature(1, 0, 0, "")
    whole = encoded(spotted(), kind)
    path.write_bytes(whole)
    assert is_user_edit(LocalTree(tmp_path), path.name, seen)
    assert not is_user_edit(LocalTree(tmp_path), path.name, Signature.of(path.stat(), ""))
    for length in (0.3 * len(whole), 0.9 * len(whole), len(whole) - 20, len(whole) - 1):
        path.write_bytes(whole[: int(length)])
        assert not is_user_edit(LocalTree(tmp_path), path.name, seen) or (
            kind == "TIFF" and length > len(whole) - 20
        )
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    assert kind in ("BMP", "TIFF") or not is_user_edit(LocalTree(tmp_path), path.name, seen)


def test_a_link_in_place_of_a_crop_is_not_written_through(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    assert bulk().exit_code == 0
    put_a_link(tmp_path / "out/a.jpg")
    found = bulk()
    assert found.exit_code == 2
    assert "out/a.jpg is a link" in found.stderr


def test_a_changed_photo_is_done_again(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    assert bulk().exit_code == 0
    spotted(spot=(0.2, 0.3)).save(photos / "a.jpg")
    spotted().save(photos / "new.png")
    (photos / "b.png").unlink()
    assert "2 done, 2 were done already" in bulk().stderr
    fresh = tmp_path / "fresh"
    assert bulk(output="fresh").exit_code == 0
    assert tree(fresh).items() <= tree(tmp_path / "out").items()


def test_a_touched_photo_and_a_copied_tree_are_not(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    assert bulk().exit_code == 0
    os.utime(photos / "a.jpg")
    shutil.copytree(tmp_path / "out", tmp_path / "copy")
    before = stamps(tmp_path / "copy")
    assert "0 done, 4 were done already" in bulk(output="copy").stderr
    assert stamps(tmp_path / "copy") == before


def test_other_settings_do_everything_again(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    assert bulk().exit_code == 0
    assert "4 done" in bulk("--aspect", "1:1").stderr
    assert "4 done" in bulk("--aspect", "1:1", "--quality", "80").stderr
    assert "4 were done" in bulk("--aspect", "1:1", "--quality", "80", "--workers", "1").stderr
    assert bulk("--aspect", "1:1", output="fresh").exit_code == 0
    assert tree(tmp_path / "out").keys() == tree(tmp_path / "fresh").keys()


def test_other_weights_are_other_settings(tmp_path: Path) -> None:
    """Of an ensemble too."""
    file = tmp_path / "mine.safetensors"
    for scorer in (str(file), f"{file}*0.5+selfie"):
        keys = []
        for content in (b"one", b"two", b"one"):
            file.write_bytes(content)
            keys.append(BulkOptions(scorer=scorer).key("{stem}"))
        assert keys[0] == keys[2] != keys[1]


def test_keys_are_those_of_earlier_versions() -> None:
    """Of manifests that they wrote: their folders are not cropped again."""
    of_scorer = {"scorer": "of-a-plug-in"}
    usual = BulkOptions(**of_scorer)
    assert usual.key("{stem}{ext}") == "840e369be9557422243f5f485aab2eb3"
    request = CropRequest(size=(60, 40), top_k=2)
    other = BulkOptions((request,), format="webp", quality=80, **of_scorer)
    assert other.key("{dir}/{stem}{ext}") == "69cb66dddb2a83bdc56c7dc67e5e3851"


OTHER: dict[str, Any] = {
    "aspect": "1:1",
    "size": (40, 30),
    "min_scale": 0.6,
    "max_scale": 0.9,
    "min_pixels": 9,
    "no_enlarge": True,
    "top_k": 2,
    "method": "stn",
    "shear": True,
    "localizer": Path("own"),
    "strategy": "random",
    "budget": 9,
    "seed": 1,
    "keep": ("none",),
    "if_absent": "skip",
    "avoid": ((0, 0, 9, 9),),
    "focus": (0.5, 0.5),
    "fit": "blur",
    "background": "red",
    "straighten": "only",
    "angle": 3.0,
    "orient": True,
    "filter": "fade",
    "constraints": (object(),),
}
NEEDED: dict[str, dict[str, Any]] = {
    "no_enlarge": {"size": (40, 30)},
    "shear": {"method": "search+stn"},
    "localizer": {"method": "localizer"},
    "if_absent": {"keep": (Person("Ada", ((0.0,) * 128,)),)},
}


@pytest.mark.parametrize("name", [each.name for each in fields(CropRequest)])
def test_every_field_of_a_request_is_a_setting(name: str) -> None:
    usual = CropRequest(**NEEDED.get(name, {}))
    requests = (usual, replace(usual, **{name: OTHER[name]}), usual)
    keys = [BulkOptions(requests=(each,)).key("{stem}") for each in requests]
    assert keys[0] == keys[2] != keys[1]


def test_a_folder_is_not_enlarged(bulk: Bulk, photos: Path) -> None:
    assert "4 done" in bulk("--size", "40x30", "--no-enlarge").stderr
    refused = bulk("--size", "4000x3000", "--no-enlarge", output="large")
    assert refused.exit_code == 1
    assert refused.stderr.count("leave --no-enlarge out") == 4


def test_restart_does_everything_again(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    assert bulk().exit_code == 0
    right = tree(tmp_path / "out")
    assert "4 done" in bulk("--restart").stderr
    assert tree(tmp_path / "out") == right


def test_failures_are_tried_again(bulk: Bulk, photos: Path) -> None:
    sound = (photos / "a.jpg").read_bytes()
    (photos / "a.jpg").write_bytes(b"no picture")
    assert bulk().exit_code == 1
    found = bulk()
    assert found.exit_code == 1
    assert "1 failed (1 not a picture)" in found.stderr
    assert "3 were done already" in found.stderr
    (photos / "a.jpg").write_bytes(sound)
    assert bulk().exit_code == 0


def test_another_folder_is_not_mixed_in(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    assert bulk().exit_code == 0
    right = tree(tmp_path / "out")
    photos.rename(tmp_path / "old")
    (tmp_path / "in").mkdir()
    (tmp_path / "in").rmdir()
    shutil.copytree(tmp_path / "old", tmp_path / "other")
    spotted(spot=(0.1, 0.1)).save(tmp_path / "other/a.jpg")
    (tmp_path / "in").symlink_to("other")
    found = bulk()
    assert found.exit_code == 2
    assert "holds crops of" in found.stderr
    assert tree(tmp_path / "out") == right


def test_what_a_killed_run_left_behind_goes(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    assert bulk().exit_code == 0
    with Manifest(tmp_path / "out") as manifest:
        manifest.put("running", "1")
    unfinished = tmp_path / "out/sub/.cropper-0123456789abcdef.tmp"
    unfinished.write_bytes(b"half a crop")
    (tmp_path / "out/.cropper-notes").touch()
    assert bulk().exit_code == 0
    assert not unfinished.exists()
    assert (tmp_path / "out/.cropper-notes").exists()


@pytest.mark.slow
def test_killed_runs_are_completed_and_identical() -> None:
    report = run_crash(rounds=4, photos=16, seed=1)
    assert report.sound, report
    assert report.trees >= 1


# --- one run at a time, and its end


def test_a_second_run_is_kept_out(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    assert bulk().exit_code == 0
    with Manifest(tmp_path / "out"):
        found = bulk()
    assert found.exit_code == 2
    assert "another run is writing to out" in found.stderr
    assert bulk().exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_run_in_order(number: int, tmp_path: Path) -> None:
    write_photos(tmp_path / "in", 40, size=(480, 320))
    options = ["bulk", "in", "-o", "out", "--scorer", "spot", "--json"]
    line, more = process(tmp_path, *options, spot=True)
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0}
    with subprocess.Popen(line, **pipes, **more) as run:
        assert run.stdout
        first = run.stdout.readline()  # so work has begun
        run.send_signal(number)
        rest, errors = run.communicate(timeout=60)
    assert run.returncode == 130, errors
    told = [json.loads(each) for each in [first, *rest.splitlines()]]
    (summary,) = errors.decode().splitlines()[-1:]
    assert summary.startswith(f"cropper: interrupted: {len(told)} done, ")
    assert {each["output"] for each in told} == {f"out/{name}" for name in tree(tmp_path / "out")}
    again = subprocess.run(line, capture_output=True, check=False, **more)
    assert again.returncode == 0
    assert len(again.stdout.splitlines()) == 40 - len(told)


def test_a_photo_that_takes_too_long_has_failed_and_the_rest_is_done(
    bulk: Bulk, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cropper.bulk.work.render", stuck_at_b)
    found = bulk("--time-limit", "1")
    assert found.exit_code == 1
    assert "error: in/b.png: not decoded and encoded within its time limit" in found.stderr
    assert "3 done, 1 failed (1 too slow)" in found.stderr
    assert set(tree(tmp_path / "out")) == {"a.jpg", "sub/a.jpg", "sub/deep/c.jpeg"}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_that_hangs(number: int, photos: Path, tmp_path: Path) -> None:
    prelude = (
        "import cropper.bulk.work, tests.stuck\ncropper.bulk.work.render = tests.stuck.stuck_at_b\n"
    )
    options = ["bulk", "in", "-o", "out", "--scorer", "spot", "--json"]
    line, more = process(tmp_path, *options, spot=True, prelude=prelude)
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0}
    with subprocess.Popen(line, **pipes, **more) as run:
        assert run.stdout
        for _ in range(3):
            run.stdout.readline()
        at = time.monotonic()
        run.send_signal(number)
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 130, errors
    assert time.monotonic() - at < 6
    assert b"interrupted: 3 done, 1 failed (1 interrupted)" in errors
    assert subprocess.run([*line, "--exclude", "b.png"], check=False, **more).returncode == 0


def test_a_watcher_that_raises_ends_the_run_in_order(
    spot: None, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    class Faulty(Watcher):
        def finished(self, outcome: Outcome) -> None:
            raise RuntimeError("by its own fault")

    with pytest.raises(RuntimeError, match="by its own fault"):
        crop_folder("in", "out", SPOT, watcher=Faulty())
    written = len(tree(tmp_path / "out"))
    assert written >= 1
    report = crop_folder("in", "out", SPOT)
    assert (report.current, report.done) == (written, 4 - written)


def test_fail_fast_stops_at_the_first_failure(bulk: Bulk, photos: Path) -> None:
    for index in range(30):
        (photos / f"0{index}.jpg").write_bytes(b"no picture")
    found = bulk("--fail-fast", "--workers", "1")
    assert found.exit_code == 1
    assert "stopped at the first failure: 0 done, 1 failed" in found.stderr
    assert "not reached" in found.stderr


def test_a_full_disk_stops_the_run(
    bulk: Bulk, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third file that is synced meets a full disk."""
    calls: list[int] = []

    def fsync(handle: int) -> None:
        calls.append(handle)
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fsync)
        found = bulk("--workers", "1")
    assert found.exit_code == 5
    assert "nothing more can be written: 1 done, 1 failed" in found.stderr
    assert "No space left" in found.stderr
    assert len(tree(tmp_path / "out")) == 1
    assert "3 done, 1 were done already" in bulk().stderr


def test_a_photo_that_failed_half_way_is_completed(
    bulk: Bulk, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first crop is the run's own, and may be replaced by the next run."""
    calls: list[int] = []

    def fsync(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 3:  # file and folder of the first crop, then the second crop
            raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fsync)
        found = bulk("--workers", "1", "--top-k", "2")
    assert found.exit_code == 1
    assert "3 done, 1 failed (1 not written)" in found.stderr
    assert len(tree(tmp_path / "out")) == 7
    assert "1 done, 3 were done already" in bulk("--top-k", "2").stderr
    assert len(tree(tmp_path / "out")) == 8


def test_an_output_folder_that_cannot_be_made(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = bulk(output="file/out")
    assert found.exit_code == 5
    assert "cannot be made" in found.stderr


def test_a_broken_manifest_is_said_to_be(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    assert bulk().exit_code == 0
    (tmp_path / "out/.cropper/manifest.sqlite").write_bytes(b"not a database" * 100)
    found = bulk()
    assert found.exit_code == 2
    assert "is broken" in found.stderr
    (tmp_path / "out/.cropper/manifest.sqlite").unlink()
    assert bulk("--overwrite").exit_code == 0


def test_a_reader_that_goes_away_ends_no_run(tmp_path: Path) -> None:
    write_photos(tmp_path / "in", 30)
    line, more = process(
        tmp_path, "bulk", "in", "-o", "out", "--scorer", "spot", "--json", spot=True
    )
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more) as run:
        assert run.stdout
        run.stdout.close()
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 0
    assert b"Broken pipe" not in errors
    assert b"30 done" in errors
    assert len(tree(tmp_path / "out")) == 30


# --- files that fail


def bad_files() -> dict[str, bytes]:
    """Name -> content of what cannot be cropped."""
    jpeg = encoded(photo(), "JPEG")
    bomb = png(30_000, 30_000, 8, 2, b"")
    return {
        "empty.jpg": b"",
        "text.jpg": b"this is not a picture",
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "head.jpg": jpeg[:20],
        "bomb.png": bomb,
        "cut.png": encoded(photo(), "PNG")[:300],
        "cut.webp": encoded(photo(), "WEBP")[:100],
        "cut.gif": encoded(photo().quantize(), "GIF")[:60],
        "cut.tif": encoded(photo(), "TIFF")[:500],
        "zero.bmp": bytes(1000),
        "chunk.png": b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", b"short"),
        "raw.tif": b"II*\x00\x10\x00\x00\x00CR\x02\x00" + bytes(100),
        "camera.heic": b"\x00\x00\x00\x18ftypheic" + bytes(100),
    }


def test_every_file_is_done_or_named(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    bad = bad_files()
    for name, content in bad.items():
        (photos / "sub" / name).write_bytes(content)
    good = {"lies.png": "JPEG", "lies.jpg": "PNG", "lies.gif": "WEBP", "lies.webp": "BMP"}
    for name, kind in good.items():
        (photos / "sub" / name).write_bytes(encoded(photo(), kind))
    (photos / "sub/gone.jpg").symlink_to("nowhere")
    found = bulk("--json")
    assert found.exit_code == 1
    assert "Traceback" not in found.stderr
    by_name = {Path(record["input"]).name: record for record in records(found)}
    assert len(by_name) == 3 + len(bad) + len(good) + 1  # a.jpg twice
    for name in [*bad, "gone.jpg"]:
        assert by_name[name]["status"] == "failed", name
        assert name in by_name[name]["error"]
    for name in good:
        assert by_name[name]["status"] == "done", by_name[name]
        assert (tmp_path / "out/sub" / name).exists()
    assert f"8 done, {len(bad) + 1} failed" in found.stderr
    (summary,) = found.stderr.splitlines()[-1:]
    for words in ("1 too large", "2 not a picture", "1 empty", "1 unreadable", " broken"):
        assert words in summary
    assert "Error" not in summary


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_what_may_not_be_read_or_written_is_named(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    (photos / "a.jpg").chmod(0)
    (photos / "sub/deep").chmod(0)
    (tmp_path / "out").mkdir()
    found = bulk()
    (photos / "sub/deep").chmod(0o755)
    assert found.exit_code == 1
    assert "in/a.jpg: cannot be read: Permission denied" in found.stderr
    assert "in/sub/deep: the folder cannot be listed" in found.stderr


class Meddler(Watcher):
    """Changes the folder between the plan and the work."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outcomes: dict[str, Outcome] = {}

    def started(self, prepared: Prepared) -> None:
        (self.folder / "a.jpg").unlink()
        spotted(60, 60).save(self.folder / "b.png")
        spotted().save(self.folder / "later.png")

    def finished(self, outcome: Outcome) -> None:
        self.outcomes[outcome.source] = outcome


def test_a_folder_that_changes_meanwhile(spot: None, photos: Path, tmp_path: Path) -> None:
    meddler = Meddler(photos)
    report = crop_folder(photos, tmp_path / "out", SPOT, watcher=meddler)
    assert (report.exit_code, report.done, report.failed) == (1, 3, 1)
    assert "a.jpg: cannot be read: No such file" in meddler.outcomes["a.jpg"].message
    assert meddler.outcomes["b.png"].result.source_size == (60, 60)
    again = crop_folder(photos, tmp_path / "out", SPOT)
    assert (again.done, again.current, again.failed) == (1, 3, 0)


def test_an_output_folder_that_is_blocked_fails_its_files_alone(
    spot: None, photos: Path, tmp_path: Path
) -> None:
    class Blocker(Watcher):
        def started(self, prepared: Prepared) -> None:
            (tmp_path / "out/sub").write_text("in the way")

    report = crop_folder(photos, tmp_path / "out", SPOT, watcher=Blocker())
    assert (report.exit_code, report.done, report.failed) == (1, 2, 2)
    assert dict(report.reasons) == {"not written": 2}


# --- the library


def test_the_library_does_what_the_command_does(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    assert bulk("--aspect", "1:1").exit_code == 0
    report = crop_folder(
        "in", "lib", BulkOptions((CropRequest(aspect="1:1", budget=300),), scorer="spot")
    )
    assert (report.exit_code, report.done, report.failed) == (0, 4, 0)
    assert tree(tmp_path / "lib") == tree(tmp_path / "out")


def test_stop_ends_it_before_it_begins(spot: None, photos: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    report = crop_folder(photos, tmp_path / "out", SPOT, stop=stop)
    assert report.exit_code == 130
    assert report.ending is Ending.INTERRUPTED
    assert tree(tmp_path / "out") == {}


def test_records_are_those_of_best(bulk: Bulk, photos: Path) -> None:
    found = bulk("--json", "--top-k", "2")
    record = next(each for each in records(found) if each["input"] == "in/b.png")
    assert record["status"] == "done"
    assert record["output"] == "out/b_1.png"
    assert record["source_size"] == [120, 80]
    x0, y0, x1, y1 = record["box"]
    assert 0 <= x0 < x1 <= 120
    assert 0 <= y0 < y1 <= 80
    assert [each["output"] for each in record["crops"]] == ["out/b_1.png", "out/b_2.png"]
    assert record["crops"][0]["box"] == record["box"]


def test_records_have_every_field_of_best(bulk: Bulk, crop: Crop, photos: Path) -> None:
    options = ("--aspect", "1:1", "--scorer", "spot", "--budget", "300")
    (expected,) = records(crop("in/a.jpg", "--json", "-o", "best.jpg", *options))
    found = records(bulk("--json", *options))
    (record,) = (each for each in found if each["input"] == "in/a.jpg")
    assert record.keys() == expected.keys() | {"status"}
    changing = {"output", "seconds", "status"}
    assert {key: record[key] for key in record.keys() - changing} == {
        key: expected[key] for key in expected.keys() - changing
    }


def test_records_say_what_each_crop_was_made_for(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    found = bulk("--json", "--aspect", "3:2", "--size", "32x32")
    for record in records(found):
        plain, sized = record["crops"]
        assert (plain["aspect"], sized["aspect"]) == ("3:2", "32:32")
        assert (plain["rank"], sized["size"]) == (1, [32, 32])
        height, width = pixels(tmp_path / plain["output"]).shape[:2]
        assert plain["size"] == [width, height]


def test_messages_and_records_go_their_own_ways(bulk: Bulk, photos: Path) -> None:
    found = bulk("-q")
    assert (found.stdout, found.stderr) == ("", "")
    found = bulk("--restart", "-v")
    assert found.stdout == ""
    assert "sub/deep/c.jpeg: cropped, " in found.stderr


# --- folders of version 0.1


@pytest.mark.parametrize("turn", [0.0, 0.1])
def test_what_version_0_1_wrote_is_understood(turn: float) -> None:
    signature = {"size": 9, "modified": 1, "changed": 2, "digest": "d"}
    corners = [[1.0, 0.0], [41.0, 0.5], [40.5, 30.0], [0.5, 29.5]]
    warp = {"theta": [[0.5, turn, 0.0], [turn, 0.5, 0.0]], "corners": corners}
    written = {"path": "a.jpg", "signature": signature, "target": 0, "rank": 1}
    written |= {"box": [0.0, 0.0, 41.0, 30.0], "score": 1.5, "what": "crop", "warp": warp}
    record = {"source": "a.jpg", "state": "left", "signature": signature, "source_size": [80, 60]}
    record |= {"full_frame_score": 1.0, "centre_score": 0.5, "calibrated": True, "scorer": "x"}
    record |= {"candidates": 7, "best": [0.0, 0.0, 41.0, 30.0], "best_score": 1.5, "notes": ["n"]}
    record |= {"seconds": 0.1, "kind": "", "reason": "", "message": "", "stops": False}
    found = outcome_from_json(json.dumps(record | {"written": []}))
    assert isinstance(found, Cropped)
    assert found.state is PhotoState.SKIPPED
    assert (found.gain, found.result.search.evaluations, found.notes) == (0.5, 7, ("n",))
    found = outcome_from_json(json.dumps(record | {"state": "done", "written": [written]}))
    assert isinstance(found, Cropped)
    assert found.state is PhotoState.DONE
    expected = tuple((x, y) for x, y in corners) if turn else None
    assert found.crops[0].crop.corners == found.result.best.corners == expected
    assert outcome_from_json(found.to_json()) == found
    failed = outcome_from_json(json.dumps(record | {"state": "failed", "written": [written]}))
    assert isinstance(failed, Failed)
    assert outcome_from_json(failed.to_json()) == failed
