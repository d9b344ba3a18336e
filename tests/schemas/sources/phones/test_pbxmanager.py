"""Vtiger's PBXManager callbacks: five of them are one call, the secret is a field, the answers are Vtiger's."""

from __future__ import annotations

import pytest
from support.samples import FORM, PAYLOADS, payload
from support.samples_phones import PBXMANAGER, form, options

from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources.contract import Delivery, ForgedError, Forgery, Passed
from funnelwatch.schemas.sources.phones.pbxmanager import SYSTEM

START = {"callstatus": "StartApp", "callUUID": "u-1", "callerIdNumber": "101", "callerid2": "09331112233"}
TIMED = {"StartTime": "2025-11-27 13:29:40"}


def told(found=PBXMANAGER, **members):
    return SYSTEM.translate(form(found, **members), options("pbxmanager"))


def test_the_callbacks_of_a_call_are_one():
    (begun,) = told(START | TIMED)
    (answered,) = told(callstatus="DialAnswer", callerid1="101", callerid2="09331112233")
    (ended,) = told(callstatus="EndCall", starttime="2025-11-27 13:29:40", billableseconds="9")
    (recorded,) = told(callstatus="Record", recordinglink="https://pbx.example/u-1.wav")
    (hung_up,) = told()

    everything = (begun, answered, ended, recorded, hung_up)
    assert {one.subject for one in everything} == {"pbxmanager:u-1"}
    assert len({one.id for one in everything}) == 5
    assert [one.type for one in everything] == ["call.recorded"] * 4 + ["call.completed"]
    assert begun.data == {"direction": "outbound", "started_at": "2025-11-27T09:59:40Z"}
    assert (begun.rep, begun.number) == (("pbxmanager:101", "ext:101"), "09331112233")
    assert answered.data["outcome"] == "connected"
    assert ended.data["talk_seconds"] == 9
    assert recorded.data == {"recording_url": "https://pbx.example/u-1.wav"}


@pytest.mark.parametrize(
    ("members", "outcome"),
    [
        ({"HangupCause": "ANSWER"}, "connected"),
        ({"HangupCause": "NO ANSWER"}, "no_answer"),
        ({"HangupCause": "", "causetxt": "User busy"}, "busy"),
        ({"HangupCause": "", "causetxt": "Call Rejected"}, "busy"),
        ({"HangupCause": "null", "causetxt": "Normal Clearing"}, None),
    ],
)
def test_how_a_call_ended(members, outcome):
    assert told(**members)[0].data.get("outcome") == outcome


@pytest.mark.parametrize("cause", ["", "null", "NULL"])
def test_a_hangup_without_a_cause_is_of_no_call(cause):
    assert told(causetxt=cause) == [Passed("hangup_without_cause", "Vtiger ignores it, too")]


def test_of_a_field_that_comes_twice_the_last_stands_as_for_vtiger():
    body = form(PBXMANAGER, HangupCause="").body + b"&causetxt=User+busy"

    (found,) = SYSTEM.translate(Delivery(headers=FORM, body=body), options("pbxmanager"))

    assert found.data["outcome"] == "busy"


def test_a_call_that_comes_in_is_of_whoever_answers():
    (begun,) = told(START | TIMED | {"callerIdNumber": "09331112233", "callerid2": ""})
    (answered,) = told(callstatus="DialAnswer", callerid1="09331112233", callerid2="102")

    assert (begun.data["direction"], begun.rep) == ("inbound", ())
    assert (answered.data["direction"], answered.rep) == ("inbound", ("pbxmanager:102", "ext:102"))


def test_who_calls_without_a_called_number_yet_is_outbound_from_an_extension():
    (begun,) = told(START | TIMED | {"callerid2": ""})

    assert (begun.data["direction"], begun.rep[-1], begun.number) == ("outbound", "ext:101", "")


def test_a_placeholder_that_the_connector_never_filled_in_is_refused():
    with pytest.raises(RefusedError, match=r"StartTime is no time: '\$now'"):
        told(START | {"StartTime": "$now"})


def test_the_secret_is_a_field_and_answers_are_vtigers():
    SYSTEM.proof.verify(form(PBXMANAGER), "secret", options("pbxmanager"), 0)
    SYSTEM.proof.verify(Delivery(url="https://x.example/?vtigersignature=secret"), "secret", options("pbxmanager"), 0)
    for delivery, reason in (
        (form(PBXMANAGER, vtigersignature="secreT"), Forgery.WRONG_PROOF),
        (form({}), Forgery.MISSING_PROOF),
        (Delivery(body=b"\xff=1&vtigersignature=secret"), Forgery.MISSING_PROOF),
    ):
        with pytest.raises(ForgedError) as forged:
            SYSTEM.proof.verify(delivery, "secret", options("pbxmanager"), 0)
        assert forged.value.reason is reason
    assert SYSTEM.answers.forged.status == 200
    assert SYSTEM.answers.forged.body == b"<Response><Authentication>Failure</Authentication></Response>"


@pytest.mark.skipif(not PAYLOADS.exists(), reason="the payloads are not beside this checkout")
@pytest.mark.parametrize("name", ["StartApp", "Hangup"])
def test_the_real_templates_are_read_once_their_placeholders_are_filled_in(name):
    body = payload(f"vtiger/pbxmanager_callback_{name}.txt").decode().strip()
    for placeholder, text in {
        "$from": "101",
        "$to": "09331112233",
        "$now": "2025-11-27+13:30:00",
        "$uuid": "u-1",
        "$causetxt": "Normal+Clearing",
    }.items():
        body = body.replace(placeholder, text)

    (found,) = SYSTEM.translate(Delivery(headers=FORM, body=body.encode()), options("pbxmanager"))

    assert (found.subject, found.at) == ("pbxmanager:u-1", 1_764_237_600_000_000)
    assert found.number == "09331112233"
