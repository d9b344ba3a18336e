"""The merged read model: the cells of all shards added up, per rep, per team and for the organisation.

A shard is one partition of one kind of entity. It publishes absolute values; the table keeps what each shard said last,
so that a shard can be replaced or corrected, and keeps the sums over shards up to date by adding differences.

Levels are ``rep``, ``team`` and ``organisation``; the id of a team is its name, that of the organisation does not
matter. The rep ``""`` is nobody: it counts for the organisation and for no team. What the read methods return is live:
it is not to be changed, nor kept while the table changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from sys import intern
from typing import Final

from msgspec.structs import force_setattr

from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import (
    AdvanceCell,
    CallRecording,
    Cell,
    CellValue,
    CloseCell,
    DayCell,
    Item,
    ItemCell,
    LostDeal,
    Measure,
    MinuteCell,
    OpenDeal,
    OpenLead,
    RepRecord,
    Sums,
)
from funnelwatch.streams.freshness import NEVER, Freshness
from funnelwatch.streams.holdings import NO_DEALS, NO_LEADS, Holdings, Recordings
from funnelwatch.streams.ledger import ORGANISATION, Ledger, difference, tagged
from funnelwatch.streams.membership import Membership
from funnelwatch.streams.piles import Piles

Shard = tuple[Kind, int]
"""(kind of entity, partition)."""

MEASURES_MAX = 200_000
"""How many different measures are kept once and shared; more are kept as they come, at the price of memory."""

CELL_TEXTS: Final = ("rep", "type")
ITEM_TEXTS: Final = ("pipeline", "stage", "currency", "state", "reason", "outcome", "channel")
"""Texts of cells and items of which there are few: each is kept once, or a third of an open deal were such texts."""

_EMPTY: Sums = {}


class Table:
    """What all shards say, merged. Pure: it holds no clock and does no I/O.

    With exchange rates configured, the measures of what was closed carry the rep and the day behind their own
    dimensions, at every level (`ledger.tagged`): read the dimensions by their index.
    """

    def __init__(self, settings: Settings, calendar: Calendar) -> None:
        self.calendar = calendar
        self._tagged = bool(settings.rates)
        self._shards: dict[Shard, dict[Cell, CellValue]] = {}
        self._days, self._months, self._minutes, self._closes = Ledger(), Ledger(), Ledger(), Ledger()
        self._holdings = Holdings(by_rep=self._tagged)
        self._membership = Membership(calendar)
        self._advances: dict[str, dict[Shard, int]] = {}
        self._cells_of: dict[str, int] = {}
        self._listed: list[str] | None = None
        self._changed: set[str] = set()
        self._changed_teams: set[str] = set()
        self._measures: dict[Measure, Measure] = {}
        self._fresh: dict[tuple[str, str], Freshness] = {}
        self.revision = 0
        """Grows with every change, so that what was computed from the table can be kept until the next."""

    # What shards say

    def replace(self, shard: Shard, cells: Mapping[Cell, CellValue]) -> None:
        """Everything the shard says, in place of all it said before."""
        held = self._shards.get(shard, {})
        gone: dict[Cell, CellValue | None] = {cell: None for cell in held if cell not in cells}
        self.apply(shard, gone | dict(cells))

    def apply(self, shard: Shard, changes: Mapping[Cell, CellValue | None]) -> None:
        """New absolute values of some cells of a shard; None removes a cell."""
        self.revision += 1
        held = self._shards.setdefault(shard, {})
        for cell, value in changes.items():
            if isinstance(cell, ItemCell):
                self._put_item(held, cell, value)
            elif isinstance(cell, AdvanceCell):
                self._put_advance(shard, held, cell, value)
            else:
                self._put_sums(held, cell, value)
        if not held:
            del self._shards[shard]

    def take_changed(self) -> set[str]:
        """The reps whose figures may have changed since the last call; ``""`` if it is the organisation's alone."""
        changed, self._changed = self._changed, set()
        return changed

    def take_changed_teams(self) -> set[str]:
        """The teams whose members or days may have changed since the last call."""
        changed, self._changed_teams = self._changed_teams, set()
        return changed

    def _put_sums(self, held: dict[Cell, CellValue], cell: DayCell | MinuteCell | CloseCell, value: object) -> None:
        old = held.get(cell, _EMPTY)
        new = self._shared(value) if isinstance(value, dict) else _EMPTY
        assert isinstance(old, dict)
        if new:
            if not old:
                _share_texts(cell, CELL_TEXTS)
            held[cell] = new
        else:
            held.pop(cell, None)
        delta = difference(old, new)
        if not delta:
            return
        self._changed.add(cell.rep)
        if isinstance(cell, DayCell):
            self._count(cell.rep, bool(new) - bool(old))
            self._add_day(cell.rep, cell.day, delta)
            return
        day = self.calendar.day_of_minute(cell.minute)
        ledger = self._minutes if isinstance(cell, MinuteCell) else self._closes
        ledger.add(
            cell.rep,
            self._membership.tenure(cell.rep).on(day),
            cell.minute,
            tagged(cell.rep, day, delta) if self._tagged else delta,
        )

    def _add_day(self, rep: str, day: int, delta: Sums) -> None:
        team = self._membership.tenure(rep).on(day)
        if self._tagged:
            delta = tagged(rep, day, delta)
        self._days.add(rep, team, day, delta)
        month = self.calendar.month_start(day)
        self._months.add(rep, team, month, delta)
        self._touch(day, month, rep, team)

    def _touch(self, day: int, month: int, rep: str, *teams: str) -> None:
        """Notes that a day of a rep, its teams and the organisation changed; of what became empty nothing is kept."""
        self._changed_teams.update(team for team in teams if team)
        for key in ((ORGANISATION, ORGANISATION), ("rep", rep), *(("team", team) for team in teams if team)):
            if not self._days.book(*key):
                self._fresh.pop(key, None)
                continue
            fresh = self._fresh.get(key)
            if fresh is None:
                fresh = self._fresh[key] = Freshness(day, self.revision)
            fresh.touch(day, month, self.revision)

    def _put_advance(self, shard: Shard, held: dict[Cell, CellValue], cell: AdvanceCell, value: object) -> None:
        if held.get(cell) == value:
            return
        self._changed.add(cell.rep)
        if isinstance(value, int):
            held[cell] = value
            self._advances.setdefault(cell.rep, {})[shard] = value
            return
        del held[cell]
        advances = self._advances[cell.rep]
        del advances[shard]
        if not advances:
            del self._advances[cell.rep]

    def _put_item(self, held: dict[Cell, CellValue], cell: ItemCell, value: CellValue | None) -> None:
        old = held.get(cell)
        if old == value:
            return
        if value is None:
            del held[cell]
            self._changed.update(self._holdings.drop(cell))
        else:
            assert not isinstance(value, int | dict)
            if old is None:
                _share_texts(cell, CELL_TEXTS)
            _share_texts(value, ITEM_TEXTS)
            held[cell] = value
            self._changed.update(self._holdings.put(cell, value))
        if cell.type == "rep":
            self._rejoin(cell.rep)
        elif cell.type != "lost_deal":
            self._count(cell.rep, (old is None) - (value is None))

    def _rejoin(self, rep: str) -> None:
        """The rep's record changed: days whose team is another one now move there."""
        self._listed = None
        record = self._holdings.records.get(rep)
        old = self._membership.update(rep, record)
        new = self._membership.tenure(rep)
        self._changed_teams.update(team for team in (old.present, new.present) if team)
        if not old.differs(new):
            return
        for ledger, day_of in (
            (self._days, int),
            (self._minutes, self.calendar.day_of_minute),
            (self._closes, self.calendar.day_of_minute),
        ):
            for at, sums in ledger.reps.get(rep, {}).items():
                day = day_of(at)
                before, after = old.on(day), new.on(day)
                if before != after:
                    ledger.move(sums, at, before, after)
                    if ledger is self._days:
                        month = self.calendar.month_start(day)
                        self._months.move(sums, month, before, after)
                        self._touch(day, month, rep, before, after)

    def _count(self, rep: str, cells: int) -> None:
        """Keeps count of the cells that make a rep without a record one who is listed."""
        if not cells:
            return
        count = self._cells_of.get(rep, 0) + cells
        if count:
            if count == cells:
                self._listed = None
            self._cells_of[rep] = count
        else:
            del self._cells_of[rep]
            self._listed = None

    def _shared(self, sums: Sums) -> Sums:
        """The sums with every measure the same object in all cells: most memory is measures."""
        known = self._measures
        if len(known) >= MEASURES_MAX:
            return {known.get(measure, measure): amount for measure, amount in sums.items() if amount}
        return {known.setdefault(measure, measure): amount for measure, amount in sums.items() if amount}

    # What is known of a rep

    def reps(self) -> Sequence[str]:
        """The reps with a record that says not removed, or without one but with figures; in order of their ids."""
        if self._listed is None:
            records = self._holdings.records
            known = {rep for rep, record in records.items() if not record.removed}
            self._listed = sorted(known | {rep for rep in self._cells_of if rep and rep not in records})
        return self._listed

    def teams(self) -> list[str]:
        """The teams with a present member who is listed, or with any sum on any day; in order."""
        present = {team for rep in self.reps() if (team := self._membership.tenure(rep).present)}
        return sorted(present | self._days.teams.keys())

    def record(self, rep: str) -> RepRecord | None:
        """What ``crm.reps`` said of the rep; None if it never did."""
        return self._holdings.records.get(rep)

    def present_team(self, rep: str) -> str | None:
        """The team set last for the rep; None if there is none."""
        return self._membership.tenure(rep).present or None

    def team_on(self, rep: str, day: int) -> str | None:
        """The rep's team on a local day (``docs/figures.md``, "Reps, teams"); None if there is none."""
        return self._membership.tenure(rep).on(day) or None

    def members(self, team: str) -> AbstractSet[str]:
        """The reps whose present team this is, also those removed or not active."""
        return self._membership.members(team)

    # Sums

    def days(self, level: str, subject: str) -> Mapping[int, Sums]:
        """All measures by local day (ordinal)."""
        return self._days.book(level, subject)

    def months(self, level: str, subject: str) -> Mapping[int, Sums]:
        """All measures by month (first day of it), over all its days."""
        return self._months.book(level, subject)

    def freshness(self, level: str, subject: str) -> Freshness:
        """When the sums by day last changed."""
        return self._fresh.get((level, subject), NEVER)

    def minutes(self, level: str, subject: str) -> Mapping[int, Sums]:
        """All measures by minute, as long as the shards keep them (`cells.FINE_MINUTES`)."""
        return self._minutes.book(level, subject)

    def closes(self, level: str, subject: str) -> Mapping[int, Sums]:
        """The `cells.CLOSE_MEASURES` by minute, as long as the shards keep them (`cells.CLOSE_MINUTES`)."""
        return self._closes.book(level, subject)

    # Items

    def open_deals(self, rep: str) -> Mapping[str, OpenDeal]:
        """The rep's open deals by id."""
        return self._holdings.open_deals.get(rep, NO_DEALS)

    @property
    def deal_piles(self) -> Piles:
        """All open deals, added up by stage."""
        return self._holdings.deal_piles

    @property
    def lead_piles(self) -> Piles:
        """All open leads, added up by state."""
        return self._holdings.lead_piles

    def open_leads(self, rep: str) -> Mapping[str, OpenLead]:
        """The rep's open leads by id."""
        return self._holdings.open_leads.get(rep, NO_LEADS)

    def recordings(self, rep: str) -> Mapping[str, CallRecording]:
        """The rep's recorded calls by id."""
        return self._holdings.recordings.get(rep, {})

    def all_recordings(self) -> Mapping[str, Recordings]:
        """All recorded calls, by rep."""
        return self._holdings.recordings

    def lost_deals(self) -> Mapping[str, LostDeal]:
        """All deals of the organisation that stand lost, by id, as far back as they are published."""
        return self._holdings.lost_deals

    def last_advance(self, rep: str) -> int | None:
        """When (µs) a deal last advanced under the rep; None if none ever did."""
        return max(self._advances.get(rep, {}).values(), default=None)

    def holders(self) -> AbstractSet[str]:
        """Everybody who did or has anything, or has a record: ``""`` and removed reps included."""
        return self._cells_of.keys() | self._holdings.records.keys() | self._advances.keys()


def _share_texts(struct: Cell | Item, names: tuple[str, ...]) -> None:
    """Have a cell or an item refer to the one copy of its texts; it stays equal to what it was."""
    for name in names:
        text = getattr(struct, name, None)
        if isinstance(text, str):
            force_setattr(struct, name, intern(text))
