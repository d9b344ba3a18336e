"""One event as the folds take it: validated, normalised, and independent of how it travelled.

``schemas.codec`` makes these from Kafka messages; nothing else does. Instants are integer microseconds since the
Unix epoch (UTC), money is integer units of 1/10,000 of the currency's major unit, ids are strings. A data member
that the publisher left out (or sent as ``null``) is ``None`` and means "unchanged".
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """The five kinds of entity; each has one input topic, one table and one fold."""

    LEAD = "lead"
    DEAL = "deal"
    CALL = "call"
    EMAIL = "email"
    REP = "rep"


TOPICS: dict[Kind, str] = {
    Kind.LEAD: "crm.leads",
    Kind.DEAL: "crm.deals",
    Kind.CALL: "crm.calls",
    Kind.EMAIL: "crm.emails",
    Kind.REP: "crm.reps",
}
"""Input topic of each kind, before the configured prefix."""

TYPES: dict[Kind, tuple[str, ...]] = {
    Kind.LEAD: (
        "lead.created",
        "lead.assigned",
        "lead.qualified",
        "lead.accepted",
        "lead.converted",
        "lead.disqualified",
        "lead.deleted",
    ),
    Kind.DEAL: (
        "deal.created",
        "deal.updated",
        "deal.assigned",
        "deal.stage_changed",
        "deal.won",
        "deal.lost",
        "deal.reopened",
        "deal.deleted",
    ),
    Kind.CALL: ("call.completed", "call.recorded", "call.deleted"),
    Kind.EMAIL: ("email.sent", "email.replied", "email.deleted"),
    Kind.REP: ("rep.upserted", "rep.removed"),
}
"""The event types of each topic, as ``events.md`` lists them."""

Stamp = tuple[int, str, str]
"""(event time in µs, source, event id): the total order of the events of one entity. Ties in time go by source,
then by id; (source, id) is the identity of an event."""


class LeadData(msgspec.Struct, frozen=True, gc=False):
    """Members of ``crm.leads``."""

    rep_id: str | None = None
    channel: str | None = None
    campaign: str | None = None
    deal_id: str | None = None
    reason: str | None = None


class DealData(msgspec.Struct, frozen=True, gc=False):
    """Members of ``crm.deals``. ``IRT`` has become ``IRR`` here; ``expected_close`` is the text as sent."""

    rep_id: str | None = None
    pipeline: str | None = None
    stage: str | None = None
    amount: int | None = None
    currency: str | None = None
    expected_close: str | None = None
    lead_id: str | None = None
    customer: str | None = None
    lost_reason: str | None = None
    snooze_until: int | None = None
    snooze_reason: str | None = None


class CallData(msgspec.Struct, frozen=True, gc=False):
    """Members of ``crm.calls``; talk time in milliseconds, the talk ratio in 1/10,000."""

    rep_id: str | None = None
    direction: str | None = None
    outcome: str | None = None
    started_at: int | None = None
    talk_ms: int | None = None
    cold: bool | None = None
    recording_url: str | None = None
    lead_id: str | None = None
    deal_id: str | None = None
    talk_ratio: int | None = None


class EmailData(msgspec.Struct, frozen=True, gc=False):
    """Members of ``crm.emails``."""

    rep_id: str | None = None
    cold: bool | None = None
    template: str | None = None
    lead_id: str | None = None
    deal_id: str | None = None


class Quota(msgspec.Struct, frozen=True, gc=False):
    """A rep's quota of one month; the optional count is a number of deals."""

    amount: int | None = None
    currency: str | None = None
    count: int | None = None


class Benchmarks(msgspec.Struct, frozen=True, gc=False):
    """What is expected of a rep; ``None`` means the team's or organisation's stands."""

    outreach_per_day: float | None = None
    conversion_rate: float | None = None


class RepData(msgspec.Struct, frozen=True, gc=False):
    """Members of ``crm.reps``. ``quotas`` is keyed by month of the calendar (``2026-11``, ``1405-09``)."""

    name: str | None = None
    team: str | None = None
    manager: str | None = None
    active: bool | None = None
    timezone: str | None = None
    quotas: dict[str, Quota] | None = None
    benchmarks: Benchmarks | None = None


Data = LeadData | DealData | CallData | EmailData | RepData


class Event(msgspec.Struct, frozen=True, gc=False):
    """One validated event of one entity."""

    kind: Kind
    type: str
    id: str
    source: str
    subject: str
    at: int
    data: Data

    @property
    def stamp(self) -> Stamp:
        """Where the event stands in the order of its entity's events."""
        return (self.at, self.source, self.id)


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """Why a message, or one event of a batch, was not taken: a stable code and a sentence for a person."""

    reason: str
    detail: str
