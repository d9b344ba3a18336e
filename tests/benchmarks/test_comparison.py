"""The comparison with other systems: its work, its check, and the fold that reduces ours to it."""

import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path

import msgspec
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))

from peers.reduced import ReducedFold, add_cell, entity_fold, read_events  # noqa: E402  (beside the package, not in it)
from peers.workload import as_wire, batch, differences, events  # noqa: E402

from funnelwatch.agents.engine.chunk_fold import Tally  # noqa: E402
from funnelwatch.schemas.codec import UNLIMITED  # noqa: E402
from funnelwatch.schemas.events import Kind  # noqa: E402
from funnelwatch.schemas.settings import Settings  # noqa: E402
from funnelwatch.streams.calendar import Calendar  # noqa: E402
from funnelwatch.streams.context import Context  # noqa: E402
from funnelwatch.streams.shard import ShardCells  # noqa: E402

COUNT = 3_000
CHUNK = 128


class Message(msgspec.Struct):
    value: bytes
    topic: str = "crm.deals"
    partition: int = 0
    offset: int = 0
    key: bytes | None = None
    headers: tuple = ()
    timestamp: int = 0


class Engine:
    """One partition of the engine without its servers: rows and cells."""

    def __init__(self):
        settings = Settings()
        context = Context(settings, Calendar(settings.calendar))
        self.context = context
        self.fold = entity_fold(ReducedFold(), context)
        self.rows = {}
        self.cells = ShardCells(context.calendar, settings.recordings_days)
        self.tally = Tally()

    def take(self, values, first):
        messages = [Message(as_wire(value), offset=first + place) for place, value in enumerate(values)]
        groups, refused = read_events(Kind.DEAL, messages, UNLIMITED)
        assert not refused
        for subject, items in groups.items():
            change = self.fold.apply(subject, self.rows.get(subject), items, self.tally, lambda _: False)
            self.rows[subject] = change.row or self.rows.get(subject)
            if change.after is not None:
                self.cells.add(change.before, change.after)

    def derived(self):
        """Cells made from the rows alone, as a partition is opened."""
        cells, fold = ShardCells(self.context.calendar, 30), ReducedFold()
        for subject, row in self.rows.items():
            cells.add(None, fold.contribution(subject, fold.decode(row), self.context))
        return self.found(cells)

    def found(self, cells=None):
        rows = {}
        for cell, value in (cells or self.cells).all_cells().items():
            add_cell(rows, cell, value)
        return {f"{rep}|{date.fromordinal(day)}": msgspec.to_builtins(row) for (rep, day), row in rows.items()}


@pytest.fixture(scope="module")
def values():
    return list(events(COUNT, seed=3))


def chunks(values):
    return [values[at : at + CHUNK] for at in range(0, len(values), CHUNK)]


def test_the_reduced_fold_has_the_totals_of_the_batch(values):
    engine = Engine()
    for number, chunk in enumerate(chunks(values)):
        engine.take(chunk, number * CHUNK)
    assert engine.tally.applied == COUNT
    assert differences(engine.found(), batch(values)) == []
    assert differences(engine.derived(), batch(values)) == []


def test_what_is_delivered_again_changes_no_total_of_the_reduced_fold(values):
    engine = Engine()
    for number, chunk in enumerate(chunks(values)):
        engine.take(chunk, number * CHUNK)
        if number % 3 == 0:
            engine.take(chunk, number * CHUNK)
    again = sum(len(chunk) for chunk in chunks(values)[::3])
    assert (engine.tally.applied, engine.tally.unchanged) == (COUNT, again)
    assert differences(engine.found(), batch(values)) == []


def test_the_work_has_late_events_wins_and_stages_that_were_left(values):
    rows = batch(values).values()
    assert min(sum(row.late for row in rows), sum(row.won for row in rows), sum(len(row.dc) for row in rows)) > 0


def test_one_figure_that_is_off_by_one_is_found(values):
    truth = batch(values)
    found = {key: msgspec.to_builtins(row) for key, row in truth.items()}
    place = max(found)
    assert differences(found, truth) == []
    assert differences({key: row for key, row in found.items() if key != place}, truth)
    found[place] |= {"n": found[place]["n"] + 1}
    assert [problem.split()[0] for problem in differences(found, truth)] == [place]


def test_the_comparison_tells_how_it_is_used():
    for option, said in (("--help", "--repetitions"), ("--list", "kafka-streams-tuned")):
        done = subprocess.run([sys.executable, BENCHMARKS / "run", option], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout


def test_an_editable_install_compiles_the_fold_as_a_wheel_does():
    project = tomllib.loads((BENCHMARKS.parent / "pyproject.toml").read_text("utf-8"))
    assert [module["debug"] for module in project["tool"]["setuptools-rust"]["ext-modules"]] == [False]
