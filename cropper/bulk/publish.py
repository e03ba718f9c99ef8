"""What people look at after a run: the contact sheet and the HTML report, from the manifest.

They show photos of earlier runs too, those with the largest gains first, and no more than a page
can hold: a million thumbnails would be neither looked at nor loaded.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from cropper.bulk.manifest import THE_REPORT, Manifest
from cropper.bulk.options import BulkOptions
from cropper.bulk.outcome import Cropped, Failed, Outcome, PhotoState
from cropper.bulk.plan import Layout
from cropper.bulk.trees import LocalTree, Tree
from cropper.errors import ConfigError, ImageReadError, ImageWriteError
from cropper.image import View, encode, format_for, from_array, load_image
from cropper.render import write
from cropper.report import LabelledCrop, ReportedPhoto, draw_sheet, picture_side, render_page
from cropper.stores import is_url, shown
from cropper.threads import cores

__all__ = ["check_publications", "claim_publications", "publish"]

_ON_PAGE = 1000  # photos, and as many failures
_ON_SHEET = 60


def check_publications(layout: Layout, options: BulkOptions) -> None:
    """Raises ConfigError for a report or sheet that would be a source or is of no known kind.

    Raises ImageWriteError where its folder takes no file: rather now than after hours of work.
    """
    for name, endings in ((options.report, (".html", ".htm")), (options.sheet, None)):
        if name is None:
            continue
        if is_url(name):
            raise ConfigError(f"{shown(name)}: reports and sheets are files of this machine")
        if endings and not name.lower().endswith(endings):
            raise ConfigError(f"the report is a page, as in crops.html, got {name}")
        if not endings:
            format_for(name)
        if LocalTree(Path(name)).lies_in(layout.source):
            raise ConfigError(f"{name} lies inside the input folder {layout.source}: name another")
        if Path(name).is_dir():
            raise ConfigError(f"{name} is a folder: name a file")
        _check_folder(Path(name))


def _check_folder(path: Path) -> None:
    folder = next(each for each in path.resolve().parents if each.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ImageWriteError(f"{path}: {folder} takes no files: name another place")


def claim_publications(layout: Layout, options: BulkOptions, manifest: Manifest) -> None:
    """Raises ConfigError for one that would replace a crop, or a file of others if not asked to."""
    for name in filter(None, [options.report, options.sheet]):
        own = manifest.claim(_stored(name, layout), THE_REPORT)
        if Path(name).exists() and not own and not options.overwrite:
            raise ConfigError(
                f"{name} exists and no earlier run into {layout.root} wrote it: use `overwrite`, "
                "or name another file"
            )


def _stored(name: str, layout: Layout) -> str:
    """As the manifest keeps it: relative to the output folder where it lies there."""
    path, root = Path(name).resolve(), layout.root
    if isinstance(root, LocalTree) and path.is_relative_to(root.identity):
        return os.path.relpath(path, root.identity)
    return str(path)


def publish(layout: Layout, options: BulkOptions, summary: str, manifest: Manifest) -> None:
    """Writes what ``options`` ask for. Raises ImageWriteError."""
    if options.report is None and options.sheet is None:
        return
    limit = _ON_PAGE if options.report else _ON_SHEET
    best, failures, total = _chosen(manifest.outcomes(), limit)
    photos = _reported(best, layout, Path(options.report or "").resolve().parent)
    if options.report:
        if total > len(best):
            summary += f". Shown are the {len(best)} photos with the largest gains."
        title = f"Crops of {layout.source}"
        page = render_page(title, summary, photos, failures)
        write(page.encode(), Path(options.report), overwrite=True, fsync=not options.no_fsync)
        manifest.own(_stored(options.report, layout))
    if options.sheet:
        sheet = draw_sheet(photos[:_ON_SHEET])
        data = encode(sheet, from_array(sheet), format_for(options.sheet), options.quality)
        write(data, Path(options.sheet), overwrite=True, fsync=not options.no_fsync)
        manifest.own(_stored(options.sheet, layout))


def _chosen(
    outcomes: Iterable[Outcome], limit: int
) -> tuple[list[Cropped], list[tuple[str, str]], int]:
    """Photos by gain, failures by name, and how many photos there are."""
    best: list[tuple[float, int, Cropped]] = []
    failures: list[tuple[str, str]] = []
    total = 0
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, Failed):
            if len(failures) < _ON_PAGE:
                failures.append((outcome.source, outcome.message))
            continue
        total += 1
        entry = (outcome.gain, -index, outcome)
        if len(best) < limit:
            heapq.heappush(best, entry)
        else:
            heapq.heappushpop(best, entry)
    return [outcome for *_, outcome in sorted(best, reverse=True)], failures, total


def _reported(outcomes: Sequence[Cropped], layout: Layout, folder: Path) -> list[ReportedPhoto]:
    """For a report in ``folder``."""
    from joblib import Parallel, delayed  # noqa: PLC0415 - slow

    parallel = Parallel(cores(), backend="threading")
    side = picture_side(len(outcomes))
    views = parallel(delayed(_view)(each, layout.source, side) for each in outcomes)
    pairs = zip(outcomes, views, strict=True)
    return [_photo(outcome, view, layout, folder) for outcome, view in pairs]


def _view(outcome: Cropped, tree: Tree, side: int) -> View | None:
    try:
        data, _ = tree.read(outcome.source, lambda: None)
        image = load_image(data, max_mpixels=float("inf"))  # its size was seen
        if found := outcome.result.orientation:
            image.turn(found.turned)
        return image.view(side)
    except ImageReadError:  # it went away meanwhile
        return None


def _photo(outcome: Cropped, view: View | None, layout: Layout, folder: Path) -> ReportedPhoto:
    result, requests = outcome.result, layout.requests
    crops = {
        each.crop.box: LabelledCrop(
            requests[each.target].label, each.crop, layout.root.link(each.path, folder)
        )
        for each in reversed(outcome.crops)
    }
    first = crops.pop(result.best.box, LabelledCrop(requests[0].label, result.best))
    return ReportedPhoto(
        outcome.source,
        view,
        result.source_size,
        (first, *reversed(crops.values())),
        result.full_frame_score,
        result.preferred_to_full_frame,
        outcome.state == PhotoState.SKIPPED,
        result.seconds,
        outcome.notes,
        layout.source.link(outcome.source, folder),
    )
