"""Twilio: its own signature vectors, seconds that are not minutes, plus signs, and two legs that are one call."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import pytest
from support.samples import FORM, JSON, PAYLOADS, payload
from support.samples_phones import TWILIO, form, options

from funnelwatch.schemas.sources.contract import Delivery, ForgedError, Forgery, Passed
from funnelwatch.schemas.sources.phones.twilio import SYSTEM

VECTORS = PAYLOADS / "twilio" / "signature_vectors.json"
HAS_PAYLOADS = pytest.mark.skipif(not VECTORS.exists(), reason="the payloads are not beside this checkout")
OWN = ("https://mycompany.com/myapp.php?foo=1&bar=2", {"CallSid": "CA1", "To": "+18005551212"})


def vectors():
    found = json.loads(VECTORS.read_text()) if VECTORS.exists() else []
    return [pytest.param(one, id=str(number)) for number, one in enumerate(found)]


def delivery(vector, **changes):
    vector = vector | changes
    body = vector.get("json_body", urlencode([tuple(pair) for pair in vector["params"]])).encode()
    headers = {**(JSON if "json_body" in vector else FORM), "x-twilio-signature": vector["signature"]}
    return Delivery(url=vector["url"], headers=headers, body=body)


@HAS_PAYLOADS
@pytest.mark.parametrize("vector", vectors())
def test_the_vendors_own_vector_is_believed_and_anything_else_is_not(vector):
    SYSTEM.proof.verify(delivery(vector), vector["auth_token"], options("twilio"), 0)
    hurt = [
        (delivery(vector), vector["auth_token"] + "6"),
        (delivery(vector, url=vector["url"].replace("foo=1", "foo=2")), vector["auth_token"]),
        (delivery(vector, signature=vector["signature"].swapcase()), vector["auth_token"]),
        (delivery(vector, params=[*vector["params"], ["X", "1"]], json_body="{}"), vector["auth_token"])
        if "json_body" in vector
        else (delivery(vector, params=[*vector["params"], ["X", "1"]]), vector["auth_token"]),
    ]

    for one, secret in hurt:
        with pytest.raises(ForgedError) as forged:
            SYSTEM.proof.verify(one, secret, options("twilio"), 0)
        assert forged.value.reason is Forgery.WRONG_PROOF


@HAS_PAYLOADS
def test_a_default_port_in_or_out_of_the_address_is_the_same_address():
    first = json.loads(VECTORS.read_text())[0]

    SYSTEM.proof.verify(
        delivery(first, url=first["url"].replace(".com/", ".com:443/")), first["auth_token"], options("twilio"), 0
    )


def test_without_a_signature_nothing_is_believed():
    with pytest.raises(ForgedError) as forged:
        SYSTEM.proof.verify(form(TWILIO), "12345", options("twilio"), 0)

    assert forged.value.reason is Forgery.MISSING_PROOF


def test_duration_is_minutes_and_call_duration_is_seconds():
    (found,) = SYSTEM.translate(form(TWILIO), options("twilio"))

    assert found.data["talk_seconds"] == 9
    assert found.data["started_at"] == "2025-11-27T09:59:51Z"
    assert (found.subject, found.at) == ("twilio:CA1", 1_764_237_600_000_000)


@HAS_PAYLOADS
def test_the_capture_is_an_inbound_call_of_nine_seconds():
    body = payload("twilio/call_status_callback_completed.txt").strip()

    (found,) = SYSTEM.translate(Delivery(headers=FORM, body=body), options("twilio"))

    assert found.data == {
        "direction": "inbound",
        "outcome": "connected",
        "started_at": "2018-11-02T10:52:20Z",
        "talk_seconds": 9.0,
    }
    assert (found.number, found.rep) == ("+256700000000", ("tel:+13163336936",))


def test_a_plus_sign_that_was_not_escaped_is_a_plus_sign():
    body = urlencode(TWILIO).replace(quote("+", safe=""), "+").encode()

    (found,) = SYSTEM.translate(Delivery(headers=FORM, body=body), options("twilio"))

    assert (found.number, found.rep) == ("+256700000000", ("tel:+13163336936",))


@pytest.mark.parametrize(
    ("members", "outcome"),
    [
        ({"CallStatus": "busy"}, "busy"),
        ({"CallStatus": "no-answer"}, "no_answer"),
        ({"CallStatus": "canceled"}, "no_answer"),
        ({"CallStatus": "failed"}, "failed"),
        ({"AnsweredBy": "machine_end_beep"}, "voicemail"),
        ({"AnsweredBy": "human"}, "connected"),
        ({"AnsweredBy": "unknown"}, "connected"),
    ],
)
def test_how_a_call_ended(members, outcome):
    (found,) = SYSTEM.translate(form(TWILIO, **members), options("twilio"))

    assert found.data["outcome"] == outcome
    assert found.data["talk_seconds"] == (9 if outcome == "connected" else 0)


def test_a_message_left_by_a_machine_is_a_voicemail_drop_if_the_organisation_says_so():
    import msgspec

    said = msgspec.structs.replace(options("twilio"), outcomes={"machine_end_beep": "voicemail_drop"})

    (found,) = SYSTEM.translate(form(TWILIO, AnsweredBy="machine_end_beep"), said)

    assert found.data["outcome"] == "voicemail_drop"


def test_a_call_that_goes_on_is_none_yet():
    for status in ("queued", "initiated", "ringing", "in-progress"):
        assert SYSTEM.translate(form(TWILIO, CallStatus=status), options("twilio")) == [
            Passed("call_not_ended", f"its status is {status!r}")
        ]


def test_both_legs_of_a_dialled_call_speak_of_one():
    parent = form(TWILIO, From="client:sara", To="+256700000000", Direction="inbound")
    child = form(TWILIO, CallSid="CA2", ParentCallSid="CA1", Direction="outbound-dial", CallDuration="7")

    (first,), (second,) = (SYSTEM.translate(one, options("twilio")) for one in (parent, child))

    assert first.subject == second.subject == "twilio:CA1"
    assert first.id != second.id
    assert (first.data["direction"], first.rep[0], first.number) == ("outbound", "twilio:sara", "+256700000000")
    assert "direction" not in second.data
    assert second.data["talk_seconds"] == 7


def test_a_call_to_a_browser_is_inbound_whatever_twilio_calls_it():
    leg = form(TWILIO, From="+256700000000", To="client:sara", Direction="outbound-dial", ParentCallSid="CA0")

    (found,) = SYSTEM.translate(leg, options("twilio"))

    assert (found.data["direction"], found.rep[0], found.number) == ("inbound", "twilio:sara", "+256700000000")


def test_the_address_may_name_rep_lead_and_deal():
    asked = "https://hooks.example/hooks/phones?rep=sara%40firm.example&lead_id=hubspot:7&deal_id=hubspot:42"

    (found,) = SYSTEM.translate(form(TWILIO, url=asked), options("twilio"))

    assert found.rep[0] == "sara@firm.example"
    assert (found.data["lead_id"], found.data["deal_id"]) == ("hubspot:7", "hubspot:42")


def test_a_recording_is_of_the_call_that_it_was_made_of():
    sent = form(
        {"CallSid": "CA2", "ParentCallSid": "CA1", "RecordingSid": "RE1", "RecordingUrl": "https://api.example/RE1"},
        RecordingStatus="completed",
        RecordingStartTime="Thu, 27 Nov 2025 09:59:51 +0000",
    )

    (found,) = SYSTEM.translate(sent, options("twilio"))

    assert (found.type, found.subject) == ("call.recorded", "twilio:CA1")
    assert found.data == {"recording_url": "https://api.example/RE1"}
    assert SYSTEM.translate(form(TWILIO, RecordingSid="RE1", RecordingStatus="absent"), options("twilio")) == [
        Passed("recording_not_ready", "its status is 'absent'")
    ]


def test_a_get_has_its_fields_in_the_address():
    url = f"https://hooks.example/hooks/phones?{urlencode(TWILIO)}"

    (found,) = SYSTEM.translate(Delivery(method="GET", url=url), options("twilio"))

    assert found.data["talk_seconds"] == 9
