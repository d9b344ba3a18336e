"""The five KPIs as panels of reps or teams, shared by several dashboards."""

from __future__ import annotations

from collections.abc import Callable

from funnelwatch.agents.dashboards import steps
from funnelwatch.agents.dashboards.spec import Panel, Query, Say

Select = Callable[..., str]
"""`promql.rep` or `promql.team`."""

CAUSES = {
    "volume": ("opportunities", "فرصت‌ها"),
    "win_rate": ("win rate", "نرخ برد"),
    "deal_size": ("deal size", "اندازه"),
}


def sales(say: Say, select: Select, legend: str) -> tuple[Panel, ...]:
    """Sales month over month, pace, and why they changed."""
    money = {"currency": "$currency"}
    causes = tuple(
        Query(select("sales_change_amount", cause=cause, **money), f"{legend} {say(*words)}")
        for cause, words in CAUSES.items()
    )
    return (
        Panel(
            kind="lines",
            title=say("Won this month, and quota", "فروش این ماه و سهمیه"),
            description=say("Amount won since the month began, with the month's quota.", "مبلغ فروش از آغاز ماه."),
            queries=(
                Query(select("won_amount", window="mtd", **money), f"{legend} {say('won', 'فروش')}"),
                Query(select("quota_amount", **money), f"{legend} {say('quota', 'سهمیه')}"),
            ),
            unit="locale",
            width=12,
        ),
        Panel(
            kind="bars",
            title=say("Why sales changed against last month", "چرا فروش نسبت به ماه قبل تغییر کرد"),
            description=say(
                "The change to the same working time of the last month, split exactly. Work on the most negative part.",
                "تغییر نسبت به همان زمان کاری ماه قبل، دقیقاً تفکیک شده.",
            ),
            queries=causes,
            unit="locale",
            width=12,
        ),
    )


def losses(say: Say, select: Select, legend: str) -> Panel:
    """Loss rate of the window over time."""
    return Panel(
        kind="lines",
        title=say("Loss rate", "نرخ باخت"),
        description=say("Lost of decided in the window. Judge by the evidence.", "باخته از تصمیم‌گرفته‌ها در بازه."),
        queries=(Query(select("loss_ratio", window="$window"), legend),),
        unit="percentunit",
        steps=steps.loss(say),
        width=8,
        maximum=1,
    )


def outreach(say: Say, select: Select, legend: str) -> Panel:
    """Outreach against the benchmark over the day."""
    return Panel(
        kind="lines",
        title=say("Outreach today, of benchmark", "تماس امروز نسبت به معیار"),
        description=say("Of what the benchmark asks for in the working time elapsed.", "نسبت به معیار زمان سپری‌شده."),
        queries=(Query(select("outreach_attainment_ratio", kind="total", window="today"), legend),),
        unit="percentunit",
        steps=steps.support(say),
        width=8,
    )


def conversion(say: Say, select: Select, legend: str) -> Panel:
    """Both readings of the conversion of MQLs."""
    readings = {"cohort": say("cohort", "گروه"), "period": say("period", "دوره")}
    return Panel(
        kind="lines",
        title=say("Conversion of MQLs", "تبدیل سرنخ‌های واجد شرایط"),
        description=say(
            "Cohort: of the leads qualified in the window, the share converted. Period: converted over qualified.",
            "گروه: سهم تبدیل‌شده از سرنخ‌های واجد شرایط بازه. دوره: تبدیل‌شده به واجد شرایط.",
        ),
        queries=tuple(
            Query(select("conversion_ratio", reading=reading, window="$window"), f"{legend} {word}")
            for reading, word in readings.items()
        ),
        unit="percentunit",
        width=8,
    )


def evidence(say: Say, select: Select, legend: str) -> Panel:
    """All detectors over time, with the levels that warn and page."""
    return Panel(
        kind="lines",
        title=say("Evidence of trouble", "شواهد مشکل"),
        description=say(
            "Above 3 warns; stalls page above 4, spikes of losses above 4.25.", "بالای ۳ هشدار، بالای ۴ فوری."
        ),
        queries=(Query(select("evidence"), f"{legend} {{{{detector}}}}"),),
        unit="short",
        steps=steps.evidence(say),
        width=24,
    )
