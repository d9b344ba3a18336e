"""The statistics of the detectors and the hysteresis of the alerts."""

from datetime import date
from math import comb, log, log10

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from scipy import stats

from funnelwatch.schemas.document import Evidence
from funnelwatch.schemas.settings import CalendarSettings, DetectorSettings, RepOverride
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import OpenDeal
from funnelwatch.streams.detectors.alerts import Alerts, Subject
from funnelwatch.streams.detectors.days import DayFigures, back_from, day_figures
from funnelwatch.streams.detectors.loss import BASELINE_MAX, BASELINE_MIN, baseline, spans, strongest
from funnelwatch.streams.detectors.stall import pace, shrunk_pace, stall
from funnelwatch.streams.detectors.tails import (
    EVIDENCE_MAX,
    binomial_at_least,
    binomial_at_most,
    none_expected,
    poisson_at_most,
)
from funnelwatch.streams.workdays import overridden

CALENDAR = Calendar(CalendarSettings())
MONDAY = 738_000 - 738_000 % 7 + 1  # an ordinal d is a Monday when d % 7 == 1
HOUR = 3_600_000_000


def figures(won: int = 0, lost: int = 0, advances: int = 0) -> DayFigures:
    return DayFigures(won={"p": won} if won else {}, lost={"p": lost} if lost else {}, advances=advances)


def deal(**fields) -> OpenDeal:
    start = {"created_at": 0, "entered_at": 0, "owned_since": 0, "touched_at": 0, "snoozed_until": None}
    return OpenDeal(pipeline="p", stage="s", currency="EUR", amount=None, customer=None, **(start | fields))


@given(st.integers(1, 60), st.floats(0.02, 0.98), st.data())
def test_the_upper_binomial_tail_is_the_sum_of_its_terms(n, p, data):
    x = data.draw(st.integers(1, n))
    tail = sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(x, n + 1))

    assert pytest.approx(-log10(tail), abs=1e-6) == binomial_at_least(n, x, p)


@given(st.integers(1, 60), st.floats(0.02, 0.98), st.data())
def test_the_two_binomial_tails_mirror_each_other(n, p, data):
    x = data.draw(st.integers(0, n))

    assert pytest.approx(binomial_at_least(n, n - x, 1 - p), abs=1e-6) == binomial_at_most(n, x, p)


def test_what_is_certain_is_no_evidence_and_evidence_is_bounded():
    assert binomial_at_least(10, 0, 0.5) == 0.0
    assert binomial_at_most(10, 10, 0.5) == 0.0
    assert none_expected([0.0], 4.0) == 0.0
    assert none_expected([1e300], 4.0) == EVIDENCE_MAX
    assert poisson_at_most(5_000.0, 0) == EVIDENCE_MAX


@pytest.mark.parametrize(
    ("lost", "decided", "warns", "pages"), [(12, 12, True, False), (20, 20, True, True), (14, 18, False, False)]
)
def test_the_examples_of_the_metrics_page_hold_against_a_baseline_of_055(lost, decided, warns, pages):
    evidence = binomial_at_least(decided, lost, 0.55)

    assert (evidence > 3, evidence > 4) == (warns, pages)


def test_within_one_day_a_stall_warns_after_eighteen_expected_advances_and_pages_after_thirty_six():
    assert none_expected([18.4], 4.0) < 3 < none_expected([18.6], 4.0)
    assert none_expected([35.9], 4.0) < 4 < none_expected([36.1], 4.0)


def test_days_are_independent_so_that_three_empty_ones_say_more_than_one_as_long():
    assert none_expected([6.0] * 3, 4.0) == pytest.approx(3 * none_expected([6.0], 4.0))
    assert none_expected([6.0] * 3, 4.0) > none_expected([18.0], 4.0)


def test_a_span_of_working_days_skips_the_weekend():
    assert back_from(CALENDAR, MONDAY, 1) == MONDAY
    assert back_from(CALENDAR, MONDAY, 2) == MONDAY - 3
    assert back_from(CALENDAR, MONDAY + 6, 1) == MONDAY + 4


def test_a_window_and_its_prior_do_not_overlap():
    for span in spans(CALENDAR, MONDAY):
        assert span.prior.stop == span.window.start
        assert span.window.stop == MONDAY + 1


@given(*[st.tuples(st.integers(0, 50), st.integers(0, 50)) for _ in range(3)], st.floats(0, 1))
def test_a_baseline_stays_within_its_clip(own, prior, window, fallback):
    pairs = [(lost, lost + won) for lost, won in (own, prior, window)]

    assert BASELINE_MIN <= baseline(*pairs, fallback) <= BASELINE_MAX


