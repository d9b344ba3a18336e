"""A fold for Funnelwatch's own engine that yields what sales-kpi-1 asks for and no more.

As in every other system, what is late depends on the order of arrival, so a deal's row is the list of its events in
that order, with what each did; its last stage and since when stand beside it. Everything else is the engine's: an event
read again is found in the row and changes nothing, and sums can be derived from the rows at any time.
"""

from __future__ import annotations

from typing import Any

import msgspec

from funnelwatch.schemas.events import DealData, Event, Kind
from funnelwatch.streams.cells import MINUTE_US, Cell, CellValue, Contribution, DayCell, Measure
from funnelwatch.streams.context import Context
from funnelwatch.streams.entities.deal import DealFold
from funnelwatch.streams.fold import Fold
from funnelwatch.streams.history import Step
from peers.workload import CLOSINGS, Row

CREATED, WON, LOST = (DealFold.codes.index(f"deal.{name}") for name in ("created", "won", "lost"))
UNITS_PER_CENT = 100
LATE = -1
Move = tuple[int, str, str, int, str, int, str | None, int]
"""at µs, source, id, type, rep, cents, the stage that was left, µs in it; `LATE` where it was too late to leave one."""

_NO = ("n",)
_LATE = ("late",)
_OF_TYPE: dict[int, Measure] = {CREATED: ("created",), WON: ("won",), LOST: ("lost",)}


class ReducedState(msgspec.Struct, array_like=True, gc=False):
    """What arrived of a deal, in that order, and how it stands."""

    history: list[Move] = []
    repeats: list[Move] = []
    links: list[Any] = []
    stage: str | None = None
    since: int = 0


class ReducedFold(Fold[ReducedState]):
    """Last stage and time in stage by deal, sums by rep and day."""

    kind = Kind.DEAL
    codes = DealFold.codes
    _state = ReducedState

    def add(self, state: ReducedState, event: Event) -> bool:
        """Take an event as it arrives; False if it was there."""
        identity, source = event.id, event.source
        for known in state.history:
            if known[2] == identity and known[1] == source:
                return False
        data = event.data
        assert isinstance(data, DealData)
        at, left, stayed = event.at, state.stage, 0
        if left is not None and at < state.since:
            left, stayed = None, LATE
        else:
            if left is not None:
                stayed = at - state.since
            state.stage, state.since = CLOSINGS.get(event.type) or data.stage, at
        cents = (data.amount or 0) // UNITS_PER_CENT
        state.history.append((at, source, identity, self._code_of[event.type], data.rep_id or "", cents, left, stayed))
        return True

    def merge(self, left: ReducedState, right: ReducedState) -> ReducedState:
        """Both are beginnings of the one order in which a partition has the deal's events: the longer one."""
        return max(left, right, key=lambda state: len(state.history))

    def contribution(self, subject: str, state: ReducedState, context: Context) -> Contribution:  # noqa: ARG002
        """What all of the deal's events count for."""
        return _counted(state.history)

    def difference(
        self,
        subject: str,  # noqa: ARG002
        state: ReducedState,
        known: int,
        context: Context,  # noqa: ARG002
    ) -> tuple[Contribution, Contribution] | None:
        """What the new events count for."""
        return Contribution(), _counted(state.history[known:])

    def forgettable(self, state: ReducedState, before_us: int) -> bool:  # noqa: ARG002
        """Never: the comparison is over before."""
        return False

    def _step(self, code: int, event: Event) -> Step:
        raise NotImplementedError

    def _data(self, step: Any) -> dict[str, Any]:
        raise NotImplementedError


def _counted(moves: list[Move]) -> Contribution:
    sums: dict[tuple[str, int, Measure], int] = {}
    for at, _, _, code, rep, cents, left, stayed in moves:
        minute = at // MINUTE_US
        _add(sums, (rep, minute, _NO), 1)
        measure = _OF_TYPE.get(code)
        if measure is not None:
            _add(sums, (rep, minute, measure), 1)
            if code == WON:
                _add(sums, (rep, minute, ("amt",)), cents)
        if left is not None:
            _add(sums, (rep, minute, ("dc", left)), 1)
            _add(sums, (rep, minute, ("ds", left)), stayed)
        elif stayed == LATE:
            _add(sums, (rep, minute, _LATE), 1)
    return Contribution(sums)


def _add(sums: dict[tuple[str, int, Measure], int], key: tuple[str, int, Measure], amount: int) -> None:
    sums[key] = sums.get(key, 0) + amount


def add_cell(rows: dict[tuple[str, int], Row], cell: Cell, value: CellValue) -> None:
    """Add what one shard says of a rep and day to its row."""
    if not isinstance(cell, DayCell):
        return
    assert isinstance(value, dict)
    row = rows.setdefault((cell.rep, cell.day), Row())
    for (name, *dimensions), amount in value.items():
        if name == "dc":
            row.dc[str(dimensions[0])] = row.dc.get(str(dimensions[0]), 0) + amount
        elif name == "ds":
            row.ds[str(dimensions[0])] = row.ds.get(str(dimensions[0]), 0) + amount // 1_000
        else:
            setattr(row, str(name), getattr(row, str(name)) + amount)
