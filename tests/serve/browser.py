"""What tests of the page do to it, and read off it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from cropper.cli import main
from tests.conftest import CliRunner

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
GIVE = """
([kind, photos]) => {
  const transfer = new DataTransfer();
  for (const [name, content] of photos) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const type = { png: "image/png", jpg: "image/jpeg" }[name.split(".").pop()];
    transfer.items.add(new File([bytes], name, { type: type ?? "" }));
  }
  const how = { bubbles: true, cancelable: true, dataTransfer: transfer, clipboardData: transfer };
  const made = kind === "drop" ? new DragEvent(kind, how) : new ClipboardEvent(kind, how);
  document.body.dispatchEvent(made);
}
"""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "color_scheme": "dark"}


def drop(page: Any, *paths: Path, kind: str = "drop") -> None:
    """As from a file manager, or with the ``kind`` paste from the clipboard."""
    photos = [(path.name, base64.b64encode(path.read_bytes()).decode()) for path in paths]
    page.evaluate(GIVE, [kind, photos])


def frame(page: Any) -> list[int]:
    """The frame in view as x0, y0, x1, y1."""
    x, y, w, h = (int(page.input_value(f"#edge-{side}")) for side in "xywh")
    return [x, y, x + w, y + h]


def settled(page: Any) -> None:
    page.locator("#download:not([disabled])").wait_for()
    page.locator("#box").wait_for()


def download(page: Any, button: str = "#download") -> tuple[str, bytes]:
    with page.expect_download() as waiting:
        page.click(button)
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def best(photo: Path, folder: Path, *options: str) -> tuple[dict[str, Any], bytes]:
    """What ``cropper best`` makes of it."""
    line = ["best", str(photo), "--json", "-o", str(folder / "crop.jpg"), "--overwrite", *options]
    told = json.loads(CliRunner().invoke(main, line).stdout)
    return told, (folder / "crop.jpg").read_bytes()
