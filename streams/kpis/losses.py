"""KPI 5: lost opportunities, by reason and by the stage they were lost from."""

from __future__ import annotations

from funnelwatch.schemas.document import Counted
from funnelwatch.streams.cells import Measure
from funnelwatch.streams.kpis.parts import Entries, Index, by_currency, counted
from funnelwatch.streams.rates import Exchange

STAGE, REASON = 3, 4
"""Dimensions of ``lost`` and ``lost_amount``."""


def lost_by(dimension: int, index: Index, exchange: Exchange | None) -> dict[str, Counted]:
    """Lost deals and amounts by one dimension, ``STAGE`` or ``REASON``, over all pipelines; in order of names."""
    counts, amounts = _groups(dimension, index.of("lost")), _groups(dimension, index.of("lost_amount"))
    return {
        name: counted(by_currency(entries, amounts.get(name, []), exchange)) for name, entries in sorted(counts.items())
    }


def _groups(dimension: int, entries: Entries) -> dict[str, list[tuple[Measure, int]]]:
    groups: dict[str, list[tuple[Measure, int]]] = {}
    for entry in entries:
        groups.setdefault(str(entry[0][dimension]), []).append(entry)
    return groups
