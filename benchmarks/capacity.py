"""What a company needs, from what `benchmarks/growth` and `year.py` measured: the tables of docs/capacity.md.

uv run python benchmarks/capacity.py
uv run python benchmarks/capacity.py --reps 3000 --events 60 --open-deals 250 --days 400
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
from peers.growth import Grown, read
from year import Told

GROWTH = Path(__file__).resolve().parent / "growth.jsonl"
YEAR = GROWTH.with_name("year.jsonl")
YEAR_DAYS = 250
"""Working days."""
BUSIEST_HOUR = 0.2
"""Its share of a day's events."""
BUSY_AT_MOST = 0.5
"""Of a core: what a process is planned for, so that it can catch up, and take over from another one."""
PARTITIONS_PER_WORKER = 4
"""So that work is even when a worker more or fewer shares it."""
PARTITIONS_LEAST = 4
WORKER_MB_AT_MOST = 4_000.0
"""What a worker is planned for: what it holds it reads again when it opens a partition on another disk."""
EVENT_BYTES = 310
PACKED = 5.0
"""How much smaller zstd makes them."""


class Costs(msgspec.Struct, frozen=True):
    """What was measured: CPU seconds per million events, the most of all runs; memory in MB and, for each, KB.

    A day is that of a rep with events of all kinds on it, and what is open of them is in it.
    """

    worker_cpu: float
    redis_cpu: float
    broker_cpu: float
    worker_mb: float
    worker_day_kb: float
    worker_deal_kb: float
    redis_day_kb: float
    redis_deal_kb: float


class Company(msgspec.Struct, frozen=True):
    """Events a rep has on a working day, and days that are kept (`retention_days`)."""

    reps: int
    events: float = 96.0
    open_deals: int = 400
    days: int = 800


class Plan(msgspec.Struct, frozen=True):
    """What it needs. Cores in the busiest hour; memory in MB of all workers, and of Redis."""

    events_a_second: float
    worker_cores: float
    workers: int
    partitions: int
    broker_cores: float
    redis_cores: float
    redis_shards: int
    worker_mb: float
    redis_mb: float
    kafka_gb_a_year: float
    year_minutes: float


def costs(grown: Sequence[Grown], told: Sequence[Told]) -> Costs:
    """Of runs whose totals were right, and of histories that were told, of few reps and of many."""
    right = [one for one in grown if one.run.is_right]
    few, *_, many = sorted((one for one in right if one.by == "deals"), key=lambda one: one.size.deals)
    deals = many.size.deals - few.size.deals
    small, *_, large = sorted(told, key=lambda one: one.rep_days)
    worker_day_kb = (large.worker_mb - small.worker_mb) * 1_000 / (large.rep_days - small.rep_days)
    return Costs(
        worker_cpu=max(*(one.cpu["worker"] for one in told), *(one.run.cpu for one in right)),
        redis_cpu=max(*(one.cpu["Redis"] for one in told), *(one.run.redis_cpu for one in right)),
        broker_cpu=max(*(one.cpu["broker"] for one in told), *(one.run.broker_cpu for one in right)),
        worker_mb=small.worker_mb - worker_day_kb * small.rep_days / 1_000,
        worker_day_kb=worker_day_kb,
        worker_deal_kb=(many.run.peak_mb - few.run.peak_mb) * 1_000 / deals,
        redis_day_kb=large.redis_mb * 1_000 / large.rep_days,
        redis_deal_kb=(many.run.redis_mb - few.run.redis_mb) * 1_000 / deals,
    )


def measured(growth: Path = GROWTH, year: Path = YEAR) -> Costs:
    """From files of results."""
    told = [msgspec.json.decode(line, type=Told) for line in year.read_bytes().splitlines()]
    return costs(read(growth), told)


def plan_rate(cost: Costs, events_a_second: float, held_mb: float = 0.0) -> tuple[float, int, int, int]:
    """Cores of workers, workers, partitions and Redis shards for a rate, and for what workers hold in memory."""
    cores = events_a_second * cost.worker_cpu / 1e6
    by_memory = math.ceil(held_mb / (WORKER_MB_AT_MOST - cost.worker_mb))
    workers = max(1, math.ceil(cores / BUSY_AT_MOST), by_memory)
    partitions = max(PARTITIONS_LEAST, 2 ** math.ceil(math.log2(PARTITIONS_PER_WORKER * workers)))
    shards = max(1, math.ceil(events_a_second * cost.redis_cpu / 1e6 / BUSY_AT_MOST))
    return cores, workers, partitions, shards


