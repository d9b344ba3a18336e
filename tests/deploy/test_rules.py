"""The shipped rules: what they may say, that they are those of the code, and each alert on promtool."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import promql_parser as promql
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.expressions import DEPLOY, EXTERNAL, MixedError, kept_apart, labels_of, rules, selectors, shipped

from funnelwatch.agents.cli import funnelwatch
from funnelwatch.schemas.alerting import AlertingSettings
from funnelwatch.schemas.settings import BoardSettings, Settings
from funnelwatch.streams.alerting import files
from funnelwatch.streams.alerting.yaml_text import as_yaml
from funnelwatch.streams.catalogue import CATALOGUE

EXPRESSIONS = dict(shipped())
ALERTS = [rule for rule in rules() if "alert" in rule]
RECORDED = {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}
DASHBOARDS = {
    board["uid"]: {variable["name"] for variable in board["templating"]["list"]}
    for board in (json.loads(path.read_text("utf-8")) for path in (DEPLOY / "grafana" / "dashboards").rglob("*.json"))
}
CASES = yaml.safe_load((DEPLOY / "prometheus" / "rules_test.yml").read_text("utf-8"))["tests"]

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def test_what_is_committed_is_what_the_code_writes():
    wanted = files.deployed(Settings())
    written = {path.relative_to(DEPLOY).as_posix() for path in (DEPLOY / "runbooks").iterdir()}

    assert {name for name in wanted if name.startswith("runbooks/")} == written
    for name, text in wanted.items():
        assert (DEPLOY / name).read_text("utf-8") == text, "uv run funnelwatch rules"


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_windows_and_currencies_are_never_aggregated_over(where):
    kept_apart(promql.parse(EXPRESSIONS[where]))


@pytest.mark.parametrize(
    "expr",
    [
        "sum(sales_rep_won_amount)",
        "sum by (team) (sales_rep_deals)",
        'max by (rep, currency) (sales_rep_won_amount{window=~"7d|30d"})',
        "sum without (window) (sales_rep_deals)",
        "topk(5, sales_rep_won_amount{window='mtd'})",
        "avg_over_time(sum(sales_team_leads)[5m:])",
        "sales_rep_won_amount / on (rep) sales_rep_lost_amount",
        "sales_rep_won_amount - ignoring (window) sales_rep_lost_amount",
        "sum(currency_window:sales_team_won_amount:sum)",
        "max({rep='x'})",
    ],
)
def test_an_expression_that_mixes_is_found(expr):
    with pytest.raises(MixedError):
        kept_apart(promql.parse(expr))


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_an_expression_asks_only_for_what_is_exposed_or_recorded(where):
    for selector in selectors(promql.parse(EXPRESSIONS[where])):
        assert selector.name in RECORDED or selector.name in EXTERNAL or labels_of(selector.name)
        asked = {matcher.name for matcher in selector.matchers.matchers}
        assert asked <= labels_of(selector.name), selector.name


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_name_is_level_metric_operations_and_the_level_is_its_labels(name):
    level, metric, operations = name.split(":")

    assert re.fullmatch("[a-z0-9_]+", operations)
    assert any(known.removesuffix("_total").startswith(metric.removesuffix("_refused")) for known in CATALOGUE)
    for labels in _levels(promql.parse(RECORDED[name])):
        assert labels == set(level.split("_")), name


def _levels(node) -> list[set[str]]:
    """The labels that an expression's operands are brought to: what stands left of `and` decides."""
    match node:
        case promql.AggregateExpr():
            return [set(node.modifier.labels)]
        case promql.BinaryExpr():
            sides = [_levels(node.lhs), [] if node.modifier and node.modifier.matching else _levels(node.rhs)]
            return [labels for side in sides for labels in side]
        case promql.Call() if node.func.name == "histogram_quantile":
            return [labels - {"le"} for labels in _levels(node.args[1])]
        case promql.ParenExpr():
            return _levels(node.expr)
        case _:
            return []


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_every_alert_says_how_bad_for_whom_what_and_where_to_look(rule):
    labels, annotations = rule["labels"], rule["annotations"]

    assert labels["severity"] in {"critical", "warning", "none"}
    assert labels["audience"] in {"manager", "operator"}
    assert {
        "summary",
        "description",
        "runbook_url",
        "page_url",
        "dashboard_url",
        "acknowledge_url",
        "silence_url",
    } <= annotations.keys()
    assert annotations["runbook_url"].endswith("/runbooks/" + rule["alert"])
    assert f"runbooks/{rule['alert']}.md" in files.deployed(Settings())
    for name in {"dashboard_url", "dashboard_url_fa"} & annotations.keys():
        uid, variables = re.fullmatch(r"http://127\.0\.0\.1:3000/d/([\w-]+)(.*)", annotations[name]).groups()
        assert set(re.findall(r"var-(\w+)=", variables)) <= DASHBOARDS[uid], "a link to what there is"
    if labels["audience"] == "manager":
        assert {"summary_fa", "description_fa", "page_url_fa", "dashboard_url_fa"} <= annotations.keys()
        assert "var-team" in annotations["dashboard_url"]


