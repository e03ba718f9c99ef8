"""Where the crops of each photo go, and the rules that no output may break.

A template's fixed folders, up to the first with a field, are the output folder: the manifest lies
there. All paths are relative, sources to the input folder, outputs to the output folder.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from cropper.bulk.options import BulkOptions
from cropper.bulk.trees import LocalTree, Tree, open_tree
from cropper.bulk.walk import MANIFEST
from cropper.errors import ConfigError
from cropper.image import FileId, format_for, has_picture_extension
from cropper.naming import as_format, check_format, fill, name_output
from cropper.request import CropRequest
from cropper.stores import as_local, is_url, shown

__all__ = ["Layout", "PlannedCrop", "PlannedPhoto", "read_layout"]


@dataclass(frozen=True)
class PlannedCrop:
    target: int  # index in BulkOptions.requests
    rank: int  # from 1
    path: str  # of the output


@dataclass(frozen=True)
class PlannedPhoto:
    source: str
    crops: tuple[PlannedCrop, ...]  # a photo with few diverse crops leaves the last ranks unused
    sidecar: str | None = None  # XMP
    overlay: str | None = None
    present: tuple[tuple[str, FileId], ...] = ()  # outputs that are there and may be replaced

    @property
    def outputs(self) -> tuple[str, ...]:
        others = filter(None, [self.sidecar, self.overlay])
        return (*(crop.path for crop in self.crops), *others)

    def without(self, paths: Sequence[str]) -> PlannedPhoto:
        """The rest of its outputs."""
        return replace(
            self,
            crops=tuple(crop for crop in self.crops if crop.path not in paths),
            sidecar=None if self.sidecar in paths else self.sidecar,
            overlay=None if self.overlay in paths else self.overlay,
        )


@dataclass(frozen=True)
class Layout:
    """The folders of a run and the names in them."""

    source: Tree  # of the photos
    root: Tree  # of the crops
    template: str  # relative to it
    requests: tuple[CropRequest, ...]
    xmp: str | None
    overlay: str | None  # template, relative to root
    file_format: str | None  # format of all crops

    @property
    def in_place(self) -> bool:
        """Whether sidecars, and no crops, go beside the photos."""
        return self.xmp == "instead" and self.root.identity == self.source.identity

    def plan(self, source: str) -> PlannedPhoto:
        """Raises ConfigError for a name that leaves the output folder or has no known format."""
        path = PurePath(source)
        path = (
            as_format(path, self.file_format)
            if self.file_format
            else self.source.with_extension(path)
        )
        crops: list[PlannedCrop] = []
        overlay = None
        if self.xmp != "instead":
            for index, request in enumerate(self.requests):
                for rank in range(1, request.top_k + 1):
                    name = self._name(self.template, path, request, rank)
                    if self.file_format:
                        check_format(name, self.file_format)
                    crops.append(PlannedCrop(index, rank, name))
        if self.overlay:
            overlay = self._name(self.overlay, path, self.requests[0], 1)
        sidecar = str(path.with_suffix(".xmp")) if self.xmp else None
        return PlannedPhoto(source, tuple(crops), sidecar, overlay)

    def _name(self, template: str, path: PurePath, request: CropRequest, rank: int) -> str:
        name = os.path.normpath(name_output(template, path, rank, request.label))
        first = name.partition(os.sep)[0]
        if first == os.path.dirname(MANIFEST):
            raise ConfigError(f"{path}: {name} would lie with the manifest: name another folder")
        if os.path.isabs(name) or first == os.pardir:
            raise ConfigError(
                f"{path}: {name} would leave {self.root}: change `output` or `overlay`"
            )
        if path.suffix or "{ext}" not in template:
            format_for(name)
        return name


def read_layout(source: str, output: str, options: BulkOptions) -> Layout:
    """The input folder, and the output folder and template in ``output``.

    Raises ConfigError where one lies in the other's way: crops are never written among sources.
    Sidecars alone are.
    """
    output, template = _split(as_local(output), options)
    root = open_tree(output, options.limits, fsync=not options.no_fsync, for_output=True)
    layout = Layout(
        open_tree(source, options.limits),
        root,
        template,
        options.requests,
        options.xmp,
        options.overlay,
        options.file_format,
    )
    for each in filter(None, (template, options.overlay)):
        fill(each, dict.fromkeys(("dir", "stem", "ext", "rank", "aspect"), ""))
    if options.overlay is not None and "{stem}" not in options.overlay:
        raise ConfigError(
            f"`overlay` is a template below {root}, one picture a photo, as in "
            f"'why/{{dir}}/{{stem}}.jpg', got {options.overlay!r}"
        )
    layout.source.check_input()
    if root.lies_in(layout.source) and not layout.in_place:
        raise ConfigError(
            f"the output folder {root} lies inside the input folder {layout.source}: crops would "
            "become photos of the next run; write elsewhere with `output`"
        )
    if layout.in_place and options.overlay:
        raise ConfigError("overlays among photos would be cropped next time: leave `overlay` out")
    if isinstance(root, LocalTree) and root.path.exists() and not root.path.is_dir():
        raise ConfigError(f"{root} is a file: name a folder with `output`")
    return layout


def _split(output: str, options: BulkOptions) -> tuple[str, str]:
    """The output folder, and the template below it."""
    _refuse_no_folder(output)
    if not _is_template(output):
        template = "{dir}/{stem}" + "_{aspect}" * (len(options.requests) > 1)
        return output, template + "_{rank}" * (options.top_k > 1) + "{ext}"
    scheme, parts = _parts(output)
    fixed = next(index for index, part in enumerate(parts) if "{" in part)
    return scheme + os.path.join("", *parts[:fixed]), os.path.join(*parts[fixed:])


def _parts(output: str) -> tuple[str, tuple[str, ...]]:
    """The scheme with its slashes, if there is one, and the folders and names."""
    scheme, mark, rest = output.partition("://") if is_url(output) else ("", "", output)
    return scheme + mark, PurePath(rest).parts


def _is_template(output: str) -> bool:
    return "{" in output and not Path(output).is_dir()


def _refuse_no_folder(output: str) -> None:
    """Names that are hardly meant as a folder would fill the current one, or one called so."""
    if not output.strip():
        raise ConfigError("`output` is empty: name a folder for the crops, as in `output=crops`")
    if output == "-":
        raise ConfigError("`output=-`: a folder's crops don't go to standard output; name a folder")
    if _is_template(output):
        if "{" in _parts(output)[1][0]:
            raise ConfigError(
                f"`output={shown(output)}`: no folder before the first field; put one there, as in "
                f"crops/{shown(output).removeprefix('./')}"
            )
    elif has_picture_extension(output) and not Path(output).is_dir():
        raise ConfigError(
            f"`output={shown(output)}`: a picture's name for many crops; name a folder, as in "
            "`output=crops`, or a template, as in `output='crops/{stem}.png'`"
        )
