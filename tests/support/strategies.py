"""Hypothesis strategies of events: few ids, instants and values, so that ties, repeats and conflicts are common."""

from __future__ import annotations

from hypothesis import strategies as st

from funnelwatch.schemas import fields
from funnelwatch.schemas.events import (
    TYPES,
    Benchmarks,
    CallData,
    DealData,
    EmailData,
    Event,
    Kind,
    LeadData,
    Quota,
    RepData,
)

START_US = 1_793_000_000_000_000
"""An instant in October 2026."""
MINUTE_US = 60_000_000
STAGES = ("Qualify", "Demo", "Offer", "Elsewhere", "Closed Won")
"""The first three are configured in both pipelines of `support.organisation`, in this order; the others nowhere."""
REPS = ("ada", "bob", "cem")

_reps = st.sampled_from(REPS)
_leads = st.sampled_from(["lead-1", "lead-2"])
_deals = st.sampled_from(["deal-1", "deal-2"])


def _optional(values):
    return st.none() | values


def instants(span_minutes=6 * 24 * 60):
    """Instants of a few days; half of them on a whole hour, so that events coincide."""
    hours = st.integers(0, span_minutes // 60).map(lambda hour: START_US + hour * 60 * MINUTE_US)
    return hours | st.integers(0, span_minutes * MINUTE_US).map(lambda us: START_US + us)


DATA = {
    Kind.DEAL: st.builds(
        DealData,
        rep_id=_optional(_reps),
        pipeline=_optional(st.sampled_from(["default", "partner", "unheard-of"])),
        stage=_optional(st.sampled_from(STAGES)),
        amount=_optional(st.sampled_from([0, 10_000, 1_234_500, -20_000])),
        currency=_optional(st.sampled_from(["EUR", "IRR"])),
        expected_close=_optional(st.just("2026-12-01")),
        lead_id=_optional(_leads),
        customer=_optional(st.sampled_from(["Acme", "شرکت"])),
        lost_reason=_optional(st.sampled_from(["price", "timing"])),
        snooze_until=_optional(instants()),
        snooze_reason=_optional(st.just("holiday")),
    ),
    Kind.LEAD: st.builds(
        LeadData,
        rep_id=_optional(_reps),
        channel=_optional(st.sampled_from(["web", "fair"])),
        campaign=_optional(st.just("autumn")),
        deal_id=_optional(_deals),
        reason=_optional(st.just("no budget")),
    ),
    Kind.CALL: st.builds(
        CallData,
        rep_id=_optional(_reps),
        direction=_optional(st.sampled_from(["outbound", "inbound"])),
        outcome=_optional(st.sampled_from(["connected", "voicemail", "voicemail_drop", "no_answer", "busy", "failed"])),
        started_at=_optional(instants()),
        talk_ms=_optional(st.sampled_from([0, 61_500, 600_000])),
        cold=_optional(st.booleans()),
        recording_url=_optional(st.sampled_from(["https://pbx.example/1", "https://pbx.example/2"])),
        lead_id=_optional(_leads),
        deal_id=_optional(_deals),
        talk_ratio=_optional(st.sampled_from([0, 4_350, fields.RATIO_UNITS])),
    ),
    Kind.EMAIL: st.builds(
        EmailData,
        rep_id=_optional(_reps),
        cold=_optional(st.booleans()),
        template=_optional(st.just("intro")),
        lead_id=_optional(_leads),
        deal_id=_optional(_deals),
    ),
    Kind.REP: st.builds(
        RepData,
        name=_optional(st.sampled_from(["Ada", "آدا"])),
        team=_optional(st.sampled_from(["north", "south", ""])),
        manager=_optional(st.sampled_from(["Mo", "Mia"])),
        active=_optional(st.booleans()),
        timezone=_optional(st.sampled_from(["Asia/Tehran", "Europe/Berlin"])),
        quotas=_optional(
            st.dictionaries(
                st.sampled_from(["2026-10", "2026-11"]),
                st.builds(
                    Quota,
                    amount=_optional(st.sampled_from([0, 500_000])),
                    currency=_optional(st.sampled_from(["EUR", "IRR"])),
                    count=_optional(st.integers(0, 5)),
                ),
                max_size=2,
            )
        ),
        benchmarks=_optional(
            st.builds(
                Benchmarks,
                outreach_per_day=_optional(st.sampled_from([0.0, -0.0, 40.0])),
                conversion_rate=_optional(st.sampled_from([0.12, 0.5])),
            )
        ),
    ),
}
"""The members of each kind, each of them often left out."""

SUBJECTS = {
    Kind.DEAL: ("deal-1", "deal-2"),
    Kind.LEAD: ("lead-1", "lead-2"),
    Kind.CALL: ("call-1", "call-2"),
    Kind.EMAIL: ("email-1", "email-2"),
    Kind.REP: REPS,
}
"""The entities that events name each other by."""


@st.composite
def events(draw, kind, subjects=None):
    """One event of a kind. Ids are few: the same identity often comes twice, with other content."""
    return Event(
        kind=kind,
        type=draw(st.sampled_from(TYPES[kind])),
        id=f"e{draw(st.integers(1, 30))}",
        source=draw(st.sampled_from(["crm", "pbx"])),
        subject=draw(st.sampled_from(subjects or SUBJECTS[kind][:1])),
        at=draw(instants()),
        data=draw(DATA[kind]),
    )


def histories(kind=None, max_size=12):
    """Lists of events in no order: of one entity of ``kind``, or of several entities of all kinds."""
    if kind is not None:
        return st.lists(events(kind), max_size=max_size)
    any_event = st.one_of([events(each, SUBJECTS[each]) for each in Kind])
    return st.lists(any_event, max_size=max_size)
