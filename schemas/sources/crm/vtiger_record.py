"""One record of Vtiger, whichever way it came: chosen or own names, two zones, the formats of people's dates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import jdatetime

from funnelwatch.schemas import fields, written
from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources import reading
from funnelwatch.schemas.sources.contract import SourceOptions
from funnelwatch.schemas.sources.crm import values

DATES: Final = "dates"
DATES_HELP: Final = (
    "how people write dates there (Vtiger's own names): 'mm-dd-yyyy' (default), 'dd-mm-yyyy', 'yyyy-mm-dd'"
)
DATABASE_ZONE: Final = "database_zone"
USERS: Final = "users"
MODULES: Final = "modules"
SEEN_SINCE: Final = "funnelwatch_since"
"""A member that our poller adds: µs since which it has seen this stage or status, since many Vtigers do not keep it."""
NOTHING: Final = frozenset({"", "--None--", "--هیچ--"})

_ORDERS: Final = {"mm-dd-yyyy": (2, 0, 1), "dd-mm-yyyy": (2, 1, 0), "yyyy-mm-dd": (0, 1, 2)}
"""Where year, month and day stand."""
_TIME: Final = re.compile(
    r"(?P<date>\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4})"
    r"(?:[ T]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?:\.\d+)?"
    r"\s*(?P<half>[AaPp][Mm]|ق\.?ظ\.?|ب\.?ظ\.?)?)?",
    re.ASCII,
)
_MODULE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
_AFTERNOON: Final = frozenset({"pm", "بظ"})
_YEAR_DIGITS: Final = 4
_NOON: Final = 12
_JALALI_YEARS: Final = range(1200, 1600)
"""A year in which no record was kept in the other calendar."""
_MODULE_MARKS: Final = {
    "Potentials": ("sales_stage", "potentialname", "potential_no"),
    "Leads": ("leadstatus", "lead_no"),
    "PhoneCalls": ("callstatus", "sourceuuid"),
    "Users": ("user_name",),
    "Events": ("activitytype",),
}


def check_dates(options: SourceOptions) -> list[str]:
    """What is wrong with the options about times."""
    wrong = []
    if options.option(DATES, "mm-dd-yyyy") not in _ORDERS:
        wrong.append(f"options.{DATES}: must be one of {', '.join(_ORDERS)}")
    if not fields.zone_exists(options.option(DATABASE_ZONE, "UTC")):
        wrong.append(f"options.{DATABASE_ZONE}: {options.option(DATABASE_ZONE)!r} is no IANA zone")
    wrong += [
        f"options.{MODULES}: {name!r} is no module"
        for name in options.option(MODULES, "Leads").split(",")
        if not _MODULE.fullmatch(name.strip())
    ]
    return wrong


class Record:
    """A record by our names.

    Raises:
        RefusedError: It has no id, or a time of its own that cannot be read.
    """

    def __init__(self, row: Mapping[str, Any], options: SourceOptions) -> None:
        self._row = row
        self._options = options

    @property
    def id(self) -> str:
        """Its web service id, ``5x2179843``."""
        return values.identity(self.value("id", "id"), "id")

    @property
    def modified_at(self) -> int:
        """When it looked like this."""
        at = self.database_time("modified", "modifiedtime", "ModifiedTime")
        if at is None:
            raise RefusedError(
                Reason.MISSING_ATTRIBUTE,
                "modifiedtime is missing: nobody can know when this was; add it to the workflow's fields",
            )
        return at

    @property
    def created_at(self) -> int | None:
        """When it was made."""
        return self.database_time("created", "createdtime", "CreatedTime")

    @property
    def seen_since(self) -> int | None:
        """Since when our poller has seen this stage or status."""
        since = self._row.get(SEEN_SINCE)
        if isinstance(since, bool) or not isinstance(since, int):
            return None
        reading.instant_text(since)
        return since

    def module(self) -> str:
        """What it is, by the fields it has; empty if it cannot be told."""
        for module, marks in _MODULE_MARKS.items():
            if any(mark in self._row for mark in marks):
                return module
        chosen = self._options.fields
        if chosen.get("stage") in self._row:
            return "Potentials"
        return "Leads" if chosen.get("state") in self._row else ""

    def value(self, ours: str, *own: str) -> Any:
        """A member: of the chosen name if the record has it, else of Vtiger's own; None if there is none."""
        chosen = self._options.fields.get(ours)
        for name in ((chosen,) if chosen else ()) + own:
            found = self._row.get(name)
            if found is not None and not (isinstance(found, str) and found.strip() in NOTHING):
                return found
        return None

    def text(self, ours: str, *own: str) -> str:
        """As of `value`, as a text."""
        return reading.text_of(self.value(ours, *own))

    def owner(self) -> tuple[str, ...]:
        """Who it is assigned to: ``19x65``, which a workflow writes as ``65``, and an address if there is one."""
        user = self.text("rep_id", "assigned_user_id")
        address = self.text("rep_address", "assigned_to_username", "assigned_username")
        if user.isdecimal():
            user = f"{self._options.option(USERS, '19')}x{user}"
        return values.person(self._options, user, address)

    def database_time(self, ours: str, *own: str) -> int | None:
        """A time that Vtiger keeps itself."""
        return self._time(self.value(ours, *own), self._options.option(DATABASE_ZONE, "UTC"), own[0])

    def local_time(self, name: str) -> int | None:
        """A time that a person reads, in the source's zone."""
        return self._time(self._row.get(name), self._options.zone, name)

    def closing_date(self) -> int | None:
        """The end of a deal's closing date, within the deal's life: the best that is known of an old close."""
        day = self.text("expected_close", "closingdate")
        if not day:
            return None
        ends_at = self._time(f"{day} 23:59:59", self._options.zone, "closingdate")
        if ends_at is None:
            return None
        return min(self.modified_at, max(ends_at, self.created_at or ends_at))

    def _time(self, value: object, zone: str, name: str) -> int | None:
        if isinstance(value, str):
            value = _gregorian(written.western(value.strip()), self._options.option(DATES, "mm-dd-yyyy"))
        return values.instant(value, name, zone)


def _gregorian(text: str, order: str) -> str:
    """A person's date as ISO 8601, Jalali years turned into Gregorian ones; what is no such date stays as it is."""
    match = _TIME.fullmatch(text)
    if match is None:
        return text
    parts = [int(part) for part in re.split(r"[-/.]", match["date"])]
    widths = [len(part) for part in re.split(r"[-/.]", match["date"])]
    year_first = widths[0] == _YEAR_DIGITS
    if year_first == (widths[2] == _YEAR_DIGITS):
        return text
    year_at, month_at, day_at = _ORDERS["yyyy-mm-dd"] if year_first else _ORDERS.get(order, _ORDERS["mm-dd-yyyy"])
    if not year_first and order == "yyyy-mm-dd":
        return text
    year, month, day = parts[year_at], parts[month_at], parts[day_at]
    if year in _JALALI_YEARS:
        try:
            date = jdatetime.date(year, month, day).togregorian()
        except ValueError:
            return text
        year, month, day = date.year, date.month, date.day
    hour = int(match["hour"] or 0)
    half = (match["half"] or "").lower().replace(".", "")
    if half:
        hour = hour % _NOON + (_NOON if half in _AFTERNOON else 0)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{match['minute'] or '00'}:{match['second'] or '00'}"