@pytest.mark.parametrize("name", files.runbooks())
def test_a_runbook_says_what_it_means_where_to_look_and_what_to_do(name):
    text = files.runbooks()[name]

    assert [line for line in text.split("\n") if line.startswith("#")] == [
        f"# {name}",
        "## What it means",
        "## First look",
        "## What to do",
        "## The expression",
    ]


def test_links_lead_where_the_settings_say():
    settings = Settings(
        board=BoardSettings(public_url="https://sales.example.com/"),
        alerting=AlertingSettings(
            grafana_url="https://g.example.com/",
            alertmanager_url="https://a.example.com",
            runbook_url="https://wiki/rb/",
        ),
    )
    (rule,) = [rule for rule in yaml.safe_load(files.rules(settings))["groups"][0]["rules"] if "alert" in rule][:1]
    links = rule["annotations"]

    assert links["page_url"].startswith("https://sales.example.com/reps/{{")
    assert links["dashboard_url"].startswith("https://g.example.com/d/funnelwatch-rep?var-team=")
    assert links["silence_url"].startswith("https://a.example.com/#/silences/new?filter=")
    assert links["runbook_url"] == "https://wiki/rb/RepLossSpike.md"


def test_the_command_writes_checks_and_says_what_differs(tmp_path):
    run = lambda *arguments: CliRunner().invoke(  # noqa: E731  (three times the same)
        funnelwatch, ["rules", "--output", str(tmp_path), *arguments], standalone_mode=False
    )
    missing, written, same = run("--check"), run(), run("--check")
    (tmp_path / "runbooks" / "RepLossSpike.md").write_text("other")
    changed = run("--check")

    assert (missing.return_value, written.return_value, same.return_value, changed.return_value) == (1, 0, 0, 1)
    assert "RepLossSpike.md" in changed.output
    assert (tmp_path / "prometheus" / "rules.yml").read_text("utf-8") == files.rules(Settings())


def test_each_alert_is_tested_to_fire_and_not_to_fire():
    seen: dict[str, list[bool]] = {}
    for case in CASES:
        for one in case["promql_expr_test"]:
            for name in re.findall(r'alertname="(\w+)"', one["expr"]):
                seen.setdefault(name, []).append(bool(one["exp_samples"]))
    names = {rule["alert"] for rule in ALERTS}

    assert seen.keys() == names
    for name in names - {"FunnelwatchWatchdog"}:
        fired = seen[name].index(True)
        assert not all(seen[name][:fired]), f"{name} is never seen not to fire before"
        assert not all(seen[name][fired:]), f"{name} is never seen to end"


def promtool(*arguments: str, cwd) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], cwd=cwd, capture_output=True, text=True, check=False)


@needs_promtool
@pytest.mark.parametrize("evaluation_seconds", [5.0, 1.0, 0.25])
def test_promtool_accepts_rules_and_configuration(tmp_path, evaluation_seconds):
    settings = Settings(alerting=AlertingSettings(evaluation_seconds=evaluation_seconds, scrape_seconds=0.25))
    (tmp_path / "rules.yml").write_text(files.rules(settings), "utf-8")
    jobs = {"funnelwatch-board": ["board:8080"], "funnelwatch-worker": ["w1:8081", "w2:8081"]}
    (tmp_path / "prometheus.yml").write_text(files.scraping(settings, jobs, ["am:9093"]), "utf-8")
    checked = promtool("check", "config", "prometheus.yml", cwd=tmp_path)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(ALERTS) + len(RECORDED)} rules found" in checked.stdout


@needs_promtool
@pytest.mark.integration
def test_each_alert_fires_does_not_fire_and_ends():
    done = promtool("test", "rules", "rules_test.yml", cwd=DEPLOY / "prometheus")

    assert done.returncode == 0, done.stdout + done.stderr


PLAIN = st.recursive(
    st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), PLAIN))
def test_what_is_written_as_yaml_reads_as_the_same(data):
    assert yaml.safe_load(as_yaml(data)) == (data or None)


@given(st.from_regex(r"[ a-z#:\n\-]*", fullmatch=True))
def test_lines_of_a_text_stay_what_they_are(text):
    assert yaml.safe_load(as_yaml({"a": [{"b": text}]})) == {"a": [{"b": text}]}


def test_settings_do_not_change_what_is_asked():
    plain = yaml.safe_load(files.rules(Settings()))
    other = yaml.safe_load(files.rules(replace(Settings(), board=BoardSettings(public_url="https://x.example"))))
    exprs = lambda read: [rule["expr"] for group in read["groups"] for rule in group["rules"]]  # noqa: E731  (twice)

    assert exprs(plain) == exprs(other)
