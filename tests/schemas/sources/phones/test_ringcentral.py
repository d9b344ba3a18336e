"""RingCentral: the handshake, a session that tells a call step by step, the call log that completes it."""

from __future__ import annotations

import copy

import pytest
from support.samples import PAYLOADS, payload
from support.samples_phones import RINGCENTRAL, RINGCENTRAL_LOG, options, posted

from funnelwatch.schemas.sources.contract import Delivery, ForgedError, Forgery, Passed
from funnelwatch.schemas.sources.phones.ringcentral import SYSTEM


def session(code, sequence=6, **party):
    sent = copy.deepcopy(RINGCENTRAL)
    sent["body"]["sequence"] = sequence
    sent["body"]["parties"][0] |= {"status": {"code": code, "reason": party.pop("reason", None)}} | party
    return SYSTEM.translate(posted(sent), options("ringcentral"))


def test_the_question_at_the_beginning_is_answered_with_its_own_token():
    asked = Delivery(headers={"validation-token": "b2f1c5"})

    assert SYSTEM.proof.handshake(asked, "secret", options("ringcentral")).headers["validation-token"] == "b2f1c5"


@pytest.mark.parametrize("token", ["a\r\nset-cookie: x", "é", "x" * 513])
def test_a_token_that_would_break_the_answer_is_not_given_back(token):
    reply = SYSTEM.proof.handshake(Delivery(headers={"validation-token": token}), "secret", options("ringcentral"))

    assert (reply.status, reply.headers) == (400, {})


def test_a_notification_is_no_handshake_and_needs_the_token():
    sent = posted(RINGCENTRAL)

    def with_headers(**headers):
        return Delivery(
            headers={**sent.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}, body=sent.body
        )

    assert SYSTEM.proof.handshake(with_headers(validation_token="x"), "secret", options("ringcentral")) is None
    SYSTEM.proof.verify(with_headers(validation_token="secret"), "secret", options("ringcentral"), 0)
    SYSTEM.proof.verify(with_headers(verification_token="secret"), "secret", options("ringcentral"), 0)
    for headers, reason in (({}, Forgery.MISSING_PROOF), ({"validation_token": "secreT"}, Forgery.WRONG_PROOF)):
        with pytest.raises(ForgedError) as forged:
            SYSTEM.proof.verify(with_headers(**headers), "secret", options("ringcentral"), 0)
        assert forged.value.reason is reason


def test_a_session_and_its_record_in_the_call_log_are_one_call():
    (rings,), (answered,), (ended,) = (session(code) for code in ("Setup", "Answered", "Disconnected"))
    logged, recorded = SYSTEM.translate(posted(RINGCENTRAL_LOG), options("ringcentral"))

    assert {one.subject for one in (rings, answered, ended, logged, recorded)} == {"ringcentral:99"}
    assert [one.type for one in (rings, answered, ended)] == ["call.recorded", "call.recorded", "call.completed"]
    assert (rings.data["started_at"], answered.data["outcome"]) == ("2025-11-27T10:00:00Z", "connected")
    assert "outcome" not in ended.data  # that somebody answered was told before
    assert logged.data["talk_seconds"] == 55
    assert recorded.data["recording_url"] == "https://rc.example/recording/5/content"


def test_a_record_that_was_there_before_its_recording_is_the_same_word_again():
    record = {name: value for name, value in RINGCENTRAL_LOG.items() if name != "recording"}
    before = SYSTEM.translate(posted(record), options("ringcentral"))
    after = SYSTEM.translate(posted(RINGCENTRAL_LOG), options("ringcentral"))

    assert after[:1] == before
    assert [(one.type, one.id.rpartition("/")[2]) for one in after[1:]] == [("call.recorded", "recording")]


@pytest.mark.parametrize(
    ("party", "outcome"),
    [
        ({"missedCall": True}, "no_answer"),
        ({"reason": "NoAnswer"}, "no_answer"),
        ({"reason": "TargetBusy"}, "busy"),
        ({"reason": "InvalidNumber"}, "failed"),
    ],
)
def test_how_a_call_that_nobody_answered_ended(party, outcome):
    (found,) = session("Disconnected", **party)

    assert found.data["outcome"] == outcome


def test_a_phone_that_rang_while_another_was_answered_tells_nothing():
    assert session("Disconnected", missedCall=True, reason="AgentAnswered") == [
        Passed("answered_elsewhere", "agentanswered")
    ]


def test_the_rep_is_the_extension_of_our_side():
    (found,) = session("Answered")

    assert found.rep == ("ringcentral:2", "ringcentral:101", "ext:101")
    assert (found.data["direction"], found.number) == ("outbound", "+14083388064")


def test_a_party_without_an_extension_is_not_ours():
    sent = copy.deepcopy(RINGCENTRAL)
    sent["body"]["parties"] = [
        {"id": "p-2", "direction": "Outbound", "to": {"phoneNumber": "+1"}, "status": {"code": "Setup"}}
    ]

    assert [one.reason for one in SYSTEM.translate(posted(sent), options("ringcentral"))] == ["not_our_party"]


def test_a_page_of_the_call_log_is_read_whole():
    fax = RINGCENTRAL_LOG | {"type": "Fax"}

    found = SYSTEM.translate(posted({"records": [RINGCENTRAL_LOG, fax]}), options("ringcentral"))

    assert [type(one).__name__ for one in found] == ["Outgoing", "Outgoing", "Passed"]


def test_a_record_of_a_page_that_cannot_be_read_costs_no_other():
    found = SYSTEM.translate(
        posted({"records": [RINGCENTRAL_LOG | {"duration": "long"}, RINGCENTRAL_LOG]}), options("ringcentral")
    )

    assert [getattr(one, "type", getattr(one, "reason", "")) for one in found] == [
        "call.completed",
        "call.recorded",
        "unreadable",
    ]


@pytest.mark.skipif(not PAYLOADS.exists(), reason="the payloads are not beside this checkout")
def test_the_documented_record_has_its_talk_time_and_its_recording():
    body = payload("ringcentral/call_log_record_with_recording.json")

    found, recorded = SYSTEM.translate(Delivery(body=body), options("ringcentral"))

    assert recorded.data["recording_url"].endswith("/recording/1662272004/content")
    assert (found.data["direction"], found.data["talk_seconds"]) == ("inbound", 55.0)
    assert found.data["outcome"] == "connected"
    assert (found.number, found.rep) == ("+14155555900", ("tel:+15625555772",))
