"""The events as their publishers write them: the types that the published JSON Schemas are made from.

These describe; `schemas.careful` defines. A test holds both together. What JSON Schema cannot say (currencies, control
characters, sizes, how far in the future) stands in the descriptions.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from funnelwatch.schemas import fields
from funnelwatch.schemas.events import Kind

Id = Annotated[
    Annotated[str, Meta(min_length=1, max_length=fields.ID_CHARS_MAX)] | int,
    Meta(description="No control characters. An integer is read as its decimal text. Put the system in front: crm:42."),
]
Text = Annotated[str, Meta(max_length=fields.TEXT_CHARS_MAX)]
Instant = Annotated[datetime, Meta(tz=True, description="RFC 3339 with an offset.")]
Amount = Annotated[
    int | float | Annotated[str, Meta(pattern=r"^[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?$")],
    Meta(description="Exact: at most 4 fractional digits (trailing zeros aside), at most 10¹⁴. Prefer texts."),
]
Currency = Annotated[
    str, Meta(pattern="^[A-Za-z]{3}$", description="ISO 4217; IRT (toman) is read as 10 IRR.", examples=["EUR", "IRR"])
]


class LeadMembers(msgspec.Struct):
    """Data of a lead's event. An absent or null member leaves its field unchanged; unknown members are ignored."""

    rep_id: Id | None = None
    channel: Text | None = None
    campaign: Text | None = None
    deal_id: Id | None = None
    reason: Text | None = None


class DealMembers(msgspec.Struct):
    """Data of a deal's event. An absent or null member leaves its field unchanged; unknown members are ignored."""

    rep_id: Id | None = None
    pipeline: Annotated[Text | None, Meta(description="The pipeline is `default` until one is named.")] = None
    stage: Text | None = None
    amount: Amount | None = None
    currency: Currency | None = None
    expected_close: Text | None = None
    lead_id: Id | None = None
    customer: Text | None = None
    lost_reason: Text | None = None
    snooze_until: Annotated[Instant | None, Meta(description="No page for a stalled deal until then.")] = None
    snooze_reason: Text | None = None


class CallMembers(msgspec.Struct):
    """Data of a call's event. An absent or null member leaves its field unchanged; unknown members are ignored."""

    rep_id: Id | None = None
    direction: Literal["outbound", "inbound"] | None = None
    outcome: Literal["connected", "voicemail", "voicemail_drop", "no_answer", "busy", "failed"] | None = None
    started_at: Instant | None = None
    talk_seconds: Annotated[float, Meta(ge=0, le=fields.TALK_SECONDS_MAX)] | None = None
    cold: bool | None = None
    recording_url: Annotated[str, Meta(max_length=fields.URL_CHARS_MAX)] | None = None
    lead_id: Id | None = None
    deal_id: Id | None = None
    talk_ratio: (
        Annotated[float, Meta(ge=0, le=1, description="The rep's share of the talking; shown with the recording.")]
        | None
    ) = None


class EmailMembers(msgspec.Struct):
    """Data of an email's event. An absent or null member leaves its field unchanged; unknown members are ignored."""

    rep_id: Id | None = None
    cold: bool | None = None
    template: Text | None = None
    lead_id: Id | None = None
    deal_id: Id | None = None


class QuotaMembers(msgspec.Struct):
    """What a rep shall win in a month."""

    amount: Amount | None = None
    currency: Currency | None = None
    count: Annotated[int, Meta(ge=0, le=fields.COUNT_MAX, description="A number of deals.")] | None = None


class BenchmarkMembers(msgspec.Struct):
    """What is expected of a rep, where it differs from the organisation's."""

    outreach_per_day: Annotated[float, Meta(ge=0, le=fields.COUNT_MAX)] | None = None
    conversion_rate: Annotated[float, Meta(ge=0, le=fields.COUNT_MAX)] | None = None


class RepMembers(msgspec.Struct):
    """Data of a rep's event. An absent or null member leaves its field unchanged; unknown members are ignored."""

    name: Text | None = None
    team: Text | None = None
    manager: Text | None = None
    active: bool | None = None
    timezone: Annotated[Text | None, Meta(description="Of the IANA database.", examples=["Asia/Tehran"])] = None
    quotas: (
        Annotated[
            dict[Annotated[str, Meta(pattern="^[0-9]{4}-(0[1-9]|1[0-2])$")], QuotaMembers | None],
            Meta(description="By month of the organisation's calendar: 2026-11, 1405-09."),
        ]
        | None
    ) = None
    benchmarks: BenchmarkMembers | None = None


class _Attributes(msgspec.Struct, kw_only=True):
    specversion: Literal["1.0"]
    id: Annotated[Id, Meta(description="Together with source the event's identity: the same pair again is a repeat.")]
    source: Annotated[str, Meta(min_length=1, max_length=fields.SOURCE_CHARS_MAX)]
    subject: Annotated[Id, Meta(description="The entity's id; also the Kafka key.")]
    time: Annotated[
        datetime,
        Meta(
            tz=True,
            description="When it happened (RFC 3339 with an offset): 24 h ahead at most, and not before the retention.",
        ),
    ]
    datacontenttype: str | None = None


class LeadEvent(_Attributes, kw_only=True):
    """One event of a lead: a CloudEvent 1.0 of at most 256 KiB. A message may hold an array of them."""

    type: Literal[
        "lead.created",
        "lead.assigned",
        "lead.qualified",
        "lead.accepted",
        "lead.converted",
        "lead.disqualified",
        "lead.deleted",
    ]
    data: LeadMembers | None = None


class DealEvent(_Attributes, kw_only=True):
    """One event of a deal: a CloudEvent 1.0 of at most 256 KiB. A message may hold an array of them."""

    type: Literal[
        "deal.created",
        "deal.updated",
        "deal.assigned",
        "deal.stage_changed",
        "deal.won",
        "deal.lost",
        "deal.reopened",
        "deal.deleted",
    ]
    data: DealMembers | None = None


class CallEvent(_Attributes, kw_only=True):
    """One event of a call: a CloudEvent 1.0 of at most 256 KiB. A message may hold an array of them."""

    type: Literal["call.completed", "call.recorded", "call.deleted"]
    data: CallMembers | None = None


class EmailEvent(_Attributes, kw_only=True):
    """One event of an email: a CloudEvent 1.0 of at most 256 KiB. A message may hold an array of them."""

    type: Literal["email.sent", "email.replied", "email.deleted"]
    data: EmailMembers | None = None


class RepEvent(_Attributes, kw_only=True):
    """One event of a rep: a CloudEvent 1.0 of at most 256 KiB. A message may hold an array of them."""

    type: Literal["rep.upserted", "rep.removed"]
    data: RepMembers | None = None


EVENTS: Final[dict[Kind, type[msgspec.Struct]]] = {
    Kind.LEAD: LeadEvent,
    Kind.DEAL: DealEvent,
    Kind.CALL: CallEvent,
    Kind.EMAIL: EmailEvent,
    Kind.REP: RepEvent,
}