def test_a_market_that_turns_raises_the_baseline_of_everybody():
    quiet = baseline((50, 100), (500, 1_000), (50, 100), 0.5)
    turned = baseline((50, 100), (500, 1_000), (95, 100), 0.5)

    assert pytest.approx(0.5) == quiet
    assert turned > 0.7


def history(lost_today: int, won_today: int) -> dict[int, DayFigures]:
    days = {MONDAY - back: figures(won=2, lost=2) for back in range(1, 100) if CALENDAR.day_working_us(MONDAY - back)}
    return days | {MONDAY: figures(won=won_today, lost=lost_today)}


def test_a_rep_who_suddenly_loses_everything_is_evidence():
    own, others = history(20, 0), history(2, 2)
    both = {day: figures(own[day].won.get("p", 0) + 2, own[day].lost.get("p", 0) + 2) for day in others}
    spike = strongest(own, both, both, "p", spans(CALENDAR, MONDAY))

    assert spike.evidence > 4
    assert (spike.working_days, spike.lost, spike.decided) == (1, 20, 20)
    assert pytest.approx(0.5, abs=0.02) == spike.baseline


def test_seven_decided_deals_are_too_few_to_say_anything():
    own = {MONDAY: figures(lost=7)}

    assert strongest(own, own, own, "p", spans(CALENDAR, MONDAY)).evidence == 0.0


def test_a_small_lift_is_no_spike_however_many_deals():
    own = history(550, 450)
    others = {day: figures(200, 200) for day in own}

    assert strongest(own, others, others, "p", spans(CALENDAR, MONDAY)).evidence == 0.0


def test_day_figures_add_over_currencies_and_leave_the_rest_out():
    sums = {
        ("won", "p", "EUR"): 2,
        ("won", "p", "IRR"): 1,
        ("lost", "p", "EUR", "demo", "price"): 4,
        ("advance", "p"): 3,
        ("call", "outbound", 1, "busy"): 9,
    }

    assert DayFigures(won={"p": 3}, lost={"p": 4}, advances=3) == day_figures(sums)


def worked(advances: int, days: int) -> dict[int, DayFigures]:
    span = range(back_from(CALENDAR, MONDAY, days), MONDAY + 1)
    return {day: figures(advances=advances) for day in span if CALENDAR.day_working_us(day)}


def test_pace_counts_days_worked_only():
    days = worked(8, 20)
    del days[MONDAY]

    assert pace(days, CALENDAR, MONDAY) == (152, 19)


def test_a_rep_without_history_has_the_teams_pace_and_without_a_team_his_own():
    assert shrunk_pace((0, 0), (80, 10)) == 8.0
    assert shrunk_pace((30, 10), (0, 0)) == 3.0
    assert shrunk_pace((0, 0), (0, 0)) == 0.0


def noon(day: int) -> int:
    return CALENDAR.day_start(day) + 12 * HOUR


def test_five_days_without_an_advance_at_eight_a_day_page():
    days = worked(8, 20) | {MONDAY + n: figures() for n in range(1, 5)}
    found = stall(
        days, {"d": deal()}, noon(MONDAY), (0, 0), calendar=CALENDAR, now=noon(MONDAY + 5) - 4 * HOUR, shape=4.0
    )
    days_of_work = 4.0 + 5 / 8

    assert found is not None
    assert pytest.approx(8 * (days_of_work), rel=0.02) == found.expected
    assert found.evidence > 4


def test_a_day_on_which_the_rep_did_nothing_at_all_is_leave():
    days = worked(8, 20)
    found = stall(days, {"d": deal()}, noon(MONDAY), (0, 0), calendar=CALENDAR, now=noon(MONDAY + 4), shape=4.0)

    assert found is not None
    assert found.waited_us == 5 * HOUR


def test_a_new_deal_does_not_inherit_the_wait_of_months_without_one():
    days = worked(8, 20)
    taken_over = noon(MONDAY) - HOUR
    found = stall(days, {"d": deal(owned_since=taken_over)}, 1, (0, 0), calendar=CALENDAR, now=noon(MONDAY), shape=4.0)

    assert found is not None
    assert (found.since, found.evidence) == (taken_over, 0.0)


