"""What ``cropper best`` is asked, and what is to be written of which photo: before any work."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from pathlib import Path, PurePath

from cropper.errors import ConfigError, NoInputError
from cropper.image import writable_format
from cropper.listing import is_so
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
from cropper.options import WritingOptions
from cropper.request import CropRequest
from cropper.stores import Store, as_local, is_url, shown

__all__ = ["BestOptions", "BestPlan", "plan_files"]


@dataclass(frozen=True)
class BestOptions(WritingOptions):
    """What is asked of every photo, and what is done with its crops."""

    request: CropRequest = field(default_factory=CropRequest)
    output: str | None = None  # file, folder or template; None: beside the photo
    as_json: bool = False
    skip_existing: bool = False  # outputs that are there stay as they are
    quiet: bool = False
    verbose: bool = False


@dataclass(frozen=True)
class BestPlan:
    items: tuple[PlannedInput, ...]
    overlays: tuple[Output | None, ...]  # of each item
    notes: tuple[str, ...]  # what is passed over, and what a dry run would not replace


def plan_files(inputs: Sequence[str], options: BestOptions) -> tuple[BestOptions, BestPlan]:
    """The options with paths in place of file:// URLs, and the plan.

    Raises ConfigError for what breaks a rule, and NoInputError where there is no input.
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
    notes = [f"{shown(each)}: skipped, it is the crop of another input" for each in plan.skipped]
    notes += [f"{item.name}: skipped, {item.outputs[-1]} is there" for item in present]
    if options.dry_run and not options.overwrite:
        there = [*existing(plan), *(path for path in overlays if path and path.exists())]
        notes += [f"note: {x} exists: without `dry_run` this needs `overwrite`" for x in there]
    return options, BestPlan(plan.inputs, tuple(overlays), tuple(notes))


def _check_inputs(inputs: Sequence[str]) -> None:
    for name in filter(is_url, inputs):
        Store(name)  # raises where nothing can be had from it
    paths = [Path(name) for name in inputs if name != STANDARD and not is_url(name)]
    for path in paths:
        if is_so(path.is_dir):
            raise ConfigError(
                f"{path} is a folder: name its photos, as in {path}/*.jpg, or use `cropper bulk`"
            )
    if inputs.count(STANDARD) > 1:
        raise ConfigError("standard input can be read once: give '-' once")
    if len(paths) == len(inputs) and not any(is_so(path.exists) for path in paths):
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
