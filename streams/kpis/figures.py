"""Everything that is a sum over a period, as the document shows it."""

from __future__ import annotations

from funnelwatch.schemas.document import Figures
from funnelwatch.streams.kpis.conversion import lead_figures
from funnelwatch.streams.kpis.flow import flows, split
from funnelwatch.streams.kpis.losses import REASON, STAGE, lost_by
from funnelwatch.streams.kpis.outreach import outreach_figures
from funnelwatch.streams.kpis.parts import Index, bins_of, durations, money_of, ratio
from funnelwatch.streams.kpis.sales import Closed
from funnelwatch.streams.rates import Exchange


def figures(index: Index, closed: Closed, exchange: Exchange | None) -> Figures:
    """All figures of a period from its merged sums. ``closed``: what they say was closed."""
    created, won, lost = index.total("created"), index.total("won"), index.total("lost")
    flow, lead_flow = split(flows(index))
    return Figures(
        created=created,
        won=won,
        lost=lost,
        won_amount=money_of(closed.won),
        lost_amount=money_of(closed.lost),
        win_rate=ratio(won, won + lost),
        loss_rate=ratio(lost, won + lost),
        created_per_lost=ratio(created, lost),
        lost_by_reason=lost_by(REASON, index, exchange),
        lost_by_stage=lost_by(STAGE, index, exchange),
        advances=index.total("advance"),
        cycle=durations(bins_of(index.of("cycle")), index.total("cycle_us")),
        first_touch=durations(bins_of(index.of("touch")), index.total("touch_us")),
        flow=flow,
        leads=lead_figures(index),
        lead_flow=lead_flow,
        outreach=outreach_figures(index),
    )
