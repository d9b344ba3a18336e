"""Dialpad: the body is a signed token, durations are milliseconds, the legs of a call centre's call are one."""

from __future__ import annotations

import pytest
from support.samples import NOW_US
from support.samples_phones import DIALPAD, jwt, options, posted, text

from funnelwatch.schemas.sources.contract import ForgedError, Forgery, Passed
from funnelwatch.schemas.sources.phones.dialpad import SYSTEM


def told(options_=None, **members):
    return SYSTEM.translate(posted(DIALPAD, **members), options_ or options("dialpad"))


def test_a_signed_body_is_believed_and_read():
    delivery = text(jwt(DIALPAD))

    SYSTEM.proof.verify(delivery, "secret", options("dialpad"), NOW_US)
    assert SYSTEM.translate(delivery, options("dialpad")) == told()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (jwt(DIALPAD, secret="other"), Forgery.WRONG_PROOF),
        (jwt(DIALPAD, algorithm="none"), Forgery.UNREADABLE_PROOF),
        (jwt(DIALPAD, algorithm="RS256"), Forgery.UNREADABLE_PROOF),
        (jwt(DIALPAD)[:-4], Forgery.WRONG_PROOF),
        (b"eyJhbGciOiJIUzI1NiJ9.eyJ9.", Forgery.UNREADABLE_PROOF),
        (jwt(DIALPAD | {"exp": NOW_US // 1_000_000 - 301}), Forgery.OUTSIDE_WINDOW),
        (b'{"call_id": 5}', Forgery.MISSING_PROOF),
        (b"", Forgery.MISSING_PROOF),
    ],
)
def test_anything_else_is_not(body, reason):
    with pytest.raises(ForgedError) as forged:
        SYSTEM.proof.verify(text(body), "secret", options("dialpad"), NOW_US)

    assert forged.value.reason is reason


def test_durations_are_milliseconds():
    (found,) = told()

    assert found.data["talk_seconds"] == pytest.approx(11.989972)
    assert found.data["started_at"] == "2025-11-27T09:59:40Z"


@pytest.mark.parametrize(
    ("members", "outcome"),
    [
        ({}, "connected"),
        ({"date_connected": None}, "no_answer"),
        ({"state": "missed", "date_connected": None}, "no_answer"),
        ({"date_connected": None, "voicemail_link": "https://dialpad.com/v/1"}, "voicemail"),
    ],
)
def test_how_a_call_ended(members, outcome):
    assert told(**members)[0].data["outcome"] == outcome


def test_the_legs_of_a_call_are_one():
    (first,) = told()
    (leg,) = told(call_id=6, entry_point_call_id=5, master_call_id=4)

    assert first.subject == leg.subject == "dialpad:5"
    assert first.id != leg.id


@pytest.mark.parametrize(
    ("share", "link"),
    [("company", "https://dialpad.com/shared/call/company"), ("public", "https://dialpad.com/shared/call/public")],
)
def test_the_link_that_is_kept_is_a_matter_of_configuration(share, link):
    assert told(options("dialpad", share=share))[0].data["recording_url"] == link
    assert "recording_url" not in told(options("dialpad", share="none"))[0].data
    assert "recording_url" not in told(was_recorded="FALSE", call_recording_ids=[])[0].data
    assert SYSTEM.check(options("dialpad", share="everybody")) == ["share: must be one of company, public, none"]


def test_a_label_makes_a_call_cold():
    assert told(options("dialpad", cold="Cold"))[0].data["cold"] is True


def test_a_department_is_no_rep():
    (found,) = told(target={"type": "department", "id": 9, "email": "sales@firm.example"})

    assert found.rep == ("tel:+13215550100",)


def test_a_text_message_and_a_call_that_goes_on_are_none():
    assert told(state="ringing") == [Passed("call_not_ended", "ringing")]
    assert [one.reason for one in told(call_id=None)] == ["not_a_call"]
