"""The recordings to listen to first: those on deals that were lost, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import nsmallest
from typing import Final, NamedTuple

from funnelwatch.schemas.document import Recording
from funnelwatch.schemas.fields import RATIO_UNITS
from funnelwatch.streams.calendar import DAY_US, Calendar
from funnelwatch.streams.cells import CallRecording, LostDeal

RECORDINGS_MAX: Final = 20
LOST_DAYS: Final = 60
"""A deal counts as lost for so many days longer than recordings are kept."""


class Heard(NamedTuple):
    """A recorded call and whose it is."""

    rep: str
    call_id: str
    call: CallRecording


class Shelf(NamedTuple):
    """What stands to be heard at one instant: the lost deals, and since when (µs) calls and losses count."""

    lost: Mapping[str, LostDeal]
    calls_after: int
    losses_after: int

    @classmethod
    def at(cls, now: int, recordings_days: int, lost: Mapping[str, LostDeal]) -> Shelf:
        """Calls younger than the recordings' days, losses younger than those and `LOST_DAYS` more."""
        return cls(lost, now - recordings_days * DAY_US, now - (recordings_days + LOST_DAYS) * DAY_US)

    def is_lost(self, deal_id: str | None) -> bool:
        """Whether the deal stands lost and that is not too long ago."""
        deal = self.lost.get(deal_id) if deal_id is not None else None
        return deal is not None and deal.closed_at > self.losses_after


def coaching(calls: Iterable[Heard], shelf: Shelf, calendar: Calendar) -> list[Recording]:
    """At most `RECORDINGS_MAX` recordings, in the order to hear them."""
    after, is_lost = shelf.calls_after, shelf.is_lost
    ranked = [
        (not is_lost(call.deal_id), -call.at, call_id, rep, call) for rep, call_id, call in calls if call.at > after
    ]
    first = nsmallest(RECORDINGS_MAX, ranked)  # no two have the same call and rep
    return [
        _recording(Heard(rep, call_id, call), lost=not kept, calendar=calendar) for kept, _, call_id, rep, call in first
    ]


def _recording(heard: Heard, *, lost: bool, calendar: Calendar) -> Recording:
    call = heard.call
    return Recording(
        call_id=heard.call_id,
        at=calendar.text(call.at),
        url=call.url,
        rep=heard.rep,
        deal_id=call.deal_id,
        deal_lost=lost,
        outcome=call.outcome,
        talk_seconds=None if call.talk_ms is None else call.talk_ms / 1_000,
        talk_ratio=None if call.talk_ratio is None else call.talk_ratio / RATIO_UNITS,
    )
