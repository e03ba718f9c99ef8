"""``cropper.toml``, ``CROPPER_*`` variables and ``cropper config``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cropper.cli import main
from cropper.cli.settings import LOOKS, commands_of, options_of
from tests.conftest import ENVIRONMENT, Crop, command, names, one_record, spotted

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command in a folder of the home folder, where nothing is set yet."""
    folder = tmp_path / "photos/trip"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [*os.environ]:
        if name.startswith("CROPPER_"):
            monkeypatch.delenv(name)
    return lambda *line: CliRunner().invoke(main, [*map(str, line)], catch_exceptions=False)


def settings(found: Result) -> dict[str, Any]:
    """``best.aspect`` -> what ``config --json`` says of it."""
    assert found.exit_code == 0, found.stderr
    records = [json.loads(line) for line in found.stdout.splitlines()]
    return {f"{each.pop('command')}.{each.pop('option')}": each for each in records}


def test_nothing_is_set_from_the_start(run: Run) -> None:
    found = run("config")
    assert (found.exit_code, found.stdout, found.stderr) == (0, "", "")


def test_keys_are_for_the_commands_that_crop_and_tables_for_one(run: Run) -> None:
    Path("cropper.toml").write_text(
        'quality = 80\naspect = "4:5"\n[best]\naspect = "1:1"\n[bulk]\nmin_gain = 0.5\n'
    )
    found = settings(run("config", "--json"))
    path = str(Path("cropper.toml").resolve())
    assert {key: each["value"] for key, each in found.items() if "watch" not in key} == {
        "best.quality": 80,
        "best.aspect": "1:1",
        "bulk.quality": 80,
        "bulk.aspect": ["4:5"],
        "bulk.min-gain": 0.5,
    }
    assert {(each["source"], each["origin"]) for each in found.values()} == {("file", path)}


def test_a_command_is_shown_with_its_defaults(run: Run) -> None:
    found = settings(run("config", "best", "--json"))
    assert found["best.scorer"] == {"value": "cropnet", "source": "default", "origin": None}
    assert found["best.strip"]["value"] is False
    assert {each.split(".")[0] for each in found} == {"best"}
    assert "train.crops" in {each.rpartition(".")[0].replace(" ", ".") for each in settings(
        run("config", "train", "crops", "--json"))}  # fmt: skip
    assert run("config", "beast").exit_code == 2


def test_the_nearest_file_counts_up_to_the_home_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path.parent / "cropper.toml").write_text("quality = 1")  # beyond it
    try:
        assert run("config").stdout == ""
    finally:
        (tmp_path.parent / "cropper.toml").unlink()
    (tmp_path / "cropper.toml").write_text("quality = 70\noverwrite = true")
    assert settings(run("config", "--json"))["best.quality"]["value"] == 70
    (tmp_path / "photos/cropper.toml").write_text("quality = 60")
    found = settings(run("config", "--json"))
    assert found["best.quality"]["value"] == 60
    assert "best.overwrite" not in found


