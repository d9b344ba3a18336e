"""Changes of a database become events by a mapping; what is no change of a row is passed, what is no change refused."""

from __future__ import annotations

import json

import pytest

from funnelwatch.schemas.mapping import parse
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources.contract import Delivery, Passed, SourceOptions
from funnelwatch.schemas.sources.formats.debezium import SYSTEM

MAPPING = parse("""
source = "erp"
times = ["unix_ms"]
[[files]]
name = "deals"
[[files.events]]
type = "deal.stage_changed"
when = [{ column = "op", not = "d" }, { column = "changed.stage", is = "true" }]
id = { template = "{position}/stage" }
subject = "row.id"
time = "ts_ms"
data = { stage = "row.stage" }
[[files.events]]
type = "deal.deleted"
when = [{ column = "op", is = "d" }]
id = { template = "{position}/deleted" }
subject = "row.id"
time = "ts_ms"
""")
OPTIONS = SourceOptions(name="erp", system="debezium", mapping=MAPPING, options={"topics": "erp.public.deals"})
SOURCE = {"connector": "mysql", "table": "deals", "ts_ms": 1_795_424_400_000, "file": "binlog.3", "pos": 154, "row": 0}


def translated(value):
    return SYSTEM.translate(Delivery(body=json.dumps(value).encode()), OPTIONS)


def change(op, before, after):
    return {"op": op, "before": before, "after": after, "source": SOURCE, "ts_ms": 1}


@pytest.mark.parametrize(
    ("op", "before", "after", "types"),
    [
        ("c", None, {"id": 7, "stage": "new"}, ["deal.stage_changed"]),
        ("r", None, {"id": 7, "stage": "new"}, ["deal.stage_changed"]),
        ("u", {"id": 7, "stage": "new"}, {"id": 7, "stage": "old"}, ["deal.stage_changed"]),
        ("d", {"id": 7, "stage": "new"}, None, ["deal.deleted"]),
    ],
)
def test_a_change_makes_the_events_whose_conditions_it_meets(op, before, after, types):
    found = translated(change(op, before, after))

    assert [one.type for one in found] == types
    assert (found[0].subject, found[0].at) == ("erp:7", 1_795_424_400_000_000)
    assert found[0].id.startswith("binlog.3/154/0/")
    assert found == translated({"schema": {"type": "struct"}, "payload": change(op, before, after)})


def test_what_did_not_change_is_no_event():
    (passed,) = translated(change("u", {"id": 7, "stage": "new"}, {"id": 7, "stage": "new"}))

    assert passed.reason == "no_rule"


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"", "tombstone"), (b'{"schema": null, "payload": null}', "tombstone"), (b'{"op": "t"}', "no_row")],
)
def test_what_is_no_change_of_a_row_is_passed(body, reason):
    (passed,) = SYSTEM.translate(Delivery(body=body), OPTIONS)

    assert isinstance(passed, Passed)
    assert passed.reason == reason


@pytest.mark.parametrize("value", [{}, [], {"op": "x"}, {"op": "c", "after": 5}, {"op": "c", "after": {}, "source": 1}])
def test_what_is_no_change_is_refused(value):
    with pytest.raises(RefusedError):
        translated(value)


def test_a_source_must_name_its_topics():
    assert SYSTEM.check(SourceOptions(name="erp", system="debezium", mapping=MAPPING)) == [
        "options.topics: must name at least one topic"
    ]
