"""What a worker says of the partitions it has: how far behind, for how long, and whether commits move."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.documents import document
from support.messages import Record

from funnelwatch.agents.board.judgement import details
from funnelwatch.agents.engine import metrics as module
from funnelwatch.agents.engine.fold_agent import came_us
from funnelwatch.agents.engine.kind_fold import Work
from funnelwatch.agents.engine.metrics import LATE_US, Metrics
from funnelwatch.agents.engine.progress import Position
from funnelwatch.schemas.document import Evidence
from funnelwatch.streams.catalogue import of_process
from funnelwatch.streams.exposition import Exposition
from funnelwatch.streams.samples import KpiSeries

SECOND = 1_000_000
DEALS = ("crm.deals", 0)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000 * SECOND

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(module, "now_us", found)
    return found


def read(metrics: Metrics, name: str) -> float:
    families = text_string_to_metric_families(metrics.page().decode())
    (value,) = [sample.value for family in families for sample in family.samples if sample.name == name]
    return value


def test_lag_in_seconds_is_the_age_of_what_was_folded_last_and_zero_when_nothing_waits(clock):
    metrics, where = Metrics(), {DEALS: Position(10, 10, None)}
    metrics.watch_positions(lambda: where)
    clock.now += 60 * SECOND
    assert read(metrics, "funnelwatch_consumer_lag_seconds") == 0

    where[DEALS] = Position(12, 10, None)
    assert read(metrics, "funnelwatch_consumer_lag_seconds") == 60  # nothing folded since the process began

    metrics.folded(*DEALS, clock.now - 5 * SECOND)
    assert read(metrics, "funnelwatch_consumer_lag_seconds") == 5
    assert read(metrics, "funnelwatch_consumer_lag_records") == 2


def test_a_commit_that_stands_still_ages_only_while_something_waits(clock):
    metrics, where = Metrics(), {DEALS: Position(12, 10, None)}
    metrics.watch_positions(lambda: where)
    ages = []
    for position in (
        Position(12, 10, None),
        Position(20, 10, None),
        Position(20, 15, None),
        Position(20, 15, None),
        Position(20, 20, None),
    ):
        where[DEALS] = position
        ages.append(read(metrics, "funnelwatch_commit_age_seconds"))
        clock.now += 30 * SECOND

    assert ages == [0, 30, 0, 30, 0]


def test_a_partition_that_is_gone_is_forgotten(clock):
    metrics, where = Metrics(), {DEALS: Position(12, 10, None)}
    metrics.watch_positions(lambda: where)
    assert read(metrics, "funnelwatch_commit_age_seconds") == 0
    gone = where.pop(DEALS)
    metrics.page()
    clock.now += 90 * SECOND
    where[DEALS] = gone

    assert read(metrics, "funnelwatch_commit_age_seconds") == 0


def test_the_clock_and_redis_are_those_of_the_moment_of_the_scrape(clock):
    metrics, up = Metrics(), [True]
    metrics.watch_moment(lambda: up[0])
    first = read(metrics, "funnelwatch_redis_up"), read(metrics, "funnelwatch_time_seconds")
    up[0], clock.now = False, clock.now + SECOND

    assert first == (1, 1_000)
    assert (read(metrics, "funnelwatch_redis_up"), read(metrics, "funnelwatch_time_seconds")) == (0, 1_001)


def test_late_is_what_happened_long_before_it_came_not_what_was_read_late():
    last = Record("crm.deals", 0, 0, None, None, timestamp=5_000_000)
    at = [5_000_000_000 - LATE_US - 1, 5_000_000_000 - LATE_US, 5_000_000_000]
    groups = {str(us): [SimpleNamespace(content=SimpleNamespace(at=us))] for us in at}
    work = Work([last], groups, None, None)

    assert work.summary(came_us(last) - LATE_US).late == 1
    assert came_us(Record("crm.deals", 0, 0, None, None, timestamp=1.5)) == 1_500_000  # as Faust says it


def test_what_evidence_is_made_of_is_exposed_while_it_can_keep_an_alert_alive():
    strong = Evidence("loss_spike", "rep", "crm:1", "b", 4.5, 5, 20, 20, 0.55)
    weak = Evidence("loss_spike", "rep", "crm:1", "a", 3.0, 1, 9, 10, 0.5)
    none = Evidence("funnel_stalled", "rep", "crm:1", "", 1.9, 0, 7_200.0, 2.0, 4.0)
    found = details([weak, strong, none])
    page = Exposition(of_process("board"))
    series = KpiSeries(page, ("30d",), 10)
    series.put(document("crm:1"))
    series.put_details(document("crm:1"), found["rep", "crm:1"])
    text = page.page().decode()

    assert found == {("rep", "crm:1"): {"loss_spike": strong}}
    assert 'detector="loss_spike"} 0.55\n' in text
    series.remove("rep", "crm:1")
    assert b"crm:1" not in page.page()
