"""The alerts about reps and teams: evidence against thresholds, with hysteresis, held while nothing can be seen.

An alert begins above its threshold and ends below `RESOLVED_BELOW`. While the board cannot be read, or has not judged
yet, an alert that fires stays: blindness is no recovery.
"""

from __future__ import annotations

from typing import Final

import msgspec

from funnelwatch.schemas.settings import DetectorSettings
from funnelwatch.streams.alerting.recordings import EVIDENCE as RECORDED
from funnelwatch.streams.alerting.recordings import MANAGERS
from funnelwatch.streams.alerting.rule import BOARD_JOB, MANAGER, AlertRule, Dashboard, Runbook
from funnelwatch.streams.alerting.texts import EVIDENCE, EVIDENCE_FA, LEVELS, in_address, name, number
from funnelwatch.streams.detectors.alerts import PAGING, RESOLVED_BELOW, WARNING_ABOVE, critical_above

SEEN_SECONDS: Final = 60
"""A board that has answered for so long and judged has no evidence because there is none."""

SEVERITIES: Final = ("critical", "warning")

PAGES: Final = {
    "rep": f"/reps/{in_address('$labels.rep')}?lang=",
    "team": f"/?team={in_address('$labels.team')}&lang=",
}
DASHBOARDS: Final = {
    "rep": Dashboard("funnelwatch-rep", ("team", "rep")),
    "team": Dashboard("funnelwatch-team", ("team",)),
}


class Told(msgspec.Struct, frozen=True):
    """What is said about one detector's finding, in both languages. ``levels``: whom it judges."""

    detector: str
    title: str
    levels: tuple[str, ...]
    summary: str
    text: str
    summary_fa: str
    text_fa: str
    runbook: Runbook


def rules(settings: DetectorSettings) -> tuple[AlertRule, ...]:
    """All alerts about reps and teams: one of each severity that the detector can have."""
    critical = critical_above(settings)
    return tuple(
        _rule(told, level, severity, critical[told.detector] if severity == "critical" else WARNING_ABOVE)
        for told in TOLD
        for level in told.levels
        for severity in SEVERITIES
        if severity != "critical" or told.detector in PAGING
    )


def alert_name(title: str, level: str) -> str:
    """``RepLossSpike``: the same for both severities, so that the critical one can mute the other."""
    return level.capitalize() + title


def _rule(told: Told, level: str, severity: str, threshold: float) -> AlertRule:
    title = alert_name(told.title, level)
    return AlertRule(
        name=title,
        expr=expression(title, level, told.detector, severity, threshold),
        severity=severity,
        audience=MANAGER,
        summary=_filled(told.summary, level, told.detector),
        description=_filled(told.text, level, told.detector) + EVIDENCE,
        summary_fa=_filled(told.summary_fa, level, told.detector),
        description_fa=_filled(told.text_fa, level, told.detector) + EVIDENCE_FA,
        runbook=told.runbook,
        dashboard=DASHBOARDS[level],
        page=PAGES[level],
        labels=LEVELS[level],
    )


def expression(alert: str, level: str, detector: str, severity: str, threshold: float) -> str:
    """When the alert fires, with the manager to tell as a label. What is over a manager's pages of the day warns."""
    subject = ", ".join(LEVELS[level])
    evidence = f'{RECORDED[level]}{{detector="{detector}"}}'
    firing = f'ALERTS{{alertname="{alert}", severity="{severity}", alertstate="firing"}}'
    judged = f"({evidence} > {threshold:g} or {evidence} >= {RESOLVED_BELOW:g} and on ({subject}) {firing})"
    if severity == "critical":
        judged = f'({judged} unless on ({subject}) sales_{level}_evidence_withheld{{detector="{detector}"}})'
    return f"""\
{judged}
  * on ({subject}) group_left (manager) {MANAGERS[level]}
or on ({subject}) {judged}
or on ({subject}) (
  max by ({subject}, manager, detector) ({firing})
  unless on () (
    count({RECORDED["rep"]})
    or (
      max(min_over_time(up{{job="{BOARD_JOB}"}}[{SEEN_SECONDS}s])) == 1
      unless max(funnelwatch_board_judgement_held) == 1
    )
  )
)"""


def _filled(text: str, level: str, detector: str) -> str:
    parts = {
        "NAME": name(level),
        "OBSERVED": number(level, "observed", detector),
        "HOURS": number(level, "observed", detector, "printf `%.1f`", " / 3600"),
        "OF": number(level, "of", detector),
        "OF1": number(level, "of", detector, "printf `%.1f`"),
        "USUAL": number(level, "baseline", detector),
        "USUAL1": number(level, "baseline", detector, "printf `%.1f`"),
        "SHARE": number(level, "baseline", detector, "printf `%.0f%%`", " * 100"),
        "DAYS": number(level, "window_workdays", detector),
    }
    for part, template in parts.items():
        text = text.replace(f"<{part}>", template)
    return text


