"""A manager's team: one line a rep with all five KPIs, then how the team moves."""

from __future__ import annotations

from funnelwatch.agents.dashboards import figures, links, steps
from funnelwatch.agents.dashboards.promql import named, rep, team, worst
from funnelwatch.agents.dashboards.spec import Dashboard, Panel, Query, Say

REPS = 12
KEYS = "instance, rep, team"


def manager(say: Say, language: str) -> Dashboard:
    """What a manager opens in the morning."""
    return Dashboard(
        key="manager",
        title=say("Manager", "مدیر"),
        description=say("My team: who needs help, and with what.", "تیم من: چه کسی به کمک نیاز دارد و در چه."),
        variables=("team", "rep", "window", "currency", "board"),
        rows=(
            (say("Reps", "فروشندگان"), (_table(say, language),)),
            (say("Needs help", "نیازمند کمک"), _help(say, language)),
            (say("Sales of the team", "فروش تیم"), figures.sales(say, team, "{{team}}")),
            (
                say("The team's other figures", "ارقام دیگر تیم"),
                (
                    figures.conversion(say, team, "{{team}}"),
                    figures.outreach(say, team, "{{team}}"),
                    figures.losses(say, team, "{{team}}"),
                ),
            ),
        ),
    )


def _table(say: Say, language: str) -> Panel:
    money, window = {"currency": "$currency"}, {"window": "$window"}

    def one(expression: str) -> str:
        return f"max by (rep) ({expression})"

    pace = f"max by (rep, name, team) ({named(rep('quota_pace_ratio', **money))})"
    attainment = rep("outreach_attainment_ratio", kind="total", window="today")
    columns = (
        Query(pace, column=say("Quota pace", "آهنگ سهمیه"), unit="percentunit"),
        Query(one(rep("won_amount", window="mtd", **money)), column=say("Won this month", "فروش ماه"), unit="locale"),
        Query(one(rep("sales_growth_ratio", **money)), column=say("Growth", "رشد"), unit="percentunit"),
        Query(one(rep("idle_seconds")), column=say("Idle", "بی‌حرکت"), unit="s"),
        Query(f"sum by (rep) ({rep('overdue_deals')})", column=say("Overdue", "دیرکرد"), unit="none"),
        Query(
            one(rep("conversion_ratio", reading="cohort", **window)),
            column=say("Conversion", "تبدیل"),
            unit="percentunit",
        ),
        Query(one(attainment), column=say("Outreach today", "تماس امروز"), unit="percentunit"),
        Query(one(rep("loss_ratio", **window)), column=say("Loss rate", "نرخ باخت"), unit="percentunit"),
        Query(one(rep("evidence")), column=say("Evidence", "شواهد"), unit="short"),
    )
    return Panel(
        kind="table",
        title=say("Reps", "فروشندگان"),
        description=say("One line a rep; sort by any column.", "هر سطر یک فروشنده."),
        queries=columns,
        width=24,
        height=12,
        links=links.of_rep(say, language, "${__data.fields.rep}"),
    )


def _help(say: Say, language: str) -> tuple[Panel, ...]:
    strongest = f"max by ({KEYS}) ({rep('evidence')})"
    return (
        Panel(
            kind="bars",
            title=say("Strongest evidence", "قوی‌ترین شواهد"),
            description=say("The largest of each rep's detectors.", "بزرگ‌ترین شاهد هر فروشنده."),
            queries=(Query(worst(REPS, named(strongest)), "{{name}}"),),
            steps=steps.evidence(say),
            width=12,
            height=10,
            links=links.of_rep(say, language),
        ),
        Panel(
            kind="bars",
            title=say("Behind quota", "عقب از سهمیه"),
            description=say("Quota pace, furthest behind first.", "آهنگ سهمیه، عقب‌ترین در بالا."),
            queries=(Query(worst(REPS, named(rep("quota_pace_ratio", currency="$currency")), low=True), "{{name}}"),),
            unit="percentunit",
            steps=steps.pace(say),
            width=12,
            height=10,
            links=links.of_rep(say, language),
        ),
    )