def test_precedence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line before variables before the file before the default."""
    Path("cropper.toml").write_text('[best]\naspect = "1:1"\nquality = 50\nstrip = true\n')
    monkeypatch.setenv("CROPPER_BEST_ASPECT", "4:5")
    monkeypatch.setenv("CROPPER_BEST_STRIP", "0")
    found = settings(run("config", "best", "--json"))
    assert (found["best.aspect"]["value"], found["best.aspect"]["source"]) == ("4:5", "variable")
    assert found["best.aspect"]["origin"] == "CROPPER_BEST_ASPECT"
    assert (found["best.quality"]["value"], found["best.quality"]["source"]) == (50, "file")
    assert (found["best.strip"]["value"], found["best.strip"]["source"]) == (False, "variable")
    assert found["best.seed"]["source"] == "default"


def test_precedence_in_crops(crop: Crop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``crop`` invokes is ``best`` itself, so the file and the variable are real ones."""
    spotted(240, 160).save("a.png")

    def shape(*line: str) -> float:
        x0, y0, x1, y1 = one_record(crop("a.png", "--dry-run", "--json", *line))["box"]
        return round((x1 - x0) / (y1 - y0), 1)

    assert shape() == 1.5
    Path("cropper.toml").write_text('[best]\naspect = "1:1"')
    assert shape() == 1.0
    monkeypatch.setenv("CROPPER_BEST_ASPECT", "2:1")
    assert shape() == 2.0
    assert shape("--aspect", "5:2") == 2.5


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("qualty = 80", "qualty is no setting, the nearest is quality"),
        ("[best]\naspcet = '1:1'", "best.aspcet is no setting, the nearest is aspect"),
        ("[besd]\nquality = 3", "besd is no setting, the nearest is best"),
        ("[train.crop]\nseed = 3", "train.crop is no setting, the nearest is crops"),
        ("quality = '80'", "quality is a whole number, got '80'"),
        ("quality = true", "quality is a whole number, got True"),
        ("quality = 800", "best.quality: 800 is not in the range 1<=x<=100"),
        ("strip = 1", "strip is true or false, got 1"),
        ("aspect = 1.5", "aspect is text, got 1.5"),
        ("min-scale = 'small'", "min-scale is a number, got 'small'"),
        ("[bulk]\naspect = ['1:1', 2]", "bulk.aspect is text, or a list of them, got ['1:1', 2]"),
        ("[best]\naspect = ['1:1']", "best.aspect is text, got ['1:1']"),
        ("size = '10 x 10'", "best.size: '10 x 10' is not a size"),
        ("format = 'docx'", "best.format: 'docx' is not one of"),
        ("best = 3", "best is the table of a command, got 3"),
        ("quality = ", "is not TOML"),
        ("a = " + "[" * 60_000, "is not TOML"),
        ("# " + "x" * 70_000, "more than 65536 bytes"),
    ],
)
def test_what_is_wrong_names_file_and_key(run: Run, text: str, says: str) -> None:
    Path("cropper.toml").write_text(text)
    for line in (("config",), ("best", "photo.jpg")):
        found = run(*line)
        assert found.exit_code == 2
        assert says in found.stderr
        assert str(Path("cropper.toml").resolve()) in found.stderr
        assert len(found.stderr.splitlines()) == 1
    assert run("--no-config", "config").exit_code == 0


def test_wrong_variables_are_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROPPER_BEST_QUALITY", "much")
    found = run("config")
    assert found.exit_code == 2
    assert "CROPPER_BEST_QUALITY: 'much' is not a valid integer" in found.stderr
    monkeypatch.delenv("CROPPER_BEST_QUALITY")
    monkeypatch.setenv("CROPPER_BEST_QUALTIY", "80")
    found = run("best", "photo.jpg")
    assert found.exit_code == 2
    assert "the nearest is CROPPER_BEST_QUALITY" in found.stderr


