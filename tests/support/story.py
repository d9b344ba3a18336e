"""Events told briefly: a story hands out ids, reads local times, and keeps what was told."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from zoneinfo import ZoneInfo

from funnelwatch.schemas.events import (
    CallData,
    DealData,
    EmailData,
    Event,
    Kind,
    LeadData,
    RepData,
)

DATA = {Kind.LEAD: LeadData, Kind.DEAL: DealData, Kind.CALL: CallData, Kind.EMAIL: EmailData, Kind.REP: RepData}
UNITS = 10_000


def instant(text: str, zone: str = "UTC") -> int:
    """The µs of a local time like ``2026-03-02 09:00``."""
    local = datetime.fromisoformat(text)
    return round((local if local.tzinfo else local.replace(tzinfo=ZoneInfo(zone))).timestamp() * 1_000_000)


class Story:
    """``story("deal.won d1", "2026-03-02 09:00", rep_id="ann", amount=5)``; amounts are in whole money."""

    def __init__(self, zone: str = "UTC") -> None:
        self.zone = zone
        self.events: list[Event] = []
        self._ids = count(1)

    def __call__(self, what: str, when: str, *, event_id: str = "", source: str = "crm", **members: object) -> Event:
        event_type, subject = what.split()
        kind = Kind(event_type.split(".")[0])
        if isinstance(members.get("amount"), int | float):
            members["amount"] = round(members["amount"] * UNITS)
        event = Event(
            kind=kind,
            type=event_type,
            id=event_id or f"e{next(self._ids):04}",
            source=source,
            subject=subject,
            at=instant(when, self.zone),
            data=DATA[kind](**members),
        )
        self.events.append(event)
        return event
