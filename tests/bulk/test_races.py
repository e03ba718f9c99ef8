"""What was checked when a run was planned may have changed when it reads and writes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cropper import BulkOptions, BulkReport, CropRequest, crop_folder
from cropper.bulk import Watcher
from cropper.bulk.prepare import Prepared
from tests.bulk.conftest import tree
from tests.conftest import spotted

OTHERS = b"somebody else's"


class Meanwhile(Watcher):
    """Does something between the plan and the work."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act

    def started(self, prepared: Prepared) -> None:
        self.act()


@pytest.fixture
def run(spot: None, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.png").write_bytes(OTHERS)

    def crop(act: Callable[[], object], **options: bool) -> BulkReport:
        asked = BulkOptions((CropRequest(budget=300),), scorer="spot", **options)  # type: ignore[arg-type]
        return crop_folder("in", "out", asked, watcher=Meanwhile(act))

    return crop


Run = Callable[..., BulkReport]


def in_the_place_of(path: str, target: str) -> None:
    """A link to ``target``."""
    place = Path(path)
    if place.exists():
        place.rename(f"{path}.moved")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(Path(target).absolute())


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_link_at_a_target_leads_nowhere(run: Run, overwrite: bool) -> None:
    report = run(lambda: in_the_place_of("out/b.png", "secret.png"), overwrite=overwrite)
    assert Path("secret.png").read_bytes() == OTHERS
    assert (report.exit_code, report.done, report.failed) == (1, 3, 1)
    assert report.failures[0][0] == "b.png"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_that_came_up_is_kept(run: Run, overwrite: bool) -> None:
    def act() -> None:
        Path("out/b.png").write_bytes(OTHERS)

    report = run(act, overwrite=overwrite)
    assert Path("out/b.png").read_bytes() == OTHERS
    assert "exists already" in report.failures[0][1]


def test_another_file_in_the_place_of_a_crop_is_kept(run: Run) -> None:
    run(lambda: None)
    spotted(spot=(0.2, 0.2)).save("in/b.png")

    def act() -> None:
        Path("out/b.png").rename("out/c.png")
        Path("out/b.png").write_bytes(OTHERS)

    assert run(act).failed == 1
    assert Path("out/b.png").read_bytes() == OTHERS
    assert run(lambda: None, overwrite=True).done == 1  # now it is planned


@pytest.mark.parametrize("folder", ["out/sub", "out/sub/deep"])
def test_a_folder_that_became_a_link_is_not_entered(run: Run, folder: str) -> None:
    before = tree(Path("in"))
    source = folder.replace("out", "in")
    report = run(lambda: in_the_place_of(folder, source))
    assert tree(Path("in")) == before
    assert report.failed in (1, 2)
    assert report.done + report.failed == 4


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_output_folder_that_became_the_input_folder_ends_the_run(
    run: Run, overwrite: bool
) -> None:
    before = tree(Path("in"))
    report = run(lambda: in_the_place_of("out", "in"), overwrite=overwrite)
    assert tree(Path("in")) == before
    assert report.exit_code == 5
    assert report.done == 0
    assert "moved, replaced or unmounted" in report.failures[0][1]


@pytest.mark.parametrize("again", [False, True], ids=["renamed", "replaced"])
def test_an_output_folder_that_went_away_is_no_success(run: Run, again: bool) -> None:
    def act() -> None:
        Path("out").rename("elsewhere")
        if again:
            Path("out").mkdir()

    report = run(act)
    assert report.exit_code == 5
    assert report.done == 0
    assert "moved" in report.failures[0][1]
    assert Path("out").exists() == again
    assert not tree(Path("elsewhere"))
    assert "nothing more can be written" in report.summary


def test_a_folder_that_is_moved_when_all_is_written_is_told(
    spot: None, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    class Last(Watcher):
        def started(self, prepared: Prepared) -> None:
            self.left = prepared.todo

        def finished(self, outcome: object) -> None:
            self.left -= 1
            if not self.left:
                Path("out").rename("elsewhere")

    asked = BulkOptions((CropRequest(budget=300),), scorer="spot")
    report = crop_folder("in", "out", asked, watcher=Last())
    assert (report.done, report.exit_code) == (4, 5)
    assert "was moved" in report.summary


def test_a_source_that_became_a_link_out_of_the_folder_is_not_read(run: Run) -> None:
    spotted(spot=(0.1, 0.1)).save("private.png")
    report = run(lambda: in_the_place_of("in/b.png", "private.png"))
    assert (report.done, report.failed) == (3, 1)
    assert report.failures[0] == ("b.png", "in/b.png: became a link out of the folder")
    assert not Path("out/b.png").exists()


def test_a_source_folder_that_became_a_link_is_not_entered(run: Run) -> None:
    Path("private/deep").mkdir(parents=True)
    spotted(spot=(0.1, 0.1)).save("private/a.jpg")
    report = run(lambda: in_the_place_of("in/sub", "private"))
    assert (report.done, report.failed) == (2, 2)
    assert "sub/a.jpg" not in tree(Path("out"))


def test_a_pipe_in_the_place_of_a_source_is_not_waited_for(run: Run) -> None:
    def act() -> None:
        os.unlink("in/b.png")
        os.mkfifo("in/b.png")

    report = run(act)
    assert (report.done, report.failed) == (3, 1)
    assert report.failures[0] == ("b.png", "in/b.png: is no regular file")


def test_a_link_that_stays_inside_is_still_read(run: Run) -> None:
    def act() -> None:
        Path("in/b.png").rename("in/sub/moved.png")
        Path("in/b.png").symlink_to("sub/moved.png")

    assert run(act).done == 4
