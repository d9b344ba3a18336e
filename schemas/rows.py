"""Rows of exported files to events, by an import mapping. Pure: a row comes in as a dictionary of texts.

Every event is read by the codec's own definition, so that a mapped row meets the same demands as a publisher.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from funnelwatch.schemas import careful, fields, written
from funnelwatch.schemas.events import Event
from funnelwatch.schemas.mapping import Condition, EventRule, FileRule, Import, Money, Source, Value, filled
from funnelwatch.schemas.reasons import Reason, RefusedError

TIMES_CACHED_MAX: Final = 65_536
"""Different texts of times that are remembered: exports repeat their dates."""
DISTINCT_ROWS_MAX: Final = 10_000_000
"""Rows of one file that are told apart by their hash."""

Cells = Mapping[str, str]
Tables = Mapping[str, Mapping[str, Cells]]
"""Side files: name of the join to key to row."""

_ROW_ID_CHARS: Final = 20
_ID_MEMBERS: Final = frozenset({"subject", "rep_id", "lead_id", "deal_id"})


class BadRowError(Exception):
    """A row that makes no events: a stable code, and a sentence for a person."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class RowReader:
    """Turns the rows of one file into events, one row after the other: repeated rows are numbered in their order.

    Args:
        mapping: The whole mapping.
        rule: The rule of this file.
        zone: The organisation's zone; the mapping's own comes first.
        tables: The side files that the mapping joins.
    """

    def __init__(self, mapping: Import, rule: FileRule, zone: str, tables: Tables) -> None:
        self._mapping = mapping
        self._rule = rule
        self._tables = tables
        times = written.Times(rule.times or mapping.times, ZoneInfo(mapping.zone or zone))
        instant = lru_cache(maxsize=TIMES_CACHED_MAX)(times.instant)
        self._read: dict[str, Callable[[str], Any]] = {
            **dict.fromkeys(("time", "started_at", "snooze_until", "expected_close"), instant),
            **dict.fromkeys(("cold", "active"), written.flag),
            **dict.fromkeys(("talk_seconds", "talk_ratio", "count"), lambda text: written.number(text, mapping.money)),
            "amount": lambda text: written.amount(text, mapping.money),
        }
        self._repetitions: Counter[bytes] = Counter()
        self._numbered = any(_needs_row_id(event) for event in rule.events)

    def events(self, cells: Cells) -> list[Event]:
        """The events of a row; none if no rule's conditions hold.

        Raises:
            BadRowError: A value cannot be read. Then the row makes no event at all.
        """
        row_id = self._row_id(cells) if self._numbered else ""
        try:
            return [
                self._event(event, f"{position}", cells, row_id)
                for position, event in enumerate(self._rule.events, 1)
                if all(holds(condition, cells, self._mapping.money) for condition in event.when)
            ]
        except RefusedError as error:
            raise BadRowError(error.reason.value, error.detail) from error

    def _event(self, rule: EventRule, position: str, cells: Cells, row_id: str) -> Event:
        identity = f"{row_id}/{position}" if rule.id is None else self._text(rule.id, cells, row_id)
        envelope: dict[str, Any] = {
            "specversion": careful.SPECVERSION,
            "source": self._mapping.source,
            "type": rule.type,
            "id": identity,
            "subject": self._member("subject", rule.subject, cells, row_id),
            "time": self._member("time", rule.time, cells, row_id),
            "data": {name: self._member(name, source, cells, row_id) for name, source in rule.data.items()},
        }
        for name in ("id", "subject", "time"):
            if envelope[name] is None:
                raise RefusedError(Reason.MISSING_ATTRIBUTE, f"the row has no {name} for {rule.type}")
        if rule.quota is not None:
            envelope["data"]["quotas"] = self._quota(rule, cells, row_id)
        return careful.read_event(rule.kind, envelope)

    def _quota(self, rule: EventRule, cells: Cells, row_id: str) -> dict[str, Any]:
        assert rule.quota is not None
        month = self._text(rule.quota.month, cells, row_id)
        if month is None:
            raise RefusedError(Reason.BAD_MONTH, "the row has no month for its quota")
        members = {"amount": rule.quota.amount, "currency": rule.quota.currency, "count": rule.quota.count}
        return {
            month: {
                name: self._member(name, source, cells, row_id)
                for name, source in members.items()
                if source is not None
            }
        }

    def _member(self, name: str, source: Source, cells: Cells, row_id: str) -> Any:
        """The value as it would stand in an event's JSON; None if the row has none."""
        text = self._text(source, cells, row_id)
        if text is None:
            return None
        if name in _ID_MEMBERS:
            own = source.prefix if isinstance(source, Value) else None
            return (self._mapping.prefix if own is None else own) + text
        read = self._read.get(name)
        return text if read is None else read(text)

    def _text(self, source: Source, cells: Cells, row_id: str) -> str | None:
        if isinstance(source, str):
            return cells[source].strip() or None
        if not isinstance(source, Value):
            return str(source)
        found = self._found(source, cells, row_id).strip()
        if not found or found in source.absent:
            return None
        return source.map.get(found, found if source.otherwise is None else source.otherwise)

    def _found(self, value: Value, cells: Cells, row_id: str) -> str:
        if value.join:
            return self._looked_up(value, cells)
        if value.column:
            return cells[value.column]
        if value.template:
            return filled(value.template, cells)
        return row_id if value.row_id else str(value.constant)

    def _looked_up(self, value: Value, cells: Cells) -> str:
        wanted = cells[value.key].strip()
        if not wanted:
            return ""
        row = self._tables.get(value.join, {}).get(wanted)
        if row is None:
            raise BadRowError("not_joined", f"{value.join} has no row whose key is {fields.shown(wanted)}")
        return row[value.column].strip()

    def _row_id(self, cells: Cells) -> str:
        content = "\x1f".join([self._rule.name, *(f"{name}\x1e{cells[name]}" for name in sorted(cells))])
        digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:_ROW_ID_CHARS]
        key = bytes.fromhex(digest)
        if len(self._repetitions) >= DISTINCT_ROWS_MAX and key not in self._repetitions:
            raise BadRowError(
                "too_many_rows",
                f"more than {DISTINCT_ROWS_MAX} different rows without an id; name a column that is one",
            )
        self._repetitions[key] += 1
        return f"{digest}-{self._repetitions[key]}"


