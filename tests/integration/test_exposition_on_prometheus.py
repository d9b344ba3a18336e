"""What a real Prometheus has of the board: hostile labels, the cap, ages, blindness, counters, reps that are gone."""

from __future__ import annotations

import contextlib
import time

import pytest
from msgspec.structs import replace
from support.board_process import BoardProcess
from support.cell_floor import BENCHMARKS, LEADS, NOW, PIPELINES, floor
from support.prometheus import Prometheus
from support.shards import ShardWriter

from funnelwatch.agents import clock
from funnelwatch.agents.embedded import EmbeddedRedis, free_ports
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import BoardSettings, KafkaSettings, RedisSettings, Settings
from funnelwatch.streams.catalogue import CATALOGUE, OTHER
from funnelwatch.streams.cells import RepRecord
from funnelwatch.streams.exposition import label_text

pytestmark = pytest.mark.integration

REPS = 6
PARTITIONS = 2
SECONDS_MAX = 30.0
HOSTILE = '<img src=x onerror=alert(1)>"\\\n\u202e{}=~\x00' + "é" * 300


@pytest.fixture
def settings(redis_server, prefix) -> Settings:
    nowhere, port = free_ports(2)
    return Settings(
        clock=NOW.isoformat(),
        pipelines=PIPELINES,
        leads=LEADS,
        benchmarks=BENCHMARKS,
        redis=RedisSettings(port=redis_server.port, prefix=prefix.rstrip(".")),
        kafka=KafkaSettings(bootstrap=(f"127.0.0.1:{nowhere}",), partitions=PARTITIONS, prefix=prefix),
        board=BoardSettings(port=port),
    )


@contextlib.contextmanager
def scraped(settings: Settings, cells, folder):
    """A board with these cells, scraped each second: (its writer, Prometheus)."""
    writer = ShardWriter(settings)
    try:
        writer.everything(cells, at=clock.now_us())
        with (
            BoardProcess(settings, folder) as board,
            Prometheus(folder / "p", {"funnelwatch-board": board.address}) as p,
        ):
            until(lambda: p.query("sales_rep_info") and p.query("sales_rep_evidence"))
            yield writer, p
    finally:
        writer.close()


