"""Aircall: one call of many events, a token in the body, and the recording's address that stays."""

from __future__ import annotations

import json

import pytest
from support.samples import JSON
from support.samples_phones import AIRCALL, options, posted

from funnelwatch.schemas.sources.contract import Delivery, ForgedError, Forgery, Passed
from funnelwatch.schemas.sources.phones.aircall import SYSTEM


def told(event="call.ended", options_=None, **data):
    return SYSTEM.translate(posted(AIRCALL, event=event, data=AIRCALL["data"] | data), options_ or options("aircall"))


def test_the_recordings_address_is_the_one_that_stays():
    (found,) = told()

    assert found.data["recording_url"] == "https://assets.aircall.io/calls/7/recording"
    (without,) = told(asset=None)
    assert "recording_url" not in without.data


def test_all_events_of_a_call_speak_of_it_and_the_last_word_is_the_fullest():
    (ended,), (hungup,), (commented,) = (told(event) for event in ("call.ended", "call.hungup", "call.commented"))

    assert ended.subject == hungup.subject == commented.subject == "aircall:7"
    assert (hungup.at, hungup.id) < (ended.at, ended.id)
    assert [one.type for one in (ended, hungup, commented)] == ["call.completed", "call.completed", "call.recorded"]


def test_talk_is_from_the_answer_on():
    (found,) = told()

    assert found.data["talk_seconds"] == 15


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        ({"answered_at": None}, "no_answer"),
        ({"answered_at": None, "direction": "inbound", "missed_call_reason": "agents_did_not_answer"}, "no_answer"),
        ({"answered_at": None, "voicemail": "https://s3.example/v.mp3?X-Amz-Expires=600"}, "voicemail"),
        ({}, "connected"),
    ],
)
def test_how_a_call_ended(data, outcome):
    (found,) = told(**data)

    assert found.data["outcome"] == outcome


def test_a_missed_call_has_no_user_but_the_number_that_rang():
    (found,) = told(user=None, answered_at=None, direction="inbound")

    assert found.rep == ("tel:+443308186690",)


def test_a_user_is_known_by_id_and_by_address():
    (found,) = told()

    assert found.rep == ("aircall:42", "sara@firm.example", "tel:+443308186690")
    assert found.number == "+43720880079"


def test_a_tag_makes_a_call_cold():
    assert told(options_=options("aircall", cold="cold"))[0].data["cold"] is True
    assert told(options_=options("aircall", cold="cold"), tags=[])[0].data["cold"] is False


def test_a_call_that_goes_on_is_none_yet():
    assert told("call.answered", ended_at=None) == [Passed("call_not_ended", "call.answered")]
    assert SYSTEM.translate(posted(AIRCALL, resource="user"), options("aircall")) == [
        Passed("not_a_call", "it tells of 'user'")
    ]


def test_the_body_repeats_the_token():
    SYSTEM.proof.verify(posted(AIRCALL), "secret", options("aircall"), 0)
    twice = json.dumps(AIRCALL)[:-1] + ', "token": "secret"}'
    for delivery, reason in (
        (posted(AIRCALL, token="secreT"), Forgery.WRONG_PROOF),
        (posted(AIRCALL, token=None), Forgery.MISSING_PROOF),
        (posted(AIRCALL, token=["secret"]), Forgery.MISSING_PROOF),
        (posted([AIRCALL]), Forgery.MISSING_PROOF),
        (Delivery(headers=JSON, body=twice.encode()), Forgery.MISSING_PROOF),
        (Delivery(body=b"secret"), Forgery.MISSING_PROOF),
    ):
        with pytest.raises(ForgedError) as forged:
            SYSTEM.proof.verify(delivery, "secret", options("aircall"), 0)
        assert forged.value.reason is reason
