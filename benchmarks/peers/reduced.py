"""A fold for Funnelwatch's own engine that yields what sales-kpi-1 asks for and no more.

What is late depends on the order of arrival here, so a deal's row says up to which place of its partition it is folded,
and a place read again changes nothing. Behind that stand its last stage and since when, and what each event counted
for, so that sums can be derived from the rows at any time. As in every other system, of an event only that is read
which the work needs; the product validates all of it. Everything else is the engine's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from struct import Struct
from typing import Any, Final

import msgspec

from funnelwatch.agents.engine import chunk_fold
from funnelwatch.agents.engine.chunk_fold import Change, EntityFold, Groups, Item, Record, RefusedItem, Tally
from funnelwatch.schemas.codec import Limits
from funnelwatch.schemas.events import Event, Kind
from funnelwatch.streams.cells import MINUTE_US, Cell, CellValue, Contribution, DayCell, Measure
from funnelwatch.streams.context import Context
from funnelwatch.streams.entities.deal import DealFold
from funnelwatch.streams.fold import Fold
from funnelwatch.streams.history import Step
from peers.workload import CLOSINGS, STAGES, Row, ms_of

ALL_STAGES = (*STAGES, *CLOSINGS.values())
CODES = {name: code for code, name in enumerate(DealFold.codes)}
WON = CODES["deal.won"]
NOTHING, LATE = 255, 254
"""In place of the stage that was left."""
HEAD: Final = Struct("<qqqB")
"""Offset, newest event, since when (µs), stage."""
MOVE: Final = Struct("<qBBqqB")
"""Minute, type, stage that was left, µs in it, cents, bytes of the rep that follow."""

Sums = dict[tuple[str, int, Measure], int]

_STAGE_CODES = {stage: code for code, stage in enumerate(ALL_STAGES)}
_NO: Measure = ("n",)
_LATE: Measure = ("late",)
_AMOUNT: Measure = ("amt",)
_OF_TYPE: dict[int, Measure] = {CODES[f"deal.{name}"]: (f"{name}_count",) for name in ("created", "won", "lost")}
"""Not called as the product calls them: it keeps closes by the minute, which the work does not ask for."""
_LEFT: list[tuple[Measure, Measure]] = [(("dc", stage), ("ds", stage)) for stage in ALL_STAGES]


class _Data(msgspec.Struct, gc=False):
    rep_id: str
    amount: float
    stage: str | None = None


class ReducedEvent(msgspec.Struct, gc=False):
    """What the work needs of an event of ``crm.deals``."""

    subject: str
    type: str
    time: str
    data: _Data
    at: int = 0


_decode = msgspec.json.Decoder(ReducedEvent).decode
_days: dict[str, int] = {}


def _us_of(text: str) -> int:
    """As `peers.workload.ms_of` but in µs; the beginning of each day is remembered."""
    day = text[:10]
    begin = _days.get(day)
    if begin is None:
        begin = _days[day] = ms_of(f"{day}T00:00:00.000Z")
    seconds = int(text[11:13]) * 3_600 + int(text[14:16]) * 60 + int(text[17:19])
    return (begin + seconds * 1_000 + int(text[20:23])) * 1_000


def decode(kind: Kind, value: bytes | None, headers: Any, limits: Limits) -> list[Any]:  # noqa: ARG001  (as the engine's)
    """What the work needs of an event."""
    event = _decode(value or b"")
    event.at = _us_of(event.time)
    return [event]


def read_events(kind: Kind, records: Sequence[Record], limits: Limits) -> tuple[Groups, list[RefusedItem]]:
    """As the engine's, for deals only."""
    if kind is not Kind.DEAL:
        return chunk_fold.read_events(kind, records, limits)
    groups: Groups = {}
    for record in records:
        (event,) = decode(kind, record.value, record.headers, limits)
        group = groups.get(event.subject)
        if group is None:
            groups[event.subject] = [Item(record, None, event)]
        else:
            group.append(Item(record, None, event))
    return groups, []


class ReducedState(msgspec.Struct, gc=False):
    """A row."""

    row: bytes = b""
    history: Sequence[Any] = ()
    repeats: Sequence[Any] = ()
    links: Sequence[Any] = ()


