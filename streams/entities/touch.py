"""The touches that calls and emails tell leads and deals about."""

from __future__ import annotations

from typing import Any, Final

from funnelwatch.schemas.events import Kind
from funnelwatch.streams.entities.ownership import last_set
from funnelwatch.streams.links import TOUCH, Link

_LEAD: Final = Kind.LEAD
_DEAL: Final = Kind.DEAL


def touch_links(
    origin: tuple[Kind, str], history: list[Any], repeats: list[Any], members: tuple[int, int], at: int | None
) -> list[Link]:
    """A link for each lead and deal ever named; ``members`` are the indices of ``lead_id`` and ``deal_id`` in a step.

    The ones named now are touched at ``at`` (None: the origin is no touch), the others are not touched.
    """
    if not history:
        return []
    kind, subject = origin
    version, told_at = len(history) + len(repeats), history[-1][0]
    links: list[Link] = []
    if version == 1:  # nearly always
        step = history[0]
        lead, deal = step[members[0]], step[members[1]]
        if lead is not None:
            links.append(Link(_LEAD, lead, kind, subject, TOUCH, at, version, told_at))
        if deal is not None:
            links.append(Link(_DEAL, deal, kind, subject, TOUCH, at, version, told_at))
        return links
    for target, member in ((_LEAD, members[0]), (_DEAL, members[1])):
        named = {step[member] for step in history}
        if repeats:
            named.update([step[member] for step in repeats])
        named.discard(None)
        if named:
            present = last_set(history, member)
            links += [
                Link(target, one, kind, subject, TOUCH, at if one == present else None, version, told_at)
                for one in sorted(named)
            ]
    return links
