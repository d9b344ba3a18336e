"""TOML text and environment variables to settings; everything that is wrong is reported at once.

``FUNNELWATCH_`` and the path of a setting in capitals, its parts joined by two underscores, overrides the file:
``FUNNELWATCH_RETENTION_DAYS=400``, ``FUNNELWATCH_KAFKA__BOOTSTRAP=a:9092,b:9092``,
``FUNNELWATCH_CALENDAR__HOLIDAYS__COUNTRY=IR``. A text is taken as it is, a list of texts is separated by commas, all
else is written as in TOML. Passwords are only taken from ``FUNNELWATCH_KAFKA_PASSWORD`` and
``FUNNELWATCH_REDIS_PASSWORD``; ``FUNNELWATCH_SECRET_…`` are the secrets of sources, which the gateway reads. No message
ever shows the value of a variable.
"""

from __future__ import annotations

import tomllib
import types
import typing
from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from funnelwatch.schemas import alerting_checks, checks
from funnelwatch.schemas.problems import ConfigurationError, Problem, Problems, nearest
from funnelwatch.schemas.settings import SECRET_PREFIX, Secrets, Settings

PREFIX: Final = "FUNNELWATCH_"
SECRETS: Final = {"FUNNELWATCH_KAFKA_PASSWORD": "kafka_password", "FUNNELWATCH_REDIS_PASSWORD": "redis_password"}
OTHER_VARIABLES: Final = frozenset({"FUNNELWATCH_CONFIG", "FUNNELWATCH_CACHE"})
"""Read by the shell before or beside the configuration: where it is, and where downloads are kept."""
TEXT_BYTES_MAX: Final = 1024 * 1024
"""A configuration is written by people; a larger file is something else."""

__all__ = ["ConfigurationError", "Problem", "load", "variables"]

Countries = Mapping[str, Collection[str]]
"""Countries whose holidays are known, with their subdivisions."""


def load(text: str, environment: Mapping[str, str], *, countries: Countries | None = None) -> tuple[Settings, Secrets]:
    """The settings a TOML text and the environment give, and the passwords.

    Args:
        text: The file's content; empty for the defaults.
        environment: Environment variables; those without our prefix are ignored.
        countries: What ``calendar.holidays`` may name; None leaves it to the calendar.

    Raises:
        ConfigurationError: Something is wrong; the error holds all problems.
    """
    problems = Problems()
    values = _parsed(text, problems)
    overridden = _override(values, environment, problems)
    settings: Settings = _struct(Settings, values, "", problems)
    problems.settle()
    checks.check(settings, problems, countries)
    alerting_checks.check(settings, problems)
    if problems.found:
        raise ConfigurationError(_told(problem, overridden) for problem in problems.found)
    secrets = Secrets(**{field: environment.get(name, "") for name, field in SECRETS.items()})
    return settings, secrets


def variables() -> dict[str, str]:
    """Every setting that a variable can override: name of the variable to path in the file."""
    return {_variable(path): path for path in _paths(Settings)}


def _parsed(text: str, problems: Problems) -> dict[str, Any]:
    if len(text) > TEXT_BYTES_MAX:
        problems.add("", f"the file has more than {TEXT_BYTES_MAX} characters; that is no configuration")
        return {}
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        problems.add("", f"the file is not TOML: {error}")
        return {}


def _override(values: dict[str, Any], environment: Mapping[str, str], problems: Problems) -> dict[str, str]:
    """Put the variables' values over the file's. Returns path to variable."""
    known = _paths(Settings)
    names = {_variable(path): path for path in known}
    overridden: dict[str, str] = {}
    for name in sorted(name for name in environment if name.startswith(PREFIX)):
        if name in SECRETS or name in OTHER_VARIABLES or name.startswith(SECRET_PREFIX):
            continue
        path = names.get(name)
        if path is None:
            problems.add(name, f"no such setting{nearest(name, [*names, *SECRETS, *OTHER_VARIABLES])}")
            continue
        try:
            _put(values, path.split("."), _value(environment[name], known[path]))
        except ValueError as error:
            problems.add(name, str(error))
        overridden[path] = name
    return overridden


