"""Whole files or none."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cropper.cli import main
from cropper.errors import ImageWriteError
from cropper.image.files import write_atomic
from tests.conftest import ENVIRONMENT
from tests.image.encoding import listing
from tests.image.pictures import photo


def test_new_file(tmp_path: Path) -> None:
    write_atomic(b"abc", tmp_path / "a.bin", overwrite=False)
    assert (tmp_path / "a.bin").read_bytes() == b"abc"
    assert listing(tmp_path) == ["a.bin"]


def test_existing_file_is_kept_unless_told(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(ImageWriteError, match=r"a\.bin: exists.*`overwrite`"):
        write_atomic(b"new", target, overwrite=False)
    assert target.read_bytes() == b"old"
    write_atomic(b"new", target, overwrite=True)
    assert target.read_bytes() == b"new"
    assert listing(tmp_path) == ["a.bin"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageWriteError, match="device or a pipe"):
        write_atomic(b"new", tmp_path / "pipe", overwrite=True)
    assert (tmp_path / "pipe").is_fifo()


def test_places_that_are_not(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("folder", "missing/a.png", "file/a.png", "loop", "x" * 300 + ".png", "a\0b"):
        for overwrite in (False, True):
            with pytest.raises(ImageWriteError):
                write_atomic(b"new", tmp_path / name, overwrite=overwrite)
    assert listing(tmp_path) == ["file", "folder", "loop"]


def test_name_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    write_atomic(b"new", tmp_path / ("x" * 251 + ".png"), overwrite=False)
    assert len(listing(tmp_path)) == 1


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write_atomic(b"new", tmp_path / "a", overwrite=False)
        write_atomic(b"new", tmp_path / "a", overwrite=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ImageWriteError, match="Permission denied"):
        write_atomic(b"new", tmp_path / "a", overwrite=False)


def test_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "a", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with pytest.raises(ImageWriteError, match="exists"):
        write_atomic(b"new", link, overwrite=False)
    write_atomic(b"new", link, overwrite=True)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    target.unlink()
    write_atomic(b"newer", link, overwrite=False)
    assert link.is_symlink()
    assert target.read_bytes() == b"newer"
    assert listing(tmp_path / "real") == ["a"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_link_of_another_user_is_not_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "a", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    os.lchown(link, 12345, 12345)
    with pytest.raises(ImageWriteError, match="another user"):
        write_atomic(b"new", link, overwrite=True)
    assert target.read_bytes() == b"old"
    os.chown(tmp_path, 12345, 12345)  # who may put into their folder what they like
    write_atomic(b"new", link, overwrite=True)
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("old", [None, b"old"])
def test_full_disk(old: bytes | None, tmp_path: Path) -> None:
    """A real failure in the middle of the file: the process may write 1000 bytes to a file."""
    target = tmp_path / "a.jpg"
    if old is not None:
        target.write_bytes(old)
    code = (
        "import resource, signal, sys\nfrom pathlib import Path\n"
        "from cropper.errors import ImageWriteError\n"
        "from cropper.image.files import write_atomic\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_atomic(bytes(100_000), Path(sys.argv[1]), overwrite=True)\n"
        "except ImageWriteError as error: print(error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(target)], capture_output=True, check=True, text=True
    )
    reason = os.strerror(errno.EFBIG)
    assert run.stdout.startswith(f"{target}: not written: {reason}; nothing was left")
    assert listing(tmp_path) == ([] if old is None else ["a.jpg"])
    assert old is None or target.read_bytes() == old


def no_fsync(_: int) -> None:
    """As some network file systems have it."""
    raise OSError(errno.EINVAL, "Invalid argument")


def test_a_file_system_without_fsync_is_written_to_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", no_fsync)
    target = tmp_path / "a.bin"
    with pytest.raises(ImageWriteError, match=r"has no fsync.+`no_fsync`"):
        write_atomic(b"new", target, overwrite=False)
    assert listing(tmp_path) == []
    write_atomic(b"new", target, overwrite=False, fsync=False)
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("command", ["best", "bulk"])
def test_both_commands_say_once_that_there_is_no_fsync(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    names = [f"in/{number}.png" for number in range(3)]
    for name in names:
        photo().save(name)
    monkeypatch.setattr("os.fsync", no_fsync)
    line = [command, *(names if command == "best" else ["in", "--workers", "1"]), "-o", "out/"]
    found = CliRunner().invoke(main, line)
    assert found.exit_code == 5
    assert found.stderr.count("has no fsync") == 1
    assert "--no-fsync" in found.stderr
    assert not list(Path("out").glob("*.png"))
    assert CliRunner().invoke(main, [*line, "--no-fsync"]).exit_code == 0
    assert len(list(Path("out").glob("*.png"))) == 3


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_where_the_system_has_none_the_manifest_says_so_too(tmp_path: Path) -> None:
    source = "#include <errno.h>\n" + "".join(
        f"int {name}(int d) {{ errno = EINVAL; return -1; }}\n" for name in ("fsync", "fdatasync")
    )
    (tmp_path / "no.c").write_text(source)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "no.so", "no.c"], cwd=tmp_path, check=True)
    (tmp_path / "in").mkdir()
    photo().save(tmp_path / "in/a.png")
    line = [sys.executable, "-m", "cropper", "bulk", "in", "-o", "out"]
    environment = {**ENVIRONMENT, "LD_PRELOAD": str(tmp_path / "no.so")}

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*line, *more], cwd=tmp_path, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    found = run()
    assert found.returncode == 5
    assert "has no fsync" in found.stderr
    assert run("--no-fsync").returncode == 0
    assert (tmp_path / "out/a.png").exists()


@pytest.mark.parametrize("step", ["os.fsync", "os.replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_interrupted_at_any_step(
    step: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")

    def fail(*arguments: Any, **options: Any) -> None:
        assert len(listing(tmp_path)) == 2
        raise error

    monkeypatch.setattr(step, fail)
    expected = ImageWriteError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_atomic(b"new", target, overwrite=True)
    assert listing(tmp_path) == ["a"]
    assert target.read_bytes() == b"old"


def test_file_that_comes_up_meanwhile_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a"
    monkeypatch.setattr("os.fsync", lambda handle: target.write_bytes(b"somebody else's"))
    with pytest.raises(ImageWriteError, match="exists"):
        write_atomic(b"new", target, overwrite=False)
    assert target.read_bytes() == b"somebody else's"
    assert listing(tmp_path) == ["a"]


def test_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*arguments: Any, **options: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("os.link", no_links)
    write_atomic(b"new", tmp_path / "a", overwrite=False)
    assert listing(tmp_path) == ["a"]


def test_temporary_file_is_hidden_and_beside_the_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr("os.fsync", lambda handle: seen.extend(listing(tmp_path)))
    write_atomic(b"new", tmp_path / "a", overwrite=False)
    assert seen[0].startswith(".")
    assert seen[0].endswith(".tmp")


def test_no_link_is_followed_where_a_folder_gets_the_descriptor_of_closed_input(
    tmp_path: Path,
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "elsewhere")
    code = (
        "import os; from pathlib import Path; from cropper.image.files import write_below; "
        "os.close(0); write_below(b'x', Path('out'), 'sub/a.jpg', replaces=None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert "ImageWriteError" in done.stderr
    assert listing(tmp_path / "elsewhere") == []
