"""Calls and emails, rule by rule. Each docstring quotes `docs/figures.md`."""

from __future__ import annotations

from functools import partial

from support.stories import Story, event, hour

from funnelwatch.schemas.events import Kind
from funnelwatch.streams.cells import CallRecording

call_at = partial(event, Kind.CALL)
call = partial(Story, Kind.CALL)
email_at = partial(event, Kind.EMAIL)
email = partial(Story, Kind.EMAIL)


def told(story):
    return [(link.target, link.target_id, link.at) for link in story.links]


def test_a_call_counts_at_its_last_completion_for_the_owner_then():
    """A call counts once a `call.completed` is known, at the time of the last one, for the owner then."""
    story = call(
        call_at(1, "completed", rep_id="ada", outcome="connected", talk_ms=60_000, cold=True),
        call_at(2, "completed", rep_id="bob"),
        call_at(3, "recorded", rep_id="cem"),
    )

    assert story.sums("call", "talk_ms") == {
        ("bob", "call", "outbound", 1, "connected"): 1,
        ("bob", "talk_ms", "outbound"): 60_000,
    }
    assert story.when("call") == [2]


def test_what_a_call_does_not_say_has_a_reading():
    """An absent `direction` is `outbound`; an absent `cold` is not cold; an absent outcome is `""`."""
    assert call(call_at(0, "completed")).sums("call") == {("", "call", "outbound", 0, ""): 1}


def test_a_voicemail_drop_is_told_by_its_outcome():
    """`voicemail_drop` — outbound with that outcome."""
    story = call(call_at(0, "completed", rep_id="ada", outcome="voicemail_drop", cold=True))

    assert story.sums("call", "talk_ms") == {("ada", "call", "outbound", 1, "voicemail_drop"): 1}


def test_a_recording_may_come_before_its_call():
    """Its time (of the last `call.completed`, else of the last `call.recorded`)."""
    recorded = call_at(1, "recorded", rep_id="ada", recording_url="https://pbx.example/1")
    alone = call(recorded)
    complete = call(recorded, call_at(0, "completed", rep_id="bob", deal_id="d1", outcome="connected", talk_ms=5))

    assert alone.contribution.sums == {}
    assert alone.item == ("ada", CallRecording(hour(1), "https://pbx.example/1", None, None, None))
    assert complete.item == ("bob", CallRecording(hour(0), "https://pbx.example/1", "d1", "connected", 5))


def test_a_recording_has_the_talk_ratio_that_was_told_last():
    """The final value of `talk_ratio`; a call without one has none."""
    told = [
        call_at(at, "recorded", rep_id="ada", recording_url="https://gong.example/1", talk_ratio=ratio)
        for at, ratio in ((0, 4_350), (1, 0), (2, None))
    ]

    assert [call(*told[:count]).item[1].talk_ratio for count in (1, 2, 3)] == [4_350, 0, 0]
    assert call(told[2]).item[1].talk_ratio is None


def test_a_deleted_call_is_gone_until_it_is_completed_again():
    """A later … `call.completed` … brings the entity back."""
    url = "https://pbx.example/1"
    deleted = (call_at(0, "completed", rep_id="ada", recording_url=url, lead_id="l1"), call_at(1, "deleted"))

    assert call(*deleted).contribution.sums == {}
    assert call(*deleted).item is None
    assert told(call(*deleted)) == [(Kind.LEAD, "l1", None)]
    assert call(*deleted, call_at(2, "recorded", recording_url=url)).item is None
    assert call(*deleted, call_at(2, "completed")).item[1].at == hour(2)


def test_a_call_touches_the_lead_and_the_deal_it_names():
    """A call (that counts) … with a `lead_id` and/or `deal_id` (final values) touches that lead and deal."""
    story = call(call_at(1, "completed", lead_id="l1", deal_id="d1"), call_at(2, "recorded", deal_id="d2"))

    assert told(story) == [
        (Kind.LEAD, "l1", hour(1)),
        (Kind.DEAL, "d1", None),
        (Kind.DEAL, "d2", hour(1)),
    ]


def test_a_call_that_is_only_recorded_touches_nothing():
    """A call (that counts)."""
    assert told(call(call_at(1, "recorded", lead_id="l1"))) == [(Kind.LEAD, "l1", None)]


def test_an_email_counts_at_the_last_word_that_it_was_sent():
    """An email counts once `email.sent` is known, at the last one, for the owner then."""
    story = email(
        email_at(0, "sent", rep_id="ada", cold=True, deal_id="d1"), email_at(1, "sent", rep_id="bob", cold=False)
    )

    assert story.sums("email") == {("bob", "email", 0): 1}
    assert told(story) == [(Kind.DEAL, "d1", hour(1))]


def test_a_reply_counts_once_at_the_first():
    """A *reply* counts once at the first `email.replied` for the owner then … (also if `email.sent` is unknown)."""
    story = email(email_at(3, "replied", rep_id="bob"), email_at(2, "replied", rep_id="ada"))

    assert story.sums("email", "reply") == {("ada", "reply"): 1}
    assert story.when("reply") == [2]


def test_a_deleted_email_has_no_reply():
    """Provided the email was not deleted."""
    deleted = (email_at(0, "sent", rep_id="ada", lead_id="l1"), email_at(1, "deleted"), email_at(2, "replied"))

    assert email(*deleted).contribution.sums == {}
    assert told(email(*deleted)) == [(Kind.LEAD, "l1", None)]
    assert email(*deleted, email_at(3, "sent")).sums("reply") == {("ada", "reply"): 1}


def test_calls_and_emails_are_never_open():
    """**Forgotten** is an entity that is not open once its last event is older than the retention."""
    for story in (call(call_at(0, "completed")), email(email_at(0, "sent"))):
        assert story.fold.forgettable(story.state, hour(1)) is True
        assert story.fold.forgettable(story.state, hour(0)) is False
