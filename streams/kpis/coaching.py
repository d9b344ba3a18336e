"""The recordings to listen to first: those on deals that were lost, newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import merge, nsmallest
from itertools import islice
from math import inf
from typing import Final, NamedTuple

from funnelwatch.schemas.document import Recording
from funnelwatch.schemas.fields import RATIO_UNITS
from funnelwatch.streams.calendar import DAY_US, Calendar
from funnelwatch.streams.cells import CallRecording, LostDeal
from funnelwatch.streams.holdings import Recordings

RECORDINGS_MAX: Final = 20
REPS_MAX: Final = 200_000
"""Of so many reps the ranked recordings are kept; then all are ranked again."""
LOST_DAYS: Final = 60
"""A deal counts as lost for so many days longer than recordings are kept."""


Place = tuple[bool, int, str, str]
"""By what recordings are ordered: (not on a lost deal, minus its instant, id of the call, rep); no two are the same."""


class Ranked(NamedTuple):
    """A recording and its place."""

    place: Place
    recording: Recording


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


class _Kept(NamedTuple):
    """What a rep's recordings came to, and for which instants that holds: none of theirs is in between."""

    recordings: Recordings
    version: int
    calls: tuple[float, float]
    losses: tuple[float, float]
    first: list[Ranked]


class Listening:
    """The recordings to listen to. Those of a rep are ranked again only if they changed, or one has become too old."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._kept: dict[str, _Kept] = {}

    def coaching(self, recordings: Mapping[str, Recordings], shelf: Shelf) -> list[Recording]:
        """At most `RECORDINGS_MAX` of the recordings of some reps, in the order to hear them."""
        first = [self._first(rep, own, shelf) for rep, own in recordings.items()]
        ranked = first[0] if len(first) == 1 else islice(merge(*first), RECORDINGS_MAX)
        return [found.recording for found in ranked]

    def _first(self, rep: str, own: Recordings, shelf: Shelf) -> list[Ranked]:
        kept = self._kept.get(rep)
        if (
            kept is None
            or kept.recordings is not own
            or kept.version != own.version
            or not kept.calls[0] <= shelf.calls_after < kept.calls[1]
            or not kept.losses[0] <= shelf.losses_after < kept.losses[1]
        ):
            if len(self._kept) >= REPS_MAX:
                self._kept.clear()
            kept = self._kept[rep] = self._rank(rep, own, shelf)
        return kept.first

    def _rank(self, rep: str, own: Recordings, shelf: Shelf) -> _Kept:
        closes = [deal.closed_at for call in own.values() if (deal := shelf.lost.get(call.deal_id or "")) is not None]
        ranked = (
            (not shelf.is_lost(call.deal_id), -call.at, call_id, rep)
            for call_id, call in own.items()
            if call.at > shelf.calls_after
        )
        first = [
            Ranked(place, _recording(rep, place[2], own[place[2]], lost=not place[0], calendar=self._calendar))
            for place in nsmallest(RECORDINGS_MAX, ranked)
        ]
        calls = _around([call.at for call in own.values()], shelf.calls_after)
        return _Kept(own, own.version, calls, _around(closes, shelf.losses_after), first)


def _around(instants: Sequence[int], at: int) -> tuple[float, float]:
    """The last of some instants that is not after another one, and the first that is."""
    return max((one for one in instants if one <= at), default=-inf), min(
        (one for one in instants if one > at), default=inf
    )


def _recording(rep: str, call_id: str, call: CallRecording, *, lost: bool, calendar: Calendar) -> Recording:
    return Recording(
        call_id=call_id,
        at=calendar.text(call.at),
        url=call.url,
        rep=rep,
        deal_id=call.deal_id,
        deal_lost=lost,
        outcome=call.outcome,
        talk_seconds=None if call.talk_ms is None else call.talk_ms / 1_000,
        talk_ratio=None if call.talk_ratio is None else call.talk_ratio / RATIO_UNITS,
    )
