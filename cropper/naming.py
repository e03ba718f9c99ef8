"""Where outputs go, decided and checked before any work: templates, folders, collisions.

A template is a path with fields: ``{dir}`` and ``{stem}`` of the input, ``{ext}`` with its dot,
``{rank}`` from 1, ``{aspect}`` with the colon as ``x``.
"""

from __future__ import annotations

import os
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from cropper.errors import ConfigError
from cropper.image import EXTENSION_OF, format_for, has_picture_extension, sniff
from cropper.listing import is_so
from cropper.stores import Store, StoreLimits, is_url, name_in, shown

__all__ = [
    "STANDARD",
    "Output",
    "Plan",
    "PlannedInput",
    "as_format",
    "check_format",
    "existing",
    "fill",
    "key_of",
    "name_output",
    "plan_outputs",
    "with_extension",
]

STANDARD = "-"  # stdin as an input, stdout as an output
DEFAULT_TEMPLATE = "{dir}/{stem}-best{ext}"

Output = Path | Store


@dataclass(frozen=True)
class PlannedInput:
    """One input with its outputs, best crop first."""

    source: str  # a path, a URL, or STANDARD
    outputs: tuple[Output, ...]  # one a rank; empty: standard output

    @property
    def name(self) -> str:
        """As messages name it."""
        return shown(self.source)


@dataclass(frozen=True)
class Plan:
    inputs: tuple[PlannedInput, ...]
    skipped: tuple[str, ...]  # inputs that are crops of other inputs, from an earlier run


def plan_outputs(
    sources: Sequence[str],
    template: str | None,
    top_k: int,
    label: str,
    overwrite: bool,
    *,
    option: str = "output",
    file_format: str | None = None,
    limits: StoreLimits | None = None,
) -> Plan:
    """Every input's outputs by template, folder or file name; ``option`` gave the template.

    Of a URL {stem} and {ext} are those of the name at its end, and {dir} is the current folder.
    ``label`` is what {aspect} becomes, and {ext} an extension of ``file_format``, one of FORMATS,
    if that is given. Without a template, an input that is the output of another input is left out:
    a second run over ``*.jpg`` does not crop its own crops. Raises ConfigError where two outputs
    meet, where one would replace a source (but the one that ``output`` itself names) or, without
    ``overwrite``, any file, and where the template is empty or has a field that there is not.
    """
    named = template is not None
    if template is not None and not template.strip():
        raise ConfigError(f"`{option}` is empty: give it a file, a folder or a template")
    if template is None:
        template = STANDARD if list(sources) == [STANDARD] else DEFAULT_TEMPLATE
    elif template != STANDARD and (template.endswith("/") or is_so(Path(template).is_dir)):
        if is_so(Path(template).is_dir):  # an existing folder's name is taken as it is
            template = template.replace("{", "{{").replace("}", "}}")
        template = template.rstrip("/") + "/{stem}-best{ext}"
    if template == STANDARD:
        if len(sources) != 1 or top_k != 1:
            raise ConfigError(f"standard output takes one crop of one input: give `{option}` files")
        return Plan((PlannedInput(sources[0], ()),), ())
    items = [
        PlannedInput(
            source,
            tuple(
                _output(name, limits or StoreLimits(), option)
                for name in _outputs(source, template, top_k, label, file_format)
            ),
        )
        for source in sources
    ]
    skipped = [] if named else _own_outputs(items)
    items = [item for item in items if item.source not in skipped]
    _refuse_collisions(items, option)
    own = template if overwrite and named and option == "output" and len(sources) == 1 else None
    _refuse_sources(items, option, own)
    plan = Plan(tuple(items), tuple(skipped))
    for path in [] if overwrite else existing(plan):
        raise ConfigError(
            f"{path} exists: use `overwrite`, `skip_existing`, or write elsewhere with `{option}`"
        )
    return plan


def _own_outputs(items: Sequence[PlannedInput]) -> list[str]:
    """Inputs that another input's crops go to; not a link from a crop's name to its source."""
    makers = {key_of(output): _source_key(item) for item in items for output in item.outputs}
    keys = {item.source: _source_key(item) for item in items if item.source != STANDARD}
    return [source for source, key in keys.items() if makers.get(key, key) != key]


def _output(name: str, limits: StoreLimits, option: str) -> Output:
    if not is_url(name):
        return Path(name)
    scheme, _, rest = name.partition("://")
    parts = [part for part in rest.split("/") if part != "."]
    if ".." in parts:
        raise ConfigError(f"{shown(name)} leads out of its folder: leave {{dir}} out of `{option}`")
    return Store.for_output(f"{scheme}://{'/'.join(parts)}", limits)


