"""What telephone systems share: numbers, extensions, cold calls, outcomes, addresses of recordings."""

from __future__ import annotations

import pytest

from funnelwatch.schemas.sources.contract import SourceOptions
from funnelwatch.schemas.sources.phones import calls
from funnelwatch.schemas.sources.phones.calls import Call


def options(outcomes=None, **own):
    return SourceOptions(name="pbx", system="asterisk", options=own, outcomes=outcomes or {}, zone="Asia/Tehran")


@pytest.mark.parametrize(
    ("sent", "number"),
    [
        ("+43 720 880079", "+43720880079"),
        (" 13163336936", "+13163336936"),
        (" 101", "101"),
        ("(619) 808-7922", "6198087922"),
        ("۰۹۳۳۱۱۱۲۲۳۳", "09331112233"),
        ("anonymous", ""),
        ("", ""),
    ],
)
def test_a_number_is_what_can_be_dialled_of_it(sent, number):
    assert calls.number_of(sent) == number


def test_a_short_number_is_an_extension_unless_it_is_said_which_are():
    assert calls.is_extension("101", options())
    assert not calls.is_extension("09331112233", options())
    assert not calls.is_extension("+101", options())
    ranges = options(extensions=("100-199", "8*", "55"))
    assert [one for one in ("100", "199", "200", "0100", "8001", "55", "555") if calls.is_extension(one, ranges)] == [
        "100",
        "199",
        "8001",
        "55",
    ]


def test_who_is_outside_is_the_other_party():
    assert calls.sides("101", "909331112233", options(dial_prefix="9")) == ("outbound", "101", "09331112233")
    assert calls.sides("09331112233", "101", options()) == ("inbound", "101", "09331112233")
    assert calls.sides("09331112233", "02191305588", options()) == ("inbound", "", "09331112233")
    assert calls.sides("101", "102", options()) is None


@pytest.mark.parametrize(
    ("wanted", "direction", "labels", "cold"),
    [
        ("", "outbound", ("Cold",), None),
        ("all", "outbound", (), True),
        ("all", "inbound", (), False),
        ("all", None, (), None),
        ("none", "outbound", ("cold",), False),
        ("cold list", "outbound", ("Cold-List",), True),
        ("cold,prospects", "outbound", ("Prospects",), True),
        ("cold", "outbound", ("warm",), False),
        ("+13163336936", "outbound", ("+13163336936",), True),
    ],
)
def test_which_calls_are_cold_is_configured(wanted, direction, labels, cold):
    call = Call(id="1", version="1", at=1, direction=direction, labels=labels)

    assert calls.cold(call, options(cold=wanted)) is cold


def test_the_organisations_outcomes_come_first():
    known = {"noanswer": "no_answer", "busy": "busy"}

    assert calls.outcome_of("NO ANSWER", known, options()) == "no_answer"
    assert calls.outcome_of("no-answer", known, options({"No Answer": "voicemail"})) == "voicemail"
    assert calls.outcome_of("whatever", known, options()) is None


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("", ""),
        ("https://pbx.example/rec/", "https://pbx.example/rec/a%20b.wav"),
        ("https://pbx.example/{year}/{month}/{day}/{file}?id={id}", "https://pbx.example/2025/11/27/a%20b.wav?id=1.2"),
    ],
)
def test_a_recordings_address_is_made_of_its_files_name(address, found):
    settings = options(recordings=address) if address else options()

    assert calls.recording_at("/var/spool/monitor/a b.wav", "1.2", "2025-11-27", settings) == found
    assert calls.recording_at("", "1.2", "2025-11-27", settings) == ""


def test_nobody_was_talked_to_where_nobody_answered():
    assert (
        calls.event("call.completed", call(outcome="voicemail", talk_seconds=58.0), options()).data["talk_seconds"] == 0
    )
    assert (
        calls.event("call.completed", call(outcome="connected", talk_seconds=58.0), options()).data["talk_seconds"]
        == 58
    )
    assert "talk_seconds" not in calls.event("call.completed", call(outcome="connected"), options()).data


def test_a_start_that_cannot_be_is_left_out():
    week = calls.EARLY_US

    assert "started_at" in calls.event("call.completed", call(at=week, started=0), options()).data
    assert "started_at" not in calls.event("call.completed", call(at=week + 1, started=0), options()).data
    assert "started_at" not in calls.event("call.completed", call(at=1, started=2), options()).data


def call(**members):
    return Call(**{"id": "1", "version": "1", "at": 1_000_000} | members)
