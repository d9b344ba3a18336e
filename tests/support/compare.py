"""Whether two reports say the same, and if not, where they first differ."""

from __future__ import annotations

from decimal import Decimal
from math import isclose
from typing import Any

import msgspec

SKETCHED = {"median_seconds", "p90_seconds"}
"""Quantiles: the oracle's are exact, the others come from bins."""
QUANTILE_ERROR = 0.01
RESOLUTION_SECONDS = 0.001
VELOCITY_ERROR = 0.0102
"""1 % of the divisor is a little more of the quotient."""
CHANGE_PARTS = {"volume", "win_rate", "deal_size"}
MONEY_UNIT = Decimal("0.0001")
FLOAT_ERROR = 1e-12
"""The order of additions and divisions is free."""
ORDERED = {"pipelines", "stages"}


def difference(expected: Any, actual: Any) -> str | None:
    """The first path at which two documents or reports differ, with both values; None if they say the same."""
    return _difference(msgspec.to_builtins(expected), msgspec.to_builtins(actual), ())


def _difference(expected: Any, actual: Any, path: tuple[str, ...]) -> str | None:
    if isinstance(expected, dict) and isinstance(actual, dict):
        return _of_objects(expected, actual, path)
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return _first(_difference(one, other, (*path, str(number))) for number, (one, other) in pairs)
    if _same(expected, actual, path):
        return None
    return f"{'.'.join(path)}: expected {expected!r}, got {actual!r}"


def _of_objects(expected: dict[str, Any], actual: dict[str, Any], path: tuple[str, ...]) -> str | None:
    missing, surplus = expected.keys() - actual.keys(), actual.keys() - expected.keys()
    if missing or surplus:
        what = [f"without {name!r}" for name in sorted(missing)] + [
            f"with {name!r} too many" for name in sorted(surplus)
        ]
        return f"{'.'.join(path)}: {', '.join(what)}"
    if path and path[-1] in ORDERED and list(expected) != list(actual):
        return f"{'.'.join(path)}: expected the order {list(expected)}, got {list(actual)}"
    return _first(_difference(expected[name], actual[name], (*path, name)) for name in expected)


def _same(expected: Any, actual: Any, path: tuple[str, ...]) -> bool:
    if isinstance(expected, float | int) and isinstance(actual, float | int) and type(expected) is type(actual):
        if path[-1] in SKETCHED:
            return abs(expected - actual) <= max(RESOLUTION_SECONDS, QUANTILE_ERROR * 1.000001 * abs(expected))
        if "velocity" in path:
            return isclose(expected, actual, rel_tol=VELOCITY_ERROR)
        return expected == actual or (isinstance(expected, float) and isclose(expected, actual, rel_tol=FLOAT_ERROR))
    if path[-1] in CHANGE_PARTS and isinstance(expected, str):
        return abs(Decimal(expected) - Decimal(actual)) <= MONEY_UNIT
    return bool(expected == actual)


def _first(differences: Any) -> str | None:
    return next((found for found in differences if found is not None), None)