def plan(cost: Costs, company: Company) -> Plan:
    """What a company needs."""
    a_day = company.reps * company.events
    rate = a_day * BUSIEST_HOUR / 3_600
    rep_days = company.reps * company.days * YEAR_DAYS / 365
    deals = company.reps * company.open_deals
    held_mb = (rep_days * cost.worker_day_kb + deals * cost.worker_deal_kb) / 1e3
    cores, workers, partitions, shards = plan_rate(cost, rate, held_mb)
    return Plan(
        events_a_second=rate,
        worker_cores=cores,
        workers=workers,
        partitions=partitions,
        broker_cores=rate * cost.broker_cpu / 1e6,
        redis_cores=rate * cost.redis_cpu / 1e6,
        redis_shards=shards,
        worker_mb=workers * cost.worker_mb + held_mb,
        redis_mb=(rep_days * cost.redis_day_kb + deals * cost.redis_deal_kb) / 1e3,
        kafka_gb_a_year=a_day * YEAR_DAYS * EVENT_BYTES / PACKED / 1e9,
        year_minutes=a_day * YEAR_DAYS * cost.worker_cpu / 1e6 / 60,
    )


def cost_table(cost: Costs) -> str:
    """What was measured."""
    return "\n".join(
        [
            "| | worker | Redis | broker |",
            "|---|---|---|---|",
            f"| CPU s per million events | {cost.worker_cpu:.1f} | {cost.redis_cpu:.1f} | {cost.broker_cpu:.1f} |",
            f"| MB to begin with | {cost.worker_mb:.0f} | | |",
            f"| KB for a day of a rep | {cost.worker_day_kb:.2f} | {cost.redis_day_kb:.2f} | |",
            f"| KB for an open deal | {cost.worker_deal_kb:.2f} | {cost.redis_deal_kb:.2f} | |",
        ]
    )


def company_table(cost: Costs, companies: Sequence[Company]) -> str:
    """One column each."""
    plans = [plan(cost, one) for one in companies]
    rows = [
        ("events a second in the busiest hour", [_short(one.events_a_second) for one in plans]),
        ("worker cores, then", [_short(one.worker_cores) for one in plans]),
        ("workers", [f"{one.workers:,}" for one in plans]),
        ("partitions of each topic", [f"{one.partitions:,}" for one in plans]),
        ("memory of all workers", [_mb(one.worker_mb) for one in plans]),
        ("memory of Redis", [_mb(one.redis_mb) for one in plans]),
        ("broker and Redis, cores", [f"{_short(one.broker_cores)}; {_short(one.redis_cores)}" for one in plans]),
        ("events on Kafka's disk, a year, zstd, one copy", [f"{_short(one.kafka_gb_a_year)} GB" for one in plans]),
        ("a year told at once to one worker", [f"{_short(one.year_minutes)} min" for one in plans]),
    ]
    head = "".join(f" {one.reps:,} reps |" for one in companies)
    lines = [f"| |{head}", "|---|" + "---|" * len(companies)]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(values)} |" for name, values in rows)])


def rate_table(cost: Costs, rates: Sequence[float]) -> str:
    """One line each."""
    lines = [
        "| events a second | worker cores | workers | partitions | Redis shards | broker cores | MB/s, zstd |",
        "|---|---|---|---|---|---|---|",
    ]
    for rate in rates:
        cores, workers, partitions, shards = plan_rate(cost, rate)
        broker, sent = rate * cost.broker_cpu / 1e6, rate * EVENT_BYTES / PACKED / 1e6
        lines.append(
            f"| {rate:,.0f} | {_short(cores)} | {workers:,} | {partitions:,} | {shards:,} | {_short(broker)} | "
            f"{_short(sent)} |"
        )
    return "\n".join(lines)


def _short(value: float) -> str:
    if value < 0.01:
        return "under 0.01"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _mb(value: float) -> str:
    return f"{value / 1e3:,.1f} GB" if value >= 1e3 else f"{value:.0f} MB"


COMPANIES = tuple(map(Company, (10, 500, 20_000)))
RATES = (10_000.0, 100_000.0, 1_000_000.0, 10_000_000.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reps", type=int, help="of one company, instead of three")
    parser.add_argument("--events", type=float, default=Company(1).events, help="of a rep on a working day")
    parser.add_argument("--open-deals", type=int, default=Company(1).open_deals, help="of a rep")
    parser.add_argument("--days", type=int, default=Company(1).days, help="that are kept")
    parser.add_argument("--growth", type=Path, default=GROWTH, help="results of benchmarks/growth, on your machine")
    parser.add_argument("--year", type=Path, default=YEAR, help="and of benchmarks/year.py")
    arguments = parser.parse_args()
    cost = measured(arguments.growth, arguments.year)
    companies = COMPANIES
    if arguments.reps:
        companies = (Company(arguments.reps, arguments.events, arguments.open_deals, arguments.days),)
    print(f"{cost_table(cost)}\n\n{company_table(cost, companies)}\n\n{rate_table(cost, RATES)}")


if __name__ == "__main__":
    main()