def test_a_rep_whose_deals_are_all_snoozed_is_not_judged_and_half_snoozed_halves_the_pace():
    days, now = worked(8, 20), noon(MONDAY)
    snoozed = deal(snoozed_until=now + HOUR)

    assert stall(days, {"d": snoozed}, 1, (0, 0), calendar=CALENDAR, now=now, shape=4.0) is None
    assert stall(days, {}, 1, (0, 0), calendar=CALENDAR, now=now, shape=4.0) is None
    half = stall(days, {"d": snoozed, "e": deal()}, now - 3 * HOUR, (0, 0), calendar=CALENDAR, now=now, shape=4.0)
    assert half is not None
    assert half.per_day == 4.0


def evidence(value: float, detector: str = "funnel_stalled", pipeline: str = "") -> Evidence:
    return Evidence(detector, "rep", "r1", pipeline, value, 0, 7_200.0, 20.0, 8.0)


def steps(values: list[float], detector: str = "funnel_stalled") -> list[list[tuple[str, str]]]:
    alerts = Alerts(CALENDAR, lambda _, subject: Subject(subject.upper(), "north", f"/reps/{subject}"))
    return [
        [(alert.severity, alert.state) for alert in alerts.step([evidence(value, detector)], noon(MONDAY) + n)]
        for n, value in enumerate(values)
    ]


def test_an_alert_begins_above_three_pages_above_four_and_ends_below_two():
    said = steps([2.9, 3.1, 3.5, 4.1, 3.0, 2.1, 1.9, 2.9])

    assert said == [[], [("warning", "firing")], [], [("critical", "firing")], [], [], [("critical", "resolved")], []]


def paged(alerts: Alerts, found: dict[str, float], now: int) -> dict[str, tuple[str, bool]]:
    """Rep → (severity, withheld) of what changed."""
    evidences = [replace(evidence(value), subject=rep) for rep, value in found.items()]
    return {alert.subject: (alert.severity, alert.withheld) for alert in alerts.step(evidences, now)}


def budgeted(pages: int) -> Alerts:
    """Reps a, b, c of Mina, x of Omid."""
    return Alerts(
        CALENDAR,
        lambda _, rep: Subject(rep, None, "", "Omid" if rep == "x" else "Mina"),
        DetectorSettings(pages_per_manager_day=pages),
    )


def test_a_manager_gets_the_strongest_pages_of_the_day_and_the_rest_is_listed():
    alerts = budgeted(2)
    found = paged(alerts, {"a": 5.0, "b": 9.0, "c": 7.0, "x": 5.0}, noon(MONDAY))

    assert found.pop("a") == ("warning", True)
    assert found == dict.fromkeys("bcx", ("critical", False))
    assert {alert.subject for alert in alerts.active} == {"a", "b", "c", "x"}


def test_what_was_withheld_pages_the_next_day_and_a_page_that_ended_stays_spent():
    alerts = budgeted(1)
    paged(alerts, {"a": 9.0, "b": 5.0}, noon(MONDAY))

    assert paged(alerts, {"a": 0.0, "b": 5.0}, noon(MONDAY) + HOUR) == {"a": ("critical", False)}
    assert paged(alerts, {"b": 5.0}, noon(MONDAY + 1)) == {"b": ("critical", False)}


def test_no_limit_is_no_limit_and_a_restart_does_not_refill_what_still_fires():
    assert set(paged(budgeted(0), dict.fromkeys("abc", 5.0), noon(MONDAY)).values()) == {("critical", False)}
    first, second = budgeted(1), budgeted(1)
    paged(first, {"a": 5.0}, noon(MONDAY))
    second.restore(first.active)

    assert paged(second, {"a": 5.0, "b": 9.0}, noon(MONDAY) + HOUR) == {"b": ("warning", True)}


def test_a_teams_alert_is_never_withheld():
    alerts = budgeted(1)
    paged(alerts, {"a": 5.0}, noon(MONDAY))
    (began,) = alerts.step(
        [replace(evidence(5.0), subject="a"), replace(evidence(5.0, "loss_spike"), level="team", subject="t")],
        noon(MONDAY),
    )

    assert (began.level, began.severity, began.withheld) == ("team", "critical", False)


def test_what_pages_can_be_configured_by_detector():
    alerts = Alerts(CALENDAR, lambda *_: Subject("A", None, ""), DetectorSettings(stall_critical=6.0))
    began = alerts.step([evidence(5.0), replace(evidence(5.0, "loss_spike"), subject="other")], 0)

    assert {alert.detector: alert.severity for alert in began} == {
        "funnel_stalled": "warning",
        "loss_spike": "critical",
    }


