"""Short stories of one entity for example tests: what happened, hour by hour, and what it adds up to."""

from __future__ import annotations

from datetime import UTC, datetime

from funnelwatch.schemas.events import CallData, DealData, EmailData, Event, Kind, LeadData, RepData
from funnelwatch.streams.cells import MINUTE_US
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.links import Link
from support.organisation import CONTEXT

HOUR_US = 60 * MINUTE_US
MONDAY_US = int(datetime(2026, 11, 2, 9, tzinfo=UTC).timestamp()) * 1_000_000
"""A Monday, 09:00 UTC, when work begins in `support.organisation`."""

_DATA = {Kind.DEAL: DealData, Kind.LEAD: LeadData, Kind.CALL: CallData, Kind.EMAIL: EmailData, Kind.REP: RepData}


def hour(number):
    """The instant so many hours of wall time after `MONDAY_US`."""
    return MONDAY_US + round(number * HOUR_US)


def event(kind, at_hour, what, *, identity=None, subject="x", source="crm", **members):
    """One event, ``what`` being its type without the kind."""
    at = hour(at_hour)
    return Event(kind, f"{kind}.{what}", identity or f"{at}-{what}", source, subject, at, _DATA[kind](**members))


def touch(kind, at_hour, origin_id="c1", version=1):
    """A call that touched the entity (not, if ``at_hour`` is None)."""
    at = None if at_hour is None else hour(at_hour)
    return Link(kind, "x", Kind.CALL, origin_id, "touch", at, version)


def win(at_hour, origin_id="d1", version=1):
    """A deal of the lead that was won (not, if ``at_hour`` is None)."""
    at = None if at_hour is None else hour(at_hour)
    return Link(Kind.LEAD, "x", Kind.DEAL, origin_id, "won", at, version)


class Story:
    """The events of one entity, given in any order, and what they come to."""

    def __init__(self, kind, *items, context=CONTEXT):
        self.fold = FOLDS[kind]
        self.state = self.fold.empty()
        for item in items:
            if isinstance(item, Link):
                self.fold.add_link(self.state, item)
            else:
                self.fold.add(self.state, item)
        self.contribution = self.fold.contribution("x", self.state, context)
        self.links = self.fold.links("x", self.state)

    def sums(self, *names):
        """(rep, measure) → amount over all instants, of the measures with these names."""
        found = {}
        for (rep, _, measure), amount in self.contribution.sums.items():
            if measure[0] in names:
                found[rep, *measure] = found.get((rep, *measure), 0) + amount
        return found

    def when(self, name):
        """The hours, rounded down to minutes, at which a measure was counted."""
        hours = {
            (minute * MINUTE_US - MONDAY_US) / HOUR_US
            for _, minute, measure in self.contribution.sums
            if measure[0] == name
        }
        return sorted(hours)

    @property
    def item(self):
        """(rep, item) of the only item; None if there is none."""
        items = [(cell.rep, item) for cell, item in self.contribution.items.items()]
        assert len(items) <= 1
        return items[0] if items else None
