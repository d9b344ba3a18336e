"""The table and the plot of growth are those of the results beside the benchmark, and its work is what it says."""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
sys.path.append(str(BENCHMARKS))

from peers import growth  # noqa: E402  (beside the package, not in it)
from peers.workload import batch  # noqa: E402

FOUND = growth.read(BENCHMARKS / "growth.jsonl")


def test_what_was_measured_had_the_right_totals_and_covers_all_dimensions():
    assert {one.by for one in FOUND} == set(growth.STEPS)
    assert all(one.run.is_right for one in FOUND)


def test_the_tables_of_growth_are_those_of_its_results():
    assert growth.table(FOUND) in (ROOT / "docs" / "benchmarks.md").read_text("utf-8")


def test_the_plot_of_growth_is_that_of_its_results():
    svg = (ROOT / "docs" / "images" / "growth.svg").read_text("utf-8")

    assert svg == growth.plot(FOUND)
    assert len(ET.fromstring(svg).findall(".//{*}circle")) == 3 * len(growth.latest(FOUND))


def test_open_deals_stay_as_many_as_they_should_be():
    size = growth.Size(events=20_000, reps=7, deals=100)
    events = [msgspec.json.decode(event) for event in growth.events(size)]
    truth = batch(growth.events(size))
    open_ = set()
    for number, event in enumerate(events, 1):
        open_ ^= {event["deal_id"]} if event["type"] in {"deal.created", "deal.won"} else set()
        assert len(open_) <= size.deals
        assert number <= size.deals or len(open_) > 0.7 * size.deals  # one that is won is followed by another

    assert sum(row.late for row in truth.values()) == 0
    assert sum(row.created - row.won for row in truth.values()) == len(open_)
    assert sum(row.n for row in truth.values()) == size.events
