"""``cropper best``: plan, then for each picture find, cut, write and tell; count what failed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cropper.boxes import Crop
from cropper.errors import (
    ConfigError,
    CropperError,
    ImageReadError,
    ImageWriteError,
    MissingModelError,
    NoInputError,
)
from cropper.finder import CropFinder, search_config
from cropper.image import (
    SourceImage,
    encode,
    format_for,
    from_array,
    load_image,
    save_crop,
    writable_format,
    write_atomic,
)
from cropper.methods import check_method, check_sizes, crops_to_find, load_transformer
from cropper.naming import STANDARD, Job, Plan, existing, plan_outputs
from cropper.result import CropResult
from cropper.space import agreed_aspect, crop_spaces
from cropper.telling import print_json, record_of, say, text_of, write_standard

if TYPE_CHECKING:
    from spatial_transformer.affine import Warp

__all__ = ["BestOptions", "crop_files"]


@dataclass(frozen=True)
class BestOptions:
    """The command's options, as the command line names them."""

    output: str | None = None
    aspect: str | None = None  # None: that of size, else original
    size: tuple[int, int] | None = None  # (width, height), px
    min_scale: float = 0.5
    max_scale: float = 1.0
    top_k: int = 1
    scorer: str = "cropnet"
    method: str = "search"  # or one of cropper.result.TRANSFORMS
    shear: bool = False  # crops that may be turned may also be sheared
    localizer: Path | None = None  # weights of --method localizer; None: the package's
    strategy: str | None = None  # None: what suits the scorer
    budget: int | None = None
    seed: int = 0
    device: str = "auto"
    overlay: str | None = None
    quality: int = 92
    as_json: bool = False
    dry_run: bool = False
    overwrite: bool = False
    max_mpixels: float = 200
    quiet: bool = False
    verbose: bool = False


def crop_files(inputs: Sequence[str], options: BestOptions) -> int:
    """Crop every input and return the exit code. Raises what stops everything before it starts."""
    aspect = agreed_aspect(options.aspect, options.size)
    _check_options(options, aspect)
    _check_inputs(inputs)
    replace = options.overwrite or options.dry_run
    plan = plan_outputs(inputs, options.output, options.top_k, aspect, replace)
    overlays = _plan_overlays(plan, options)
    _check_output(plan, options)
    batch = _Batch(options, aspect, CropFinder(options.scorer, options.device))
    for source in plan.skipped:
        batch.tell(f"{source}: skipped, it is the crop of another input")
    there = [*existing(plan), *(path for path in overlays if path and path.exists())]
    for path in [] if options.overwrite else there:  # only a dry run comes here with any
        batch.tell(f"note: {path} exists: without --dry-run this needs --overwrite")
    try:
        for job, overlay in zip(plan.jobs, overlays, strict=True):
            batch.run(job, overlay, len(plan.jobs))
    except KeyboardInterrupt:
        say(f"interrupted: {batch.done} of {len(plan.jobs)} done, {batch.failed} failed")
        return 130
    if batch.failed:
        say(f"{batch.failed} of {len(plan.jobs)} failed")
    return batch.code


