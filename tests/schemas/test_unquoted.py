"""What a publisher sends may be a secret: a refusal names the field and what is wrong with it, and quotes nothing."""

from __future__ import annotations

import json

import pytest

from funnelwatch.schemas import configuration
from funnelwatch.schemas.careful import ATTRIBUTES, MEMBERS
from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.schemas.events import TYPES, Event, Kind, Refusal

SECRET = "hunter2-only-for-this-test"
WRONG = (SECRET, [SECRET], {SECRET: SECRET}, SECRET + "\ud800", SECRET + "\0", SECRET * 1_000, 10**400, -1e308, True)


def sent(kind: Kind, **changes) -> dict:
    known = {"specversion": "1.0", "id": "1", "source": "//crm", "subject": "s", "time": "2026-01-01T00:00:00Z"}
    return known | {"type": TYPES[kind][0], "data": {}} | changes


def refusals(kind: Kind, event: object, headers=()) -> list[str]:
    value = json.dumps(event).encode()
    found = [decode(kind, value, headers, UNLIMITED), decode(kind, value[:-1], headers, UNLIMITED)]
    return [one.detail for results in found for one in results if isinstance(one, Refusal)]


@pytest.mark.parametrize("kind", Kind)
def test_a_refusal_of_a_member_quotes_nothing(kind):
    events = [sent(kind, data={member: wrong}) for member in MEMBERS[kind] for wrong in WRONG]

    details = [detail for event in events for detail in refusals(kind, event)]

    assert len(details) > len(events)
    assert [detail for detail in details if SECRET in detail] == []


@pytest.mark.parametrize("name", [*ATTRIBUTES, "datacontenttype", "data_base64", "data"])
def test_a_refusal_of_an_attribute_quotes_nothing(name):
    details = [detail for wrong in WRONG for detail in refusals(Kind.DEAL, sent(Kind.DEAL, **{name: wrong}))]

    assert len(details) >= len(WRONG)
    assert [detail for detail in details if SECRET in detail] == []


@pytest.mark.parametrize("name", ["content-type", "ce_id", "ce_time", "ce_type", "ce_specversion", "ce_dataschema"])
@pytest.mark.parametrize("content", [SECRET.encode(), f"application/{SECRET}".encode(), SECRET.encode() + b"\xff"])
def test_a_refusal_of_a_header_quotes_nothing(name, content):
    binary = [("ce_id", b"1"), ("ce_source", b"//crm"), ("ce_subject", b"s"), ("ce_specversion", b"1.0")]
    headers = [pair for pair in binary if pair[0] != name] + [(name, content)]

    assert [detail for detail in refusals(Kind.DEAL, {}, headers) if SECRET in detail] == []


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("https://ann:hunter2@pbx.example/1.mp3?a=b@c#d@e", "https://pbx.example/1.mp3?a=b@c#d@e"),
        ("https://ann:hun@ter2@pbx.example", "https://pbx.example"),
        (" //ann@pbx.example/1", "//pbx.example/1"),
        ("sftp://ann:hunter2@pbx.example:22/1", "sftp://pbx.example:22/1"),
        ("https://pbx.example/ann:hunter2@1.mp3", "https://pbx.example/ann:hunter2@1.mp3"),
        ("mailto:ann@example.com", "mailto:ann@example.com"),
        ("ann@pbx", "ann@pbx"),
    ],
)
def test_user_and_password_of_a_recordings_url_are_left_out(said, kept):
    for talk_seconds in (1, 1.5):  # read fast, and carefully
        event = sent(Kind.CALL, data={"recording_url": said, "talk_seconds": talk_seconds})

        (read,) = decode(Kind.CALL, json.dumps(event).encode(), (), UNLIMITED)

        assert isinstance(read, Event)
        assert read.data.recording_url == kept


@pytest.mark.parametrize(
    "text",
    [
        '[kafka]\npassword = "{}"',
        '[kafka]\nbootstrap = ["ann:{}@h:9092"]',
        '[kafka]\nbootstrap = "sasl://ann:{}@h:9092"',
        '[kafka]\nsecurity = "plain:{}"',
        '[redis]\nhost = "redis://:{}@h:6379"',
        '[redis]\nurl = "redis://:{}@h"',
        '[board]\nhost = "ann:{}@h"',
        'password = "{}"',
        "password = {}",
    ],
)
def test_a_configuration_with_a_password_in_the_wrong_place_is_refused_without_showing_it(text):
    with pytest.raises(configuration.ConfigurationError) as refused:
        configuration.load(text.format(SECRET), {})

    assert SECRET not in str(refused.value)
    assert SECRET not in repr(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "redis", "redis-1.example.com", "::1", "[::1]", "fe80::1%eth0"])
def test_a_host_is_a_name_or_an_address(host):
    assert configuration.load(f'[redis]\nhost = "{host}"', {})[0].redis.host == host