class ReducedFold(Fold[ReducedState]):  # type: ignore[type-var]  # it keeps no history that others could look at
    """The rules for rows; `ReducedEntityFold` makes them."""

    kind = Kind.DEAL
    codes = DealFold.codes
    _state = ReducedState

    def __init__(self) -> None:
        super().__init__()
        self.decode = ReducedState
        self.encode = lambda state: state.row

    def merge_rows(self, left: bytes, right: bytes) -> bytes:
        """Both are beginnings of the one order in which a partition has the deal's events: the longer one."""
        return max(left, right, key=lambda row: HEAD.unpack_from(row)[0])

    def contribution(self, subject: str, state: ReducedState, context: Context) -> Contribution:  # noqa: ARG002
        """What all of the deal's events count for."""
        sums: Sums = {}
        for minute, code, left, stayed, cents, rep in _moves(state.row):
            _add(sums, _counted(rep, minute, code, left=left, stayed=stayed, cents=cents))
        return Contribution(sums)

    def newest(self, state: ReducedState) -> int | None:
        """The time of the newest event."""
        return int(HEAD.unpack_from(state.row)[1])

    def forgettable(self, state: ReducedState, before_us: int) -> bool:  # noqa: ARG002
        """Never: the comparison is over before."""
        return False

    def _step(self, code: int, event: Event) -> Step:
        raise NotImplementedError

    def _data(self, step: Any) -> dict[str, Any]:
        raise NotImplementedError


class ReducedEntityFold(EntityFold):
    """Takes a chunk's events of one deal into its row without looking at those before."""

    def apply(
        self,
        subject: str,  # noqa: ARG002  (as `EntityFold` has it)
        row: bytes | None,
        items: Sequence[Item],
        tally: Tally,
        seen_before: Callable[[Record], bool],
    ) -> Change:
        """As `EntityFold`."""
        place, newest, since, stage = (-1, 0, 0, NOTHING) if row is None else HEAD.unpack_from(row)
        behind = [b"" if row is None else row[HEAD.size :]]
        sums: Sums = {}
        again = False
        for item in items:
            here = item.record.offset
            if here <= place:
                tally.unchanged += 1
                again = again or seen_before(item.record)
                continue
            place = here
            event: Any = item.content
            at, data = event.at, event.data
            left, stayed = stage, 0
            if at < since:
                left = LATE
            else:
                if stage != NOTHING:
                    stayed = at - since
                stage, since = _STAGE_CODES[CLOSINGS.get(event.type) or data.stage], at
                newest = at
            code, rep, cents, minute = CODES[event.type], data.rep_id, round(data.amount * 100), at // MINUTE_US
            counted = _counted(rep, minute, code, left=left, stayed=stayed, cents=cents)
            sums = _add(sums, counted) if sums else counted
            name = rep.encode()
            behind.append(MOVE.pack(minute, code, left, stayed, cents, len(name)) + name)
            tally.applied += 1
        if not sums:
            return Change(row if again else None)
        return Change(HEAD.pack(place, newest, since, stage) + b"".join(behind), None, Contribution(sums), [], newest)


def entity_fold(fold: Fold[Any], context: Context) -> EntityFold:
    """Of each kind."""
    return (ReducedEntityFold if isinstance(fold, ReducedFold) else EntityFold)(fold, context)


def _moves(row: bytes) -> Iterator[tuple[int, int, int, int, int, str]]:
    at = HEAD.size
    while at < len(row):
        *move, size = MOVE.unpack_from(row, at)
        at += MOVE.size + size
        minute, code, left, stayed, cents = move
        yield minute, code, left, stayed, cents, row[at - size : at].decode()


def _counted(rep: str, minute: int, code: int, *, left: int, stayed: int, cents: int) -> Sums:
    """What one event counts for."""
    sums: Sums = {(rep, minute, _NO): 1}
    measure = _OF_TYPE.get(code)
    if measure is not None:
        sums[rep, minute, measure] = 1
        if code == WON:
            sums[rep, minute, _AMOUNT] = cents
    if left < LATE:
        times, spent = _LEFT[left]
        sums[rep, minute, times] = 1
        sums[rep, minute, spent] = stayed
    elif left == LATE:
        sums[rep, minute, _LATE] = 1
    return sums


def _add(sums: Sums, more: Sums) -> Sums:
    for key, amount in more.items():
        sums[key] = sums.get(key, 0) + amount
    return sums


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
            figure = str(name).removesuffix("_count")
            setattr(row, figure, getattr(row, figure) + amount)