TOLD: Final = (
    Told(
        detector="loss_spike",
        title="LossSpike",
        levels=("rep", "team"),
        summary="<NAME>: more deals are lost than usual",
        text="<NAME> lost <OBSERVED> of <OF> deals decided in <DAYS> working days, where <SHARE> was to be expected.",
        summary_fa="<NAME>: باخت بیش از معمول",
        text_fa="<NAME> در <DAYS> روز کاری <OBSERVED> از <OF> معامله را باخته است؛ انتظار <SHARE> بود.",
        runbook=Runbook(
            "More of what was decided lately is lost than the own past, the team's, and what the team does in the same "
            "days let expect. It is not a raw rate: a few lost deals, or a bad week of the whole team, do not page.",
            (
                "Open the page from the alert: losses by reason and by stage, and which window made the evidence.",
                "Hear the recordings listed first: they are those of deals that were lost.",
                "Is it one pipeline or one reason? Did a price, a competitor or a product change on that day?",
            ),
            (
                "Talk with the rep about two of the lost deals, with the recordings, before any figure.",
                "A change that hits everybody will show as a team's alert: then talk with marketing or product.",
                "Were deals closed as lost to tidy up? That counts as losing; the alert ends as the window moves on.",
                "Acknowledge it by a silence until you have talked; it ends by itself below an evidence of 2.",
            ),
        ),
    ),
    Told(
        detector="funnel_stalled",
        title="FunnelStalled",
        levels=("rep",),
        summary="<NAME>: no deal moves",
        text="No deal of <NAME> has advanced for <HOURS> working hours; <OF1> advances were to be expected "
        "at <USUAL1> a day.",
        summary_fa="<NAME>: هیچ معامله‌ای پیش نمی‌رود",
        text_fa="هیچ معامله‌ای از <NAME> در <HOURS> ساعت کاری پیش نرفته است؛ <OF1> پیشرفت انتظار می‌رفت.",
        runbook=Runbook(
            "The rep has open deals and none has moved to a later stage or was won for so long that, at the rep's own "
            "pace, this would hardly happen by chance. Days without any activity count as leave; snoozed deals do not "
            "wait.",
            (
                "Open the page: what is open, what is overdue, and in which stage it waits.",
                "Is the rep at work? Is anything entered into the CRM at all today (calls, emails)?",
                "Do other reps of the team stand still as well? Then look at the pipeline's own alerts first.",
            ),
            (
                "Go through the overdue deals with the rep: advance, snooze with a reason, or close each.",
                "Deals that move but are not entered: have them entered; the alert ends with the first advance.",
                "On leave without an entry: tell the CRM, so that the days are known as leave.",
            ),
        ),
    ),
    Told(
        detector="sales_declining",
        title="SalesDeclining",
        levels=("rep",),
        summary="<NAME>: fewer sales than last month",
        text="<NAME> has <OBSERVED> wins this month, <USUAL> at the same point of the last one.",
        summary_fa="<NAME>: فروش کمتر از ماه پیش",
        text_fa="<NAME> این ماه <OBSERVED> برد دارد؛ ماه پیش تا همین‌جا <USUAL>.",
        runbook=Runbook(
            "Wins and won amount of the month are under those of the previous month up to the same working time, by "
            "more than chance explains.",
            ("Open the page: the change is split into opportunities closed, win rate and deal size.",),
            (
                "Opportunities closed: look at outreach. Win rate: hear recordings. Deal size: look at offers.",
                "This is a warning for the weekly talk, not a page.",
            ),
        ),
    ),
    Told(
        detector="outreach_short",
        title="OutreachShort",
        levels=("rep",),
        summary="<NAME>: outreach under the benchmark",
        text="<NAME> made <OBSERVED> contacts in 5 working days; the benchmark asks for <OF>.",
        summary_fa="<NAME>: تماس کمتر از معیار",
        text_fa="<NAME> در ۵ روز کاری <OBSERVED> تماس گرفته است؛ معیار <OF> است.",
        runbook=Runbook(
            "Cold calls, cold emails and voicemail drops of the last 5 whole working days are under the share of the "
            "benchmark that is still taken for chance.",
            ("Open the page: which kind is missing, and is the telephone system's source alive?",),
            ("Ask what took the time. A benchmark that does not fit this rep is corrected in his or her record.",),
        ),
    ),
    Told(
        detector="conversion_low",
        title="ConversionLow",
        levels=("rep",),
        summary="<NAME>: few qualified leads become customers",
        text="<NAME> converted <OBSERVED> of <OF> qualified leads; <SHARE> is expected.",
        summary_fa="<NAME>: تبدیل کمتر از انتظار",
        text_fa="<NAME> از <OF> سرنخ واجد شرایط <OBSERVED> را مشتری کرده است؛ انتظار <SHARE> بود.",
        runbook=Runbook(
            "Of the leads qualified in 90 days fewer are customers than expected, by more than chance explains.",
            ("Open the page: which half leaks, acceptance or closing, against the team's?",),
            (
                "Acceptance leaks: marketing qualifies too early, or leads wait too long for their first touch.",
                "Closing leaks: hear the recordings of lost deals together.",
            ),
        ),
    ),
)
