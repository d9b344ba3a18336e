"""The 17 rules of Grafana's dashboard linter, as far as a Prometheus dashboard can break them.

The two rules about LogQL ask only that a panel on Loki parses: that there is no such panel is held instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import promql_parser
from promql_parser import MatchOp, VectorSelector

from support.expressions import selectors
from support.promql import is_rated, nodes

UNITS = {
    "none",
    "short",
    "percent",
    "percentunit",
    "locale",
    "bytes",
    "s",
    "ms",
    "cps",
    "ops",
    "reqps",
    "bool",
    "string",
}
"""Of Grafana's units those that are used here; the rule asks that a unit is one of Grafana's."""
NUMBERED = {"stat", "timeseries", "gauge", "table"}
PLACEHOLDERS = {
    "$__rate_interval": "5m",
    "$__interval": "1m",
    "$__range": "1h",
    "$datasource": "x",
}


def problems(board: dict[str, Any]) -> list[str]:
    """What the linter would say, each as ``rule: sentence``."""
    found = list(_of_board(board))
    for panel in panels(board):
        found += _of_panel(panel)
        for target in panel.get("targets", ()):
            found += _of_target(panel, target)
    return found


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All panels that show something."""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels") or ()
        else:
            yield panel


def parsed(expression: str) -> Any:
    """The syntax tree, with durations in place of Grafana's variables."""
    for name, value in PLACEHOLDERS.items():
        expression = expression.replace(name, value)
    return promql_parser.parse(expression)


def _of_board(board: dict[str, Any]) -> Iterator[str]:
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    sources = [variable for variable in variables.values() if variable["type"] == "datasource"]
    if [source["name"] for source in sources] != ["datasource"] or sources[0]["label"] != "Data source":
        yield "template-datasource-rule: exactly one, named datasource and labelled Data source"
    for name in ("job", "instance"):
        yield from _of_template(name, variables.get(name))
    for variable in variables.values():
        if variable["type"] == "query":
            if variable.get("refresh") != 2:
                yield f"template-on-time-change-reload-rule: {variable['name']}"
            if not _is_variable_query(variable["query"]):
                yield f"template-label-promql-rule: {variable['name']}: {variable['query']}"
    if board.get("editable", True):
        yield "uneditable-dashboard: it can be edited"


def _of_template(name: str, variable: dict[str, Any] | None) -> Iterator[str]:
    rule = f"template-{name}-rule"
    if variable is None:
        yield f"{rule}: there is none"
        return
    wanted = {"type": "query", "label": name.title(), "multi": True, "allValue": ".+"}
    for key, value in wanted.items():
        if variable.get(key) != value:
            yield f"{rule}: {key} is {variable.get(key)!r}"
    if variable["datasource"]["uid"] not in {"$datasource", "${datasource}"}:
        yield f"{rule}: data source"


def _is_variable_query(query: str) -> bool:
    whole = re.fullmatch(r"label_values\((?:(.*), *)?(\w+)\)|query_result\((.*)\)", query)
    if whole is None:
        return False
    expression = whole.group(1) or whole.group(3)
    try:
        return expression is None or parsed(expression) is not None
    except ValueError:
        return False


def _of_panel(panel: dict[str, Any]) -> Iterator[str]:
    name = panel.get("title")
    if not name or not panel.get("description"):
        yield f"panel-title-description-rule: {name!r}"
    if panel["type"] == "text":
        return
    if panel.get("datasource", {}).get("uid") not in {"$datasource", "${datasource}"}:
        yield f"panel-datasource-rule: {name}"
    if not panel.get("targets"):
        yield f"panel-no-targets-rule: {name}"
    defaults = panel["fieldConfig"]["defaults"]
    if panel["type"] in NUMBERED and not defaults.get("mappings") and defaults.get("unit") not in UNITS:
        yield f"panel-units-rule: {name}: {defaults.get('unit')!r}"


def _of_target(panel: dict[str, Any], target: dict[str, Any]) -> Iterator[str]:
    name, expression = panel["title"], target["expr"]
    if target["datasource"]["type"] != "prometheus":
        yield f"target-logql-rule, target-logql-auto-rule: {name} asks something else than Prometheus"
    try:
        found = list(selectors(parsed(expression)))
    except ValueError as error:
        yield f"target-promql-rule: {name}: {error}"
        return
    for label in ("job", "instance"):
        for selector in found:
            own = [(m.name, m.op, m.value) for m in selector.matchers.matchers if m.name == label]
            if own != [(label, MatchOp.Re, f"${label}")]:
                yield f"target-{label}-rule: {name}: {expression}"
    yield from _of_ranges(name, expression)


def _of_ranges(name: str, expression: str) -> Iterator[str]:
    if re.search(r"\[(?!\$__rate_interval\])[^\]]*\]", expression):
        yield f"target-rate-interval-rule: {name}: {expression}"
    for node, around in nodes(parsed(expression)):
        if isinstance(node, VectorSelector) and (node.name or "").endswith("_total") and not is_rated(node, around):
            yield f"target-counter-agg-rule: {name}: {node.name} is not in a rate"