def test_variables_of_others_are_nobodys_business(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CROPPER_VERSION", "CROPPER_HELP", "CROPPER_SERVICE_HOST", "CROPPER_HOME"):
        monkeypatch.setenv(name, "1")
    assert run("config").stdout == ""


def test_the_token_keeps_its_variable_and_is_not_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROPPER_TOKEN", "0123456789abcdef")
    found = run("config")
    assert found.stdout == 'serve.token = "(not shown)"  # variable CROPPER_TOKEN\n'


def test_flags_that_share_a_field_have_keys_of_their_own(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("mine.toml").write_text("[bulk]\nxmp = true\nxmp-only = false\nresume = false\n")
    found = settings(run("--config", "mine.toml", "config", "--json"))
    assert {key: each["value"] for key, each in found.items()} == {
        "bulk.xmp": True, "bulk.xmp-only": False, "bulk.resume": False,
    }  # fmt: skip
    monkeypatch.setenv("CROPPER_BULK_XMP_ONLY", "1")
    assert settings(run("config", "--json"))["bulk.xmp-only"]["value"] is True


# --- trust


def every_key() -> set[str]:
    assert isinstance(main, click.Group)
    return {key for _, each in commands_of(main) for key in options_of(each)}


def test_what_a_found_file_may_set_names_no_place_and_lifts_no_limit() -> None:
    assert every_key() > LOOKS
    may_not = {"output", "overwrite", "scorer", "people", "keep-person", "subjects", "overlay"}
    may_not |= {"report", "sheet", "cluster", "backend", "host", "token", "max-mpixels", "quiet"}
    may_not |= {"time-limit", "resume", "xmp", "xmp-only", "localizer", "device", "workers"}
    assert may_not < every_key()
    assert not LOOKS & may_not


def test_a_found_file_sets_no_more_than_looks(run: Run, tmp_path: Path) -> None:
    for text in ("overwrite = true", "[bulk]\noutput = '/tmp/x'", "[serve]\nhost = '0.0.0.0'"):
        Path("cropper.toml").write_text(text)
        found = run("best", "photo.jpg")
        assert found.exit_code == 2
        assert "is not taken from a file that was found and not named" in found.stderr
        assert "--config" in found.stderr
        assert run("--config", "cropper.toml", "config").exit_code == 0
    Path("cropper.toml").rename(tmp_path / "cropper.toml")  # the user's own
    assert settings(run("config", "--json"))["serve.host"]["value"] == "0.0.0.0"


def test_a_named_file_may_be_a_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.toml").write_text("overwrite = true")
    Path("cropper.toml").write_text("quality = 3")
    monkeypatch.setenv("CROPPER_CONFIG", "mine.toml")
    found = settings(run("config", "--json"))
    assert found["best.overwrite"]["value"] is True
    assert "best.quality" not in found
    assert run("--no-config", "config").stdout == ""
    assert run("--config", "none.toml", "config").exit_code == 2
    monkeypatch.setenv("CROPPER_CONFIG", "none.toml")
    assert run("config").stderr.startswith("cropper: CROPPER_CONFIG: File 'none.toml'")


@pytest.mark.parametrize(
    ("line", "shape"),
    [(["--size", "30x40"], 3 / 4), (["--aspect", "1:1"], 1), (["--preset", "avatar"], 1), ([], 2)],
)
def test_a_shape_is_taken_from_the_first_place_that_gives_one(
    run: Run, line: list[str], shape: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("in").mkdir()
    spotted(96, 64).save("in/a.png")
    Path("cropper.toml").write_text('angle = 3\n[best]\naspect = "4:5"\n[bulk]\nsize = "20x10"')
    monkeypatch.setenv("CROPPER_BEST_SIZE", "20x10")
    found = run("best", "in/a.png", "-o", "a.png", "--straighten", "--keep", "none", *line)
    assert (found.exit_code, "aspect" in found.stderr) == (0, False)
    assert run("bulk", "in", "-o", "out", "--keep", "none", *line).exit_code == 0
    for name in ("a.png", "out/a.png"):
        with Image.open(name) as crop:
            assert crop.width / crop.height == pytest.approx(shape, abs=0.03)


def test_no_pipe_is_waited_for_and_no_folder_read(run: Run) -> None:
    os.mkfifo("cropper.toml")
    assert "no regular file" in run("config").stderr
    Path("cropper.toml").unlink()
    Path("cropper.toml").mkdir()
    assert run("config").exit_code == 2
    Path("cropper.toml").rmdir()
    Path("cropper.toml").symlink_to("nowhere")
    assert "cannot be read" in run("config").stderr


def test_another_users_file_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("cropper.toml").write_text("quality = 3")
    owner = os.stat("cropper.toml").st_uid
    if owner == 0:
        os.chown("cropper.toml", 12345, -1)
        owner = 12345
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    found = run("config")
    assert found.exit_code == 2
    assert "belongs to another user" in found.stderr


def test_what_a_found_file_sets_is_told(tmp_path: Path) -> None:
    spotted().save(tmp_path / "a.png")
    (tmp_path / "cropper.toml").write_text('format = "webp"\n[best]\naspect = "1:1"\n')
    found = command(tmp_path, "best", "a.png", "--scorer", "spot", spot=True)
    assert found.returncode == 0, found.stderr
    first = found.stderr.decode().splitlines()[0]
    assert first.startswith(f"cropper: {tmp_path / 'cropper.toml'} sets aspect, format")
    assert "a-best.webp" in names(tmp_path)
    line = ("best", "a.png", "--scorer", "spot", "--aspect", "4:5", "--format", "png")
    found = command(tmp_path, *line, spot=True)
    assert b"sets" not in found.stderr  # nothing that counts
    environment = ENVIRONMENT | {"CROPPER_BEST_QUIET": "1"}
    line = ("best", "a.png", "--scorer", "spot", "-o", "b.webp")
    found = command(tmp_path, *line, spot=True, env=environment)
    assert (found.returncode, found.stderr) == (0, b"")
