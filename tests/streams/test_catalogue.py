from __future__ import annotations

import re
from pathlib import Path

import pytest

from funnelwatch.streams.catalogue import CATALOGUE, as_markdown, of_process

PROMISED = """
won_amount: currency window
lost_amount: currency window
deals: outcome window
loss_ratio: window
created_per_lost_ratio: window
sales_growth_ratio: currency
quota_attainment_ratio: currency
quota_pace_ratio: currency
quota_amount: currency
sales_projection_amount: currency
sales_change_amount: currency cause
open_deals: pipeline stage
open_amount: pipeline stage currency
overdue_deals: pipeline stage
stage_seconds: pipeline stage quantile window
last_advance_timestamp_seconds:
idle_seconds:
leads: state window
conversion_ratio: reading window
outreach: kind window
outreach_attainment_ratio: kind window
evidence: detector
"""


@pytest.mark.parametrize("line", PROMISED.split("\n")[1:-1])
def test_what_is_promised_is_there_for_reps_and_for_teams(line):
    name, _, labels = line.partition(":")

    assert ("rep", "team", *labels.split()) == CATALOGUE[f"sales_rep_{name}"].labels
    assert ("team", *labels.split()) == CATALOGUE[f"sales_team_{name}"].labels


def test_info_joins_names():
    assert {"rep", "name", "team", "manager"} == set(CATALOGUE["sales_rep_info"].labels)
    assert {"team", "name", "manager"} == set(CATALOGUE["sales_team_info"].labels)


def test_names_of_people_are_in_no_kpi():
    for metric in CATALOGUE.values():
        if not metric.name.endswith("_info"):
            assert not {"name", "manager"} & set(metric.labels), metric.name


def test_a_kpi_is_never_a_counter():
    assert {"gauge", "summary"} == {metric.type for metric in CATALOGUE.values() if metric.name.startswith("sales_")}


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=lambda metric: metric.name)
def test_names_follow_the_rules_of_prometheus(metric):
    assert re.fullmatch("[a-z][a-z0-9_]*", metric.name)
    assert (metric.type == "counter") == metric.name.endswith("_total")
    assert not metric.unit or metric.name.endswith(f"_{metric.unit}")
    assert len(set(metric.labels)) == len(metric.labels)
    assert metric.help.endswith(".")
    assert metric.action.endswith(".")


def test_workers_expose_no_kpi_and_the_board_exposes_all():
    assert not [metric.name for metric in of_process("worker") if metric.name.startswith("sales_")]
    assert {name for name in CATALOGUE if name.startswith("sales_")} <= {metric.name for metric in of_process("board")}


def test_the_worker_exposes_what_the_catalogue_says():
    from funnelwatch.agents.engine.metrics import Metrics

    metrics = Metrics()
    metrics.watch_positions(dict)
    metrics.watch_moment(lambda: True)
    metrics.watch_repairs(lambda: 0)
    metrics.watch_stops(list)
    metrics.watch_room(lambda: 0)
    exposed = {
        f"{family.name}_total" if family.type == "counter" else family.name: family.type
        for family in metrics.registry.collect()
    }

    assert exposed == {metric.name: metric.type for metric in of_process("worker")}


def test_the_gateway_exposes_what_the_catalogue_says():
    from funnelwatch.agents.gateway.metrics import Metrics

    metrics = Metrics()
    for metric in of_process("gateway"):
        if metric.type == "gauge" and metric.name != "funnelwatch_build_info":
            metrics.watch(metric.name, list)
    exposed = {
        f"{family.name}_total" if family.type == "counter" else family.name: family.type
        for family in metrics.registry.collect()
    }

    assert exposed == {metric.name: metric.type for metric in of_process("gateway")}


def test_the_reconciliation_exposes_what_the_catalogue_says():
    from funnelwatch.agents.reconcile import Exposed

    exposed = {family.name: family.type for family in Exposed().registry.collect()}

    assert exposed == {metric.name: metric.type for metric in of_process("reconcile")}


def test_the_documentation_is_the_catalogue():
    page = Path(__file__).parents[2] / "docs" / "metrics.md"
    command = "from funnelwatch.streams.catalogue import as_markdown as m; print(m(), end='')"

    assert page.read_text("utf-8") == as_markdown(), f'uv run python -c "{command}" > docs/metrics.md'
