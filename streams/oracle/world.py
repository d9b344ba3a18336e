"""Everything that is known, with its links resolved: the facts and the present state of all entities together."""

from __future__ import annotations

from collections.abc import Iterable

from funnelwatch.schemas.events import Event, Kind
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.oracle.contacts import Call, Email
from funnelwatch.streams.oracle.deals import Deal
from funnelwatch.streams.oracle.facts import Advanced, Facts, of, together
from funnelwatch.streams.oracle.history import histories
from funnelwatch.streams.oracle.leads import Lead
from funnelwatch.streams.oracle.periods import Periods
from funnelwatch.streams.oracle.reps import Rep

Days = dict[int, Facts]
"""Facts by local day."""

HOUR_US = 3_600_000_000
LOST_DAYS_MORE = 60
"""For how much longer than its recordings a deal is remembered as lost."""


class World:
    """All entities at ``now`` (µs)."""

    def __init__(self, settings: Settings, events: Iterable[Event], periods: Periods) -> None:
        calendar = periods.calendar
        known = list(events)
        deals = [Deal(history, settings, calendar) for history in histories(known, Kind.DEAL)]
        calls = [Call(history) for history in histories(known, Kind.CALL)]
        emails = [Email(history) for history in histories(known, Kind.EMAIL)]
        touches: dict[str, list[int]] = {}
        for touch in [*(call.touch for call in calls), *(email.touch for email in emails)]:
            if touch is not None:
                touches.setdefault(touch.lead_id, []).append(touch.at)
        wins: dict[str, int] = {}
        for deal in deals:
            if deal.outcome == "won" and deal.lead_id is not None:
                wins[deal.lead_id] = min(deal.closed_at, wins.get(deal.lead_id, deal.closed_at))
        leads = [
            Lead(history, wins.get(history.subject), touches.get(history.subject, []), calendar)
            for history in histories(known, Kind.LEAD)
        ]
        self.days_of: dict[str, Days] = {}
        self.last_advances: dict[str, int] = {}
        found = [entity.facts for entities in (deals, leads, calls, emails) for entity in entities]
        for facts in found:
            for fact in facts:
                day = self.days_of.setdefault(fact.rep, {}).setdefault(periods.day(fact.at), {})
                day.setdefault(type(fact), []).append(fact)
        oldest = periods.now - settings.retention_days * 24 * HOUR_US
        for rep, days in self.days_of.items():
            advances = [fact.at for fact in of(Advanced, together(days.values())) if fact.at >= oldest]
            if advances:
                self.last_advances[rep] = max(advances)
        self.open_deals = [deal for deal in (deal.open() for deal in deals) if deal]
        self.open_leads = [lead.open for lead in leads if lead.open]
        self.recordings = [
            call.recording
            for call in calls
            if call.recording and call.recording.at > periods.now - settings.recordings_days * 24 * HOUR_US
        ]
        lost_since = periods.now - (settings.recordings_days + LOST_DAYS_MORE) * 24 * HOUR_US
        self.lost_deals = {deal.id for deal in deals if deal.outcome == "lost" and deal.closed_at > lost_since}
        self.reps = self._reps(settings, known, periods)

    def _reps(self, settings: Settings, events: list[Event], periods: Periods) -> dict[str, Rep]:
        """The reps with a record, and those without one who have figures."""
        records = {history.subject: history for history in histories(events, Kind.REP)}
        figures = {rep for rep, days in self.days_of.items() if max(days) >= periods.oldest_day}
        figures |= {deal.rep for deal in self.open_deals}
        figures |= {lead.rep for lead in self.open_leads}
        figures |= {recording.rep for recording in self.recordings}
        names = (figures | set(records)) - {""}
        return {name: Rep(name, records.get(name), settings, periods.calendar) for name in names}
