"""Any JSON or form webhook, by a mapping the organisation writes: the language of ``funnelwatch import``.

What is a column there is here a member of the record: its name; a path of names with dots (``deal.owner.email``); or,
beginning with ``$``, a JSONPath (RFC 9535) of which the first value counts. ``each`` of a rule is the JSONPath of its
records; without it the document is one, or each of its elements is. Every rule looks at every record: which event it
makes is a matter of its conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from funnelwatch.schemas.encode import members
from funnelwatch.schemas.events import Event
from funnelwatch.schemas.mapping import FileRule, Import
from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.rows import BadRowError, RowReader
from funnelwatch.schemas.sources import reading
from funnelwatch.schemas.sources.contract import Delivery, Outgoing, Passed, Result, SourceOptions

RECORDS_MAX: Final = 10_000
"""Records in one delivery."""
PATHS_CACHED_MAX: Final = 4_096

FORM: Final = "application/x-www-form-urlencoded"


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """The events that the rules of the source's mapping make of a delivery.

    Raises:
        RefusedError: It is neither JSON nor a form, or a value cannot be read.
    """
    return events_of(_document(delivery), options)


def events_of(document: Any, options: SourceOptions) -> list[Result]:
    """The events that the rules of the source's mapping make of a document.

    Raises:
        RefusedError: A value cannot be read.
    """
    if options.mapping is None:
        raise RefusedError(Reason.UNKNOWN_VALUE, f"the source {options.name} has no mapping")
    found: list[Result] = []
    for rule in options.mapping.files:
        reader = RowReader(_prefixed(options), rule, options.zone, {})
        for record in _records(document, rule):
            found += _events(reader, _cells(record, rule), options)
    return found or [Passed("no_rule", "no rule of the mapping makes an event of this")]


def check(options: SourceOptions) -> list[str]:
    """What a mapping for webhooks cannot have."""
    mapping = options.mapping
    if mapping is None:
        return []
    problems = [f"mapping_file: joins ({join.name!r}) are for files, a delivery has none" for join in mapping.joins]
    for rule in mapping.files:
        for path in {rule.each, *rule.columns}:
            if path.startswith("$"):
                try:
                    _path(path)
                except ValueError as error:
                    problems.append(f"mapping_file: {rule.name!r}: {path!r} is no JSONPath: {error}")
    return problems


def _document(delivery: Delivery) -> Any:
    if delivery.media_type == FORM:
        return {name: values[0] for name, values in reading.form_body(delivery.body).items()}
    return reading.json_body(delivery.body)


def _records(document: Any, rule: FileRule) -> list[Any]:
    records = _found(rule.each, document) if rule.each else document
    if not isinstance(records, list):
        records = [records]
    return reading.sequence(records, "the delivery", RECORDS_MAX)


def _cells(record: Any, rule: FileRule) -> dict[str, str]:
    return {column: _text(record, column) for column in rule.columns}


def _text(record: Any, column: str) -> str:
    if column.startswith("$"):
        found = _found(column, record)
        return reading.text_of(found[0]) if found else ""
    if isinstance(record, Mapping) and column in record:
        return reading.text_of(record[column])
    for name in column.split("."):
        if not isinstance(record, Mapping):
            return ""
        record = record.get(name)
    return reading.text_of(record)


def _events(reader: RowReader, cells: dict[str, str], options: SourceOptions) -> list[Result]:
    try:
        return [_outgoing(event, options) for event in reader.events(cells)]
    except BadRowError as error:
        reason = Reason(error.reason) if error.reason in set(Reason) else Reason.UNKNOWN_VALUE
        raise RefusedError(reason, error.detail) from None


def _outgoing(event: Event, options: SourceOptions) -> Outgoing:
    data = members(event.data)
    rep = data.pop("rep_id", None)
    return Outgoing(
        type=event.type,
        subject=event.subject,
        at=event.at,
        id=event.id,
        source=options.source,
        data=data,
        rep=() if rep is None else (rep,),
    )


def _prefixed(options: SourceOptions) -> Import:
    """The mapping with an id's prefix: its own, or the source's."""
    mapping = options.mapping
    assert mapping is not None
    if mapping.prefix:
        return mapping
    return msgspec.structs.replace(mapping, prefix=f"{options.prefix or options.name}:")


def _found(path: str, value: Any) -> list[Any]:
    """What a JSONPath names in a value. The library would read a text as another document."""
    if not isinstance(value, dict | list):
        return []
    found: list[Any] = _path(path).findall(value)
    return found


@lru_cache(maxsize=PATHS_CACHED_MAX)
def _path(text: str) -> Any:
    """A compiled JSONPath.

    Raises:
        ValueError: It is none.
    """
    from jsonpath import JSONPathEnvironment, JSONPathError  # noqa: PLC0415  (0.3 s that only mappings with paths need)

    try:
        return JSONPathEnvironment(strict=True).compile(text)
    except JSONPathError as error:
        raise ValueError(str(error).partition("\n")[0]) from None
