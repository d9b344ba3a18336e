"""Events one by one: whole calls come out, however they are interleaved, and what is never ended is given up."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.samples import NOW_US, PAYLOADS, payload
from support.samples_phones import AMI, options, text

from funnelwatch.schemas.sources.phones import conversations
from funnelwatch.schemas.sources.phones.ami import events_of
from funnelwatch.schemas.sources.phones.asterisk import SYSTEM
from funnelwatch.schemas.sources.phones.conversations import SILENT_US, Conversations, written

CAPTURE = "asterisk/ami_capture_originate_with_events.txt"


def fed(events, to=None):
    to = Conversations() if to is None else to
    return [over for number, event in enumerate(events) for over in to.feed(event, NOW_US + number)]


def numbered(number):
    """A call of its own."""
    return events_of(AMI.replace("1764237580.", f"17642375{number:02}.").replace("0000002", f"{number:07}").encode())


def test_a_call_is_over_when_its_last_channel_has_hung_up():
    events = events_of(AMI.encode())
    calls = Conversations()

    assert fed(events[:-1], calls) == []
    assert len(calls) == 1
    (over,) = calls.feed(events[-1], NOW_US)
    assert len(over) == len(events)
    assert len(calls) == 0


def test_what_comes_out_is_what_the_translator_takes_whole():
    (over,) = fed(events_of(AMI.encode()))

    assert SYSTEM.translate(text(written(over)), options("asterisk")) == SYSTEM.translate(
        text(AMI), options("asterisk")
    )


@pytest.mark.skipif(not (PAYLOADS / CAPTURE).exists(), reason="the payloads are not beside this checkout")
def test_the_capture_of_an_old_asterisk_is_one_call():
    (over,) = fed(events_of(payload(CAPTURE)))

    (found,) = SYSTEM.translate(text(written(over)), options("asterisk", extensions="259"))
    assert (found.number, found.data["outcome"]) == ("254", "connected")


@given(st.integers(0, 2**32))
def test_calls_at_the_same_time_are_kept_apart(seed):
    random = Random(seed)
    waiting = [numbered(number) for number in range(10, 15)]
    expected = sorted(len(events) for events in waiting)
    mixed = []
    while any(waiting):
        mixed.append(random.choice([events for events in waiting if events]).pop(0))

    overs = fed(mixed)

    assert sorted(map(len, overs)) == expected
    for over in overs:
        assert len({event["linkedid"] for event in over}) == 1


def test_events_without_a_time_get_the_clocks():
    event = {"event": "Newchannel", "uniqueid": "1.1", "channel": "SIP/1"}

    ((first, _),) = fed([event, {"event": "Hangup", "uniqueid": "1.1"}])

    assert first["timestamp"] == f"{NOW_US // 1_000_000}.{NOW_US % 1_000_000:06}"


def test_who_connects_anew_hears_who_is_gone_and_who_was_there_before():
    calls = Conversations()
    fed(numbered(20)[:4], calls)
    listed = {
        "event": "CoreShowChannel",
        "uniqueid": "1764237500.9",
        "linkedid": "1764237500.9",
        "channel": "PJSIP/101-1",
    }
    calls.feed(listed | {"calleridnum": "101", "exten": "09331112233", "channelstate": "6"}, NOW_US)

    overs = calls.present({"1764237500.9"}, NOW_US)

    assert [over[-1]["cause-txt"] for over in overs] == ["not heard"]
    assert len(calls) == 1
    (over,) = calls.feed({"event": "Hangup", "uniqueid": "1764237500.9"}, NOW_US)
    (found,) = SYSTEM.translate(text(written(over)), options("asterisk"))
    assert (found.rep[-1], found.number, found.data["started_at"]) == ("ext:101", "09331112233", "2025-11-27T09:58:20Z")


def test_events_of_calls_that_began_before_us_are_of_no_call():
    assert fed(events_of(AMI.encode())[2:]) == []


def test_a_call_of_which_nothing_is_heard_is_given_up(monkeypatch):
    calls = Conversations()
    calls.feed({"event": "Newchannel", "uniqueid": "1.1"}, NOW_US)
    assert calls.feed({"event": "Newchannel", "uniqueid": "1.2"}, NOW_US + SILENT_US) == []
    (over,) = calls.feed({"event": "Newchannel", "uniqueid": "1.3"}, NOW_US + SILENT_US + 1)
    assert [event["uniqueid"] for event in over] == ["1.1"]
    monkeypatch.setattr(conversations, "CALLS_MAX", 2)
    (over,) = calls.feed({"event": "Newchannel", "uniqueid": "1.4"}, NOW_US + SILENT_US + 2)
    assert [event["uniqueid"] for event in over] == ["1.2"]
    assert (calls.given_up, len(calls)) == (2, 2)


def test_a_call_with_endless_events_is_kept_by_its_first(monkeypatch):
    monkeypatch.setattr(conversations, "EVENTS_MAX", 3)
    states = [{"event": "Newstate", "uniqueid": "1.1", "channelstate": "5"}] * 50

    (over,) = fed([{"event": "Newchannel", "uniqueid": "1.1"}, *states, {"event": "Hangup", "uniqueid": "1.1"}])

    assert [event["event"] for event in over] == ["Newchannel", "Newstate", "Newstate", "Hangup"]


def test_events_that_tell_nothing_of_a_call_are_left_out():
    calls = Conversations()
    fed([{"event": "Newchannel", "uniqueid": "1.1"}], calls)
    fed(
        [{"event": "RTCPSent", "uniqueid": "1.1"}, {"event": "VarSet", "uniqueid": "1.1", "variable": "SIPCALLID"}],
        calls,
    )

    (over,) = fed([{"event": "Hangup", "uniqueid": "1.1"}], calls)

    assert [event["event"] for event in over] == ["Newchannel", "Hangup"]