def rule_of(mapping: Import, header: Sequence[str]) -> FileRule | None:
    """The rule whose columns a file has; of several, the one that needs most of them. None if there is none.

    Raises:
        ValueError: Two rules fit equally well.
    """
    fitting = sorted(
        (rule for rule in mapping.files if rule.columns <= set(header)), key=lambda rule: -len(rule.columns)
    )
    if len(fitting) > 1 and len(fitting[0].columns) == len(fitting[1].columns):
        raise ValueError(f"it fits the rules {fitting[0].name!r} and {fitting[1].name!r} equally well")
    return fitting[0] if fitting else None


def missing_columns(mapping: Import, header: Sequence[str]) -> str:
    """What a file without a rule lacks for the rule that it is nearest to, as a sentence."""
    nearest = min(mapping.files, key=lambda rule: len(rule.columns - set(header)) / (len(rule.columns) or 1))
    return f"for {nearest.name!r} it lacks the columns {', '.join(sorted(nearest.columns - set(header)))}"


def joined(rows: Iterable[Cells], key: str) -> dict[str, Cells]:
    """Side rows by their key; of rows with the same key the last stands."""
    return {row[key].strip(): row for row in rows}


def holds(condition: Condition, cells: Cells, money: Money) -> bool:
    """Whether a row meets a condition. A text that is no number is neither above nor below anything."""
    text = cells[condition.column].strip()
    if condition.present is not None and bool(text) is not condition.present:
        return False
    if condition.is_ is not None and text not in _texts(condition.is_):
        return False
    if condition.not_ is not None and text in _texts(condition.not_):
        return False
    if condition.above is None and condition.below is None:
        return True
    try:
        value = float(written.amount(text, money))
    except (ValueError, RefusedError):
        return False
    return (condition.above is None or value > condition.above) and (condition.below is None or value < condition.below)


def _needs_row_id(event: EventRule) -> bool:
    sources = [source for _, source in event.sources() if isinstance(source, Value)]
    return event.id is None or any(source.row_id for source in sources)


def _texts(wanted: str | tuple[str, ...]) -> tuple[str, ...]:
    return (wanted,) if isinstance(wanted, str) else wanted