def _source_key(item: PlannedInput) -> str:
    return item.source if is_url(item.source) else key_of(Path(item.source))


def _outputs(
    source: str, template: str, top_k: int, label: str, file_format: str | None
) -> Iterable[str]:
    if source == STANDARD and "{ext}" in template and not file_format:
        raise ConfigError(
            "standard input has no extension: name the output, as in `output=out.jpg`"
        )
    path = Path("stdin" if source == STANDARD else source)
    if is_url(source):
        path = Path(name_in(source))
    name: PurePath = path
    if file_format:
        name = as_format(path, file_format)
    elif is_url(source):
        if not has_picture_extension(path) and "{ext}" in template:
            raise ConfigError(
                f"{shown(source)} has no picture's extension: name the output, as in "
                "`output=out.jpg`, or its `format`"
            )
    elif not has_picture_extension(path) and "{ext}" in template:
        if _exists(path) and not path.is_file():  # of a pipe, what is read here would be gone
            raise ConfigError(
                f"{path} has no picture's extension: name the output, as in `output=out.jpg`"
            )
        name = with_extension(path, path)
    for rank in range(1, top_k + 1):
        yield name_output(template, name, rank, label)


def name_output(template: str, source: PurePath, rank: int, label: str) -> str:
    """The output of one crop; its rank joins the stem where the template has no place for it."""
    values = {
        "dir": str(source.parent),
        "stem": source.stem,
        "ext": source.suffix,
        "rank": str(rank),
        "aspect": label,
    }
    name = fill(template, values)
    if rank > 1 and "{rank}" not in template:
        stem, suffix = os.path.splitext(name)
        name = f"{stem}-{rank}{suffix}"
    return name


def with_extension(name: PurePath, path: Path) -> PurePath:
    """The name, with an extension by the content of ``path`` behind one that tells no format.

    As it is where that cannot be read, which fails later, with its reason.
    """
    if has_picture_extension(name):
        return name
    try:
        with path.open("rb") as file:
            return name.with_name(name.name + EXTENSION_OF.get(sniff(file.read(4096)) or "", ""))
    except OSError:
        return name


def as_format(name: PurePath, file_format: str) -> PurePath:
    """The name with an extension of the format, in the place of another format's."""
    if not has_picture_extension(name):
        return name.with_name(name.name + EXTENSION_OF[file_format])
    return (
        name
        if format_for(Path(name)) == file_format
        else name.with_suffix(EXTENSION_OF[file_format])
    )


def check_format(output: str | Path, file_format: str) -> None:
    """Raises ConfigError for an output whose name tells another format than ``file_format``."""
    told = format_for(output)
    if told != file_format:
        raise ConfigError(
            f"{output} is a name for {told}, and `format` asks for {file_format}: leave one of "
            "them out, or end names with {ext}"
        )


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


def key_of(path: Output) -> str:
    """Equal for names that one file may answer to, also where case does not count."""
    if isinstance(path, Store):
        return path.url
    try:
        return str(path.resolve()).casefold()
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(f"{path}: not a place for a file: {error}") from error


def _exists(path: Output) -> bool:
    try:
        return path.exists()
    except OSError as error:  # a name that is too long
        raise ConfigError(f"{path}: not a place for a file: {error.strerror}") from error


def _refuse_collisions(items: Sequence[PlannedInput], option: str) -> None:
    owners: dict[str, str] = {}
    for item in items:
        for output in item.outputs:
            key = key_of(output)
            if key in owners:
                raise ConfigError(
                    f"{owners[key]} and {item.name} would both be written to {output}: "
                    f"use {{stem}}, {{dir}} or {{rank}} in `{option}`, and name each input once"
                )
            owners[key] = item.name


def _refuse_sources(items: Sequence[PlannedInput], option: str, own: str | None) -> None:
    """No output replaces an input, but the one input whose very name is ``own``, and no link."""
    sources = {_source_key(item) for item in items if item.source != STANDARD}
    for item in items:
        asked = own is not None and os.path.abspath(own) == os.path.abspath(item.source)
        for output in item.outputs:
            if key_of(output) not in sources or (asked and _is_itself(output, item.source)):
                continue
            remedy = f"write elsewhere with `{option}`"
            if option == "output":
                remedy += ", or name this one file itself with `output` and `overwrite`"
            raise ConfigError(f"{output} is an input and would be overwritten: {remedy}")


def _is_itself(output: Output, source: str) -> bool:
    if isinstance(output, Store):
        return output.url == source
    return os.path.abspath(output) == os.path.abspath(source) and not output.is_symlink()


def existing(plan: Plan) -> list[Output]:
    """Outputs that are there already. Raises ConfigError for names that no file can have."""
    return [path for item in plan.inputs for path in item.outputs if _exists(path)]
