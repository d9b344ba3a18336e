"""Manager events: all those of a call are one call, with or without ``Linkedid``, with or without times."""

from __future__ import annotations

import re

import pytest
from support.samples import NOW_US, PAYLOADS, payload
from support.samples_phones import AMI, options, text

from funnelwatch.schemas.sources.contract import Delivery
from funnelwatch.schemas.sources.phones.asterisk import SYSTEM

CAPTURE = "asterisk/ami_capture_originate_with_events.txt"
HAS_PAYLOADS = pytest.mark.skipif(not (PAYLOADS / CAPTURE).exists(), reason="the payloads are not beside this checkout")


def told(body=AMI, **own):
    return SYSTEM.translate(text(body), options("asterisk", **own))


def timed(body: bytes) -> bytes:
    """The capture with a time for each event, a second after the other, as the connection puts in."""
    blocks = re.split(rb"\r?\n\r?\n", body.strip())
    return b"\n\n".join(block + b"\nTimestamp: %d" % (1_414_510_600 + number) for number, block in enumerate(blocks))


def test_an_outbound_call():
    (found,) = told()

    assert found.data == {
        "direction": "outbound",
        "outcome": "connected",
        "started_at": "2025-11-27T09:59:40.100000Z",
        "talk_seconds": 9.0,
    }
    assert (found.subject, found.at) == ("asterisk:1764237580.378", NOW_US)
    assert (found.number, found.rep) == ("09331112233", ("asterisk:101", "ext:101"))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("NOANSWER", "no_answer"), ("BUSY", "busy"), ("CANCEL", "no_answer"), ("CHANUNAVAIL", "failed")],
)
def test_how_a_dial_ended_is_how_the_call_ended(status, outcome):
    (found,) = told(AMI.replace("DialStatus: ANSWER", f"DialStatus: {status}"))

    assert (found.data["outcome"], found.data["talk_seconds"]) == (outcome, 0)


def test_a_call_that_comes_in_is_of_the_extension_that_answered():
    body = AMI.replace("CallerIDNum: 101", "CallerIDNum: X").replace("CallerIDNum: 09331112233", "CallerIDNum: 102")
    body = body.replace("CallerIDNum: X", "CallerIDNum: 09331112233").replace("Exten: 09331112233", "Exten: 902")

    (found,) = told(body)

    assert (found.data["direction"], found.data["outcome"], found.number) == ("inbound", "connected", "09331112233")
    assert found.rep[-1] == "ext:102"


def test_events_without_times_have_the_second_of_the_channels_id():
    body = re.sub(r"Timestamp: .*\n", "", AMI)

    (found,) = told(body)

    assert found.data["started_at"] == "2025-11-27T09:59:40Z"
    assert "talk_seconds" not in found.data
    assert found.at == NOW_US  # when the last event came


def test_the_file_of_the_recording_is_a_variable_of_the_channel():
    named = "\nEvent: VarSet\nUniqueid: 1\nVariable: MIXMONITOR_FILENAME\nValue: /var/spool/out-1.wav\n"

    (found,) = told(AMI + named, recordings="https://pbx.example/{year}/{file}")

    assert found.data["recording_url"] == "https://pbx.example/2025/out-1.wav"


def test_colleagues_count_nothing():
    assert [one.reason for one in told(AMI.replace("09331112233", "102"))] == ["internal_call"]


@HAS_PAYLOADS
def test_the_capture_of_a_call_dialled_by_a_program_is_one_call():
    (found,) = told(timed(payload(CAPTURE)), extensions="259")

    assert (found.subject, found.rep[-1], found.number) == ("asterisk:1414510600.0", "ext:259", "254")
    assert (found.data["direction"], found.data["outcome"]) == ("outbound", "connected")
    assert found.data["started_at"] == "2014-10-28T15:36:40Z"
    assert found.data["talk_seconds"] == 6


@HAS_PAYLOADS
def test_the_capture_is_read_without_times_too():
    delivery = Delivery(body=payload(CAPTURE), received_us=1_414_510_620_000_000)

    (found,) = SYSTEM.translate(delivery, options("asterisk", extensions="259"))

    assert (found.data["outcome"], found.at) == ("connected", 1_414_510_620_000_000)
