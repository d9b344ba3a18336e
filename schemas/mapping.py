"""An import mapping: how the rows of exported CSV files become events. Declarative, written in TOML.

A mapping has one rule per kind of file; a file belongs to the rule all of whose columns it has, so that it may have any
name. A rule makes any number of events of one row, each with conditions of its own. A value is taken from a column
(its name alone is enough), is a constant, or is put together from columns.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Final

import msgspec

from funnelwatch.schemas import careful, fields
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.problems import ConfigurationError, Problems, nearest

MAPPING_CHARS_MAX: Final = 1024 * 1024
"""What is read of a mapping: people write it."""
NAMED_FORMATS: Final = ("iso", "unix", "unix_ms")
"""Besides the patterns of ``strptime``: ISO 8601, and seconds or milliseconds since 1970 UTC."""
JALALI: Final = "jalali "
"""In front of a pattern whose years, months and days are Jalali."""

_DIRECTIVES: Final = frozenset("YymdbBHIMSfpzjaA%")
_DIRECTIVE: Final = re.compile(r"%(.?)", re.DOTALL)


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a value comes from: exactly one of ``column``, ``constant``, ``template`` and ``row_id``.

    A text that is empty, or in ``absent``, is no value. ``map`` replaces whole texts; others become ``otherwise``, or
    pass if there is none. ``template`` is a text with ``{column}`` in it. ``row_id`` is a hash of the row and a running
    number for repetitions of the same row. With ``join``, ``column`` is looked up in a side file, in the row whose key
    this row has in ``key``. ``prefix`` stands in front of an id in place of the mapping's.
    """

    column: str = ""
    constant: str | bool | int | float | None = None
    template: str = ""
    row_id: bool = False
    join: str = ""
    key: str = ""
    map: dict[str, str] = {}
    otherwise: str | None = None
    absent: tuple[str, ...] = ()
    prefix: str | None = None

    @property
    def columns(self) -> set[str]:
        """The columns of the file itself that it needs."""
        if self.join:
            return {self.key}
        return {self.column} - {""} | placeholders(self.template)


Source = str | bool | int | float | Value
"""A text is the name of a column; a number or a truth value is a constant."""


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"is_": "is", "not_": "not"}):
    """What a row must be for an event: all that is given must hold for the text in ``column`` (blanks trimmed)."""

    column: str
    is_: str | tuple[str, ...] | None = None
    not_: str | tuple[str, ...] | None = None
    present: bool | None = None
    above: float | None = None
    below: float | None = None


class QuotaRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A month's quota of ``rep.upserted``: one month a row. ``month`` must come out as ``YYYY-MM``."""

    month: Source
    amount: Source | None = None
    currency: Source | None = None
    count: Source | None = None


class EventRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One event of a row. ``id`` is by default the hash of the row and the rule's place."""

    type: str
    subject: Source
    time: Source
    id: Source | None = None
    when: tuple[Condition, ...] = ()
    data: dict[str, Source] = {}
    quota: QuotaRule | None = None

    @property
    def kind(self) -> Kind:
        """The kind of entity the event belongs to."""
        return careful.KIND_OF_TYPE[self.type]

    def sources(self) -> Iterator[tuple[str, Source]]:
        """Everything that is taken from a row, by its name."""
        yield from (("subject", self.subject), ("time", self.time))
        if self.id is not None:
            yield "id", self.id
        for name, source in self.data.items():
            yield f"data.{name}", source
        if self.quota is not None:
            for name in ("month", "amount", "currency", "count"):
                source = getattr(self.quota, name)
                if source is not None:
                    yield f"quota.{name}", source


