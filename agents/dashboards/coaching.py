"""Coaching: whom to talk to, about what, and where the recordings are."""

from __future__ import annotations

from funnelwatch.agents.dashboards import links, steps
from funnelwatch.agents.dashboards.promql import named, rep, worst
from funnelwatch.agents.dashboards.spec import Dashboard, Panel, Query, Say
from funnelwatch.streams.detectors.alerts import WARNING_ABOVE

ROWS = 10
DETECTORS = {
    "loss_spike": ("Losses spike", "جهش باخت"),
    "funnel_stalled": ("Funnel stalled", "توقف قیف"),
    "sales_declining": ("Sales declining", "افت فروش"),
    "outreach_short": ("Outreach short", "تماس ناکافی"),
    "conversion_low": ("Conversion low", "تبدیل پایین"),
}


def coaching(say: Say, language: str) -> Dashboard:
    """Recordings themselves are on the board's page of the rep, to which every bar leads."""
    panels = tuple(
        Panel(
            kind="bars",
            title=say(*words),
            description=say(
                "Evidence by rep; the bar leads to the recordings.", "شواهد هر فروشنده؛ پیوند به مکالمه‌ها."
            ),
            queries=(Query(worst(ROWS, named(rep("evidence", detector=detector))), "{{name}}"),),
            steps=steps.evidence(say),
            width=8,
            height=10,
            links=links.of_rep(say, language),
        )
        for detector, words in DETECTORS.items()
    )
    return Dashboard(
        key="coaching",
        title=say("Coaching", "مربیگری"),
        description=say("Whom to talk to, about what.", "با چه کسی، دربارهٔ چه."),
        variables=("team", "rep", "window", "board"),
        rows=(("", (*panels, _how(say))), (say("Outreach and causes", "تماس و دلایل"), _outreach(say, language))),
    )


def _how(say: Say) -> Panel:
    level = f"{WARNING_ABOVE:g}"
    return Panel(
        kind="text",
        title=say("How to read this", "چگونه بخوانیم"),
        description=say("What evidence means.", "معنای شواهد."),
        text=say(
            f"Evidence {level} means: if nothing had changed, one such sight in a thousand. Follow a bar to the rep's "
            "page: calls on deals that were lost come first.",
            f"شواهد {level} یعنی اگر چیزی تغییر نکرده بود، یک بار در هزار. هر میله به صفحهٔ فروشنده می‌رود؛ مکالمه‌های "
            "معاملات باخته در ابتداست.",
        ),
        width=8,
        height=10,
    )


def _outreach(say: Say, language: str) -> tuple[Panel, ...]:
    return (
        Panel(
            kind="bars",
            title=say("Outreach of 30 days, of benchmark", "تماس ۳۰ روز نسبت به معیار"),
            description=say("Least first.", "کمترین در بالا."),
            queries=(
                Query(
                    worst(ROWS, named(rep("outreach_attainment_ratio", kind="total", window="30d")), low=True),
                    "{{name}}",
                ),
            ),
            unit="percentunit",
            steps=steps.support(say),
            width=12,
            height=10,
            links=links.of_rep(say, language),
        ),
        Panel(
            kind="bars",
            title=say("Created per lost", "ایجاد به باخت"),
            description=say("Under 1 the funnel drains.", "زیر ۱ یعنی قیف خالی می‌شود."),
            queries=(Query(worst(ROWS, named(rep("created_per_lost_ratio", window="$window")), low=True), "{{name}}"),),
            width=12,
            height=10,
            links=links.of_rep(say, language),
        ),
    )
