"""The compiled fold of the comparison comes to what its twin in Python comes to, and both to the batch."""

import importlib
import random
import shutil
import sys
from datetime import date
from pathlib import Path

import msgspec
import pytest
from support.messages import Record
from support.read_cells import as_read

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))

from peers import reduced_compiled  # noqa: E402  (beside the package, not in it)
from peers.installing import install  # noqa: E402
from peers.reduced import ReducedFold, add_cell, decode, entity_fold, read_events  # noqa: E402
from peers.workload import as_wire, batch, differences, events  # noqa: E402

from funnelwatch.agents.engine import kind_fold  # noqa: E402
from funnelwatch.agents.engine.chunk_fold import Tally  # noqa: E402
from funnelwatch.agents.engine.kind_fold import KindFold  # noqa: E402
from funnelwatch.schemas.codec import UNLIMITED  # noqa: E402
from funnelwatch.schemas.settings import Settings  # noqa: E402
from funnelwatch.streams import compiled, compiled_cells  # noqa: E402
from funnelwatch.streams.calendar import Calendar  # noqa: E402
from funnelwatch.streams.compiled_cells import CompiledCells  # noqa: E402
from funnelwatch.streams.context import Context  # noqa: E402
from funnelwatch.streams.shard import ShardCells  # noqa: E402

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
COUNT = 4_000
SETTINGS = Settings()
CONTEXT = Context(SETTINGS, Calendar(SETTINGS.calendar))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The compiled fold, built."""
    if shutil.which("cargo") is None:
        pytest.skip("there is no Rust compiler")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(install("reduced_native", tmp_path_factory.mktemp("cache")))
        yield importlib.import_module("funnelwatch_reduced")


@pytest.fixture
def engine(library, monkeypatch):
    """As `reduced_compiled.use`, for one test."""
    for user in (compiled, compiled_cells):
        monkeypatch.setattr(user, "_native", library)
    monkeypatch.setattr(kind_fold, "EntityFold", entity_fold)
    monkeypatch.setattr(kind_fold, "read_events", read_events)
    monkeypatch.setattr(kind_fold, "decode", decode)
    monkeypatch.setattr(kind_fold, "CompiledFold", reduced_compiled.CompiledReducedFold)


class Side:
    """One partition: rows, cells and counts."""

    def __init__(self, *, is_compiled):
        self.fold = KindFold(ReducedFold(), CONTEXT, compiled=is_compiled)
        self.cells = (CompiledCells if is_compiled else ShardCells)(CONTEXT.calendar, 30)
        self.rows = {}
        self.tally = Tally()
        self.written = []
        self.compiled_events = 0

    def take(self, records, redelivered_through):
        work, refused = self.fold.read_events(records, UNLIMITED)
        assert not refused
        rows = [self.rows.get(key) for key in work.keys]
        outcome = self.fold.apply(
            work, rows, self.tally, seen_before=lambda record: record.offset <= redelivered_through, home=None
        )
        outcome.add_to(self.cells)
        self.rows.update(outcome.rows)
        self.written.append(outcome.rows)
        if outcome.folded is not None:
            self.compiled_events += outcome.folded.applied + outcome.folded.unchanged

    def found(self):
        rows = {}
        for cell, value in as_read(self.cells.all_published()).items():
            add_cell(rows, cell, value)
        return {f"{rep}|{date.fromordinal(day)}": msgspec.to_builtins(row) for (rep, day), row in rows.items()}


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("seed", range(3))
def test_chunks_of_any_size_delivered_once_or_again_come_to_the_same_by_either_fold(seed):
    chance = random.Random(seed)
    values = list(events(COUNT, seed))
    records = [Record("crm.deals", 0, place, None, as_wire(value), ()) for place, value in enumerate(values)]
    sides = [Side(is_compiled=one) for one in (True, False)]
    place = 0
    while place < COUNT:
        begin = max(0, place - chance.choice((0, 0, 0, 200)))
        end = min(COUNT, place + chance.choice((1, 7, 300)))
        through = chance.choice((-1, place - 50))
        for side in sides:
            side.take(records[begin:end], through)
        place = end

    assert sides[0].written == sides[1].written
    assert sides[0].rows == sides[1].rows
    assert (sides[0].tally.applied, sides[0].tally.unchanged) == (sides[1].tally.applied, sides[1].tally.unchanged)
    assert sides[0].tally.applied == COUNT
    assert as_read(sides[0].cells.all_published()) == as_read(sides[1].cells.all_published())
    assert sides[0].compiled_events == sides[0].tally.applied + sides[0].tally.unchanged > COUNT
    assert differences(sides[0].found(), batch(values)) == []


@pytest.mark.usefixtures("engine")
def test_an_event_that_is_not_as_in_the_work_is_left_to_the_twin():
    sides = [Side(is_compiled=one) for one in (True, False)]
    value = as_wire(next(iter(events(1, 1))))
    odd = value.replace(b'"deal.created"', b'"deal.\\u0063reated"')
    for side in sides:
        side.take([Record("crm.deals", 0, place, None, one, ()) for place, one in enumerate((value, odd))], -1)

    assert sides[0].compiled_events == 0
    assert sides[0].rows == sides[1].rows
    assert as_read(sides[0].cells.all_published()) == as_read(sides[1].cells.all_published())
