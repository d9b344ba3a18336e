"""One rep: the five KPIs of the day, and how they came about."""

from __future__ import annotations

from funnelwatch.agents.dashboards import figures, links, steps
from funnelwatch.agents.dashboards.promql import named
from funnelwatch.agents.dashboards.promql import rep as of_rep
from funnelwatch.agents.dashboards.spec import Dashboard, Panel, Query, Say

NAME = "{{name}}"


def rep(say: Say, language: str) -> Dashboard:
    """For the rep's own screen and for the talk with the manager."""

    def select(figure: str, **labels: str) -> str:
        return named(of_rep(figure, **labels))

    return Dashboard(
        key="rep",
        title=say("Rep", "فروشنده"),
        description=say("One rep: the five KPIs and what they are made of.", "یک فروشنده: پنج شاخص و اجزای آن‌ها."),
        variables=("team", "rep", "pipeline", "window", "currency", "board"),
        rows=(
            ("", _today(say, language)),
            (say("Sales, month over month", "فروش ماه به ماه"), figures.sales(say, select, NAME)),
            (say("Funnel flow", "جریان قیف"), _funnel(say)),
            (
                say("Conversion, outreach, losses", "تبدیل، تماس، باخت"),
                (
                    figures.conversion(say, select, NAME),
                    figures.outreach(say, select, NAME),
                    figures.losses(say, select, NAME),
                ),
            ),
            (say("Evidence", "شواهد"), (figures.evidence(say, select, NAME),)),
        ),
    )


def _today(say: Say, language: str) -> tuple[Panel, ...]:
    money = {"currency": "$currency"}
    tiles = (
        (
            say("Quota pace", "آهنگ سهمیه"),
            say("Attainment over the share of the month elapsed.", "تحقق به سهم سپری‌شدهٔ ماه."),
            of_rep("quota_pace_ratio", **money),
            "percentunit",
            steps.pace(say),
        ),
        (
            say("Growth", "رشد"),
            say("Won against the same working time of last month.", "نسبت به همان زمان ماه قبل."),
            of_rep("sales_growth_ratio", **money),
            "percentunit",
            (),
        ),
        (
            say("Projection", "پیش‌بینی"),
            say("Where the month ends if nothing changes.", "پایان ماه اگر چیزی تغییر نکند."),
            of_rep("sales_projection_amount", **money),
            "locale",
            (),
        ),
        (
            say("Idle", "بی‌حرکت"),
            say("Working time since a deal advanced.", "زمان کاری از آخرین پیشرفت."),
            of_rep("idle_seconds"),
            "s",
            (),
        ),
    )
    return tuple(
        Panel(
            kind="stat",
            title=title,
            description=description,
            queries=(Query(named(expression), NAME),),
            unit=unit,
            steps=limits,
            height=5,
            links=links.of_rep(say, language),
        )
        for title, description, expression, unit, limits in tiles
    )


def _funnel(say: Say) -> tuple[Panel, ...]:
    flow = {"pipeline": "~$pipeline"}
    stage = "{{name}} {{pipeline}} {{stage}}"
    return (
        Panel(
            kind="bars",
            title=say("Open deals by stage", "معاملات باز در هر مرحله"),
            description=say("Deals open in each stage now.", "معاملات باز در هر مرحله."),
            queries=(Query(named(of_rep("open_deals", **flow)), stage),),
            width=8,
        ),
        Panel(
            kind="bars",
            title=say("Overdue by stage", "دیرکرد در هر مرحله"),
            description=say("Open longer than the stage is expected to take.", "بیش از زمان مورد انتظار مرحله."),
            queries=(Query(named(of_rep("overdue_deals", **flow)), stage),),
            steps=steps.any_is_bad(say),
            width=8,
        ),
        Panel(
            kind="bars",
            title=say("Time in stage, median and 90 %", "زمان در مرحله، میانه و ۹۰٪"),
            description=say("Working time of sojourns that ended in the window.", "زمان کاری اقامت‌های پایان‌یافته."),
            queries=(
                Query(
                    named(of_rep("stage_seconds", window="$window", quantile="~0.5|0.9", **flow)),
                    stage + " {{quantile}}",
                ),
            ),
            unit="s",
            width=8,
        ),
    )
