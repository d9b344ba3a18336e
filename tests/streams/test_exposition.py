from __future__ import annotations

import shutil
import subprocess
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_classic
from support.documents import WINDOWS, document

from funnelwatch.streams.catalogue import CATALOGUE, OTHER, of_process
from funnelwatch.streams.exposition import (
    LABEL_CHARS_MAX,
    SERIES_PER_SUBJECT_MAX,
    Exposition,
    label_text,
    prefers_openmetrics,
)
from funnelwatch.streams.metric import Metric
from funnelwatch.streams.samples import KpiSeries, samples

GAUGE = Metric("a_gauge", "gauge", "", ("who",), "What it is.", "What to do.")
COUNTER = Metric("a_counter_total", "counter", "", (), "A \\ and\na line break.", "What to do.")
HOSTILE = [
    "",
    'a"b',
    "a\\b",
    "a\nb",
    "\ud800",
    "\udfff\ud800",
    "\x00\x07\r\t",
    "}",
    "رها",
    "\ufffd",
    "😀",
    "a\\nb",
    "é" * 300,
]


def page_of(*documents, windows=("today", "7d", "30d", "mtd"), reps_max=1_000) -> Exposition:
    page = Exposition(of_process("board"))
    series = KpiSeries(page, windows, reps_max)
    for one in documents:
        series.put(one)
        series.put_evidence(one, {"loss_spike": 4.5, "funnel_stalled": 0.0})
    series.settle()
    return page


def series_in(text: str, parse) -> dict[tuple[str, frozenset], float]:
    found = [
        ((sample.name, frozenset(sample.labels.items())), sample.value)
        for family in parse(text)
        for sample in family.samples
    ]
    assert len(dict(found)) == len(found), "a series twice fails the whole scrape"
    return dict(found)


@given(st.text(st.characters(), max_size=400), st.text(st.characters(), max_size=400))
@example("\ud800", "\ufffdd800")
@example("\ufffd", "\ufffdfffd")
def test_no_two_texts_become_the_same_label_value_and_all_can_be_encoded(one, other):
    assert (one == other) == (label_text(one) == label_text(other))
    label_text(one).encode()
    assert len(label_text(one)) <= LABEL_CHARS_MAX


def test_ordinary_text_is_its_own_label_value():
    for text in ("EUR", "Mona Rahimi", "رها کریمی", 'a"b\\c\nd', "x" * 256):
        assert text == label_text(text)


@pytest.mark.parametrize(("openmetrics", "parse"), [(False, parse_classic), (True, parse_openmetrics)])
def test_hostile_label_values_come_back_whole_from_both_formats(openmetrics, parse):
    page = Exposition([GAUGE])
    for number, text in enumerate(HOSTILE):
        page.put(str(number), [("a_gauge", (text,), str(number))])

    found = series_in(page.page(openmetrics=openmetrics).decode(), parse)

    expected = {("a_gauge", frozenset({("who", label_text(text))})): number for number, text in enumerate(HOSTILE)}
    assert expected == found


def test_a_counter_keeps_its_suffix_in_samples_and_loses_it_in_openmetrics_heads():
    page = Exposition([COUNTER])
    page.put("", [("a_counter_total", (), "3")])

    assert page.page(openmetrics=False) == (
        b"# HELP a_counter_total A \\\\ and\\na line break.\n# TYPE a_counter_total counter\na_counter_total 3\n"
    )
    assert page.page(openmetrics=True) == (
        b"# TYPE a_counter counter\n# HELP a_counter A \\\\ and\\na line break.\na_counter_total 3\n# EOF\n"
    )


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", True),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1", True),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.9", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=much", False),
    ],
)
def test_the_accept_header_decides_the_format(accept, expected):
    assert expected == prefers_openmetrics(accept)


def test_a_subject_that_goes_takes_its_series_along():
    page = page_of(document("r1"), document("r2"))
    alone = page_of(document("r1"))
    page.remove("rep:r2")
    page.remove("evidence:rep:r2")

    assert alone.page() == page.page()


def test_putting_a_subject_again_replaces_its_series():
    assert page_of(document("r1", seed=2)).page() == page_of(document("r1", seed=1), document("r1", seed=2)).page()


def test_series_beyond_the_limit_of_a_subject_are_dropped_and_counted():
    page = Exposition([GAUGE])
    page.put("flood", (("a_gauge", (str(number),), "1") for number in range(SERIES_PER_SUBJECT_MAX + 7)))

    assert page.page().count(b"\na_gauge{") == SERIES_PER_SUBJECT_MAX
    assert page.dropped == 7

    page.remove("flood")

    assert page.dropped == 0


def test_both_formats_carry_the_same_series_and_parse():
    page = page_of(document("r1"), document('r"2\\\n'), document("North", level="team"))

    classic = series_in(page.page(openmetrics=False).decode(), parse_classic)
    openmetrics = series_in(page.page(openmetrics=True).decode(), parse_openmetrics)

    assert classic == openmetrics
    assert len(classic) > 500


