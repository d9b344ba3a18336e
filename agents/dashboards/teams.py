"""Teams beside each other, by the five KPIs."""

from __future__ import annotations

from funnelwatch.agents.dashboards import figures, links, steps
from funnelwatch.agents.dashboards.promql import team, worst
from funnelwatch.agents.dashboards.spec import Dashboard, Panel, Query, Say

TEAMS = 20


def teams(say: Say, language: str) -> Dashboard:
    """Which team stands where."""
    money, window = {"currency": "$currency"}, {"window": "$window"}
    bars = (
        (say("Quota pace", "آهنگ سهمیه"), team("quota_pace_ratio", **money), "percentunit", steps.pace(say), True),
        (say("Growth", "رشد"), team("sales_growth_ratio", **money), "percentunit", (), True),
        (say("Loss rate", "نرخ باخت"), team("loss_ratio", **window), "percentunit", steps.loss(say), False),
        (
            say("Conversion of MQLs (cohort)", "تبدیل سرنخ‌ها (گروه)"),
            team("conversion_ratio", reading="cohort", **window),
            "percentunit",
            (),
            True,
        ),
        (
            say("Outreach today, of benchmark", "تماس امروز نسبت به معیار"),
            team("outreach_attainment_ratio", kind="total", window="today"),
            "percentunit",
            steps.support(say),
            True,
        ),
        (
            say("Created per lost", "ایجاد به باخت"),
            team("created_per_lost_ratio", **window),
            "short",
            (),
            True,
        ),
    )
    panels = tuple(
        Panel(
            kind="bars",
            title=title,
            description=say("Teams, worst first.", "تیم‌ها، بدترین در بالا."),
            queries=(Query(worst(TEAMS, expression, low=low), "{{team}}"),),
            unit=unit,
            steps=limits,
            width=8,
            height=9,
            links=links.of_team(say, language),
        )
        for title, expression, unit, limits, low in bars
    )
    return Dashboard(
        key="team",
        title=say("Teams", "تیم‌ها"),
        description=say("Teams beside each other, worst first.", "تیم‌ها کنار هم، بدترین در بالا."),
        variables=("team", "window", "currency"),
        rows=(
            (say("Now", "اکنون"), panels),
            (say("Sales", "فروش"), figures.sales(say, team, "{{team}}")),
            (say("Evidence", "شواهد"), (figures.evidence(say, team, "{{team}}"),)),
        ),
    )
