"""Funnel flow: what sits where, what is overdue, how long stages take, and how leads come in."""

from __future__ import annotations

from funnelwatch.agents.dashboards import steps
from funnelwatch.agents.dashboards.promql import named, rep, team, worst
from funnelwatch.agents.dashboards.spec import Dashboard, Panel, Query, Say

FLOW = {"pipeline": "~$pipeline"}
BY_STAGE = "instance, pipeline, stage"
STAGES = "{{pipeline}} {{stage}}"


def funnel(say: Say, language: str) -> Dashboard:
    """Where deals wait."""
    del language
    return Dashboard(
        key="funnel",
        title=say("Funnel flow", "جریان قیف"),
        description=say("Where deals and leads wait.", "معاملات و سرنخ‌ها کجا منتظرند."),
        variables=("team", "rep", "pipeline", "window", "currency"),
        rows=(
            (say("Deals in stages now", "معاملات در مراحل"), _now(say)),
            (say("Time in stage", "زمان در مرحله"), _times(say)),
            (say("Leads", "سرنخ‌ها"), _leads(say)),
        ),
    )


def _now(say: Say) -> tuple[Panel, ...]:
    amount = f"sum by ({BY_STAGE}, currency) ({team('open_amount', currency='$currency', **FLOW)})"
    tiles = (
        (say("Open deals", "معاملات باز"), f"sum by ({BY_STAGE}) ({team('open_deals', **FLOW)})", "short", ()),
        (say("Open amount", "مبلغ باز"), amount, "locale", ()),
        (
            say("Overdue deals", "معاملات دیرکرد"),
            f"sum by ({BY_STAGE}) ({team('overdue_deals', **FLOW)})",
            "short",
            steps.any_is_bad(say),
        ),
    )
    return tuple(
        Panel(
            kind="bars",
            title=title,
            description=say("Over the teams chosen, by stage.", "تیم‌های انتخاب‌شده، به تفکیک مرحله."),
            queries=(Query(expression, STAGES),),
            unit=unit,
            steps=limits,
            width=8,
            height=9,
        )
        for title, expression, unit, limits in tiles
    )


def _times(say: Say) -> tuple[Panel, ...]:
    median = team("stage_seconds", window="$window", quantile="0.5", **FLOW)
    slowest = named(rep("stage_seconds", window="$window", quantile="0.5", **FLOW))
    return (
        Panel(
            kind="bars",
            title=say("Median by team", "میانه به تفکیک تیم"),
            description=say("Working time of sojourns that ended in the window.", "زمان کاری اقامت‌های پایان‌یافته."),
            queries=(Query(median, f"{{{{team}}}} {STAGES}"),),
            unit="s",
            width=12,
            height=10,
        ),
        Panel(
            kind="bars",
            title=say("Slowest reps", "کندترین فروشندگان"),
            description=say("The largest medians, by rep and stage.", "بزرگ‌ترین میانه‌ها."),
            queries=(Query(worst(12, slowest), f"{{{{name}}}} {STAGES}"),),
            unit="s",
            width=12,
            height=10,
        ),
    )


def _leads(say: Say) -> tuple[Panel, ...]:
    leads = f"sum by (instance, state, window) ({team('leads', window='$window')})"
    deals = f"sum by (instance, outcome, window) ({team('deals', window='$window')})"
    return (
        Panel(
            kind="bars",
            title=say("Leads in the window", "سرنخ‌های بازه"),
            description=say("Created, qualified, accepted, converted, disqualified.", "ایجاد تا تبدیل."),
            queries=(Query(leads, "{{state}}"),),
            width=12,
        ),
        Panel(
            kind="bars",
            title=say("Deals in the window", "معاملات بازه"),
            description=say("Created, won, lost.", "ایجاد، برد، باخت."),
            queries=(Query(deals, "{{outcome}}"),),
            width=12,
        ),
    )
