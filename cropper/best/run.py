"""Find, cut, write and tell, photo by photo."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from cropper.best.plan import BestOptions, plan_files
from cropper.boxes import Crop
from cropper.canvas import Size
from cropper.console import print_json, record_of, say, text_of, write_standard
from cropper.errors import (
    ConfigError,
    CropperError,
    DataError,
    ImageReadError,
    ImageWriteError,
    MissingModelError,
    in_shell_words,
)
from cropper.finder import CropFinder
from cropper.image import (
    SourceImage,
    encode,
    format_for,
    from_array,
    load_image,
    lost_note,
    sniff,
    writable_format,
)
from cropper.naming import STANDARD, Output, PlannedInput
from cropper.render import render, write
from cropper.result import CropResult
from cropper.stores import Store, is_url, shown
from cropper.style import Progress

if TYPE_CHECKING:
    from cropper.style import Painter

__all__ = ["crop_files"]


def crop_files(
    inputs: Sequence[str],
    options: BestOptions,
    progress: Progress = nullcontext,
) -> int:
    """Crop every input and return the exit code. Raises what stops everything before it starts.

    ``progress`` is entered for each crop that is painted.
    """
    options, plan = plan_files(inputs, options)
    batch = _Batch(options, len(plan.items), progress)
    for line in plan.notes:
        batch.tell(line)
    try:
        for item, overlay in zip(plan.items, plan.overlays, strict=True):
            batch.run(item, overlay)
    except KeyboardInterrupt:
        say(f"interrupted: {batch.done} of {batch.total} done, {batch.failed} failed")
        return 130
    if batch.failed:
        say(f"{batch.failed} of {batch.total} failed")
    return batch.code


class _Batch:
    """One run of the command: what it uses for every photo, and what it counts."""

    def __init__(self, options: BestOptions, total: int, progress: Progress) -> None:
        self.options, self.total = options, total
        self.request = options.request
        if options.overlay is not None:
            self.request = self.request.with_runners_up()
        self.finder = CropFinder(options.scorer, options.device)
        self.finder.prepare(self.request)
        style = options.style
        self.painter = style.painter(options.max_mpixels, progress) if style else None
        self.done, self.failed, self.code = 0, 0, 0
        self._fsync = not options.no_fsync

    def tell(self, line: str) -> None:
        if not self.options.quiet:
            say(line)

    def run(self, item: PlannedInput, overlay: Output | None) -> None:
        try:
            self._crop(item, overlay)
            self.done += 1
        except (CropperError, MemoryError) as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.ENOSYS:
                raise  # so it is with all of them
            self._fail(item.name, error)
        except Exception as error:  # a fault of the program, that only this photo may show
            if self.total == 1:
                raise
            self._fail(item.name, DataError(f"{type(error).__name__}: {error}"))

    def _fail(self, source: str, error: CropperError | MemoryError) -> None:
        """Count and tell; wrong options end a single photo with 2, a disk that is full with 5."""
        self.failed += 1
        message = in_shell_words(str(error) or "not enough memory")
        if source not in message and source != STANDARD:
            message = f"{source}: {message}"
        place = f" [{self.done + self.failed}/{self.total}]" if self.total > 1 else ""
        say(f"error{place}: {message}")
        if self.options.as_json:
            print_json({"input": source, "error": message})
        own = error.exit_code if isinstance(error, CropperError) else 1
        single = self.total == 1 and isinstance(error, ConfigError | MissingModelError)
        self.code = max(self.code, own if single or isinstance(error, ImageWriteError) else 1)

    def _crop(self, item: PlannedInput, overlay: Output | None) -> None:
        options = self.options
        source = _load(item.source, options)
        result = self.finder.find(source, self.request)
        for note in source.notes:
            self.tell(f"{item.name}: note: {note}")
        if result.shows_nobody and options.request.if_absent == "skip":
            self._pass_over(item, result)
            return
        crops = result.crops[: options.request.top_k]
        painter = None if result.copied else self.painter
        notes = self._notes(result, crops)
        if not options.dry_run:
            notes += self._write(source, item, crops, result.size, painter)
            if overlay is not None:
                self._draw(source, result, overlay)
        if painter:
            result = replace(result, size=painter.size_of(result.best, result.size))
        for note in notes:
            self.tell(f"{item.name}: note: {note}")
        written = [str(path) for path in item.outputs[: len(crops)]] or [STANDARD]
        if options.as_json:
            print_json(record_of(item.name, result, crops, written))
        told = {"dry_run": options.dry_run, "verbose": options.verbose}
        for line in text_of(item.name, result, crops, written, **told):
            self.tell(line)

    def _pass_over(self, item: PlannedInput, result: CropResult) -> None:
        """Of a photo that shows nobody who is to be kept."""
        self.tell(f"{item.name}: skipped; {'; '.join(result.people_notes)}")
        if self.options.as_json:
            record = {"input": item.name, "status": "skipped", "output": None}
            size, absent = list(result.source_size), list(result.absent)
            print_json({**record, "source_size": size, "absent": absent})

    def _notes(self, result: CropResult, crops: Sequence[Crop]) -> list[str]:
        """Where the crops are not quite what was asked for."""
        notes = list(result.notes)
        if result.size and result.enlarged(crops[0]):
            notes.append("the crop is enlarged to {}x{}".format(*result.size))
        if len(crops) < self.options.request.top_k and not result.copied:
            differ = "crop differs" if len(crops) == 1 else "crops differ"
            notes.append(f"only {len(crops)} {differ} enough")
        return notes

    def _write(
        self,
        source: SourceImage,
        item: PlannedInput,
        crops: Sequence[Crop],
        size: Size | None,
        painter: Painter | None,
    ) -> list[str]:
        """What the painter says of the crops, and what these do not keep."""
        options, notes = self.options, list[str]()

        def rendered(crop: Crop, file_format: str) -> bytes:
            lost = None if options.strip else lost_note(source.header, file_format)
            if lost and lost not in notes:
                notes.append(lost)
            if painter is None:
                return render(source, crop, file_format, size=size, **options.how)
            paint = partial(painter.paint, notes=notes)
            painted = painter.size_of(crop, size)
            return render(source, crop, file_format, size=painted, paint=paint, **options.how)

        if not item.outputs:
            write_standard(rendered(crops[0], options.file_format or source.format))
        for crop, output in zip(crops, item.outputs, strict=False):  # there may be fewer crops
            if options.skip_existing and output.exists():
                continue
            data = rendered(crop, writable_format(str(output)))
            write(data, output, overwrite=options.overwrite, fsync=self._fsync)
        return notes

    def _draw(self, source: SourceImage, result: CropResult, target: Output) -> None:
        from cropper.report import explain  # noqa: PLC0415 - most runs draw none

        overlay = explain(self.finder, source, result)
        data = encode(overlay, from_array(overlay), format_for(str(target)), self.options.quality)
        write(data, target, overwrite=self.options.overwrite, fsync=self._fsync)


def _load(name: str, options: BestOptions) -> SourceImage:
    load = partial(
        load_image,
        max_mpixels=options.max_mpixels,
        strict=options.strict,
    )
    if is_url(name):
        return load(Store(name, options.limits).read(wanted=sniff)[0], name=shown(name))
    if name != STANDARD:
        return load(name)
    data = sys.stdin.buffer.read() if sys.stdin else b""
    if not data:
        raise ImageReadError("standard input is empty: pipe a picture into it")
    return load(data, name="standard input")
