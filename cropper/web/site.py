"""The files of the site: the page, the engine, its models, the runtime, and what installs it all.

Everything lies in one flat folder and is named relatively, so that any static host serves it, under
any path.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from safetensors.numpy import load_file

from cropper.errors import ConfigError
from cropper.image.files import check_target, make_folder, write_atomic
from cropper.onnx_graph import with_weights
from cropper.presets import PRESETS
from cropper.scorers import WEIGHTS
from cropper.scorers.cropnet.config import CropNetConfig
from cropper.scorers.header import read_header
from cropper.web import POLICY
from cropper.web.cropnet import build_head, build_trunk
from cropper.web.runtime import ON_GPU, runtime_files
from cropper.web.selfie import build_selfie, describe_selfie

__all__ = ["SiteOptions", "export_site", "write_site"]

_PAGE = files("cropper.serve") / "static"
_ENGINE = files("cropper.web") / "static"
_SELFIE = WEIGHTS / "selfie.safetensors"
_OF_SERVICE = ("docs.html", "docs.js", "engine.js", "api.js")  # what only a server has
_TYPES = (".css", ".html", ".js", ".json", ".svg", ".webmanifest")
_ICONS = {"icon-192.png": 192, "icon-512.png": 512}
_TEAL, _WHITE = (15, 107, 128), (255, 255, 255)
_HEAD = f"""<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="theme-color" content="#0f6b80">
<link rel="manifest" href="site.webmanifest">
<link rel="apple-touch-icon" href="icon-192.png">
"""
_WITH_HEAD = ('<meta name="viewport"', _HEAD + '<meta name="viewport"')
_NAV = '<nav aria-label="Pages"><a href="camera.html">Camera</a></nav>'


@dataclass(frozen=True, kw_only=True)
class SiteOptions:
    folder: Path
    scorer: str = "cropnet"  # a name of the package's, or a checkpoint of the kind cropnet
    selfie: bool = False  # whether the camera has the selfie scorer too
    runtime: Path | None = None  # the archive of ONNX Runtime Web; None: by npm
    overwrite: bool = False


def export_site(
    options: SiteOptions, say: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Writes the site and returns its folder, files and bytes; ``say`` hears of a fetch,
    and of what the selfie scorer adds.

    ``site.json`` is written last: a folder that has it is whole. Raises ConfigError for a scorer of
    another kind, the selfie scorer on another trunk and a folder of other things, MissingModelError
    for a scorer that is not there or a runtime that cannot be had, and ImageWriteError where files
    cannot be written.
    """
    path = _checkpoint(options.scorer)
    config = _config(path)
    selfie = _selfie(path) if options.selfie else None
    models = _models(path, config, selfie)
    _check_folder(options)
    if selfie:
        say(f"the selfie scorer adds {len(models['selfie.onnx']) / 1e6:.3f} MB")
    if options.runtime is None:
        say("npm fetches ONNX Runtime Web")
    found = {**_page(), **models, **runtime_files(options.runtime), **_icons()}
    found["models-NOTICE.txt"] = (WEIGHTS / "NOTICE.txt").read_bytes()
    found["precache.js"] = _listed(found)
    found["site.json"] = json.dumps(_about(path, config, selfie), indent=1).encode()
    write_site(found, options)
    size = sum(map(len, found.values()))
    return {"site": str(options.folder), "files": len(found), "bytes": size}


def _check_folder(options: SiteOptions) -> None:
    folder = options.folder
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not (folder / "site.json").is_file():
        raise ConfigError(f"{folder} holds other files: name a new or an empty folder")
    if not options.overwrite:
        raise ConfigError(f"{folder} holds a site already: add `overwrite`, or name a new folder")


def write_site(content: Mapping[str, bytes], options: SiteOptions) -> None:
    """All files, in their order, or none where one is there already. Raises ImageWriteError."""
    make_folder(options.folder)
    for name in content:
        check_target(options.folder / name, overwrite=options.overwrite)
    for name, data in content.items():
        write_atomic(data, options.folder / name, overwrite=options.overwrite)