def until(so, seconds: float = SECONDS_MAX):
    """Until something is so, or has anything in it; what it was."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := so():
            return found
        time.sleep(0.2)
    raise AssertionError("not in time")


def value(prometheus: Prometheus, expression: str) -> float | None:
    found = prometheus.query(expression)
    return found[0][1] if found else None


def of(cells, change):
    """The cells with every record of a rep changed by ``change(id, record)``; None leaves the rep out altogether."""
    found = {}
    for shard, own in cells.items():
        found[shard] = {}
        for cell, kept in own.items():
            rep = change(cell.rep)
            if rep is None:
                continue
            told = replace(kept, name=HOSTILE, teams=((0, HOSTILE),)) if rep != cell.rep and is_record(kept) else kept
            found[shard][replace(cell, rep=rep) if rep != cell.rep else cell] = told
    return found


def is_record(kept) -> bool:
    return isinstance(kept, RepRecord)


def test_labels_of_any_characters_arrive_as_they_are_and_harm_nobody(settings, tmp_path):
    cells = of(floor(reps=REPS), lambda rep: HOSTILE if rep == "crm:1" else rep)
    with scraped(settings, cells, tmp_path) as (_, prometheus):
        infos = [labels for labels, _ in until(lambda: prometheus.query("sales_rep_info"))]
        wanted = label_text(HOSTILE)
        mine = [labels for labels in infos if labels["rep"] == wanted]

        assert value(prometheus, "up") == 1
        assert len(infos) == REPS
        assert len(mine) == 1
        assert len(wanted) <= 256
        assert wanted in {labels["rep"] for labels, _ in prometheus.query("sales_rep_evidence")}


def test_reps_beyond_the_cap_are_added_up_under_one_name_and_nothing_is_lost(settings, tmp_path):
    capped = replace(settings, board=replace(settings.board, reps_max=4))
    deals = 'sum without (rep, team, job, instance) (sales_rep_deals{window="30d"})'
    with scraped(capped, floor(reps=REPS), tmp_path) as (_, prometheus):
        until(lambda: value(prometheus, "funnelwatch_reps_over_limit") == REPS - 4)
        own = {labels["rep"] for labels, _ in prometheus.query("sales_rep_info")}
        other = {labels["__name__"] for labels, _ in prometheus.query(f'{{rep="{OTHER}"}}')}
        by_rep = {labels["outcome"]: amount for labels, amount in prometheus.query(deals)}
        of_teams = deals.replace("rep, ", "").replace("_rep_", "_team_")
        by_team = {labels["outcome"]: amount for labels, amount in prometheus.query(of_teams)}

        assert len(own) == 4
        assert OTHER not in own
        assert all(CATALOGUE[name].additive for name in other)
        assert by_rep == by_team
        assert value(prometheus, "funnelwatch_reps_listed / funnelwatch_reps_limit") == 1


def test_the_age_of_the_figures_grows_until_a_worker_confirms_them(settings, tmp_path):
    with scraped(settings, floor(reps=REPS), tmp_path) as (writer, prometheus):
        until(lambda: (value(prometheus, "min(sales_kpi_age_seconds)") or 0) > 3)
        for kind in Kind:
            for partition in range(PARTITIONS):
                if (kind, partition) != (Kind.DEAL, 1):
                    writer.beat(kind, partition, watermark=None, at=clock.now_us())
        until(lambda: value(prometheus, "min(sales_kpi_age_seconds)") < 2)
        (oldest,) = prometheus.query("topk(1, sales_kpi_age_seconds)")

        assert oldest[0]["topic"].endswith("crm.deals")
        assert oldest[0]["partition"] == "1"
        assert oldest[1] > 3
        assert len(prometheus.query("sales_kpi_age_seconds")) == len(Kind) * PARTITIONS


def test_a_blind_board_has_no_figures_and_comes_back_by_itself(settings, tmp_path):
    redis = EmbeddedRedis(tmp_path / "redis", *free_ports(1))
    redis.start()
    try:
        own = replace(settings, redis=replace(settings.redis, port=redis.port))
        cells = floor(reps=REPS)
        with scraped(own, cells, tmp_path) as (_, prometheus):
            redis.stop()
            until(lambda: value(prometheus, "up") == 0)
            blind = [prometheus.query(f'{{__name__=~"{family}_.*"}}') for family in ("sales", "funnelwatch")]
            redis.start()
            until(lambda: value(prometheus, "up") == 1)

            assert blind == [[], []]
            assert len(until(lambda: prometheus.query("sales_rep_info"))) == REPS
    finally:
        redis.stop()


def test_counters_never_run_back(settings, tmp_path):
    capped = replace(settings, board=replace(settings.board, reps_max=4))
    cells = floor(reps=REPS)
    fewer = of(cells, lambda rep: None if rep == "crm:2" else rep)
    counters = 'max by (__name__) (last_over_time({__name__=~"funnelwatch_.*_total"}[1m]))'
    with scraped(capped, cells, tmp_path) as (writer, prometheus):
        seen: dict[str, list[float]] = {}
        for now in (fewer, cells, fewer, cells):
            writer.everything(now, at=clock.now_us())
            time.sleep(1.5)
            for labels, amount in prometheus.query(counters):
                seen.setdefault(labels["__name__"], []).append(amount)
        resets = {name: value(prometheus, f"resets({name}[2m])") for name in seen}

        assert set(resets.values()) == {0}
        assert {"funnelwatch_reps_capped_total", "funnelwatch_board_reloads_total"} <= seen.keys()
        assert all(amounts == sorted(amounts) for amounts in seen.values())
        assert seen["funnelwatch_board_reloads_total"][-1] > seen["funnelwatch_board_reloads_total"][0]


def test_nothing_of_a_rep_who_is_gone_is_left_standing(settings, tmp_path):
    cells = floor(reps=REPS)
    with scraped(settings, cells, tmp_path) as (writer, prometheus):
        before = len(prometheus.query('{rep="crm:1"}'))
        writer.everything(of(cells, lambda rep: None if rep == "crm:1" else rep), at=clock.now_us())
        until(lambda: not prometheus.query('{rep="crm:1"}'), 10.0)

        assert before > 50
        assert len(prometheus.query("sales_rep_info")) == REPS - 1
        assert value(prometheus, "up") == 1