def test_leave_and_own_hours_are_the_reps_and_neither_wait_nor_pace():
    days = worked(8, 20) | {MONDAY + n: figures() for n in range(1, 4)}
    settings = CalendarSettings()
    away = Calendar(overridden(settings, RepOverride(leave=(f"{iso(MONDAY + 1)}..{iso(MONDAY + 3)}",))))
    half = Calendar(overridden(settings, RepOverride(hours=("09:00-13:00",))))

    def waits(calendar: Calendar) -> float:
        found = stall(
            days, {"d": deal()}, noon(MONDAY), (0, 0), calendar=calendar, now=noon(MONDAY + 4) - 5 * HOUR, shape=4.0
        )
        assert found is not None
        return found.waited_us / HOUR

    assert (waits(CALENDAR), waits(half), waits(away)) == (5 + 24, 1 + 12, 5)


def iso(day: int) -> str:
    return date.fromordinal(day).isoformat()


def test_slow_detectors_warn_and_never_page():
    assert steps([9.0], "sales_declining") == [[("warning", "firing")]]


def test_a_subject_without_evidence_any_more_is_resolved():
    alerts = Alerts(CALENDAR, lambda _, subject: Subject(subject, None, ""))
    alerts.step([evidence(5.0)], 0)
    over = alerts.step([], 1)

    assert [alert.state for alert in over] == ["resolved"]
    assert alerts.active == []


def test_a_rep_who_loses_in_two_pipelines_is_one_alert_with_the_stronger_evidence():
    alerts = Alerts(CALENDAR, lambda _, subject: Subject(subject, None, ""))
    began = alerts.step([evidence(3.5, "loss_spike", "a"), evidence(5.0, "loss_spike", "b")], 0)

    assert [(alert.severity, alert.evidence.pipeline) for alert in began] == [("critical", "b")]


def test_the_text_of_an_alert_says_who_what_and_against_which_baseline():
    alerts = Alerts(CALENDAR, lambda *_: Subject("Sara", "north", "/reps/r1"))
    (alert,) = alerts.step([evidence(5.0)], 0)

    assert (
        alert.text
        == "No deal of Sara has advanced for 2.0 working hours; 20.0 advances were to be expected at 8.0 a day."
    )


def test_alerts_that_are_restored_keep_their_begin_and_firing_on_is_no_news():
    first, second = (Alerts(CALENDAR, lambda _, subject: Subject(subject, None, "")) for _ in range(2))
    (began,) = first.step([evidence(5.0)], noon(MONDAY))
    second.restore(first.active)

    assert second.step([evidence(4.5)], noon(MONDAY + 1)) == []
    assert [alert.since for alert in second.active] == [began.since]
    assert [alert.state for alert in second.step([evidence(1.0)], noon(MONDAY + 1))] == ["resolved"]


def capped(log_probability: float) -> object:
    """scipy's logarithm of a probability as evidence."""
    return pytest.approx(min(EVIDENCE_MAX, max(0.0, -log_probability / log(10))), abs=1e-6)


def exact(n: int, counts: range, p: float) -> object:
    """Evidence of one of the counts of n, each with probability p, by integers: only logarithms are rounded."""
    hit, whole = p.as_integer_ratio()
    ways = sum(comb(n, k) * hit**k * (whole - hit) ** (n - k) for k in counts)
    return pytest.approx(min(EVIDENCE_MAX, max(0.0, n * log10(whole) - log10(ways))), abs=1e-9)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), st.floats(0.02, 0.98))
@example((361, 10), 0.875)  # P = 2.5e-299, of which SciPy 1.17's binom.logcdf knows eight digits
def test_binomial_evidence_is_that_of_integers(drawn, p):
    n, x = drawn

    assert binomial_at_least(n, x, p) == exact(n, range(x, n + 1), p)
    assert binomial_at_most(n, x, p) == exact(n, range(x + 1), p)


@given(st.floats(0.1, 300), st.integers(0, 400), st.floats(0.2, 100), st.lists(st.floats(0.01, 30), max_size=8))
def test_poisson_and_negative_binomial_evidence_are_scipys(mean, x, shape, means):
    none = sum(stats.nbinom.logpmf(0, shape, shape / (shape + one)) for one in means)

    assert poisson_at_most(mean, x) == capped(stats.poisson.logcdf(x, mean))
    assert none_expected(means, shape) == capped(none)