def test_every_sample_has_the_labels_of_the_catalogue():
    for one in (document("r1"), document("North", level="team")):
        for name, values, value in samples(one, WINDOWS):
            assert len(CATALOGUE[name].labels) == len(values), name
            float(value)


def test_a_figure_that_does_not_exist_has_no_sample():
    one = document("r1")
    one.windows["today"].loss_rate = None
    one.sales.growth = {}
    one.funnel.last_advance = None

    names = {(name, values) for name, values, _ in samples(one, ("today",))}

    assert not [found for found in names if found[0] == "sales_rep_loss_ratio"]
    assert not [found for found in names if found[0] == "sales_rep_sales_growth_ratio"]
    assert not [found for found in names if found[0] == "sales_rep_last_advance_timestamp_seconds"]
    assert ("sales_rep_leads", ("r1", "North", "created", "today")) in names


def test_figures_stand_under_the_names_and_labels_promised():
    one = document("r1", name="Sara", seed=3)
    found = {(name, values): value for name, values, value in samples(one, ("30d", "today"))}
    figures, sales = one.windows["30d"], one.sales

    assert found["sales_rep_won_amount", ("r1", "North", "EUR", "30d")] == figures.won_amount["EUR"]
    assert found["sales_rep_deals", ("r1", "North", "lost", "30d")] == str(figures.lost)
    assert found["sales_rep_quota_pace_ratio", ("r1", "North", "EUR")] == str(sales.pace["EUR"])
    assert found["sales_rep_sales_change_amount", ("r1", "North", "EUR", "volume")] == sales.change["EUR"].volume
    assert found["sales_rep_idle_seconds", ("r1", "North")] == str(one.funnel.idle_seconds)
    assert found["sales_rep_last_advance_timestamp_seconds", ("r1", "North")] == "1795172527.0"
    assert found["sales_rep_outreach_attainment_ratio", ("r1", "North", "total", "today")] == str(
        one.outreach.windows["today"].attainment
    )
    assert found["sales_rep_stage_seconds", ("r1", "North", "renewals", "proposal", "0.9", "30d")] == str(
        figures.flow["renewals"]["proposal"].working.p90_seconds
    )
    assert found["sales_rep_info", ("r1", "Sara", "North", "Mona Rahimi")] == "1"


def test_reps_beyond_the_cap_are_added_up_under_one_name():
    reps = [document(f"r{number}") for number in range(5)]
    page = Exposition(of_process("board"))
    series = KpiSeries(page, ("30d",), 2)
    for one in reps:
        series.put(one)
    series.settle()
    found = series_in(page.page().decode(), parse_classic)
    name = "sales_rep_deals"
    other = frozenset({("rep", OTHER), ("team", ""), ("outcome", "created"), ("window", "30d")})

    assert found[name, other] == sum(one.windows["30d"].created for one in reps[2:])
    assert {"r0", "r1", OTHER} == {dict(labels)["rep"] for family, labels in found if family == name}
    assert {name for name, labels in found if ("rep", OTHER) in labels} <= {
        metric.name for metric in CATALOGUE.values() if metric.additive
    }
    assert series.over_limit == series.capped_total == 3


def test_reps_beyond_the_cap_are_counted_before_they_are_added_up():
    series = KpiSeries(Exposition(of_process("board")), ("30d",), 1)
    for number in range(2):
        series.put(document(f"r{number}"))

    series.note_over(5)
    assert (series.over_limit, series.capped_total) == (5, 1)

    series.note_over(0)
    assert series.over_limit == 1


def test_a_rep_beyond_the_cap_who_changes_and_goes_leaves_the_sums_right():
    page = Exposition(of_process("board"))
    series = KpiSeries(page, ("30d",), 1)
    for one in (document("r0"), document("r1"), document("r2"), document("r1", seed=5)):
        series.put(one)
    series.settle()
    direct = Exposition(of_process("board"))
    again = KpiSeries(direct, ("30d",), 1)
    for one in (document("r0"), document("r2"), document("r1", seed=5)):
        again.put(one)
    again.settle()

    assert series_in(direct.page().decode(), parse_classic) == series_in(page.page().decode(), parse_classic)

    for rep in ("r1", "r2"):
        series.remove("rep", rep)
    series.settle()

    assert OTHER.encode() not in page.page()
    assert series.over_limit == 0


def test_eighteen_thousand_series_are_a_page_in_well_under_50_ms():
    page = page_of(*(document(f"r{number}") for number in range(140)))
    classic = page.page()
    assert classic.count(b"\nsales_") >= 18_000

    def seconds() -> float:
        began = time.perf_counter()
        page.page(openmetrics=True)
        return time.perf_counter() - began

    assert min(seconds() for _ in range(5)) < 0.025


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed here")
def test_promtool_finds_nothing_to_say_against_the_page():
    page = page_of(document("r1"), document('r"2\\\n'), document("North", level="team"))
    page.put("own", [("funnelwatch_reps_capped_total", (), "0"), ("funnelwatch_board_streams", (), "0")])

    said = subprocess.run(["promtool", "check", "metrics"], input=page.page(), capture_output=True, check=False)

    assert (said.returncode, said.stdout, said.stderr) == (0, b"", b"")
