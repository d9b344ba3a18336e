"""The capacity page is what the command beside the benchmarks prints, and that is plain arithmetic on measurements."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
sys.path.append(str(BENCHMARKS))

import capacity  # noqa: E402  (beside the package, not in it)
from capacity import COMPANIES, RATES, Company, Costs  # noqa: E402

COST = Costs(
    worker_cpu=20.0,
    redis_cpu=2.0,
    broker_cpu=3.0,
    worker_mb=100.0,
    worker_day_kb=2.0,
    worker_deal_kb=1.0,
    redis_day_kb=1.0,
    redis_deal_kb=0.5,
)


def page(name):
    return (ROOT / "docs" / name).read_text("utf-8")


@pytest.mark.parametrize(
    "table",
    [
        capacity.cost_table(capacity.measured()),
        capacity.company_table(capacity.measured(), COMPANIES),
        capacity.rate_table(capacity.measured(), RATES),
    ],
    ids=["costs", "companies", "rates"],
)
def test_the_tables_of_the_capacity_page_are_what_the_command_prints(table):
    assert table in page("capacity.md")


def test_a_plan_is_plain_arithmetic():
    plan = capacity.plan(COST, Company(reps=3_600, events=100.0, open_deals=10, days=365))

    assert plan.events_a_second == pytest.approx(20.0)  # 360,000 a day, a fifth of them in an hour
    assert plan.worker_cores == pytest.approx(20 * 20 / 1e6)
    assert plan.worker_mb == pytest.approx(100 + 3_600 * 250 * 2 / 1e3 + 36_000 * 1 / 1e3)
    assert plan.redis_mb == pytest.approx(3_600 * 250 * 1 / 1e3 + 36_000 * 0.5 / 1e3)
    assert plan.year_minutes == pytest.approx(90 * 20 / 60)  # 90 million events
    assert (plan.workers, plan.partitions, plan.redis_shards) == (1, 4, 1)


def test_workers_are_as_many_as_half_their_cores_or_their_memory_ask_for():
    by_rate = capacity.plan_rate(COST, 10_000_000)
    by_memory = capacity.plan_rate(COST, 1, held_mb=39_000)

    assert by_rate == (pytest.approx(200), 400, 2_048, 40)  # four partitions a worker, rounded up to a power of two
    assert by_memory[1:3] == (10, 64)  # 4,000 MB each, of which 100 are there from the start
