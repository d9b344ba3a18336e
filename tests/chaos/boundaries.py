"""Events where clocks and calendars have their edges, and publishers whose clocks are wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.fields import moment_of
from funnelwatch.schemas.settings import CalendarSettings
from funnelwatch.streams.calendar import DAY_US, Calendar
from funnelwatch.streams.simulator import Published
from funnelwatch.streams.simulator.demo import TEHRAN_CALENDAR
from funnelwatch.streams.simulator.wire import SOURCES

CALENDARS = {
    "Tehran": TEHRAN_CALENDAR,
    "Apia": CalendarSettings(zone="Pacific/Apia", week_start="sunday"),
    "New York": CalendarSettings(zone="America/New_York"),
    "Lord Howe": CalendarSettings(
        zone="Australia/Lord_Howe", working_days=("sunday", "monday", "tuesday"), hours=("00:00-24:00",)
    ),
    "St John's": CalendarSettings(zone="America/St_Johns", hours=("00:00-08:00", "22:00-24:00")),
}
DAYS_BACK = 430
"""Over a year: every zone that changes its clocks does it both ways."""
OFFSETS_US = (-1_000, 0, 1_000)
HOUR_US = 3_600_000_000
REPS = 4


def edges(calendar: CalendarSettings, now: int) -> list[int]:
    """The first instants of local months, of the last ten local days, and those at which clocks change."""
    days, zone = Calendar(calendar), ZoneInfo(calendar.zone)
    found = {days.day_start(days.day(now - back * DAY_US)) for back in range(10)}
    day = days.day(now - DAYS_BACK * DAY_US)
    while day <= days.day(now):
        found.add(days.day_start(day := days.next_month_start(day)))
    hours = range(now - DAYS_BACK * DAY_US - now % HOUR_US, now, HOUR_US // 2)
    shifts = [moment_of(at).astimezone(zone).utcoffset() for at in hours]
    found |= {at for at, was, is_ in zip(hours[1:], shifts, shifts[1:], strict=False) if was != is_}
    return sorted(at for at in found if at < now)


def on_edges(now: int) -> list[Published]:
    """Something of everything just before, at, and just after each edge of each calendar, told in local time."""
    events = list(_reps(now))
    for calendar in CALENDARS.values():
        zone = ZoneInfo(calendar.zone)
        for edge in edges(calendar, now):
            for offset in OFFSETS_US:
                events += _around(edge + offset, zone, len(events))
    return [event for event in events if event.at <= now]


def _reps(now: int) -> Iterator[Published]:
    for number in range(REPS):
        data = {"name": f"Rep {number}", "team": f"Team {number % 2}", "active": True}
        yield _event(Kind.REP, "upserted", f"edge:rep-{number}", now - DAYS_BACK * DAY_US, ZoneInfo("UTC"), data)


def _around(at: int, zone: ZoneInfo, number: int) -> list[Published]:
    """A deal that was created hours before and is decided now, after two stages; a lead, a call, an email."""
    rep = {"rep_id": f"edge:rep-{number % REPS}"}
    name = f"edge:{number}"
    money = {"amount": f"{1_000 + number % 977}.25", "currency": "EUR"}
    decided = ("won", {}) if number % 3 else ("lost", {"lost_reason": "price"})
    stage = {"pipeline": "new business", "stage": "qualification"}
    return [
        _event(Kind.DEAL, "created", name, at - 5 * HOUR_US, zone, rep | money | stage),
        _event(Kind.DEAL, "stage_changed", name, at - 90 * 60_000_000, zone, {"stage": "proposal"}),
        _event(Kind.DEAL, decided[0], name, at, zone, rep | decided[1] | {"lead_id": f"{name}-lead"}),
        _event(Kind.LEAD, "created", f"{name}-lead", at - 2 * HOUR_US, zone, rep | {"channel": "web"}),
        _event(Kind.LEAD, "qualified", f"{name}-lead", at, zone, rep),
        _event(Kind.CALL, "completed", f"{name}-call", at, zone, rep | {
            "direction": "outbound", "outcome": "connected", "talk_seconds": 60 + number % 50, "cold": True,
            "deal_id": name,
        }),
        _event(Kind.EMAIL, "sent", f"{name}-mail", at, zone, rep | {"cold": True, "lead_id": f"{name}-lead"}),
    ]  # fmt: skip


def _event(kind: Kind, what: str, subject: str, at: int, zone: ZoneInfo, data: dict) -> Published:  # noqa: PLR0917  (in the order of the envelope)
    time = moment_of(at).astimezone(zone).isoformat(timespec="milliseconds")
    value = {
        "specversion": "1.0",
        "id": f"{subject}/{what}",
        "source": SOURCES[kind],
        "type": f"{kind.value}.{what}",
        "subject": subject,
        "time": time,
        "data": data,
    }
    return Published(kind, subject, json.dumps(value).encode(), at)


def an_hour_off(events: list[Published], random: Random, share: float) -> list[Published]:
    """Some publishers' clocks are an hour ahead, others' an hour behind."""
    return [_moved(event, random.choice((-HOUR_US, HOUR_US))) if random.random() < share else event for event in events]


def in_other_times(events: list[Published], random: Random, count: int) -> list[tuple[Published, str]]:
    """The same events from clocks that are lost, with the reason for which each must be refused."""
    found = []
    for number, event in enumerate(random.sample(events, count)):
        year, reason = (("1970", "too_old"), ("2036", "in_the_future"))[number % 2]
        value = json.loads(event.value)
        value["time"] = f"{year}{value['time'][4:]}".replace("-02-29", "-02-28")
        value["id"] += "/lost"
        found.append((event._replace(value=json.dumps(value).encode()), reason))
    return found


def _moved(event: Published, by: int) -> Published:
    value = json.loads(event.value)
    value["time"] = (datetime.fromisoformat(value["time"]) + timedelta(microseconds=by)).isoformat(
        timespec="milliseconds"
    )
    return event._replace(value=json.dumps(value).encode(), at=event.at + by)
