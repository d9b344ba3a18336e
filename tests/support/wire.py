"""Strategies for valid events of every kind, and for the JSON that publishers could send."""

from __future__ import annotations

from hypothesis import strategies as st

from funnelwatch.schemas import careful, fields
from funnelwatch.schemas.currencies import CURRENCIES
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

YEAR_1900_US = -2_208_988_800_000_000
YEAR_2200_US = 7_258_118_400_000_000

characters = st.characters(exclude_categories=["Cs"])
ids = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
texts = st.text(characters, max_size=20)
instants = st.integers(YEAR_1900_US, YEAR_2200_US)
amounts = st.one_of(
    st.integers(-fields.UNITS_MAX, fields.UNITS_MAX),
    st.integers(0, 10**10),
    st.integers(0, 10**6).map(lambda n: n * 10_000),
)
currencies = st.sampled_from(sorted(CURRENCIES))


def absent_or(strategy):
    return st.none() | strategy


leads = st.builds(
    LeadData,
    rep_id=absent_or(ids),
    channel=absent_or(texts),
    campaign=absent_or(texts),
    deal_id=absent_or(ids),
    reason=absent_or(texts),
)
deals = st.builds(
    DealData,
    rep_id=absent_or(ids),
    pipeline=absent_or(texts.filter(lambda name: not name.startswith(fields.OWN_PIPELINE))),
    stage=absent_or(texts),
    amount=absent_or(amounts),
    currency=absent_or(currencies),
    expected_close=absent_or(texts),
    lead_id=absent_or(ids),
    customer=absent_or(texts),
    lost_reason=absent_or(texts),
    snooze_until=absent_or(instants),
    snooze_reason=absent_or(texts),
)
calls = st.builds(
    CallData,
    rep_id=absent_or(ids),
    direction=absent_or(st.sampled_from(careful.DIRECTIONS)),
    outcome=absent_or(st.sampled_from(careful.OUTCOMES)),
    started_at=absent_or(instants),
    talk_ms=absent_or(st.integers(0, fields.TALK_SECONDS_MAX * 1_000)),
    cold=absent_or(st.booleans()),
    recording_url=absent_or(texts),
    lead_id=absent_or(ids),
    deal_id=absent_or(ids),
    talk_ratio=absent_or(st.integers(0, fields.RATIO_UNITS)),
)
emails = st.builds(
    EmailData,
    rep_id=absent_or(ids),
    cold=absent_or(st.booleans()),
    template=absent_or(texts),
    lead_id=absent_or(ids),
    deal_id=absent_or(ids),
)
quotas = st.builds(
    Quota,
    amount=absent_or(amounts),
    currency=absent_or(currencies),
    count=absent_or(st.integers(0, fields.COUNT_MAX)),
)
months = st.builds(lambda year, month: f"{year:04}-{month:02}", st.integers(1300, 2200), st.integers(1, 12))
figures = absent_or(st.floats(0, 1_000, allow_nan=False))
reps = st.builds(
    RepData,
    name=absent_or(texts),
    team=absent_or(texts),
    manager=absent_or(texts),
    active=absent_or(st.booleans()),
    timezone=absent_or(st.sampled_from(["UTC", "Asia/Tehran", "America/New_York", "Australia/Lord_Howe"])),
    quotas=absent_or(st.dictionaries(months, quotas, max_size=4)),
    benchmarks=absent_or(st.builds(Benchmarks, outreach_per_day=figures, conversion_rate=figures)),
)
DATA = {Kind.LEAD: leads, Kind.DEAL: deals, Kind.CALL: calls, Kind.EMAIL: emails, Kind.REP: reps}


def events_of(kind):
    return st.builds(
        Event,
        kind=st.just(kind),
        type=st.sampled_from(TYPES[kind]),
        id=ids,
        source=ids,
        subject=ids,
        at=instants,
        data=DATA[kind],
    )


events = st.sampled_from(Kind).flatmap(events_of)

json_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters()),
    st.sampled_from(
        ["", "1.0", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00", "deal.won", "EUR", "irt", "\ud800", "1e999"]
    ),
)
json_values = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
