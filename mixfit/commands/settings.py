"""Options that a configuration file says once for all calls: found, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from mixfit.base.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

FILE = "mixfit.toml"
PROJECT = "pyproject.toml"
# Options that say how tables are read; `mixfit optimize` calls other things so.
_TABLES_ONLY = ("model-size", "tokens")


@dataclass(frozen=True)
class Setting:
    """An option that a configuration file sets for one command.

    Attributes:
        command: its name.
        option: as on the command line, without dashes.
        parameter: the name of the function's parameter.
        value: for the parser of options.
        place: the file, and the table in it.
    """

    command: str
    option: str
    parameter: str
    value: Any
    place: str


def read_settings(folder: Path, context: typer.Context) -> tuple[Setting, ...]:
    """Read the settings that are in force in a folder.

    They stand in the first ``mixfit.toml``, or ``pyproject.toml`` with a table ``tool.mixfit``,
    from the folder upward. A key is an option of every command that has it, or, in a table with a
    command's name, of that command, which goes before.

    Args:
        folder: where the search begins.
        context: of the program, which knows its commands and their options.

    Raises:
        InputError: the file cannot be read, or has a key or a value that no option takes.
    """
    for path in _candidates(folder):
        content = _content(path)
        if content is not None:
            found: dict[tuple[str, str], Setting] = {}
            for setting in _settings(content, path, context):
                found[setting.command, setting.option] = setting
            order = list(_commands(context))
            return tuple(sorted(found.values(), key=lambda setting: order.index(setting.command)))
    return ()


def defaults_of(settings: Iterable[Setting]) -> dict[str, dict[str, Any]]:
    """Give settings as the defaults of commands: command to parameter to value."""
    defaults: dict[str, dict[str, Any]] = {}
    for setting in settings:
        defaults.setdefault(setting.command, {})[setting.parameter] = setting.value
    return defaults


def _commands(context: typer.Context) -> Mapping[str, Any]:
    commands: Mapping[str, Any] = context.find_root().command.commands  # type: ignore[attr-defined]
    return commands


def _candidates(folder: Path) -> Iterator[Path]:
    for above in (folder, *folder.parents):
        for name in (FILE, PROJECT):
            if (above / name).is_file():
                yield above / name


def _content(path: Path) -> dict[str, Any] | None:
    """Give what a file sets, or None for a project's file that has no table for it."""
    import tomllib

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:  # no TOML, or no UTF-8
        if path.name == PROJECT:  # of other tools too: they say what is wrong with it
            return None
        raise InputError(f"{path}: cannot be read as TOML: {error}.") from None
    if path.name == FILE:
        return content
    tool = content.get("tool")
    own = tool.get("mixfit") if isinstance(tool, dict) else None
    return own if isinstance(own, dict) else None


def _settings(content: Mapping[str, Any], path: Path, context: typer.Context) -> Iterator[Setting]:
    commands = _commands(context)
    options = {name: _options_of(command) for name, command in commands.items()}
    shared = {key: value for key, value in content.items() if not isinstance(value, dict)}
    top = _place(path)
    for key, value in shared.items():
        named = key.replace("_", "-")
        having = [
            name
            for name, own in options.items()
            if named in own and (named not in _TABLES_ONLY or "where" in own)
        ]
        if not having:
            known = [*options, *(option for own in options.values() for option in own)]
            raise InputError(f"{top}: '{key}' is no option of any command.{nearest(named, known)}")
        for name in having:
            yield _setting(name, named, value, options[name], top, context)
    for name, table in content.items():
        if not isinstance(table, dict):
            continue
        if name not in commands:
            raise InputError(f"{top}: '{name}' is no command.{nearest(name, commands)}")
        place = _place(path, name)
        for key, value in table.items():
            named = key.replace("_", "-")
            if named not in options[name]:
                hint = nearest(named, options[name])
                raise InputError(f"{place}: '{key}' is no option of mixfit {name}.{hint}")
            yield _setting(name, named, value, options[name], place, context)


def _place(path: Path, table: str = "") -> str:
    tables = [*(["tool.mixfit"] if path.name == PROJECT else []), *([table] if table else [])]
    return f"{path} [{'.'.join(tables)}]" if tables else str(path)


def _options_of(command: Any) -> dict[str, Any]:
    """Give the options of a command by their long names without dashes."""
    found = {}
    for parameter in command.params:
        for name in parameter.opts:
            if name.startswith("--") and name != "--help":
                found[name.removeprefix("--")] = parameter
    return found


def _setting(
    command: str,
    option: str,
    value: Any,
    options: Mapping[str, Any],
    place: str,
    context: typer.Context,
) -> Setting:
    parameter = options[option]
    flag = bool(getattr(parameter, "is_flag", False))
    values = value if isinstance(value, list) else [value]
    if isinstance(value, list) and not parameter.multiple:
        raise InputError(f"{place}: '{option}' takes one value in mixfit {command}, not a list.")
    for one in values:
        if not isinstance(one, bool if flag else str | int | float) or (
            isinstance(one, bool) and not flag
        ):
            what = "true or false" if flag else "a text or a number"
            raise InputError(f"{place}: '{option}' must be {what}, not {one!r}.")
    texts = [one if flag else str(one) for one in values]
    given = texts if parameter.multiple else texts[0]
    try:
        parameter.process_value(context, given)
    except typer.BadParameter as error:
        raise InputError(f"{place}: '{option}': {error.message}") from None
    return Setting(command, option, parameter.name, given, place)
