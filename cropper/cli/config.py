"""``cropper config``: the settings in force, and where each comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click
from click.core import ParameterSource

from cropper.cli.group import explained, main
from cropper.cli.options import JSON_LINES
from cropper.cli.settings import commands_of, options_of
from cropper.errors import ConfigError

__all__ = ["config_command"]

_SECRET = {"token"}  # keys whose values are not shown
_FROM = {ParameterSource.DEFAULT_MAP: "file", ParameterSource.ENVIRONMENT: "variable"}


@main.command("config")
@click.argument("names", metavar="[COMMAND]...", nargs=-1)
@JSON_LINES
@click.pass_context
def config_command(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Print what files and variables set, or every setting of COMMAND, and where it comes from."""
    from cropper.console import print_json, print_line  # noqa: PLC0415 - the library

    assert isinstance(main, click.Group)
    if names and names not in {trail for trail, _ in commands_of(main)}:
        raise ConfigError(f"{' '.join(names)} is no command")
    if ctx.obj.path and not as_json:
        print_line(f"# {ctx.obj.path}{' (found, not named)' * ctx.obj.found}")
    root = ctx.find_root()
    for record in _settings(main, root, ()):
        place = tuple(record["command"].split())
        if (place[: len(names)] == names) if names else record["source"] != "default":
            if as_json:
                print_json(record)
            else:
                key = ".".join((*place, record["option"]))
                value = json.dumps(record["value"])
                origin = f" {record['origin']}" if record["origin"] else ""
                print_line(f"{key} = {value}  # {record['source']}{origin}")


def _settings(
    group: click.Group, above: click.Context, trail: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    for name, command in group.commands.items():
        ctx = click.Context(command, parent=above, info_name=name)
        for key, option in options_of(command).items():
            yield {"command": " ".join((*trail, name)), "option": key, **_record(ctx, key, option)}
        if isinstance(command, click.Group):
            yield from _settings(command, ctx, (*trail, name))


def _record(ctx: click.Context, key: str, option: click.Option) -> dict[str, Any]:
    """Value and source of one option; raises as the command itself would."""
    value, source = option.consume_value(ctx, {})
    if source in _FROM:
        with explained(ctx):
            option.handle_parse_result(ctx, {}, [])
    elif not isinstance(value, (bool, int, float, str, tuple)):
        value = option.get_default(ctx)
    if option.is_flag and not option.is_bool_flag:
        value = value == option.flag_value
    elif option.is_flag and source in _FROM:
        value = option.type.convert(value, option, ctx)
    shown = "(not shown)" if key in _SECRET and value else value
    told = _FROM.get(source, "default")
    origin = {"file": str(ctx.obj.path), "variable": str(option.envvar)}.get(told)
    return {"value": _plain(shown), "source": told, "origin": origin}


def _plain(value: Any) -> Any:
    """As JSON has it; what was never set is null."""
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (bool, int, float, str)):
        return value
    return str(value) if hasattr(value, "__fspath__") else None
