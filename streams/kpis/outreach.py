"""KPI 4: outreach, against the benchmark per working day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from funnelwatch.schemas.document import Outreach, OutreachFigures, OutreachPace
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import Sums
from funnelwatch.streams.kpis.parts import Index, ratio

RECENT_DAYS: Final = 5
"""How many whole working days tell whether a rep needs support."""
RECENT_BACK_DAYS: Final = 90
"""How far back they are looked for."""

DROP: Final = "voicemail_drop"
"""The outcome of a call that left a recorded message."""


def outreach_figures(index: Index) -> OutreachFigures:
    """Outreach and telephone traffic of a period."""
    cold = drops = outbound = inbound = connected = 0
    for measure, calls in index.of("call"):
        _, direction, is_cold, outcome = measure
        if direction == "inbound":
            inbound += calls
        if direction != "outbound":
            continue
        outbound += calls
        connected += calls if outcome == "connected" else 0
        if outcome == DROP:
            drops += calls
        elif is_cold:
            cold += calls
    emails = sum(number for measure, number in index.of("email") if measure[1])
    return OutreachFigures(
        call=cold,
        email=emails,
        voicemail_drop=drops,
        total=cold + emails + drops,
        outbound_calls=outbound,
        inbound_calls=inbound,
        connected_calls=connected,
        connect_rate=ratio(connected, outbound),
        talk_seconds=index.total("talk_ms") / 1_000,
        emails=index.total("email"),
        replies=index.total("reply"),
    )


def done(sums: Sums) -> int:
    """Outreach of a day: cold calls, cold emails and voicemail drops."""
    return outreach_figures(Index({m: n for m, n in sums.items() if m[0] in {"call", "email"}})).total


def pace(number: int, per_day: float | None, working_days: float) -> OutreachPace:
    """Done against what the benchmark asks for in the working days elapsed."""
    if per_day is None:
        return OutreachPace(number, None, None)
    expected = per_day * working_days
    return OutreachPace(number, expected, number / expected if expected else None)


def recent_days(today: int, calendar: Calendar) -> list[int]:
    """The last whole working days before today, latest first; empty if there are too few within 90 days."""
    found: list[int] = []
    for day in range(today - 1, today - 1 - RECENT_BACK_DAYS, -1):
        if calendar.day_working_us(day) > 0:
            found.append(day)
            if len(found) == RECENT_DAYS:
                return found
    return []


def recent_attainment(done_on: Callable[[int], int], recent: Sequence[int], per_day: float | None) -> float | None:
    """Done on the recent days ÷ what the benchmark asks for; None without benchmark or days."""
    if not per_day or not recent:
        return None
    return sum(map(done_on, recent)) / (len(recent) * per_day)


def outreach(paces: dict[str, OutreachPace], per_day: float | None, recent: float | None, support: float) -> Outreach:
    """KPI 4 as it stands. ``support``: the ratio under which a rep needs some."""
    return Outreach(per_day, paces, recent, None if recent is None else recent < support)
