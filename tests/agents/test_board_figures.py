"""Documents that are kept: whom a rep is compared with changes without the rep, and without the clock."""

from __future__ import annotations

import msgspec
import pytest
from support.worker_process import expected

from funnelwatch.agents import clock
from funnelwatch.agents.board.figures import OTHERS_SECONDS, TOGETHER_SECONDS, Figures
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.catalogue import of_process
from funnelwatch.streams.documents import Documents
from funnelwatch.streams.exposition import Exposition
from funnelwatch.streams.samples import KpiSeries
from funnelwatch.streams.simulator import Floor
from funnelwatch.streams.simulator.demo import TEHRAN_CALENDAR, demo_settings
from funnelwatch.streams.table import Table

UNTIL = 1_781_000_000_000_000
SETTINGS = demo_settings(TEHRAN_CALENDAR)


@pytest.fixture
def monotonic(monkeypatch):
    """A clock that goes when it is told to."""
    at = [1_000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: at[0])
    return at


class Board:
    """A table that gets one rep's cells first and everybody else's later."""

    def __init__(self) -> None:
        _, events = Floor.with_history(1, UNTIL, SETTINGS, reps=6, days=20)
        self.shards = expected(SETTINGS, [(event.kind, event.value) for event in events])
        self.table = Table(SETTINGS, Calendar(SETTINGS.calendar))
        self.documents = Documents(SETTINGS, self.table)
        series = KpiSeries(Exposition(of_process("board")), SETTINGS.board.metric_windows, SETTINGS.board.reps_max)
        self.figures = Figures(self.table, self.documents, series, SETTINGS.currency)
        self.reps = sorted({cell.rep for cells in self.shards.values() for cell in cells if cell.rep})

    def tell(self, whose) -> None:
        for shard, cells in self.shards.items():
            self.table.apply(shard, {cell: value for cell, value in cells.items() if whose(cell.rep)})

    def alone_and_then_with_the_others(self) -> str:
        """A rep whose document differs by what the others do; it is computed once, before they have done anything."""
        for rep in self.reps:
            self.__init__()
            self.tell(lambda other, rep=rep: other == rep)
            before = self.figures.find(("rep", rep), UNTIL).document
            self.tell(lambda other, rep=rep: other != rep)
            if msgspec.to_builtins(before) != msgspec.to_builtins(self.documents.rep(rep, UNTIL)):
                return rep
        raise AssertionError("nobody is compared with anybody")


def test_a_document_that_is_asked_for_compares_with_what_the_others_did_a_moment_ago(monotonic):
    board = Board()
    rep = board.alone_and_then_with_the_others()
    monotonic[0] += TOGETHER_SECONDS

    assert board.figures.serve(("rep", rep), UNTIL).document == board.documents.rep(rep, UNTIL)


async def test_a_document_nobody_asks_for_is_renewed_within_a_minute_also_while_the_clock_of_figures_stands(monotonic):
    board = Board()
    rep = board.alone_and_then_with_the_others()
    await board.figures.refresh(UNTIL)  # all the others, which are new
    monotonic[0] += OTHERS_SECONDS
    changes = await board.figures.refresh(UNTIL)

    assert board.documents.rep(rep, UNTIL) in changes.documents
