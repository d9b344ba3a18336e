from __future__ import annotations

from msgspec.structs import replace
from support.documents import document

from funnelwatch.streams.ranking import parts, row, worst_first


def calm(subject: str = "r1"):
    one = document(subject)
    one.sales.growth, one.sales.pace = {"EUR": 0.1}, {"EUR": 1.2}
    one.funnel.overdue_deals = 0
    one.outreach.recent_attainment = 1.0
    one.conversion["30d"].period = 0.4
    return one


def test_nothing_wrong_is_no_concern():
    found = row(calm(), {"loss_spike": 0.0}, None, "EUR")

    assert found.concern == 0.0
    assert found.reasons == []
    assert found.evidence == {"loss_spike": 0.0}


def test_each_trouble_is_a_part_of_its_own_named_when_it_matters():
    one = calm()
    one.sales.pace = {"EUR": 0.4, "USD": 0.1}
    one.outreach.recent_attainment = 0.5
    one.funnel.open_deals, one.funnel.overdue_deals = 10, 1
    found = row(one, {"funnel_stalled": 3.0}, None, "EUR")

    assert parts(one, {"funnel_stalled": 3.0, "outreach_short": 9.0}, "EUR") == {
        "funnel_stalled": 0.75,
        "pace": 0.6,
        "growth": 0.0,
        "overdue": 0.1,
        "outreach": 0.5,
        "conversion": 0.0,
    }
    assert found.reasons == ["funnel_stalled", "pace", "outreach"]
    assert found.concern == 1.95


def test_what_does_not_exist_worries_nobody():
    one = calm()
    one.sales.pace, one.sales.growth = {}, {}
    one.outreach.recent_attainment = None
    one.funnel.open_deals = 0
    one.conversion["30d"].period = None

    assert parts(one, {}, "EUR") == {}


def test_a_firing_alert_outweighs_everything_else():
    awful = calm("awful")
    awful.sales.pace, awful.sales.growth = {"EUR": 0.0}, {"EUR": -1.0}
    awful.outreach.recent_attainment = 0.0
    rows = [
        row(awful, {"loss_spike": 3.9, "funnel_stalled": 3.9}, None, "EUR"),
        row(calm("warned"), {}, "warning", "EUR"),
        row(calm("paged"), {}, "critical", "EUR"),
        row(calm("b"), {}, None, "EUR"),
        row(calm("a"), {}, None, "EUR"),
    ]

    assert [found.id for found in worst_first(rows)] == ["paged", "warned", "awful", "a", "b"]


def test_an_inactive_rep_is_of_no_concern_but_an_alert_still_shows():
    away = replace(calm(), active=False)
    away.sales.pace = {"EUR": 0.0}

    assert row(away, {"funnel_stalled": 4.0}, None, "EUR").concern == 0.0
    assert row(away, {}, "critical", "EUR").concern == 20.0


def test_the_slowest_stage_of_all_pipelines_is_named():
    one = calm()
    slowest = max(
        (now.bottleneck.ratio, name) for name, now in one.funnel.pipelines.items() if now.bottleneck is not None
    )

    assert slowest == (row(one, {}, None, "EUR").slow_stage.ratio, row(one, {}, None, "EUR").slow_stage.pipeline)


def test_sales_are_judged_in_the_currency_of_the_quota_else_the_organisations_else_any():
    one = calm()
    one.sales.mtd.won_amount = {"CHF": "5", "EUR": "7"}

    assert row(one, {}, None, "CHF").currency == "EUR"

    one.sales.quota = {}

    assert row(one, {}, None, "CHF").currency == "CHF"
    assert row(one, {}, None, "USD").currency == "CHF"

    one.sales.mtd.won_amount, one.sales.prev_mtd.won_amount, one.funnel.open_amount = {}, {}, {}

    assert row(one, {}, None, "EUR").currency is None