class Money(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How amounts and numbers are written. Parentheses around an amount make it negative."""

    decimal: str = "."
    group: str = ","
    symbols: str = "$€£¥﷼"


class FileRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of file. ``times`` are tried all; a text that two of them read differently is refused.

    Of a webhook it is one kind of record, and ``each`` the JSONPath of the records in a delivery.
    """

    name: str
    events: tuple[EventRule, ...]
    each: str = ""
    times: tuple[str, ...] = ()
    delimiter: str = ","
    encoding: str = "utf-8-sig"

    @property
    def joins(self) -> set[str]:
        """The side files it looks values up in."""
        sources = [source for event in self.events for _, source in event.sources()]
        return {source.join for source in sources if isinstance(source, Value)} - {""}

    @property
    def columns(self) -> set[str]:
        """The columns that a file of this kind has."""
        found: set[str] = set()
        for event in self.events:
            found |= {condition.column for condition in event.when}
            for _, source in event.sources():
                found |= columns_of(source)
        return found


class Join(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A side file whose rows are looked up by their ``key`` column; ``columns`` are those it must have."""

    name: str
    key: str
    columns: tuple[str, ...]
    delimiter: str = ","
    encoding: str = "utf-8-sig"


class Import(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole mapping. ``prefix`` stands in front of every id; ``zone`` is that of times without an offset."""

    source: str
    files: tuple[FileRule, ...]
    prefix: str = ""
    zone: str = ""
    times: tuple[str, ...] = ("iso",)
    money: Money = Money()
    joins: tuple[Join, ...] = ()


def parse(text: str) -> Import:
    """A mapping from its TOML.

    Raises:
        ConfigurationError: It cannot be used; all problems are listed.
    """
    problems = Problems()
    try:
        mapping = msgspec.convert(tomllib.loads(text[:MAPPING_CHARS_MAX]), Import)
    except (ValueError, RecursionError) as error:  # msgspec's and tomllib's errors are ValueErrors
        problems.add("", f"the mapping cannot be read: {error}")
        raise ConfigurationError(problems.found) from None
    _check(mapping, problems)
    if problems.found:
        raise ConfigurationError(problems.found)
    return mapping


def placeholders(template: str) -> set[str]:
    """The columns a template names.

    Raises:
        ValueError: Its braces are not in order, or what stands behind a name formats no text.
    """
    found = [(name, form or "") for _, name, form, _ in Formatter().parse(template) if name is not None]
    for _, form in found:
        format("a text", form)
    return {name for name, _ in found}


def filled(template: str, columns: Mapping[str, str]) -> str:
    """A template with the texts of columns in it. A name with dots is a name, not a way into a value."""
    return "".join(
        literal + ("" if name is None else format(columns[name].strip(), form or ""))
        for literal, name, form, _ in Formatter().parse(template)
    )


def columns_of(source: Source) -> set[str]:
    """The columns of the file itself that a value needs."""
    if isinstance(source, Value):
        return source.columns
    return {source} if isinstance(source, str) else set()


def _check(mapping: Import, problems: Problems) -> None:
    problems.unless(mapping.source, "source", "must not be empty: it names this import in every event")
    problems.unless(not mapping.zone or fields.zone_exists(mapping.zone), "zone", f"{mapping.zone!r} is no IANA zone")
    problems.unless(mapping.files, "files", "must have at least one rule")
    problems.unless(len(mapping.money.decimal) == 1, "money.decimal", "must be one character")
    problems.unless(mapping.money.group != mapping.money.decimal, "money.group", "must not be the decimal sign")
    _formats(mapping.times, "times", problems)
    joins = {join.name: join for join in mapping.joins}
    for number, rule in enumerate(mapping.files):
        path = f"files[{number}]"
        problems.unless(rule.events, f"{path}.events", "must have at least one event")
        problems.unless(len(rule.delimiter) == 1, f"{path}.delimiter", "must be one character")
        problems.unless(_encoding_exists(rule.encoding), f"{path}.encoding", "is no encoding that Python knows")
        _formats(rule.times, f"{path}.times", problems)
        for position, event in enumerate(rule.events):
            _event(event, f"{path}.events[{position}]", joins, problems)


def _event(event: EventRule, path: str, joins: Mapping[str, Join], problems: Problems) -> None:
    if event.type not in careful.KIND_OF_TYPE:
        problems.add(f"{path}.type", f"{event.type!r} is no event type{nearest(event.type, careful.KIND_OF_TYPE)}")
        return
    members = careful.MEMBERS[event.kind]
    for name in event.data:
        known = set(members) - {"quotas", "benchmarks"}
        problems.unless(
            name in known, f"{path}.data.{name}", f"{event.kind}s have no such member{nearest(name, known)}"
        )
    problems.unless(event.quota is None or event.kind is Kind.REP, f"{path}.quota", "is for rep.upserted")
    for name, source in event.sources():
        if isinstance(source, Value):
            _value(source, f"{path}.{name}", joins, problems)
    for number, condition in enumerate(event.when):
        problems.unless(condition.column, f"{path}.when[{number}].column", "must not be empty")


def _value(value: Value, path: str, joins: Mapping[str, Join], problems: Problems) -> None:
    given = [bool(value.column), value.constant is not None, bool(value.template), value.row_id]
    problems.unless(sum(given) == 1, path, "must have one of column, constant, template, row_id")
    try:
        placeholders(value.template)
    except ValueError as error:
        problems.add(f"{path}.template", str(error))
    if not value.join:
        return
    join = joins.get(value.join)
    if join is None:
        problems.add(f"{path}.join", f"no join is named {value.join!r}{nearest(value.join, joins)}")
        return
    problems.unless(value.key, f"{path}.key", "must name the column whose text is looked up")
    problems.unless(value.column in join.columns, f"{path}.column", f"is not among the columns of {join.name!r}")


def _formats(formats: tuple[str, ...], path: str, problems: Problems) -> None:
    for number, pattern in enumerate(formats):
        known = set(_DIRECTIVE.findall(pattern)) <= _DIRECTIVES and "%" in pattern
        problems.unless(
            pattern in NAMED_FORMATS or known,
            f"{path}[{number}]",
            f"{pattern!r} is no format of times; write one like '%d.%m.%Y %H:%M', or one of {', '.join(NAMED_FORMATS)}",
        )


def _encoding_exists(name: str) -> bool:
    try:
        "".encode(name)
    except LookupError:
        return False
    return True