def _page() -> dict[str, bytes]:
    """The page as the service has it, with the engine in the place of the service's."""
    content = {
        entry.name: entry.read_bytes()
        for folder, without in ((_PAGE, _OF_SERVICE), (_ENGINE, ()))
        for entry in folder.iterdir()
        if entry.name.endswith(_TYPES) and entry.name not in without
    }
    page = content["index.html"].decode().replace("/static/", "")
    page = re.sub(r"<nav\b.*?</nav>", _NAV, page, flags=re.DOTALL)  # not to the service's API
    page = re.sub(r"; the <a href=.*?</noscript>", ".</p></noscript>", page)
    page = page.replace(*_WITH_HEAD, 1)
    content["index.html"] = page.encode()
    camera = content["camera.html"].decode()
    content["camera.html"] = camera.replace(*_WITH_HEAD, 1).encode()
    content["style.css"] = content["style.css"].replace(b"/static/", b"")
    return content


def _config(path: Path) -> CropNetConfig:
    header = read_header(path)
    if header["kind"] != "cropnet":
        kind = header["kind"]
        raise ConfigError(f"a browser runs scorers of the kind cropnet, {path} is {kind}")
    return CropNetConfig(**header["config"])


def _selfie(path: Path) -> dict[str, Any]:
    """What the selfie scorer's file says of it, where its trunk is that of the site's scorer."""
    header = read_header(_SELFIE)
    trunk = header["trunk"]["file"]
    if path != WEIGHTS / trunk:
        raise ConfigError(
            f"`selfie` has the trunk of {trunk}, not of {path}: leave one of the two out"
        )
    return header


def _models(path: Path, config: CropNetConfig, selfie: dict[str, Any] | None) -> dict[str, bytes]:
    weights = load_file(path)
    graphs = {"trunk.onnx": build_trunk(config), "head.onnx": build_head(config)}
    if selfie:
        weights |= load_file(_SELFIE)
        graphs["selfie.onnx"] = build_selfie(selfie)
    found = {name: with_weights(each, weights).SerializeToString() for name, each in graphs.items()}
    return found | {"yunet.onnx": (WEIGHTS / "yunet.onnx").read_bytes()}


def _checkpoint(scorer: str) -> Path:
    """Of a scorer of the package, or a path."""
    own = WEIGHTS / f"{scorer}.safetensors"
    return own if own.exists() else Path(scorer)


def _about(path: Path, config: CropNetConfig, selfie: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "cropper": version("cropper"),
        "scorer": path.stem,
        "config": config.to_dict(),
        "selfie": describe_selfie(selfie) if selfie else None,
        "presets": [preset.to_dict() for preset in PRESETS],
    }


def _listed(content: Mapping[str, bytes]) -> bytes:
    """What the service worker keeps, and a name for it that changes with the content."""
    whole = hashlib.sha256(b"".join(content[name] for name in sorted(content))).hexdigest()[:16]
    names = ["./", *sorted({*content, "site.json"} - {"sw.js", *ON_GPU})]
    told = {"VERSION": whole, "FILES": names, "LATER": ON_GPU}
    return "".join(f"self.{name} = {json.dumps(each)};\n" for name, each in told.items()).encode()


def _icons() -> dict[str, bytes]:
    """The page's icon, as large as an installed application shows it, to its edges."""
    found = {}
    for name, side in _ICONS.items():
        picture = Image.new("RGB", (4 * side, 4 * side), _TEAL)
        draw, by = ImageDraw.Draw(picture), 4 * side / 32
        for path in ([(11, 7.6), (11, 21), (24.4, 21)], [(7.6, 11), (21, 11), (21, 24.4)]):
            points = [(x * by, y * by) for x, y in path]
            draw.line(points, _WHITE, width=round(2.2 * by), joint="curve")
        output = io.BytesIO()
        picture.resize((side, side), Image.Resampling.BOX).save(output, "PNG")
        found[name] = output.getvalue()
    return found
