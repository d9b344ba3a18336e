"""The published schemas are the types', and hold for what is really sent."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given
from support import wire as strategies

from funnelwatch.schemas import wire
from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.schemas.encode import encode_event
from funnelwatch.schemas.events import (
    TOPICS,
    TYPES,
    CallData,
    DealData,
    EmailData,
    Event,
    Kind,
    LeadData,
    Refusal,
    RepData,
)
from funnelwatch.schemas.published import ALERT_TOPIC, DEAD_LETTER_TOPIC, KPI_TOPIC, asyncapi, files

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"
DATA = {Kind.LEAD: LeadData, Kind.DEAL: DealData, Kind.CALL: CallData, Kind.EMAIL: EmailData, Kind.REP: RepData}
VALIDATORS = {
    kind: jsonschema.Draft202012Validator(
        json.loads(files()[f"{TOPICS[kind]}.json"]),
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    )
    for kind in Kind
}


def test_the_committed_files_are_what_the_types_say():
    """If not: ``python -m funnelwatch.agents.publish_schemas docs/schemas``."""
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}

    assert committed == files()


@given(strategies.events)
def test_every_event_we_encode_is_valid(event):
    VALIDATORS[event.kind].validate(json.loads(encode_event(event)))


@pytest.mark.parametrize("kind", Kind)
def test_the_description_has_the_members_and_types_of_the_codec(kind):
    event = wire.EVENTS[kind]
    members = {field.name: field.type for field in msgspec.structs.fields(event)}
    described = json.loads(files()[f"{TOPICS[kind]}.json"])["$defs"]
    data = next(name for name in described if name.endswith("Members") and name.lower().startswith(kind.value))

    assert set(described[data]["properties"]) == {
        "talk_seconds" if name == "talk_ms" else name for name in DATA[kind].__struct_fields__
    }
    assert members["type"].__args__ == TYPES[kind]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (Kind.DEAL, {"specversion": "0.3"}),
        (Kind.DEAL, {"type": "lead.created"}),
        (Kind.DEAL, {"id": ""}),
        (Kind.DEAL, {"subject": None}),
        (Kind.DEAL, {"subject": 1.5}),
        (Kind.DEAL, {"source": ""}),
        (Kind.DEAL, {"time": 5}),
        (Kind.DEAL, {"data": []}),
        (Kind.DEAL, {"data": {"amount": "12,5"}}),
        (Kind.DEAL, {"data": {"currency": "euro"}}),
        (Kind.DEAL, {"data": {"stage": "x" * 1_025}}),
        (Kind.CALL, {"data": {"direction": "up"}}),
        (Kind.CALL, {"data": {"talk_seconds": -1}}),
        (Kind.CALL, {"data": {"cold": "yes"}}),
        (Kind.REP, {"data": {"quotas": {"2026-13": {}}}}),
        (Kind.REP, {"data": {"quotas": {"2026-12": {"count": -1}}}}),
    ],
)
def test_what_the_schema_refuses_the_codec_refuses(kind, change):
    event = {
        "specversion": "1.0",
        "id": "e1",
        "source": "crm",
        "type": TYPES[kind][0],
        "subject": "s1",
        "time": "2026-01-01T00:00:00Z",
    } | change
    (found,) = decode(kind, json.dumps(event).encode(), (), UNLIMITED)

    assert not VALIDATORS[kind].is_valid(event)
    assert isinstance(found, Refusal)


@pytest.mark.parametrize(
    "change",
    [
        {"id": 7, "subject": 2**40},
        {"extension": {"any": 1}},
        {"data": {"amount": 12.5, "rep_id": None, "unknown": []}},
        {"data": {"amount": "1e3", "currency": "irt"}},
        {"data": None},
    ],
)
def test_what_publishers_may_write_is_valid_and_taken(change):
    event = {
        "specversion": "1.0",
        "id": "e1",
        "source": "crm",
        "type": "deal.won",
        "subject": "s1",
        "time": "2026-01-01T00:00:00+03:30",
    } | change
    (found,) = decode(Kind.DEAL, json.dumps(event).encode(), (), UNLIMITED)

    VALIDATORS[Kind.DEAL].validate(event)
    assert isinstance(found, Event)


@pytest.mark.parametrize("name", sorted(set(files()) - {"asyncapi.json"}))
def test_every_schema_is_a_schema(name):
    jsonschema.Draft202012Validator.check_schema(json.loads(files()[name]))


def test_every_topic_is_described():
    described = asyncapi()

    assert set(described["channels"]) == {*TOPICS.values(), KPI_TOPIC, ALERT_TOPIC, DEAD_LETTER_TOPIC}
    assert {operation["channel"]["$ref"] for operation in described["operations"].values()} == {
        f"#/channels/{topic}" for topic in described["channels"]
    }


def test_every_reference_of_the_description_leads_somewhere():
    described = asyncapi()
    for reference in references(described):
        place = described
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
        assert place


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)