def _value(text: str, wanted: Any) -> Any:
    """A variable's text as the value its setting has in TOML.

    Raises:
        ValueError: It cannot be read as TOML.
    """
    if wanted is str:
        return text
    if wanted == tuple[str, ...]:
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        raise ValueError("cannot be read; write the value as in TOML (8080, true, 0.7, [...])") from None


def _put(values: dict[str, Any], path: list[str], value: Any) -> None:
    *tables, name = path
    for table in tables:
        inner = values.get(table)
        if not isinstance(inner, dict):
            inner = values[table] = {}
        values = inner
    values[name] = value


def _struct(type_: Any, values: Any, path: str, problems: Problems) -> Any:
    """A struct from a table. What is wrong is noted, and left at its default or at something that is no trouble."""
    if not isinstance(values, dict):
        problems.add(path, f"must be a table, is {_kind(values)}")
        values = {}
        known_wrong = True
    else:
        known_wrong = False
    fields = {field.name: field for field in msgspec.structs.fields(type_)}
    found: dict[str, Any] = {}
    for name, value in values.items():
        place = f"{path}.{name}" if path else name
        if name not in fields:
            problems.add(place, _unknown(place, name, fields))
            continue
        before = len(problems.found)
        converted = _converted(fields[name].type, value, place, problems)
        if converted is not None or len(problems.found) == before:
            found[name] = converted
    for name, field in fields.items():
        if not field.required or name in found:
            continue
        if name not in values and not known_wrong:
            problems.add(f"{path}.{name}", "is missing")
        found[name] = f"{path}.{name}" if field.type is str else ()
    return type_(**found)


def _unknown(place: str, name: str, fields: Collection[str]) -> str:
    if "password" in name:
        return f"passwords are only taken from the environment: {' and '.join(SECRETS)}"
    everywhere = [path for path in _paths(Settings) if path.rpartition(".")[2] == name and path != place]
    if everywhere:
        return f"unknown setting; did you mean {everywhere[0]!r}?"
    return f"unknown setting{nearest(name, fields)}"


def _converted(type_: Any, value: Any, path: str, problems: Problems) -> Any:
    arguments = typing.get_args(type_)
    origin = typing.get_origin(type_)
    if _is_struct(type_):
        return _struct(type_, value, path, problems)
    if origin is tuple and _is_struct(arguments[0]):
        if not isinstance(value, list):
            problems.add(path, f"must be an array of tables ([[{path}]]), is {_kind(value)}")
            return ()
        return tuple(_struct(arguments[0], row, f"{path}[{number}]", problems) for number, row in enumerate(value))
    if origin is dict and isinstance(value, dict):
        inner = {name: _converted(arguments[1], one, f"{path}.{name}", problems) for name, one in value.items()}
        return {name: one for name, one in inner.items() if one is not None}
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError:
        problems.add(path, f"must be {_name_of(type_)}, is {_kind(value)}")
        return None


def _told(problem: Problem, overridden: Mapping[str, str]) -> Problem:
    """The problem at the variable, if its value came from one."""
    for path, variable in overridden.items():
        if problem.path == path or problem.path.startswith((f"{path}[", f"{path}.")):
            return Problem(variable + problem.path.removeprefix(path), problem.message)
    return problem


def _paths(type_: Any, path: str = "") -> dict[str, Any]:
    """The settings that are no tables, by their path."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(type_):
        place = f"{path}.{field.name}" if path else field.name
        if _is_struct(field.type):
            found |= _paths(field.type, place)
        else:
            found[place] = field.type
    return found


def _variable(path: str) -> str:
    return PREFIX + path.upper().replace(".", "__")


def _is_struct(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "an integer", float: "a number", str: "a text", list: "an array"}
    return names.get(type(value), "a table" if isinstance(value, dict) else "a date or time")


def _name_of(type_: Any) -> str:
    if isinstance(type_, types.UnionType):
        type_ = next(one for one in typing.get_args(type_) if one is not type(None))
    names = {str: "a text", int: "an integer", float: "a number", bool: "true or false"}
    if type_ in names:
        return names[type_]
    return "an array of texts" if typing.get_origin(type_) is tuple else "a table"
