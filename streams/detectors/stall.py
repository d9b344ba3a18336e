"""Funnel stalled: how likely is it that nothing advanced for so long, at the rep's own pace?

The pace is the rep's advances per day worked in the 20 working days up to the last advance (so that the stall does
not excuse itself), shrunk to the team's with the weight of 5 days. A working day on which the rep did nothing at all
is leave: it counts neither as exposure nor as waiting. Snoozed deals do not wait: the pace shrinks with their share.

The day is what varies together: a bad morning makes a bad afternoon likely, and says little about tomorrow. So the
evidence of a stall that lasts days is the sum of its days'. (One gamma factor for the whole wait found 13 % of stalls
within 5 working days where this finds 99 %, at the same threshold: ``funnelwatch calibrate``.)
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import OpenDeal
from funnelwatch.streams.detectors.days import DAYS_BACK_MAX, Days, back_from
from funnelwatch.streams.detectors.tails import none_expected

PACE_WORKING_DAYS = 20
SHRINKAGE_DAYS = 5
WAITING_US_MIN = 2 * 3_600_000_000
"""Nothing is said before two working hours without an advance."""


class Stall(msgspec.Struct, frozen=True):
    """No advance since ``since`` (µs): ``expected`` advances in ``waited_us`` of working time at ``per_day``."""

    evidence: float
    since: int
    waited_us: int
    expected: float
    per_day: float


def pace(days: Days, calendar: Calendar, last_day: int) -> tuple[int, int]:
    """(advances, days worked) in the 20 working days that end with ``last_day``."""
    span = range(back_from(calendar, last_day, PACE_WORKING_DAYS), last_day + 1)
    advances = sum(days[day].advances for day in span if day in days)
    return advances, sum(1 for day in span if day in days and calendar.day_working_us(day) > 0)


def shrunk_pace(own: tuple[int, int], team: tuple[int, int]) -> float:
    """Advances per day worked, from (advances, days worked) of the rep and of the team without the rep."""
    team_rate = team[0] / team[1] if team[1] else None
    if team_rate is None:
        return own[0] / own[1] if own[1] else 0.0
    return (own[0] + SHRINKAGE_DAYS * team_rate) / (own[1] + SHRINKAGE_DAYS)


def waited(days: Days, calendar: Calendar, since: int, now: int) -> tuple[int, list[float]]:
    """Working µs from ``since`` to ``now`` without days of leave, and the share of each day."""
    total, shares = 0, []
    first, last = max(calendar.day(since), calendar.day(now) - DAYS_BACK_MAX), calendar.day(now)
    for day in sorted(day for day in days if first <= day <= last):
        whole = calendar.day_working_us(day)
        if whole:
            worked = calendar.working_us(max(since, calendar.day_start(day)), min(now, calendar.day_start(day + 1)))
            total += worked
            shares.append(worked / whole)
    return total, shares


def stall(
    days: Days,
    open_deals: Mapping[str, OpenDeal],
    last_advance: int | None,
    team: tuple[int, int],
    *,
    calendar: Calendar,
    now: int,
    shape: float,
) -> Stall | None:
    """The evidence for a rep with open deals; None for a rep without, or with all of them snoozed.

    Args:
        days: The rep's days.
        open_deals: The rep's open deals.
        last_advance: When one last advanced (µs), None if none ever did.
        team: (advances, days worked) of the others over the same 20 working days.
        calendar: The rep's own: hours, working days and leave.
        now: The instant to judge at (µs).
        shape: Of the gamma factor by which a day's pace varies.
    """
    awake = [deal for deal in open_deals.values() if deal.snoozed_until is None or deal.snoozed_until <= now]
    if not awake:
        return None
    since = max(last_advance or 0, min(deal.owned_since for deal in awake))
    if since >= now:
        return None
    per_day = shrunk_pace(pace(days, calendar, calendar.day(since)), team) * len(awake) / len(open_deals)
    waited_us, shares = waited(days, calendar, since, now)
    means = [per_day * share for share in shares]
    evidence = none_expected(means, shape) if waited_us >= WAITING_US_MIN else 0.0
    return Stall(evidence, since, waited_us, sum(means), per_day)
