"""Defaults of options from ``cropper.toml`` and from ``CROPPER_*`` variables.

A key is an option's name without its dashes. Tables are commands, ``[best]`` or ``[train.crops]``;
keys outside of tables are for the commands that crop. What a file says becomes click's
``default_map``; a variable, ``CROPPER_BEST_ASPECT``, is the option's ``envvar``.

A file that was only found, in the working folder or above it, may have come with somebody's photos.
So it may say what crops look like and nothing else (``LOOKS``): whatever names files, folders or
machines, replaces files, lifts a limit or silences a message is taken from a file that the user
named, or that lies in the home folder itself.
"""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from cropper.errors import ConfigError

__all__ = ["LOOKS", "Settings", "commands_of", "name_variables", "options_of", "read_settings"]

NAME = "cropper.toml"
CROPPING = ("best", "bulk", "watch")  # commands that keys outside of tables are for
LOOKS = {
    *("aspect", "size", "preset", "method", "shear", "min-scale", "max-scale", "min-pixels"),
    *("keep", "if-absent", "avoid", "focus", "fit", "background", "straighten", "angle"),
    *("orient", "filter", "top-k", "seed", "no-enlarge", "format", "quality", "strip", "linear"),
    *("strict", "include", "exclude", "min-gain"),
}
_PREFIX = "CROPPER"
_MOST = 1 << 16  # bytes of a file
_REMEDY = "mend it, or pass it over with --no-config"

Tables = dict[str, Any]
Trail = tuple[str, ...]  # names of commands, from the outermost


@dataclass(frozen=True)
class Settings:
    """What was read, for click and for messages."""

    path: Path | None = None
    found: bool = False  # nobody named it
    defaults: Tables = field(default_factory=dict)  # click's default_map


def options_of(command: click.Command) -> dict[str, click.Option]:
    """A command's options by their keys."""
    options = (each for each in command.params if isinstance(each, click.Option))
    return {max(each.opts, key=len).lstrip("-"): each for each in options}


def commands_of(group: click.Group, trail: Trail = ()) -> Iterator[tuple[Trail, click.Command]]:
    """Every command below a group, groups too."""
    for name, command in group.commands.items():
        yield (*trail, name), command
        if isinstance(command, click.Group):
            yield from commands_of(command, (*trail, name))


def name_variables(group: click.Group) -> None:
    """Every option without a variable gets the one of its command and key."""
    for trail, command in commands_of(group):
        for key, option in options_of(command).items():
            option.envvar = option.envvar or _variable(*trail, key)


def read_settings(group: click.Group, named: Path | None, *, search: bool = True) -> Settings:
    """Of the file that is named, else of the nearest one if that is looked for.

    Raises ConfigError for a file that cannot be read, for keys that are none, with the nearest
    that is one, for values of a wrong kind, and for variables of commands that name no option.
    """
    _check_variables(group)
    path = named or (_nearest() if search else None)
    if path is None:
        return Settings()
    found = named is None and path.parent != _home()
    reader = _Reader(path, LOOKS if found else None)
    return Settings(path, found, reader.defaults(group, _parsed(path, found=found)))


def _variable(*names: str) -> str:
    return "_".join((_PREFIX, *names)).upper().replace("-", "_")


def _check_variables(group: click.Group) -> None:
    """A misspelt variable of a command would be passed over in silence."""
    commands = [(trail, each) for trail, each in commands_of(group)]
    known = {str(o.envvar) for _, each in commands for o in options_of(each).values()}
    starts = tuple(_variable(*trail, "") for trail, _ in commands)
    for name in sorted(os.environ):
        if name.startswith(starts) and name not in known:
            raise ConfigError(f"{name}: no such variable{_meant(name, known)}; unset it")


