"""What is open now by stage, added up while it changes: since when it has been there, and what it is worth.

An organisation has hundreds of thousands of open deals, and its document is made every second: nobody walks over them.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Final

from funnelwatch.streams.cells import LEAD_PIPELINE, OpenDeal, OpenLead
from funnelwatch.streams.kpis.parts import StageKey

Worth = dict[tuple[str, str], tuple[int, int]]
"""(deals, money units) by (rep, currency); without rates the rep is ``""``."""

ONE_BY_ONE_SHARE: Final = 50
"""Changes that are fewer than this part of a pile are put in their places; more are sorted in."""
WAITING_MAX: Final = 1_000
"""Changes of a pile that nobody looks at wait until there are so many, or as many as it has."""


class Pile:
    """What sits in one stage."""

    __slots__ = ("_entered", "_fresh", "_gone", "worth")

    def __init__(self, entered: list[int] | None = None, worth: Worth | None = None) -> None:
        self._entered: list[int] = [] if entered is None else entered
        self._fresh: list[int] = []
        self._gone: list[int] = []
        self.worth: Worth = {} if worth is None else worth

    def __len__(self) -> int:
        return len(self._entered) + len(self._fresh) - len(self._gone)

    @property
    def entered(self) -> list[int]:
        """When each came here (µs), in order; not to be changed."""
        if self._fresh or self._gone:
            self._settle()
        return self._entered

    def add(self, entered_at: int) -> None:
        """One more."""
        self._fresh.append(entered_at)
        self._bound()

    def take(self, entered_at: int) -> None:
        """One less, of those that were added."""
        self._gone.append(entered_at)
        self._bound()

    def count(self, key: tuple[str, str], deals: int, units: int) -> None:
        """Deals more or less, and what they are worth."""
        before = self.worth.get(key, (0, 0))
        after = (before[0] + deals, before[1] + units)
        if after[0]:
            self.worth[key] = after
        else:
            del self.worth[key]

    def _bound(self) -> None:
        if len(self._fresh) + len(self._gone) > max(WAITING_MAX, len(self._entered)):
            self._settle()

    def _settle(self) -> None:
        entered, gone = self._entered, self._gone
        if (len(self._fresh) + len(gone)) * ONE_BY_ONE_SHARE < len(entered):
            for at in self._fresh:
                insort(entered, at)
            for at in gone:
                del entered[bisect_left(entered, at)]
        else:
            entered += self._fresh
            entered.sort()
            self._entered = _without(entered, Counter(gone)) if gone else entered
        self._fresh, self._gone = [], []


def _without(entered: Iterable[int], gone: Counter[int]) -> list[int]:
    left = []
    for at in entered:
        if gone.get(at):
            gone[at] -= 1
        else:
            left.append(at)
    return left


Stages = Mapping[StageKey, Pile]
NOTHING: Stages = MappingProxyType({})


class Piles:
    """The open deals, or leads, of each rep and of the organisation. ``by_rep``: worth is wanted by rep, too."""

    def __init__(self, *, by_rep: bool = False) -> None:
        self._by_rep = by_rep
        self.reps: dict[str, dict[StageKey, Pile]] = {}
        self.organisation: dict[StageKey, Pile] = {}

    def put(self, rep: str, old: OpenDeal | OpenLead | None, new: OpenDeal | OpenLead | None) -> None:
        """What a rep has open in place of what it was before; None is nothing."""
        own = self.reps.setdefault(rep, {})
        for stages in (own, self.organisation):
            if new is not None:
                self._add(stages, rep, new)
            if old is not None:
                self._take(stages, rep, old)
        if not own:
            del self.reps[rep]

    def of(self, reps: Collection[str]) -> Stages:
        """What some reps have together."""
        found = [self.reps[rep] for rep in reps if rep in self.reps]
        if len(found) <= 1:
            return found[0] if found else NOTHING
        piles: dict[StageKey, list[Pile]] = {}
        for stages in found:
            for key, pile in stages.items():
                piles.setdefault(key, []).append(pile)
        return {key: _together(some) for key, some in piles.items()}

    def _add(self, stages: dict[StageKey, Pile], rep: str, item: OpenDeal | OpenLead) -> None:
        key = _stage(item)
        pile = stages.get(key)
        if pile is None:
            pile = stages[key] = Pile()
        pile.add(item.entered_at)
        if isinstance(item, OpenDeal):
            pile.count((rep if self._by_rep else "", item.currency), 1, item.amount or 0)

    def _take(self, stages: dict[StageKey, Pile], rep: str, item: OpenDeal | OpenLead) -> None:
        key = _stage(item)
        pile = stages[key]
        pile.take(item.entered_at)
        if isinstance(item, OpenDeal):
            pile.count((rep if self._by_rep else "", item.currency), -1, -(item.amount or 0))
        if not len(pile):
            del stages[key]


def _stage(item: OpenDeal | OpenLead) -> StageKey:
    return (item.pipeline, item.stage) if isinstance(item, OpenDeal) else (LEAD_PIPELINE, item.state)


def _together(piles: list[Pile]) -> Pile:
    return Pile(sorted(chain.from_iterable(pile.entered for pile in piles)), total_worth(piles))


def total_worth(piles: Iterable[Pile]) -> Worth:
    """What several piles are worth."""
    worth: Worth = {}
    for pile in piles:
        for key, (deals, units) in pile.worth.items():
            before = worth.get(key, (0, 0))
            worth[key] = (before[0] + deals, before[1] + units)
    return worth
