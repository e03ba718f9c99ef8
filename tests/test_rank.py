"""``cropper score``, ``rank`` and ``map`` on folders of real pictures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from cropper import CropFinder, View
from cropper.cli import main
from cropper.errors import ConfigError, NoInputError
from cropper.listing import list_pictures
from cropper.rank.layout import grid_for, on_grid
from cropper.rank.sheet import fitted, pick_continuum, squared
from cropper.rank.stream import ScoredPhoto, UnreadablePhoto, read_ahead, score_pictures
from tests.conftest import ENVIRONMENT
from tests.image.pictures import photo

pytest.importorskip("sklearn")

LEVELS = (40, 200, 120, 90, 160)


class Brightness:
    """A scorer whose order is known."""

    def __init__(self) -> None:
        from tests.spot import SpotScorer  # noqa: PLC0415

        self.spec = SpotScorer.spec

    def bind(self, view: View):  # type: ignore[no-untyped-def]
        from cropper import BoundScorer  # noqa: PLC0415

        mean = float(view.pixels.mean())
        return BoundScorer(lambda boxes: np.full(len(boxes), mean), view.size, 64)


@pytest.fixture
def bright(monkeypatch: pytest.MonkeyPatch) -> None:
    from cropper.scorers import registry  # noqa: PLC0415

    monkeypatch.setitem(registry._factories, "bright", lambda device: Brightness())


@pytest.fixture
def folder(tmp_path: Path, bright: None) -> Path:
    """Grey pictures of known brightness, one below, one broken."""
    root = tmp_path / "photos"
    (root / "below").mkdir(parents=True)
    for level in LEVELS:
        where = root / "below" if level == 160 else root
        Image.new("RGB", (60, 40), (level,) * 3).save(where / f"{level}.png")
    (root / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (root / "notes.txt").write_text("no picture either")
    return root


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def test_score_tells_each_picture_and_goes_on_after_a_broken_one(folder: Path) -> None:
    found = run("score", folder, "--scorer", "bright", "--json")
    assert found.exit_code == 1
    records = [json.loads(line) for line in found.stdout.splitlines()]
    scores = {Path(r["path"]).name: r["score"] for r in records if "score" in r}
    assert scores == {f"{level}.png": level for level in LEVELS}
    (broken,) = [r for r in records if "error" in r]
    assert broken["path"].endswith("broken.jpg")
    assert "1 of 6 failed" in found.stderr


@pytest.mark.parametrize("command", ["score", "rank"])
def test_names_do_not_command_the_terminal(tmp_path: Path, bright: None, command: str) -> None:
    photo().save(tmp_path / "a\x1b[31m\nb.png")
    found = CliRunner().invoke(main, [command, str(tmp_path), "--scorer", "bright"])
    assert found.exit_code == 0
    (line,) = found.stdout.splitlines()
    assert line.endswith(r"a\x1b[31m\nb.png")


def test_score_prints_a_table_of_files(folder: Path) -> None:
    found = run("score", folder / "40.png", folder / "200.png", "--scorer", "bright")
    assert found.exit_code == 0
    assert [line.split() for line in found.stdout.splitlines()] == [
        ["40.0000", str(folder / "40.png")],
        ["200.0000", str(folder / "200.png")],
    ]


def test_no_picture_is_an_error_of_its_own(tmp_path: Path, bright: None) -> None:
    for command in (["score"], ["rank"], ["map", "-o", tmp_path / "map.png"]):
        found = run(*command, tmp_path, "--scorer", "bright")
        assert found.exit_code == 4
        assert "no picture in" in found.stderr
        assert run(*command, tmp_path / "nope.jpg", "--scorer", "bright").exit_code == 4


@pytest.mark.parametrize("option", [("--top", 2), ("--continuum", "2x2")])
def test_what_is_of_a_sheet_needs_one(folder: Path, option: tuple[object, ...]) -> None:
    found = run("rank", folder, "--scorer", "bright", *option)
    assert found.exit_code == 2
    assert f"{option[0]} is of a contact sheet: add --sheet" in found.stderr


@pytest.mark.parametrize("worst", [False, True])
def test_rank_orders_all_pictures(folder: Path, worst: bool) -> None:
    found = run("rank", folder, "--scorer", "bright", *["--worst"] * worst)
    order = [int(Path(line.split()[1]).stem) for line in found.stdout.splitlines()]
    assert order == sorted(LEVELS, reverse=not worst)


def tiles_of(path: Path, tile: int, rows: int, columns: int) -> list[list[int]]:
    """The level in the middle of each tile."""
    pixels = np.asarray(Image.open(path).convert("L"))
    step = tile + 2
    assert pixels.shape == (rows * step + 2, columns * step + 2)
    return [
        [int(pixels[2 + r * step + tile // 2, 2 + c * step + tile // 2]) for c in range(columns)]
        for r in range(rows)
    ]


def test_a_sheet_shows_the_best_in_order(folder: Path) -> None:
    sheet = folder / "best.png"
    found = run("rank", folder, "--scorer", "bright", "--sheet", sheet, "--top", 4, "--tile", 32)
    assert found.exit_code == 1  # the broken one
    rows = tiles_of(sheet, 32, 2, 3)
    assert rows[0] == [200, 160, 120]
    assert rows[1][0] == 90


def test_a_sheet_of_the_worst_starts_with_the_worst(folder: Path) -> None:
    sheet = folder / "worst.png"
    run("rank", folder, "--scorer", "bright", "--sheet", sheet, "--top", 2, "--worst", "--tile", 16)
    assert tiles_of(sheet, 16, 1, 2) == [[40, 90]]


def test_a_continuum_goes_from_best_to_worst(folder: Path) -> None:
    sheet = folder / "all.png"
    line = ["rank", folder, "--scorer", "bright", "--sheet", sheet, "--tile", 16, "--json"]
    found = run(*line, "--continuum", "2x2")
    rows = tiles_of(sheet, 16, 2, 2)
    assert [rows[0][0], rows[1][1]] == [200, 40]
    records = [json.loads(r) for r in found.stdout.splitlines() if "score" in r]
    assert [(r["row"], r["column"]) for r in records] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert run(*line, "--continuum", "2x2").exit_code == 2  # the sheet exists
    assert run(*line, "--continuum", "2x2", "--overwrite").exit_code == 1
    assert run(*line, "--continuum", "2x2", "--worst", "--overwrite").exit_code == 2
    assert run(*line, "--continuum", "2", "--overwrite").exit_code == 2


def test_a_sheet_of_no_known_format_is_refused_before_the_work(folder: Path) -> None:
    found = run("rank", folder, "--scorer", "bright", "--sheet", folder / "best.txt")
    assert found.exit_code == 2
    assert "extension" in found.stderr


@given(st.integers(1, 200), st.integers(1, 12), st.integers(1, 12))
def test_a_continuum_is_ordered_and_names_no_place_twice(
    count: int, rows: int, columns: int
) -> None:
    picked = pick_continuum(count, rows, columns)
    flat = [place for row in picked for place in row]
    assert flat == sorted(set(flat))
    assert flat[0] == 0
    assert max(len(row) for row in picked) <= columns
    if columns > 1:
        assert flat[-1] == count - 1


def test_tiles_show_the_whole_picture_or_its_middle() -> None:
    view = View(np.asarray(photo(200, 100)), (200, 100))
    assert fitted(view, 64).shape == (32, 64, 3)
    assert squared(view, 64).shape == (64, 64, 3)
    assert fitted(View(np.zeros((1, 500, 3), np.uint8), (500, 1)), 64).shape == (1, 64, 3)


# Reading


def test_pictures_come_in_order_and_each_once(folder: Path) -> None:
    paths = list_pictures([folder, folder / "40.png"])
    assert [path.name for path in paths] == [
        "120.png", "200.png", "40.png", "90.png", "broken.jpg", "160.png",
    ]  # fmt: skip
    with pytest.raises(NoInputError, match="no picture in"):
        list_pictures([])
    found = list(score_pictures(paths * 5, CropFinder(Brightness(), "cpu")))
    assert [each.path for each in found] == paths * 5
    assert sum(isinstance(each, UnreadablePhoto) for each in found) == 5
    assert {each.size for each in found if isinstance(each, ScoredPhoto)} == {(60, 40)}


def test_reading_ahead_is_bounded(folder: Path) -> None:
    asked = 0

    def paths():  # type: ignore[no-untyped-def]
        nonlocal asked
        for _ in range(500):
            asked += 1
            yield folder / "40.png"

    reader = read_ahead(paths(), lambda image: image.view(32))
    next(reader)
    assert asked < 20
    reader.close()


# Maps


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**31))
def test_every_picture_gets_a_cell_of_its_own(count: int, seed: int) -> None:
    points = np.random.default_rng(seed).random((count, 2))
    rows, columns = grid_for(count)
    assert (rows - 1) * columns < count <= rows * columns
    cells = on_grid(points, rows, columns)
    assert len({tuple(cell) for cell in cells.tolist()}) == count
    assert (cells >= 0).all()
    assert (cells < [rows, columns]).all()


@pytest.mark.parametrize("count", [1200, 2501])
def test_blocks_of_thousands_keep_neighbours_near(count: int) -> None:
    points = np.random.default_rng(0).random((count, 2))
    rows, columns = grid_for(count)
    cells = on_grid(points, rows, columns)
    assert len({tuple(cell) for cell in cells.tolist()}) == count
    placed = (cells[:, ::-1] + 0.5) / [columns, rows]
    assert np.abs(placed - points).mean() < 0.03


def test_points_on_a_lattice_go_to_their_own_cells() -> None:
    ys, xs = np.meshgrid(np.arange(6), np.arange(8), indexing="ij")
    points = np.stack([xs.ravel() / 7, ys.ravel() / 5], 1)
    cells = on_grid(points, 6, 8)
    assert (cells == np.stack([ys.ravel(), xs.ravel()], 1)).all()


def test_a_map_puts_pictures_that_look_alike_side_by_side(tmp_path: Path) -> None:
    """Crops of two pictures: most neighbours are of one picture."""
    root = tmp_path / "photos"
    root.mkdir()
    rng = np.random.default_rng(0)
    for name, pixels in (("cat", data.chelsea()), ("rocket", data.rocket())):
        for number in range(8):
            top, left = rng.integers(0, 60, 2)
            Image.fromarray(pixels[top : top + 220, left : left + 220]).resize((96, 96)).save(
                root / f"{name}{number}.png"
            )
    (root / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    target = tmp_path / "map.png"
    found = run("map", root, "-o", target, "--tile", 24, "--device", "cpu", "--json")
    assert found.exit_code == 1
    records = [json.loads(line) for line in found.stdout.splitlines()]
    cells = {(r["row"], r["column"]): Path(r["path"]).stem[:3] for r in records if "row" in r}
    assert len(cells) == 16
    pairs = [
        (cells[r, c], cells[r + dr, c + dc])
        for r, c in cells
        for dr, dc in ((0, 1), (1, 0))
        if (r + dr, c + dc) in cells
    ]
    assert np.mean([a == b for a, b in pairs]) > 0.7
    rows, columns = grid_for(16)
    with Image.open(target) as sheet:
        assert sheet.size == (columns * 26 + 2, rows * 26 + 2)
    assert run("map", root, "-o", target).exit_code == 2


def test_a_map_of_a_scorer_without_features_says_which_has_them(folder: Path) -> None:
    found = run("map", folder, "-o", folder / "map.png", "--scorer", "bright")
    assert found.exit_code == 2
    assert "use a scorer that runs a network on each crop, as selfie" in found.stderr
    with pytest.raises(ConfigError, match="no features"):
        CropFinder(Brightness(), "cpu").describe(View(np.zeros((9, 9, 3), np.uint8), (9, 9)))


def test_a_map_takes_three_pictures(folder: Path) -> None:
    found = run("map", folder / "40.png", "-o", folder / "map.png", "--device", "cpu")
    assert found.exit_code == 4
    assert "3 pictures or more" in found.stderr


def test_a_sheet_is_written_whoever_reads_the_lines(tmp_path: Path) -> None:
    for index in range(30):
        Image.fromarray(np.full((40, 60, 3), 8 * index, np.uint8)).save(tmp_path / f"{index}.png")
    line = f"{sys.executable} -m cropper rank {tmp_path} --sheet {tmp_path}/new/s.jpg | true"
    subprocess.run(["bash", "-c", line], env=ENVIRONMENT, check=False, capture_output=True)
    assert Image.open(tmp_path / "new/s.jpg").size[0] > 100


def test_long_work_is_told_off_a_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "pictures/s" not in run("score", folder, "--scorer", "bright").stderr
    monkeypatch.setattr("cropper.progress._EVERY", 0.0)
    found = run("score", folder, "--scorer", "bright")
    told = [line.split(",")[0] for line in found.stderr.splitlines() if "pictures/s" in line]
    assert told == [f"cropper: {done}/6" for done in range(1, 7)]
