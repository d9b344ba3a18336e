"""Every PromQL expression that is shipped, and what an expression does with labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import yaml

from funnelwatch.streams.catalogue import CATALOGUE

DEPLOY = Path(__file__).parents[2] / "deploy"
KEPT_APART = frozenset({"window", "currency"})
"""Labels over which nothing is ever aggregated: a sum over them is no figure."""
EXTERNAL = {
    "up": {"job", "instance"},
    "ALERTS": {"alertname", "alertstate", "severity", "audience", "blinds", "rep", "team", "manager", "detector"},
    "alertmanager_notifications_failed_total": {"integration", "instance", "job"},
    "prometheus_notifications_dropped_total": {"alertmanager", "instance", "job"},
    "prometheus_rule_evaluation_failures_total": {"rule_group", "instance", "job"},
}
SCRAPED = {"job", "instance", "le", "quantile"}
_TEMPLATED = re.compile(r"printf `([^`]*)`")


def rules() -> list[dict[str, Any]]:
    """The shipped rules."""
    groups = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def shipped() -> Iterator[tuple[str, str]]:
    """(where, expression) of all rules, of what alerts ask in their texts, and of dashboards."""
    for rule in rules():
        name = rule.get("record") or f"{rule['alert']}/{rule['labels']['severity']}"
        yield name, rule["expr"]
        for annotation, text in rule.get("annotations", {}).items():
            for number, template in enumerate(_TEMPLATED.findall(text)):
                if "(" in template:  # numbers' formats and silences' matchers are no expressions
                    yield f"{name} {annotation} {number}", template.replace("%q", '"x"')
    for path in sorted(DEPLOY.glob("**/dashboards/**/*.json")):
        yield from _panels(f"{path.parent.name} {path.stem}", json.loads(path.read_text("utf-8")))


def _panels(where: str, node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        if isinstance(node.get("expr"), str):
            yield f"{where} {node.get('refId', '')}", _without_variables(node["expr"])
        for value in node.values():
            yield from _panels(where, value)
    elif isinstance(node, list):
        for value in node:
            yield from _panels(where, value)


def _without_variables(expr: str) -> str:
    """Grafana's variables as something that parses: durations where a duration stands, texts elsewhere."""
    expr = re.sub(r"\[\$\{?\w+\}?(:?)", r"[5m\1", expr)
    return re.sub(r"\$\{?(\w+)(?::\w+)?\}?", r"\1", expr)


def labels_of(name: str) -> set[str]:
    """The labels that a series of this name can have."""
    if name in EXTERNAL:
        return EXTERNAL[name]
    if ":" in name:
        return set(name.partition(":")[0].split("_"))
    metric = CATALOGUE.get(name) or CATALOGUE.get(re.sub("_(bucket|sum|count)$", "", name))
    if metric is None:
        raise LookupError(f"{name} is exposed by nobody")
    return set(metric.labels) | SCRAPED


def selectors(node: Any) -> Iterator[Any]:
    """All selectors of an expression."""
    if isinstance(node, promql.VectorSelector):
        yield node
    for child in _children(node):
        yield from selectors(child)


def _children(node: Any) -> list[Any]:
    match node:
        case promql.MatrixSelector():
            return [node.vector_selector]
        case promql.BinaryExpr():
            return [node.lhs, node.rhs]
        case promql.Call():
            return list(node.args)
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return [node.expr]
        case _:
            return []


class MixedError(AssertionError):
    """An expression adds up, or compares, what must stay apart."""


def kept_apart(node: Any) -> frozenset[str]:
    """Which of `KEPT_APART` the result may still differ in.

    Raises:
        MixedError: Something aggregates or matches over one of them.
    """
    match node:
        case promql.VectorSelector():
            pinned = {m.name for m in node.matchers.matchers if m.op == promql.MatchOp.Equal and m.value}
            return frozenset(labels_of(_name(node)) & KEPT_APART - pinned)
        case promql.AggregateExpr():
            return _aggregated(node)
        case promql.BinaryExpr():
            return _matched(node)
        case _:
            return frozenset().union(*map(kept_apart, _children(node)))


def _name(selector: Any) -> str:
    if selector.name:
        return selector.name
    raise MixedError("a selector without a name takes series of any metric")


def _aggregated(node: Any) -> frozenset[str]:
    inner = kept_apart(node.expr)
    named = set(node.modifier.labels) if node.modifier else set()
    by = node.modifier is None or node.modifier.type == promql.AggModifierType.By
    lost = inner - named if by else inner & named
    if lost:
        raise MixedError(f"{node.op} over {', '.join(sorted(lost))}: {node.prettify()}")
    return inner


def _matched(node: Any) -> frozenset[str]:
    left, right = kept_apart(node.lhs), kept_apart(node.rhs)
    matching = node.modifier.matching if node.modifier else None
    if str(node.op) not in {"and", "or", "unless"} and matching is not None:
        named = set(matching.labels)
        on = matching.type == promql.LabelModifierType.Include
        lost = (left & right) - named if on else (left | right) & named
        if lost:
            raise MixedError(f"{node.op} without matching {', '.join(sorted(lost))}: {node.prettify()}")
    return left | right
