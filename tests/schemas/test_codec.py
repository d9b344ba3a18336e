"""The codec takes what ``events.md`` lists, refuses the rest with a stable reason, and never raises."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import wire

from funnelwatch.schemas import careful, codec, envelope, fields, hot
from funnelwatch.schemas.codec import UNLIMITED, Limits, decode
from funnelwatch.schemas.encode import BATCH_HEADERS, HEADERS, encode_batch, encode_event
from funnelwatch.schemas.events import TYPES, CallData, DealData, Event, Kind, LeadData, Quota, Refusal
from funnelwatch.schemas.reasons import Reason

PAYLOADS = Path(__file__).parents[2] / ".." / "shared" / "payloads" / "cloudevents"
AT = 1_764_000_000_000_000
ATTRIBUTES = {
    "specversion": "1.0",
    "id": "e1",
    "source": "crm",
    "type": "deal.won",
    "subject": "hubspot:42",
    "time": "2025-11-24T16:00:00Z",
}


def sent(kind=Kind.DEAL, data=None, limits=UNLIMITED, **attributes):
    """What becomes of one structured event with these attributes and data."""
    value = json.dumps(ATTRIBUTES | attributes | ({} if data is None else {"data": data})).encode()
    (found,) = decode(kind, value, (), limits)
    return found


def reason(found):
    assert isinstance(found, Refusal), found
    return found.reason


def raw_amount(literal, currency="EUR"):
    """What becomes of a deal whose amount is this piece of JSON."""
    value = json.dumps(ATTRIBUTES | {"data": {"amount": 0, "currency": currency}}).replace(": 0,", f": {literal},")
    (found,) = decode(Kind.DEAL, value.encode(), (), UNLIMITED)
    return found.data.amount if isinstance(found, Event) else found.reason


@given(wire.events)
def test_what_is_encoded_decodes_to_the_same_event(event):
    assert decode(event.kind, encode_event(event), HEADERS, UNLIMITED) == [event]


@given(st.sampled_from(Kind).flatmap(lambda kind: st.lists(wire.events_of(kind), max_size=4)))
def test_a_batch_is_read_as_if_each_event_had_come_alone(events):
    kind = events[0].kind if events else Kind.DEAL

    assert decode(kind, encode_batch(events), BATCH_HEADERS, UNLIMITED) == events


@given(wire.events)
def test_the_fast_way_and_the_careful_way_read_the_same(event):
    value = encode_event(event)
    fast = hot.read_event(event.kind, value)

    assert careful.read_event(event.kind, envelope.structured_envelope(value)) == event
    assert fast in (event, None)


@given(wire.events)
def test_ordinary_events_take_the_fast_way(event):
    plain = Event(Kind.DEAL, "deal.won", "e1", "crm", "d1", event.at, DealData(rep_id="r1", amount=12_5000))

    assert hot.read_event(Kind.DEAL, encode_event(plain)) == plain


@given(wire.events_of(Kind.DEAL))
def test_binary_mode_reads_what_structured_mode_reads(event):
    sent_ = json.loads(encode_event(event))
    headers = [(f"ce_{name}", str(sent_[name]).encode()) for name in codec_attributes(sent_)]

    assert decode(Kind.DEAL, json.dumps(sent_["data"]).encode(), headers, UNLIMITED) == [event]


def codec_attributes(sent_):
    return [name for name in sent_ if name != "data"]


@settings(max_examples=300)
@given(st.binary(max_size=200), st.sampled_from(Kind), st.lists(st.tuples(st.text(max_size=9), st.binary(max_size=9))))
def test_no_bytes_raise(value, kind, headers):
    for found in decode(kind, value, headers, UNLIMITED):
        assert isinstance(found, Event | Refusal)


@settings(max_examples=200)
@given(st.data(), st.sampled_from(Kind))
def test_no_json_raises_and_every_reason_is_a_listed_one(data, kind):
    members = {name: data.draw(wire.json_values) for name in data.draw(st.sets(st.sampled_from(MEMBERS[kind])))}
    attributes = ATTRIBUTES | {"type": TYPES[kind][0]}
    for name in data.draw(st.sets(st.sampled_from([*ATTRIBUTES, "data", "data_base64"]), max_size=2)):
        attributes[name] = data.draw(wire.json_values)
    value = json.dumps({"data": members} | attributes).encode()

    (found,) = decode(kind, value, (), UNLIMITED)

    if isinstance(found, Refusal):
        assert found.reason in set(Reason)
        found.detail.encode("utf-8")
    else:
        assert decode(kind, encode_event(found), (), UNLIMITED) == [found]


MEMBERS = {
    kind: [*strategy_type.__struct_fields__, "talk_seconds"]
    for kind, strategy_type in {
        Kind.LEAD: LeadData,
        Kind.DEAL: DealData,
        Kind.CALL: CallData,
        Kind.EMAIL: careful.EmailData,
        Kind.REP: careful.RepData,
    }.items()
}


@given(wire.events, st.integers(0, 400))
def test_a_truncated_event_is_one_refusal(event, length):
    value = encode_event(event)
    (found,) = decode(event.kind, value[: min(length, len(value) - 1)], (), UNLIMITED)

    assert reason(found) in {Reason.UNREADABLE_JSON, Reason.EMPTY}


@pytest.mark.parametrize("name", sorted(ATTRIBUTES))
@pytest.mark.parametrize("how", ["absent", "null"])
def test_every_attribute_is_required(name, how):
    attributes = {key: value for key, value in ATTRIBUTES.items() if key != name}
    value = json.dumps(attributes | ({name: None} if how == "null" else {})).encode()

    assert [reason(found) for found in decode(Kind.DEAL, value, (), UNLIMITED)] == ["missing_attribute"]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"specversion": "0.3"}, "wrong_specversion"),
        ({"specversion": 1.0}, "wrong_specversion"),
        ({"type": "deal.exploded"}, "unknown_type"),
        ({"type": "lead.created"}, "wrong_topic"),
        ({"type": 7}, "wrong_type"),
        ({"id": ""}, "bad_id"),
        ({"id": "x" * 257}, "bad_id"),
        ({"id": "a\nb"}, "bad_id"),
        ({"id": "a\x7fb"}, "bad_id"),
        ({"id": "\ud800"}, "bad_id"),
        ({"id": True}, "wrong_type"),
        ({"id": 1.5}, "wrong_type"),
        ({"id": 10**300}, "bad_id"),
        ({"subject": ["d"]}, "wrong_type"),
        ({"source": ""}, "bad_id"),
        ({"source": 7}, "wrong_type"),
        ({"time": "yesterday"}, "bad_time"),
        ({"time": "2026-02-30T00:00:00Z"}, "bad_time"),
        ({"time": "2026-01-01T00:00:00"}, "time_without_offset"),
        ({"time": 1764000000}, "wrong_type"),
        ({"data_base64": "!"}, "wrong_type"),
        ({"data_base64": "bm8="}, "unreadable_json"),
        ({"data_base64": "e30=", "datacontenttype": "application/xml"}, "wrong_content_type"),
    ],
)
def test_attributes_are_refused_by_reason(attributes, expected):
    assert reason(sent(**attributes)) == expected


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        (Kind.DEAL, [], "wrong_type"),
        (Kind.DEAL, "text", "wrong_type"),
        (Kind.DEAL, {"rep_id": ""}, "bad_id"),
        (Kind.DEAL, {"rep_id": "\udc00"}, "bad_id"),
        (Kind.DEAL, {"rep_id": 1.0}, "wrong_type"),
        (Kind.DEAL, {"rep_id": False}, "wrong_type"),
        (Kind.DEAL, {"stage": 5}, "wrong_type"),
        (Kind.DEAL, {"stage": "\ud83d"}, "unreadable_text"),
        (Kind.DEAL, {"stage": "x" * 1_025}, "text_too_long"),
        (Kind.DEAL, {"pipeline": "@leads"}, "unknown_value"),
        (Kind.DEAL, {"amount": "12,50"}, "bad_amount"),
        (Kind.DEAL, {"amount": "NaN"}, "bad_amount"),
        (Kind.DEAL, {"amount": True}, "wrong_type"),
        (Kind.DEAL, {"amount": {}}, "wrong_type"),
        (Kind.DEAL, {"currency": "euro"}, "bad_currency"),
        (Kind.DEAL, {"currency": "XYZ"}, "bad_currency"),
        (Kind.DEAL, {"currency": "ﬀx"}, "bad_currency"),
        (Kind.DEAL, {"currency": 978}, "wrong_type"),
        (Kind.DEAL, {"snooze_until": "2026-01-01T00:00:00"}, "time_without_offset"),
        (Kind.CALL, {"talk_seconds": -1}, "bad_number"),
        (Kind.CALL, {"talk_seconds": 10**9}, "bad_number"),
        (Kind.CALL, {"talk_seconds": "60"}, "wrong_type"),
        (Kind.CALL, {"talk_seconds": float("inf")}, "not_finite"),
        (Kind.CALL, {"talk_ratio": 43.5}, "bad_number"),
        (Kind.CALL, {"talk_ratio": -0.1}, "bad_number"),
        (Kind.CALL, {"talk_ratio": "0.5"}, "wrong_type"),
        (Kind.CALL, {"talk_ratio": float("nan")}, "not_finite"),
        (Kind.CALL, {"cold": 1}, "wrong_type"),
        (Kind.CALL, {"direction": "sideways"}, "unknown_value"),
        (Kind.CALL, {"outcome": "Connected"}, "unknown_value"),
        (Kind.REP, {"timezone": "Mars/Olympus"}, "bad_zone"),
        (Kind.REP, {"timezone": "../../etc/passwd"}, "bad_zone"),
        (Kind.REP, {"quotas": {"2026-13": {}}}, "bad_month"),
        (Kind.REP, {"quotas": {"2026-11": 5}}, "wrong_type"),
        (Kind.REP, {"quotas": {"2026-11": {"count": 1.5}}}, "wrong_type"),
        (Kind.REP, {"quotas": {f"{year:04}-01": {} for year in range(1_201)}}, "bad_number"),
        (Kind.REP, {"benchmarks": {"conversion_rate": -0.1}}, "bad_number"),
    ],
)
def test_data_is_refused_by_reason(kind, data, expected):
    assert reason(sent(kind, data, type=TYPES[kind][0])) == expected


@pytest.mark.parametrize(
    ("literal", "expected"),
    [
        ("0", 0),
        ("12", 120_000),
        ("12.5", 125_000),
        ("12.50000000", 125_000),
        ("0.0001", 1),
        ("-3.25", -32_500),
        ("1e3", 10_000_000),
        ('"1200.5"', 12_005_000),
        (r'"\u0031"', 10_000),
        ("100000000000000.0000", 10**18),
        ("100000000000000.0001", "bad_amount"),
        ("0.00001", "bad_amount"),
        ("1e-9999999", "bad_amount"),
        ("1e300", "bad_amount"),
        ("1e999", "not_finite"),
        ("1e99999999999999999999", "not_finite"),
        ("0e999999999", 0),
        ("NaN", "not_finite"),
        ("-Infinity", "not_finite"),
        ('"1_0"', "bad_amount"),
        ('" 1"', "bad_amount"),
        ('"١"', "bad_amount"),
        ('""', "bad_amount"),
        ('"12."', "bad_amount"),
        ('".5"', "bad_amount"),
        ('"007.10"', 71_000),
        ("9999999999999.9999", 10**17 - 1),
        ("1" * 5_000, "not_finite"),
        ("null", None),
    ],
)
def test_amounts_are_exact_or_refused(literal, expected):
    assert raw_amount(literal) == expected


def test_a_toman_is_ten_rials():
    found = sent(data={"amount": "12.5", "currency": "irt"})

    assert (found.data.amount, found.data.currency) == (1_250_000, "IRR")


def test_tomans_of_a_quota_are_rials_too():
    found = sent(Kind.REP, {"quotas": {"1405-09": {"amount": 7, "currency": "IRT"}}}, type="rep.upserted")

    assert found.data.quotas == {"1405-09": Quota(amount=700_000, currency="IRR")}


def test_an_integer_id_is_its_decimal_text():
    found = sent(id=7, subject=2**70, data={"rep_id": 0, "lead_id": -5})

    assert (found.id, found.subject, found.data.rep_id, found.data.lead_id) == ("7", str(2**70), "0", "-5")


def test_null_is_absent_and_unknown_members_are_ignored():
    found = sent(data={"rep_id": None, "stage": "Won", "colour": [10**400], "nested": {"a": {}}})

    assert found.data == DealData(stage="Won")


def test_an_event_needs_no_data():
    assert sent().data == DealData()


def test_an_instant_is_the_same_in_any_offset():
    assert {sent(time=time).at for time in ("2025-11-24T19:30:00+03:30", "2025-11-24t16:00:00z")} == {AT}


def test_talk_time_is_whole_milliseconds():
    found = [
        sent(Kind.CALL, {"talk_seconds": s}, type="call.completed").data.talk_ms for s in (60, 1.5, 0.0005, 0.0015)
    ]

    assert found == [60_000, 1_500, 0, 2]


def test_a_talk_ratio_is_whole_parts_of_ten_thousand_and_zero_is_not_missing():
    found = [
        sent(Kind.CALL, {"talk_ratio": share}, type="call.completed").data.talk_ratio
        for share in (0, 0.435, 1, 0.00005, 0.00015, None)
    ]

    assert found == [0, 4_350, 10_000, 0, 2, None]


def test_data_may_be_packed():
    packed = base64.b64encode(b'{"stage": "Won"}').decode()

    assert sent(data_base64=packed).data == DealData(stage="Won")
    assert reason(sent(data_base64=packed, data={})) == "wrong_type"


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(future_us_max=AT - 1), "in_the_future"),
        (Limits(past_us_min=AT + 1), "too_old"),
        (Limits(future_us_max=AT, past_us_min=AT), None),
    ],
)
def test_the_caller_bounds_time(limits, expected):
    found = sent(limits=limits)

    assert (found.reason if isinstance(found, Refusal) else None) == expected


@pytest.mark.parametrize("extra", [0, 1])
def test_an_event_may_have_256_kib_and_no_more(extra):
    value = json.dumps(ATTRIBUTES | {"padding": ""}).encode()
    value = value[:-2] + b"x" * (codec.EVENT_BYTES_MAX - len(value) + extra) + value[-2:]
    (found,) = decode(Kind.DEAL, value, (), UNLIMITED)

    assert isinstance(found, Event) is (extra == 0)
    if extra:
        assert reason(found) == "too_large"


def test_a_batch_may_be_larger_than_an_event_and_refuses_each_event_by_itself():
    padded = json.dumps(ATTRIBUTES | {"padding": "x" * 100_000})
    huge = json.dumps(ATTRIBUTES | {"padding": "x" * codec.EVENT_BYTES_MAX})
    found = decode(Kind.DEAL, f" [{padded}, {huge}, 1, {padded}, {padded}]".encode(), (), UNLIMITED)

    assert [getattr(one, "reason", "taken") for one in found] == ["taken", "too_large", "wrong_type", "taken", "taken"]


def test_a_batch_has_a_limit(monkeypatch):
    monkeypatch.setattr(codec, "EVENTS_MAX", 2)
    found = decode(Kind.DEAL, b"[{},{},{}]", (), UNLIMITED)

    assert [reason(one) for one in found] == ["too_many_events"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"\xff\xfe", "unreadable_json"),
        (b"[", "unreadable_json"),
        (b"[1e999,]", "unreadable_json"),
        (b"{} {}", "unreadable_json"),
        (b'"\xed\xa0\x80"', "unreadable_json"),
        (b"[" * 100_000, "nested_too_deep"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "nested_too_deep"),
        (b"null", "wrong_type"),
    ],
)
def test_an_unreadable_message_is_one_refusal(value, expected):
    assert [reason(found) for found in decode(Kind.DEAL, value, (), UNLIMITED)] == [expected]


def test_depth_is_counted_outside_texts():
    nested = json.loads("[" * 60 + "]" * 60)

    assert isinstance(sent(padding="[" * 500, data={"unknown": nested}), Event)
    assert reason(sent(data={"unknown": [[[nested]]]})) == "nested_too_deep"


@pytest.mark.parametrize(
    ("headers", "value", "expected"),
    [
        ([("content-type", b"application/avro")], b"\x01", "wrong_content_type"),
        ([("content-type", b"application/json"), ("ce_subject", b"\xff")], b"{}", "unreadable_text"),
        ([("ce_subject", b"")], b"{}", "bad_id"),
        ([], b"{", "unreadable_json"),
        ([("ce_id", b"x" * codec.EVENT_BYTES_MAX)], b"{}", "too_large"),
    ],
)
def test_binary_mode_is_refused_by_reason(headers, value, expected):
    base = [(f"ce_{name}", text.encode()) for name, text in ATTRIBUTES.items()]

    assert [reason(found) for found in decode(Kind.DEAL, value, base + headers, UNLIMITED)] == [expected]


def test_a_tombstone_in_binary_mode_is_an_event_without_data():
    headers = [(f"ce_{name}", text.encode()) for name, text in ATTRIBUTES.items()]
    (found,) = decode(Kind.DEAL, None, headers, UNLIMITED)

    assert found.data == DealData()


def test_another_event_format_is_refused():
    headers = [("content-type", b"application/cloudevents+avro")]

    assert [reason(found) for found in decode(Kind.DEAL, b"{}", headers, UNLIMITED)] == ["wrong_content_type"]


def test_a_content_type_may_carry_a_charset():
    value = json.dumps(ATTRIBUTES).encode()
    headers = [("Content-Type", b"application/cloudevents+json; charset=UTF-8"), ("ce_id", b"not me")]

    assert [found.id for found in decode(Kind.DEAL, value, headers, UNLIMITED)] == ["e1"]


def test_a_refusal_can_be_written_whatever_was_sent():
    found = sent(type="\ud800" + "x" * 10_000)

    assert len(found.detail.encode("utf-8")) <= 500


@pytest.mark.skipif(not PAYLOADS.exists(), reason="the samples are not here")
@pytest.mark.parametrize(
    ("name", "expected"),
    [("02", ["missing_attribute"]), ("04", ["missing_attribute"]), ("06", ["missing_attribute"]), ("08", [])],
)
def test_the_examples_of_the_specification_are_read(name, expected):
    value = (PAYLOADS / f"json_format_example_{name}.json").read_bytes()

    assert [reason(found) for found in decode(Kind.DEAL, value, (), UNLIMITED)] == expected


@pytest.mark.skipif(not PAYLOADS.exists(), reason="the samples are not here")
def test_an_example_with_our_attributes_is_judged_by_its_data():
    sample = json.loads((PAYLOADS / "json_format_example_02.json").read_bytes())
    value = json.dumps(sample | {"type": "deal.won", "subject": "d1"}).encode()
    (found,) = decode(Kind.DEAL, value, (), UNLIMITED)

    assert (found.reason, fields.described(sample["data"]) in found.detail) == ("wrong_type", True)
