"""The dashboards are what the code says, hold the linter's rules, and ask for nothing that is not exported."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard as GrafanaDashboard
from support.dashboard_linter import panels, parsed, problems
from support.expressions import selectors, shipped

from funnelwatch.agents.dashboards import LANGUAGES, dashboards
from funnelwatch.agents.dashboards.files import rendered
from funnelwatch.streams.alerting.files import alerts
from funnelwatch.streams.catalogue import of_process

COMMITTED = Path(__file__).parents[3] / "deploy" / "grafana" / "dashboards"
METRICS = {metric.name: metric for process in ("board", "worker", "gateway") for metric in of_process(process)}
SCRAPED = {"up"}
"""What Prometheus itself knows of every target."""
WALL_TILES_MAX = 12

BOARDS = {name: json.loads(content) for name, content in rendered().items()}
every_board = pytest.mark.parametrize("name", BOARDS)


@every_board
def test_a_committed_dashboard_is_what_the_code_makes(name):
    assert (COMMITTED / name).read_text("utf-8") == rendered()[name], (
        "uv run python -m funnelwatch.agents.dashboards deploy/grafana/dashboards"
    )


def test_nothing_else_is_committed():
    assert {str(path.relative_to(COMMITTED)) for path in COMMITTED.rglob("*.json")} == set(BOARDS)


@every_board
def test_the_linters_rules_hold(name):
    assert problems(BOARDS[name]) == []


def test_every_expression_is_among_those_that_are_held_to_never_mix_windows_or_currencies():
    """`test_rules.py` holds whatever is shipped to it."""
    names = {where.rpartition(" ")[0] for where, _ in shipped()}

    assert {name.replace("/", " ").removesuffix(".json") for name in BOARDS} <= names


@every_board
def test_no_metric_and_no_label_is_asked_for_that_is_not_exported(name):
    for expression in expressions(BOARDS[name]):
        for selector in selectors(parsed(expression)):
            asked = {matcher.name for matcher in selector.matchers.matchers} - {"job", "instance"}
            metric = METRICS.get(selector.name) or METRICS.get(selector.name.removesuffix("_bucket"))
            assert metric or selector.name in SCRAPED, selector.name
            assert asked <= set(metric.labels if metric else ()), expression


def test_every_dashboard_that_an_alert_links_to_exists():
    uids = {board["uid"] for board in BOARDS.values()}

    assert {alert.dashboard.uid for alert in alerts()} <= uids


@every_board
def test_uids_and_places_are_unique_and_panels_do_not_overlap(name):
    board = BOARDS[name]
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS)


@every_board
def test_every_link_leads_to_a_dashboard_that_exists_or_to_the_board(name):
    uids = {board["uid"] for board in BOARDS.values()}
    for panel in panels(BOARDS[name]):
        for link in panel.get("fieldConfig", {}).get("defaults", {}).get("links", []):
            url = link["url"]
            assert url.startswith("${board}/reps/") or url.removeprefix("/d/").split("?")[0] in uids, url


@every_board
def test_grafanas_own_schema_reads_it_whole(name):
    """Read by the SDK's types and written again nothing is lost: no member that Grafana 11.6 does not know."""
    read = GrafanaDashboard.from_json(BOARDS[name])

    assert json.loads(json.dumps(read, cls=JSONEncoder)) == BOARDS[name]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_wall_has_at_most_twelve_tiles_and_judges_by_more_than_colour(language):
    wall = next(page for page in dashboards(language) if page.key == "wall")

    assert len(wall.panels) <= WALL_TILES_MAX
    assert all(panel.kind in {"stat", "bars"} for panel in wall.panels)  # both show the value as text


def test_persian_texts_are_persian_and_questions_are_the_same():
    for english, persian in zip(dashboards("en"), dashboards("fa"), strict=True):
        assert any("\u0600" <= letter <= "\u06ff" for letter in persian.title)
        for one, other in zip(english.panels, persian.panels, strict=True):
            assert one.title != other.title
            assert [query.expression for query in one.queries] == [query.expression for query in other.queries]


BROKEN = {
    "template-datasource-rule": lambda board: board["templating"]["list"][0].update(name="ds"),
    "template-job-rule": lambda board: board["templating"]["list"][1].update(multi=False),
    "template-instance-rule": lambda board: board["templating"]["list"][2].update(allValue=".*"),
    "template-label-promql-rule": lambda board: board["templating"]["list"][1].update(query="label_values(up{, job)"),
    "template-on-time-change-reload-rule": lambda board: board["templating"]["list"][1].update(refresh=1),
    "uneditable-dashboard": lambda board: board.update(editable=True),
    "panel-title-description-rule": lambda board: board["panels"][0].update(description=""),
    "panel-datasource-rule": lambda board: board["panels"][0]["datasource"].update(uid="prometheus"),
    "panel-no-targets-rule": lambda board: board["panels"][0].update(targets=[]),
    "panel-units-rule": lambda board: board["panels"][0]["fieldConfig"]["defaults"].update(unit="wins"),
    "target-promql-rule": lambda board: board["panels"][0]["targets"][0].update(expr="max("),
    "target-job-rule": lambda board: board["panels"][0]["targets"][0].update(expr='up{instance=~"$instance"}'),
    "target-instance-rule": lambda board: board["panels"][0]["targets"][0].update(expr='up{job=~"$job"}'),
    "target-rate-interval-rule": lambda board: board["panels"][0]["targets"][0].update(
        expr='rate(x_total{job=~"$job", instance=~"$instance"}[5m])'
    ),
    "target-counter-agg-rule": lambda board: board["panels"][0]["targets"][0].update(
        expr='sum(x_total{job=~"$job", instance=~"$instance"})'
    ),
    "target-logql-rule": lambda board: board["panels"][0]["targets"][0]["datasource"].update(type="loki"),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_each_rule_finds_what_breaks_it(rule):
    board = deepcopy(BOARDS["en/wall.json"])
    BROKEN[rule](board)

    assert [problem for problem in problems(board) if rule in problem] != []


def expressions(board) -> list[str]:
    return [target["expr"] for panel in panels(board) for target in panel.get("targets", ())]