class _Batch:
    """One run of the command: what it uses for every picture, and what it counts."""

    def __init__(self, options: BestOptions, aspect: str, finder: CropFinder) -> None:
        self.options, self.aspect, self.finder = options, aspect, finder
        self.config = search_config(
            finder.scorer.spec,
            aspect,
            strategy=options.strategy,
            budget=options.budget,
            seed=options.seed,
            top_k=crops_to_find(options),
        )
        self.transformer = load_transformer(finder, options)
        self.done, self.failed, self.code = 0, 0, 0

    def tell(self, line: str) -> None:
        if not self.options.quiet:
            say(line)

    def run(self, job: Job, overlay: Path | None, total: int) -> None:
        try:
            self._crop(job, overlay)
            self.done += 1
        except (CropperError, MemoryError) as error:
            self._fail(job, error, total)

    def _fail(self, job: Job, error: CropperError | MemoryError, total: int) -> None:
        """Count and tell; wrong options end a single picture with 2, a disk that is full with 5."""
        self.failed += 1
        message = str(error) or "not enough memory"
        if job.source not in message and job.source != STANDARD:
            message = f"{job.source}: {message}"
        place = f" [{self.done + self.failed}/{total}]" if total > 1 else ""
        say(f"error{place}: {message}")
        if self.options.as_json:
            print_json({"input": job.source, "error": message})
        own = error.exit_code if isinstance(error, CropperError) else 1
        single = total == 1 and isinstance(error, ConfigError | MissingModelError)
        self.code = max(self.code, own if single or isinstance(error, ImageWriteError) else 1)

    def _crop(self, job: Job, overlay: Path | None) -> None:
        options = self.options
        source = _load(job.source, options.max_mpixels)
        for note in source.notes:
            self.tell(f"{job.source}: note: {note}")
        result, warps = self._find(source)
        crops = result.search.crops[: options.top_k]
        if not options.dry_run:
            self._write(source, job, crops, warps)
            if overlay is not None:
                self._draw(source, result, warps, overlay)
        for note in self._notes(crops, warps):
            self.tell(f"{job.source}: note: {note}")
        written = [str(path) for path in job.outputs[: len(crops)]] or [STANDARD]
        if options.as_json:
            print_json(record_of(job, result, crops, written, warps))
        for line in text_of(
            job,
            result,
            crops,
            written,
            warps,
            dry_run=options.dry_run,
            verbose=options.verbose,
        ):
            self.tell(line)

    def _notes(self, crops: Sequence[Crop], warps: Sequence[Warp]) -> list[str]:
        """Where the crops are not quite what was asked for."""
        notes, asked = [], self.options.size
        width, height = warps[0].output_size if warps else (crops[0].width, crops[0].height)
        if asked and (asked[0] > width or asked[1] > height):
            notes.append("the crop is enlarged to {}x{}".format(*asked))
        if len(crops) < self.options.top_k:
            differ = "crop differs" if len(crops) == 1 else "crops differ"
            notes.append(f"only {len(crops)} {differ} enough")
        return notes

    def _find(self, source: SourceImage) -> tuple[CropResult, tuple[Warp, ...]]:
        """The result, and the crops themselves where they may be turned."""
        options = self.options
        if self.transformer:
            warped = self.transformer.find(
                source,
                aspect=self.aspect,
                min_scale=options.min_scale,
                max_scale=options.max_scale,
            )
            return warped.result, warped.warps
        result = self.finder.find(
            source,
            aspect=self.aspect,
            min_scale=options.min_scale,
            max_scale=options.max_scale,
            config=self.config,
        )
        return result, ()

    def _write(
        self, source: SourceImage, job: Job, crops: Sequence[Crop], warps: Sequence[Warp]
    ) -> None:
        options = self.options
        turned = [None if warp.upright else warp for warp in warps] or [None] * len(crops)
        if not job.outputs:
            write_standard(self._encoded(source, crops[0], turned[0], source.format))
        for crop, warp, output in zip(crops, turned, job.outputs, strict=False):  # may be fewer
            _make_folder(output.parent)
            if warp:
                data = self._encoded(source, crop, warp, format_for(output))
                write_atomic(data, output, overwrite=options.overwrite)
                continue
            save_crop(
                source,
                crop.box,
                output,
                size=options.size,
                quality=options.quality,
                overwrite=options.overwrite,
            )

    def _encoded(self, source: SourceImage, crop: Crop, warp: Warp | None, kind: str) -> bytes:
        options = self.options
        if warp:
            cut = source.warp(warp.corners, options.size or warp.output_size)
        else:
            cut = source.cut(crop.box, options.size)
        return encode(cut, source, kind, options.quality)

    def _draw(
        self, source: SourceImage, result: CropResult, warps: Sequence[Warp], target: Path
    ) -> None:
        from cropper.report import explain  # noqa: PLC0415 - most runs draw none

        picture = explain(self.finder, source, result, warps)
        _make_folder(target.parent)
        drawn = encode(picture, from_array(picture), format_for(target), self.options.quality)
        write_atomic(drawn, target, overwrite=self.options.overwrite)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageWriteError(f"{folder}: the folder cannot be made: {error.strerror}") from error


def _check_options(options: BestOptions, aspect: str) -> None:
    """Raises ConfigError for what can never work, whatever the picture is."""
    crop_spaces((1, 1), aspect, options.min_scale, options.max_scale)
    check_sizes([options.size] if options.size else [])
    check_method(options)


def _check_inputs(inputs: Sequence[str]) -> None:
    paths = [Path(name) for name in inputs if name != STANDARD]
    for path in paths:
        if _is(path.is_dir):
            raise ConfigError(f"{path} is a folder: name its pictures, as in {path}/*.jpg")
    if inputs.count(STANDARD) > 1:
        raise ConfigError("standard input can be read once: give '-' once")
    if len(paths) == len(inputs) and not any(_is(path.exists) for path in paths):
        names = ", ".join(inputs[:3]) + (", ..." if len(inputs) > 3 else "")
        raise NoInputError(f"no input pictures: there is no {names}")


def _check_output(plan: Plan, options: BestOptions) -> None:
    for job in plan.jobs:
        for output in job.outputs:
            if output.suffix != Path(job.source).suffix:  # else the picture tells when it is read
                if not output.suffix:
                    raise ConfigError(f"-o {output} has no extension: a folder ends with /")
                writable_format(output)
        if not job.outputs and not options.dry_run:
            if options.as_json:
                raise ConfigError("--json and the picture would both go to standard output: use -o")
            if sys.stdout is None:
                raise ConfigError("standard output is closed: use -o")
            if sys.stdout.isatty():
                raise ConfigError("a picture is not written to a terminal: use -o, or redirect")


def _is(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:  # a name that is too long is neither a folder nor there
        return False


def _plan_overlays(plan: Plan, options: BestOptions) -> list[Path | None]:
    if options.overlay is None:
        return [None] * len(plan.jobs)
    sources = [job.source for job in plan.jobs]
    replace = options.overwrite or options.dry_run
    overlays = plan_outputs(sources, options.overlay, 1, "overlay", replace, option="--overlay")
    crops = {path.resolve() for job in plan.jobs for path in job.outputs}
    paths: list[Path | None] = []
    for job in overlays.jobs:
        if not job.outputs or job.outputs[0].resolve() in crops:
            raise ConfigError("--overlay needs a file of its own, other than the crop's")
        writable_format(job.outputs[0])
        paths.append(job.outputs[0])
    return paths


def _load(name: str, max_mpixels: float) -> SourceImage:
    if name != STANDARD:
        return load_image(name, max_mpixels=max_mpixels)
    data = sys.stdin.buffer.read() if sys.stdin else b""
    if not data:
        raise ImageReadError("standard input is empty: pipe a picture into it")
    return load_image(data, max_mpixels=max_mpixels, name="standard input")
