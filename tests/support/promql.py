"""What a PromQL expression asks for: its syntax tree, its selectors, and whether it adds up what must not be added."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import promql_parser
from promql_parser import AggregateExpr, Expr, MatchOp, MatrixSelector, VectorSelector

NEVER_AGGREGATED = ("window", "currency")
PICKING = {"topk", "bottomk"}
"""They choose series and leave their labels as they are."""
_INNER = ("expr", "lhs", "rhs", "param", "vector_selector")


def nodes(tree: Any, around: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Every node with the nodes around it, outermost first."""
    yield tree, around
    for inner in [getattr(tree, name, None) for name in _INNER] + list(getattr(tree, "args", ()) or ()):
        if isinstance(inner, Expr):
            yield from nodes(inner, (*around, tree))


def selectors(tree: Any) -> list[Any]:
    """The vector selectors of a tree."""
    return [node for node, _ in nodes(tree) if isinstance(node, VectorSelector)]


def added_over(tree: Any, labels_of: dict[str, tuple[str, ...]]) -> list[str]:
    """Where ``window`` or ``currency`` is aggregated over: a label is kept, or fixed by an equality.

    ``labels_of``: the labels of each metric, from the catalogue.
    """
    found = []
    for node, around in nodes(tree):
        if not isinstance(node, VectorSelector) or not node.name:
            continue
        fixed = {matcher.name for matcher in node.matchers.matchers if matcher.op == MatchOp.Equal}
        for label in NEVER_AGGREGATED:
            if label not in labels_of.get(node.name, ()) or label in fixed:
                continue
            found += [
                f"{node.name}: {label} is aggregated over by {outer.op}"
                for outer in around
                if isinstance(outer, AggregateExpr) and not _keeps(outer, label)
            ]
    return found


def _keeps(aggregate: AggregateExpr, label: str) -> bool:
    if str(aggregate.op) in PICKING:
        return True
    modifier = aggregate.modifier
    if modifier is None:
        return False
    is_by = modifier.type == promql_parser.AggModifierType.By
    return (label in modifier.labels) == is_by


def is_rated(node: Any, around: tuple[Any, ...]) -> bool:
    """Whether a selector stands in ``rate``, ``irate`` or ``increase``."""
    if not isinstance(node, VectorSelector) or not around or not isinstance(around[-1], MatrixSelector):
        return False
    call = around[-2] if len(around) > 1 else None
    return isinstance(call, promql_parser.Call) and call.func.name in {"rate", "irate", "increase"}