def _meant(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f", the nearest is {near[0]}" if near else ""


def _home() -> Path | None:
    try:
        return Path.home().resolve()
    except RuntimeError:
        return None


def _nearest() -> Path | None:
    """From the working folder up to the home folder, or to the root."""
    try:
        here = Path.cwd()
    except OSError:  # it was removed
        return None
    home = _home()
    for folder in (here, *here.parents):
        if os.path.lexists(folder / NAME):
            return folder / NAME
        if folder == home:
            break
    return None


def _parsed(path: Path, *, found: bool) -> Tables:
    import tomllib  # noqa: PLC0415 - most runs have no file

    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            told = os.fstat(file.fileno())
            if not stat.S_ISREG(told.st_mode):
                raise ConfigError(f"{path} is no regular file: {_REMEDY}")
            if found and told.st_uid not in (0, os.getuid()):
                raise ConfigError(
                    f"{path} belongs to another user: name it with --config, or {_REMEDY}"
                )
            content = file.read(_MOST + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; {_REMEDY}") from error
    if len(content) > _MOST:
        raise ConfigError(f"{path} has more than {_MOST} bytes: {_REMEDY}")
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {error}; {_REMEDY}") from error


class _Reader:
    """One file's tables, checked and as click's defaults."""

    def __init__(self, path: Path, allowed: set[str] | None) -> None:
        self.path, self.allowed = path, allowed

    def defaults(self, group: click.Group, tables: Mapping[str, Any]) -> Tables:
        croppers = {name: group.commands[name] for name in CROPPING if name in group.commands}
        shared = {key for each in croppers.values() for key in options_of(each)}
        loose = {key: value for key, value in tables.items() if key not in group.commands}
        self._check_known(loose, shared | group.commands.keys(), ())
        made: Tables = {}
        for name, command in croppers.items():
            own = {key: x for key, x in loose.items() if _key(key) in options_of(command)}
            made[name] = self._table(command, own, ())
        for name in tables.keys() & group.commands.keys():
            command = group.commands[name]
            made[name] = {**made.get(name, {}), **self._table(command, tables[name], (name,))}
        return made

    def _table(self, command: click.Command, table: Any, trail: Trail) -> Tables:
        if not isinstance(table, dict):
            raise self._wrong(trail, f"is the table of a command, got {table!r}")
        options = options_of(command)
        inner = command.commands if isinstance(command, click.Group) else {}
        self._check_known(table, options.keys() | inner.keys(), trail)
        made: Tables = {}
        for key, value in table.items():
            place = (*trail, key)
            if key in inner:
                made[key] = self._table(inner[key], value, place)
                continue
            if self.allowed is not None and _key(key) not in self.allowed:
                raise self._wrong(
                    place,
                    "is not taken from a file that was found and not named, since it may have come "
                    "with photos: name it with --config or CROPPER_CONFIG,",
                )
            self._put(made, options[_key(key)], value, place)
        return made

    def _put(self, made: Tables, option: click.Option, value: Any, place: Trail) -> None:
        wanted, what = _kind(option)
        values = value if isinstance(value, list) and option.multiple else [value]
        for each in values:
            if not isinstance(each, wanted) or (isinstance(each, bool) and wanted is not bool):
                more = ", or a list of them" if option.multiple else ""
                raise self._wrong(place, f"is {what}{more}, got {value!r}:")
        if option.is_flag and not option.is_bool_flag:
            if value:
                made[str(option.name)] = option.flag_value
        else:
            made[str(option.name)] = values if option.multiple else value

    def _check_known(self, keys: Any, known: Any, trail: Trail) -> None:
        for key in keys:
            if key not in known and _key(key) not in known:
                raise self._wrong((*trail, key), f"is no setting{_meant(_key(key), known)}:")

    def _wrong(self, place: Trail, what: str) -> ConfigError:
        return ConfigError(f"{self.path}: {'.'.join(place)} {what} {_REMEDY}")


def _key(name: str) -> str:
    return name.replace("_", "-")


def _kind(option: click.Option) -> tuple[Any, str]:
    """What an option's value is in TOML, and in words."""
    if option.is_flag:
        return bool, "true or false"
    if isinstance(option.type, click.types.IntParamType):
        return int, "a whole number"
    if isinstance(option.type, click.types.FloatParamType):
        return (int, float), "a number"
    return str, "text"
