"""The touches that calls and emails tell leads and deals about."""

from __future__ import annotations

from typing import Any, Final

from funnelwatch.schemas.events import Kind
from funnelwatch.streams.entities.ownership import last_set
from funnelwatch.streams.links import TOUCH, Link

_TARGETS: Final = (Kind.LEAD, Kind.DEAL)


def touch_links(
    origin: tuple[Kind, str], history: list[Any], repeats: list[Any], members: tuple[int, int], at: int | None
) -> list[Link]:
    """A link for each lead and deal ever named; ``members`` are the indices of ``lead_id`` and ``deal_id`` in a step.

    The ones named now are touched at ``at`` (None: the origin is no touch), the others are not touched.
    """
    if not history:
        return []
    version, told_at = len(history) + len(repeats), history[-1][0]
    links = []
    for target, member in zip(_TARGETS, members, strict=True):
        if version == 1:
            one = history[0][member]
            if one is not None:
                links.append(Link(target, one, *origin, TOUCH, at, version, told_at))
            continue
        named = {step[member] for steps in (history, repeats) for step in steps} - {None}
        if named:
            present = last_set(history, member)
            links += [
                Link(target, one, *origin, TOUCH, at if one == present else None, version, told_at)
                for one in sorted(named)
            ]
    return links
