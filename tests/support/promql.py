"""Walks the syntax tree of a PromQL expression."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import promql_parser
from promql_parser import Expr, MatrixSelector, VectorSelector

_INNER = ("expr", "lhs", "rhs", "param", "vector_selector")


def nodes(tree: Any, around: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Every node with the nodes around it, outermost first."""
    yield tree, around
    for inner in [getattr(tree, name, None) for name in _INNER] + list(getattr(tree, "args", ()) or ()):
        if isinstance(inner, Expr):
            yield from nodes(inner, (*around, tree))


def is_rated(node: Any, around: tuple[Any, ...]) -> bool:
    """Whether a selector stands in ``rate``, ``irate`` or ``increase``."""
    if not isinstance(node, VectorSelector) or not around or not isinstance(around[-1], MatrixSelector):
        return False
    call = around[-2] if len(around) > 1 else None
    return isinstance(call, promql_parser.Call) and call.func.name in {"rate", "irate", "increase"}
