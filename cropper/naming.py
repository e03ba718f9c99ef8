"""Where outputs go, decided and checked before any work: templates, folders, collisions.

A template is a path with fields: ``{dir}`` and ``{stem}`` of the input, ``{ext}`` with its dot,
``{rank}`` from 1, ``{aspect}`` with the colon as ``x``.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cropper.errors import ConfigError
from cropper.image import EXTENSION_OF, sniff

__all__ = ["STANDARD", "Job", "Plan", "fill", "plan_outputs"]

STANDARD = "-"  # stdin as an input, stdout as an output
DEFAULT_TEMPLATE = "{dir}/{stem}-best{ext}"


@dataclass(frozen=True)
class Job:
    """One input with its outputs, best crop first."""

    source: str  # a path, or STANDARD
    outputs: tuple[Path, ...]  # one a rank; empty: standard output


@dataclass(frozen=True)
class Plan:
    jobs: tuple[Job, ...]
    skipped: tuple[str, ...]  # inputs that are crops of other inputs, from an earlier run


def plan_outputs(
    sources: Sequence[str], template: str | None, top_k: int, aspect: str, overwrite: bool
) -> Plan:
    """Every input's outputs by template, folder or file name.

    Without a template, an input that is the output of another input is left out: a second run
    over ``*.jpg`` does not crop its own crops. Raises ConfigError where two outputs meet, where
    one would replace a source or, without ``overwrite``, any file, and where the template has a
    field that there is not.
    """
    named = template is not None
    if template is None:
        template = STANDARD if list(sources) == [STANDARD] else DEFAULT_TEMPLATE
    elif template != STANDARD and (template.endswith("/") or _is_dir(template)):
        if _is_dir(template):  # an existing folder's name is taken as it is
            template = template.replace("{", "{{").replace("}", "}}")
        template = template.rstrip("/") + "/{stem}-best{ext}"
    if template == STANDARD:
        if len(sources) != 1 or top_k != 1:
            raise ConfigError("standard output takes one crop of one input: name outputs with -o")
        return Plan((Job(sources[0], ()),), ())
    jobs = [Job(source, tuple(_outputs(source, template, top_k, aspect))) for source in sources]
    skipped = [] if named else _own_outputs(jobs)
    jobs = [job for job in jobs if job.source not in skipped]
    _refuse_collisions(jobs)
    one = named and len(sources) == 1  # a source may be replaced by its own crop if asked by name
    _refuse_overwrites(jobs, overwrite, replace_own_source=one and overwrite)
    return Plan(tuple(jobs), tuple(skipped))


def _own_outputs(jobs: Sequence[Job]) -> list[str]:
    """Inputs that another input's crops go to; not a link from a crop's name to its source."""
    makers = {_key(output): _key(Path(job.source)) for job in jobs for output in job.outputs}
    keys = {job.source: _key(Path(job.source)) for job in jobs if job.source != STANDARD}
    return [source for source, key in keys.items() if makers.get(key, key) != key]


def _outputs(source: str, template: str, top_k: int, aspect: str) -> Iterable[Path]:
    if source == STANDARD and "{ext}" in template:
        raise ConfigError("standard input has no extension: name the output, as in -o out.jpg")
    path = Path("stdin" if source == STANDARD else source)
    for rank in range(1, top_k + 1):
        values = {
            "dir": str(path.parent),
            "stem": path.stem,
            "ext": path.suffix or _sniffed_extension(path),
            "rank": str(rank),
            "aspect": aspect.replace(":", "x"),
        }
        output = Path(fill(template, values))
        if rank > 1 and "{rank}" not in template:
            output = output.with_name(f"{output.stem}-{rank}{output.suffix}")
        yield output


def _sniffed_extension(path: Path) -> str:
    """For a file named without one; a file that cannot be read fails later, with its reason."""
    try:
        with path.open("rb") as file:
            return EXTENSION_OF.get(sniff(file.read(4096)) or "", "")
    except OSError:
        return ""


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its fields filled in; raises ConfigError for one that is not in ``values``.

    Only plain fields: a format string must not reach into objects.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ConfigError(f"the output template {template!r} is broken: {error}") from error
    filled = []
    for text, field, spec, conversion in parts:
        filled.append(text)
        if field is None:
            continue
        if field not in values or spec or conversion:
            known = ", ".join("{" + name + "}" for name in values)
            raise ConfigError(f"the output template has {{{field}}}: its fields are {known}")
        filled.append(values[field])
    return "".join(filled)


def _key(path: Path) -> str:
    """Equal for names that one file may answer to, also where case does not count."""
    try:
        return str(path.resolve()).casefold()
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(f"{path}: not a place for a file: {error}") from error


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # a name that is too long
        raise ConfigError(f"{path}: not a place for a file: {error.strerror}") from error


def _is_dir(text: str) -> bool:
    try:
        return Path(text).is_dir()
    except OSError:
        return False


def _refuse_collisions(jobs: Sequence[Job]) -> None:
    owners: dict[str, str] = {}
    for job in jobs:
        for output in job.outputs:
            key = _key(output)
            if key in owners:
                raise ConfigError(
                    f"{owners[key]} and {job.source} would both be written to {output}: "
                    "use {stem}, {dir} or {rank} in -o, and name each input once"
                )
            owners[key] = job.source


def _refuse_overwrites(jobs: Sequence[Job], overwrite: bool, replace_own_source: bool) -> None:
    sources = {_key(Path(job.source)): job.source for job in jobs if job.source != STANDARD}
    for job in jobs:
        for output in job.outputs:
            if _key(output) in sources and not replace_own_source:
                raise ConfigError(
                    f"{output} is an input and would be overwritten: write elsewhere with -o, or "
                    "name this one file with -o and --overwrite"
                )
            if _exists(output) and not overwrite:
                raise ConfigError(f"{output} exists: use --overwrite, or write elsewhere with -o")
