"""The wall: twelve tiles to be read from across the room, worst first, no hand needed."""

from __future__ import annotations

from typing import Final

from funnelwatch.agents.dashboards import links, steps
from funnelwatch.agents.dashboards.promql import named, rep, select, team, worst
from funnelwatch.agents.dashboards.spec import Dashboard, Panel, Query, Say
from funnelwatch.streams.detectors.alerts import CRITICAL_ABOVE, WARNING_ABOVE

ROWS: Final = 6
"""Bars of a tile: more cannot be read from five metres."""


def wall(say: Say, language: str) -> Dashboard:
    """Who needs help now, and whether the figures can be trusted."""
    return Dashboard(
        key="wall",
        title=say("Wall", "دیوار"),
        description=say("Who needs help now, worst first.", "چه کسی اکنون به کمک نیاز دارد؛ بدترین در بالا."),
        variables=("currency", "team", "rep", "window", "board"),
        rows=(("", (*_heads(say), *_people(say, language))),),
        refresh="5s",
        since="now-1h",
    )


def _heads(say: Say) -> tuple[Panel, ...]:
    firing = f"count({rep('evidence')} > {CRITICAL_ABOVE:g}) or vector(0)"
    warned = f"count({rep('evidence')} > {WARNING_ABOVE:g} <= {CRITICAL_ABOVE:g}) or vector(0)"
    return (
        Panel(
            kind="stat",
            title=say("Age of the figures", "عمر ارقام"),
            description=say(
                "Seconds since the oldest partition was confirmed by its worker.",
                "ثانیه از آخرین تأیید قدیمی‌ترین بخش.",
            ),
            queries=(Query(f"max({select('sales_kpi_age_seconds')})"),),
            unit="s",
            steps=steps.age(say),
        ),
        Panel(
            kind="stat",
            title=say("Pages", "فوری‌ها"),
            description=say("Evidence above the paging level, over all detectors.", "شواهد بالاتر از حد فوری."),
            queries=(Query(firing),),
            steps=steps.any_is_bad(say),
        ),
        Panel(
            kind="stat",
            title=say("Warnings", "هشدارها"),
            description=say("Evidence above the warning level.", "شواهد بالاتر از حد هشدار."),
            queries=(Query(warned),),
            steps=steps.any_is_bad(say),
        ),
        Panel(
            kind="stat",
            title=say("Won this month, of quota", "فروش این ماه از سهمیه"),
            description=say("All teams together: won this month, and the quota.", "همهٔ تیم‌ها: فروش این ماه و سهمیه."),
            queries=(
                Query(_sum("won_amount", window="mtd", currency="$currency"), say("won", "فروش")),
                Query(_sum("quota_amount", currency="$currency"), say("quota", "سهمیه")),
            ),
            unit="locale",
        ),
    )


def _sum(figure: str, **labels: str) -> str:
    return f"sum by ({', '.join(labels)}) ({team(figure, **labels)})"


def _people(say: Say, language: str) -> tuple[Panel, ...]:
    loss, stall = (named(rep("evidence", detector=name)) for name in ("loss_spike", "funnel_stalled"))
    overdue = f"sum by (instance, rep, team) ({rep('overdue_deals')})"
    conversion = named(rep("conversion_ratio", reading="cohort", window="$window"))
    reps = (
        (
            say("Furthest behind quota", "دورترین از سهمیه"),
            say("Pace: attainment over the share of the month elapsed; 1 is on pace.", "آهنگ؛ ۱ یعنی طبق برنامه."),
            worst(ROWS, named(rep("quota_pace_ratio", currency="$currency")), low=True),
            "percentunit",
            steps.pace(say),
        ),
        (
            say("Funnel stalled: evidence", "توقف قیف: شواهد"),
            say("−log10 of the chance that nothing advances for so long.", "منفی لگاریتم احتمال این توقف."),
            worst(ROWS, stall),
            "short",
            steps.evidence(say),
        ),
        (
            say("Losses spike: evidence", "جهش باخت: شواهد"),
            say("−log10 of the chance of so many losses.", "منفی لگاریتم احتمال این همه باخت."),
            worst(ROWS, loss),
            "short",
            steps.evidence(say),
        ),
        (
            say("Loss rate", "نرخ باخت"),
            say("Lost of decided, by close time. A few deals swing it.", "باخته از تصمیم‌گرفته‌ها."),
            worst(ROWS, named(rep("loss_ratio", window="$window"))),
            "percentunit",
            steps.loss(say),
        ),
        (
            say("Least outreach of benchmark", "کمترین تماس نسبت به معیار"),
            say("Calls, emails and voicemail drops against the benchmark.", "تماس و ایمیل نسبت به معیار."),
            worst(ROWS, named(rep("outreach_attainment_ratio", kind="total", window="today")), low=True),
            "percentunit",
            steps.support(say),
        ),
        (
            say("Lowest conversion of MQLs", "کمترین تبدیل سرنخ"),
            say("Of the leads qualified in the window, the share converted by now.", "سهم سرنخ‌های تبدیل‌شده."),
            worst(ROWS, conversion, low=True),
            "percentunit",
            (),
        ),
        (
            say("Most overdue deals", "بیشترین معاملات دیرکرد"),
            say("Open longer than their stage is expected to take.", "بیش از زمان مورد انتظار مرحله."),
            worst(ROWS, named(overdue)),
            "short",
            (),
        ),
    )
    panels = tuple(
        Panel(
            kind="bars",
            title=title,
            description=description,
            queries=(Query(expression, "{{name}}"),),
            unit=unit,
            steps=limits,
            links=links.of_rep(say, language),
        )
        for title, description, expression, unit, limits in reps
    )
    return (*panels, _teams(say, language))


def _teams(say: Say, language: str) -> Panel:
    return Panel(
        kind="bars",
        title=say("Teams by pace", "آهنگ تیم‌ها"),
        description=say("Each team's quota pace, furthest behind first.", "آهنگ هر تیم، عقب‌ترین در بالا."),
        queries=(Query(worst(ROWS, team("quota_pace_ratio", currency="$currency"), low=True), "{{team}}"),),
        unit="percentunit",
        steps=steps.pace(say),
        links=links.of_team(say, language),
    )
