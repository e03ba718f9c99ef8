"""``cropper best``: plan, then for each photo find, cut, write and tell; count what failed."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import compress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from cropper.boxes import Crop
from cropper.canvas import Size
from cropper.console import print_json, record_of, say, text_of, write_standard
from cropper.errors import (
    ConfigError,
    CropperError,
    ImageReadError,
    ImageWriteError,
    MissingModelError,
    NoInputError,
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
    parse_format,
    sniff,
    writable_format,
)
from cropper.naming import (
    STANDARD,
    Output,
    Plan,
    PlannedInput,
    check_format,
    existing,
    key_of,
    plan_outputs,
)
from cropper.render import render, write
from cropper.request import CropRequest
from cropper.result import CropResult
from cropper.scorers import DEFAULT_SCORER
from cropper.stores import Store, StoreLimits, as_local, is_url, shown
from cropper.style import CropStyle, Progress

if TYPE_CHECKING:
    from cropper.image.toning import Paint
    from cropper.style import Painter

__all__ = ["BestOptions", "crop_files"]


@dataclass(frozen=True)
class BestOptions:
    """What is asked of every photo, and what is done with its crops."""

    request: CropRequest = field(default_factory=CropRequest)
    output: str | None = None  # file, folder or template; None: beside the photo
    scorer: str = DEFAULT_SCORER
    device: str = "auto"
    style: CropStyle | None = None  # of the crops
    overlay: str | None = None
    format: str | None = None  # of the crops, as jpeg or webp; None: as their names say
    quality: int = 92
    strip: bool = False  # leave out EXIF and IPTC
    linear: bool = False  # resize in linear light
    as_json: bool = False
    dry_run: bool = False
    overwrite: bool = False
    skip_existing: bool = False  # outputs that are there stay as they are
    max_mpixels: float = 200
    max_fetch_mb: float = 200  # of a URL's file, megabytes
    time_limit: float = 120.0  # s that a URL's file may be fetched for, and put
    strict: bool = False  # JPEGs with damaged data fail; else that is told
    no_fsync: bool = False  # for file systems that have none: a power cut may lose crops
    quiet: bool = False
    verbose: bool = False

    @property
    def limits(self) -> StoreLimits:
        return StoreLimits(self.max_fetch_mb, self.time_limit)

    @property
    def file_format(self) -> str | None:
        """One of FORMATS; raises ConfigError for what is none."""
        return parse_format(self.format) if self.format else None

    def render(
        self,
        source: SourceImage,
        crop: Crop,
        file_format: str,
        size: Size | None,
        paint: Paint | None = None,
    ) -> bytes:
        """The crop as a file of the format ``file_format``."""
        return render(
            source,
            crop,
            file_format,
            size=size,
            quality=self.quality,
            strip=self.strip,
            linear=self.linear,
            paint=paint,
        )


def crop_files(
    inputs: Sequence[str],
    options: BestOptions,
    progress: Progress = nullcontext,
) -> int:
    """Crop every input and return the exit code. Raises what stops everything before it starts.

    ``progress`` is entered for each crop that is painted.
    """
    inputs = [as_local(name) for name in inputs]
    options = replace(
        options,
        output=options.output and as_local(options.output),
        overlay=options.overlay and as_local(options.overlay),
    )
    _check_inputs(inputs)
    if options.overwrite and options.skip_existing:
        raise ConfigError(
            "`overwrite` makes a crop again, `skip_existing` does not: use one of them"
        )
    request = options.request
    may_exist = options.overwrite or options.dry_run or options.skip_existing
    plan = plan_outputs(
        inputs,
        options.output,
        request.top_k,
        request.label,
        may_exist,
        file_format=options.file_format,
        limits=options.limits,
    )
    plan, present = _without_present(plan) if options.skip_existing else (plan, ())
    overlays = _plan_overlays(plan, options)
    _check_output(plan, options)
    batch = _Batch(options, len(plan.inputs), progress)
    _tell_plan(batch, plan, present, overlays)
    try:
        for item, overlay in zip(plan.inputs, overlays, strict=True):
            batch.run(item, overlay)
    except KeyboardInterrupt:
        say(f"interrupted: {batch.done} of {batch.total} done, {batch.failed} failed")
        return 130
    if batch.failed:
        say(f"{batch.failed} of {batch.total} failed")
    return batch.code


def _tell_plan(
    batch: _Batch,
    plan: Plan,
    present: Sequence[PlannedInput],
    overlays: Sequence[Output | None],
) -> None:
    for source in plan.skipped:
        batch.tell(f"{shown(source)}: skipped, it is the crop of another input")
    for item in present:
        batch.tell(f"{item.name}: skipped, {item.outputs[-1]} is there")
    if batch.options.dry_run and not batch.options.overwrite:
        for path in [*existing(plan), *(path for path in overlays if path and path.exists())]:
            batch.tell(f"note: {path} exists: without `dry_run` this needs `overwrite`")


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
                return options.render(source, crop, file_format, size)
            paint = partial(painter.paint, notes=notes)
            return options.render(source, crop, file_format, painter.size_of(crop, size), paint)

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


def _check_inputs(inputs: Sequence[str]) -> None:
    for name in filter(is_url, inputs):
        Store(name)  # raises where nothing can be had from it
    paths = [Path(name) for name in inputs if name != STANDARD and not is_url(name)]
    for path in paths:
        if _is(path.is_dir):
            raise ConfigError(
                f"{path} is a folder: name its photos, as in {path}/*.jpg, or use `cropper bulk`"
            )
    if inputs.count(STANDARD) > 1:
        raise ConfigError("standard input can be read once: give '-' once")
    if len(paths) == len(inputs) and not any(_is(path.exists) for path in paths):
        names = ", ".join(inputs[:3]) + (", ..." if len(inputs) > 3 else "")
        raise NoInputError(f"no input pictures: there is no {names}")


def _without_present(plan: Plan) -> tuple[Plan, tuple[PlannedInput, ...]]:
    """Without the inputs whose outputs are all there already, and those."""
    there = set(existing(plan))
    has_all = [bool(item.outputs) and there.issuperset(item.outputs) for item in plan.inputs]
    present = tuple(compress(plan.inputs, has_all))
    missing = tuple(item for item, done in zip(plan.inputs, has_all, strict=True) if not done)
    return replace(plan, inputs=missing), present


def _check_output(plan: Plan, options: BestOptions) -> None:
    for item in plan.inputs:
        for output in item.outputs:
            own = PurePath(item.name).suffix
            if output.suffix != own:  # else the picture tells when it is read
                if not output.suffix:
                    raise ConfigError(f"`output={output}` has no extension: a folder ends with /")
                writable_format(str(output))
            if options.file_format:
                check_format(str(output), options.file_format)
        if not item.outputs and not options.dry_run:
            if options.as_json:
                raise ConfigError(
                    "`as_json` and the picture would both go to standard output: use `output`"
                )
            if sys.stdout is None:
                raise ConfigError("standard output is closed: use `output`")
            if sys.stdout.isatty():
                raise ConfigError(
                    "a picture is not written to a terminal: use `output`, or redirect"
                )


def _is(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:  # a name that is too long is neither a folder nor there
        return False


def _plan_overlays(plan: Plan, options: BestOptions) -> list[Output | None]:
    if options.overlay is None:
        return [None] * len(plan.inputs)
    sources = [item.source for item in plan.inputs]
    may_exist = options.overwrite or options.dry_run
    overlays = plan_outputs(
        sources,
        options.overlay,
        1,
        "overlay",
        may_exist,
        option="overlay",
        file_format=options.file_format,
        limits=options.limits,
    )
    crops = {key_of(output) for item in plan.inputs for output in item.outputs}
    paths: list[Output | None] = []
    for item in overlays.inputs:
        if not item.outputs or key_of(item.outputs[0]) in crops:
            raise ConfigError("`overlay` needs a file of its own, other than the crop's")
        writable_format(str(item.outputs[0]))
        paths.append(item.outputs[0])
    return paths


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
