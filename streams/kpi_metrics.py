"""The KPIs as metrics: what `streams.samples` makes of a document, for reps and for teams.

They are gauges: an event-time figure is restated by late events and can go down, so it is no counter. ``window`` and
``currency`` are never aggregated over.
"""

from __future__ import annotations

from typing import Final

from funnelwatch.streams.metric import Metric


def _kpi(
    name: str, labels: str, unit: str, what: str, action: str, *, kind: str = "gauge", additive: bool = False
) -> tuple[Metric, Metric]:
    """The same figure for reps and for teams."""
    extra = tuple(labels.split())
    return (
        Metric(f"sales_rep_{name}", kind, unit, ("rep", "team", *extra), f"Rep: {what}", action, additive=additive),
        Metric(f"sales_team_{name}", kind, unit, ("team", *extra), f"Team: {what}", action),
    )


PAIRS: Final = (
    _kpi(
        "won_amount",
        "currency window",
        "",
        "amount won in the window, in major units of the currency.",
        "Compare with the quota and with the same window before; the growth and change metrics say why it moved.",
        additive=True,
    ),
    _kpi(
        "lost_amount",
        "currency window",
        "",
        "amount lost in the window, in major units of the currency.",
        "Open the page: reasons and stages of the losses are listed there.",
        additive=True,
    ),
    _kpi(
        "deals",
        "outcome window",
        "",
        "deals created, won and lost in the window.",
        "Few created: look at outreach. Many lost: look at the loss ratio and its evidence.",
        additive=True,
    ),
    _kpi(
        "loss_ratio",
        "window",
        "ratio",
        "lost ÷ (won + lost) in the window, by close time.",
        "Alert on the evidence, not on this figure: a few deals swing it. Hear the recordings on lost deals first.",
    ),
    _kpi(
        "created_per_lost_ratio",
        "window",
        "ratio",
        "deals created ÷ deals lost in the window.",
        "Under 1 the funnel drains: more opportunities are lost than come in.",
    ),
    _kpi(
        "sales_growth_ratio",
        "currency",
        "ratio",
        "won this month ÷ won in the previous month up to the same elapsed working time, minus 1.",
        "When negative, read the change metric: it names opportunities, win rate or deal size.",
    ),
    _kpi(
        "quota_attainment_ratio",
        "currency",
        "ratio",
        "won this month ÷ this month's quota.",
        "Judge by the pace: attainment alone is low on every first day of a month.",
    ),
    _kpi(
        "quota_pace_ratio",
        "currency",
        "ratio",
        "quota attainment ÷ share of the month's working time elapsed; 1 is on pace.",
        "Under 1 for days: talk about the pipeline that is left, starting with the overdue deals.",
    ),
    _kpi(
        "quota_amount",
        "currency",
        "",
        "this month's quota, in major units of the currency.",
        "Missing or wrong: correct the rep's record in the CRM that publishes it.",
    ),
    _kpi(
        "sales_projection_amount",
        "currency",
        "",
        "won this month ÷ share of the month's working time elapsed.",
        "Compare with the quota: it is where the month ends if nothing changes.",
    ),
    _kpi(
        "sales_change_amount",
        "currency cause",
        "",
        "change of won amount against the previous month to date, split exactly by cause.",
        "The most negative cause is the one to work on: volume, win_rate or deal_size.",
    ),
    _kpi(
        "open_deals",
        "pipeline stage",
        "",
        "deals open in the stage now.",
        "A stage that only fills is the bottleneck: see the time in stage.",
        additive=True,
    ),
    _kpi(
        "open_amount",
        "pipeline stage currency",
        "",
        "amount of the deals open in the stage now, in major units of the currency.",
        "Compare with what the quota still needs.",
        additive=True,
    ),
    _kpi(
        "overdue_deals",
        "pipeline stage",
        "",
        "open deals that have been in their stage for longer than its expected working time.",
        "Go through them with the rep: advance, snooze with a reason, or close.",
        additive=True,
    ),
    _kpi(
        "stage_seconds",
        "pipeline stage quantile window",
        "seconds",
        "working time of sojourns in the stage that ended in the window (at most 1 % relative error).",
        "Far over the expected time of the stage: this is where deals wait. Leads are the pipeline @leads.",
        kind="summary",
    ),
    _kpi(
        "last_advance_timestamp_seconds",
        "",
        "seconds",
        "when a deal last moved to a later stage or was won.",
        "Old with open deals: the funnel stands still; the stall detector judges whether that is unusual.",
    ),
    _kpi(
        "idle_seconds",
        "",
        "seconds",
        "working time since the last advance; 0 without open deals.",
        "Alert on the evidence of funnel_stalled, not on this figure: quiet days are normal.",
    ),
    _kpi(
        "leads",
        "state window",
        "",
        "leads created, qualified, accepted, converted and disqualified in the window.",
        "Qualified but not accepted: marketing qualifies too early. Accepted but not converted: closing leaks.",
        additive=True,
    ),
    _kpi(
        "conversion_ratio",
        "reading window",
        "ratio",
        "leads converted ÷ qualified, of the period and of the cohort qualified in it.",
        "Read the leaking half on the page before talking to anybody about it.",
    ),
    _kpi(
        "outreach",
        "kind window",
        "",
        "cold calls, cold emails and voicemail drops done in the window.",
        "Compare with the attainment: it knows how much of the window's working time has passed.",
        additive=True,
    ),
    _kpi(
        "outreach_attainment_ratio",
        "kind window",
        "ratio",
        "outreach of all kinds (kind total) ÷ what the benchmark asks for in the working time elapsed.",
        "Under the support ratio over the last 5 whole working days, the page says the rep needs support.",
    ),
    _kpi(
        "evidence",
        "detector",
        "",
        "−log10 of the probability of what is seen if nothing had changed; the largest over pipelines.",
        "Above 3 is a warning; what pages is configured (detectors). The alert says against which baseline.",
    ),
    _kpi(
        "evidence_observed",
        "detector",
        "",
        "what the detector sees: deals lost (loss_spike), working seconds without an advance (funnel_stalled), wins, "
        "contacts or converted leads. Exposed while the evidence keeps an alert alive.",
        "Read it together with evidence_of and evidence_baseline: the alert's text does.",
    ),
    _kpi(
        "evidence_of",
        "detector",
        "",
        "of how much: deals decided (loss_spike), advances expected (funnel_stalled), contacts or leads to judge.",
        "As evidence_observed.",
    ),
    _kpi(
        "evidence_baseline",
        "detector",
        "",
        "what was to be expected: the loss rate (loss_spike), advances a day (funnel_stalled), wins, contacts, rate.",
        "As evidence_observed. A baseline that surprises: look at the days before the window.",
    ),
    _kpi(
        "evidence_window_workdays",
        "detector",
        "",
        "working days of the strongest window (loss_spike); 0 for detectors without one.",
        "As evidence_observed.",
    ),
    _kpi(
        "evidence_withheld",
        "detector",
        "",
        "1 while the evidence would page and does not, since the manager has had the pages of the day.",
        "It is in the digest and on the wall. Often: look at what pages, or raise detectors.pages_per_manager_day.",
    ),
)

INFO: Final = (
    Metric(
        "sales_rep_info",
        "gauge",
        "",
        ("rep", "name", "team", "manager"),
        "Rep: name, team and manager; always 1. Join it for names.",
        "A missing name: the rep has figures but no record yet.",
    ),
    Metric(
        "sales_team_info",
        "gauge",
        "",
        ("team", "name", "manager"),
        "Team: name and manager; always 1. Join it for names.",
        "A team that should be gone: its reps still name it.",
    ),
)
