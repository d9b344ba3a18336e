"""Simotel: local times, numbers that are texts, words in several spellings, ids by two names."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlencode

import pytest
from support.samples import FORM, JSON, PAYLOADS, payload
from support.samples_phones import SIMOTEL, options, posted

from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources.contract import Delivery, ForgedError, Forgery, Passed
from funnelwatch.schemas.sources.phones.simotel import SYSTEM


def told(options_=None, **members):
    sent = {name: value for name, value in (SIMOTEL | members).items() if value is not None}
    return SYSTEM.translate(posted(sent), options_ or options("simotel"))


def test_times_are_of_the_zone_where_the_exchange_stands():
    (found,) = told()

    assert found.data["started_at"] == "2025-11-27T09:59:40.471398Z"
    assert found.at == 1_764_237_600_471_398


def test_the_call_of_a_rep():
    (found,) = told(options("simotel", recordings="https://pbx.example/{year}/{file}"))

    assert (found.data["direction"], found.data["outcome"], found.data["talk_seconds"]) == ("outbound", "connected", 9)
    assert found.data["recording_url"] == "https://pbx.example/2025/20251127_1764237580.378.mp3"
    assert (found.number, found.rep) == ("09331112233", ("simotel:101", "ext:101"))
    assert "recording_url" not in told()[0].data


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        *[("ANSWERED", "connected"), ("Answered", "connected"), ("NO ANSWER", "no_answer")],
        *[("No Answered", "no_answer"), ("NO ANSWERED", "no_answer"), ("BUSY", "busy"), ("Busy", "busy")],
    ],
)
def test_a_disposition_is_understood_in_every_spelling(word, outcome):
    assert told(disposition=word)[0].data["outcome"] == outcome


@pytest.mark.parametrize("billsec", [9, "9", 9.0])
def test_numbers_may_be_texts(billsec):
    assert told(billsec=billsec)[0].data["talk_seconds"] == 9


def test_a_duration_that_is_missing_is_no_trouble():
    assert "talk_seconds" not in told(billsec=None)[0].data
    assert told(billsec=None, disposition="NO ANSWER", duration=1)[0].data["talk_seconds"] == 0


def test_the_id_goes_by_two_names():
    assert told()[0].subject == told(unique_id=None, cuid="1764237580.378")[0].subject == "simotel:1764237580.378"
    assert told(start_time=SIMOTEL["starttime"], starttime=None) == told()
    assert told(starttime="13:29:40.471398 2025-11-27") == told()


def test_a_call_without_an_id_is_refused():
    with pytest.raises(RefusedError, match="unique_id"):
        told(unique_id=None)


def test_an_end_before_what_was_talked_is_put_right():
    (found,) = told(endtime=SIMOTEL["starttime"])

    assert found.at == 1_764_237_580_471_398 + 20_000_000


def test_two_legs_dialled_by_a_program_are_one_call():
    (first,), (second,) = (told(unique_id=one, originated_call_id="orig.call.1") for one in ("1.1", "1.2"))

    assert first.subject == second.subject == "simotel:orig.call.1"
    assert first.id != second.id


def test_a_queue_and_its_call_are_one():
    (queue,) = told(event_name="CdrQueue", src="09331112233", dst="101", type=None, queue="902")
    (call,) = told(src="09331112233", dst="902", type="incoming")

    assert queue.subject == call.subject
    assert (queue.data["direction"], queue.rep) == ("inbound", ("simotel:101", "ext:101"))


def test_calls_inside_and_events_during_a_call_count_nothing():
    assert [one.reason for one in told(type="local", dst="102")] == ["internal_call"]
    assert [one.reason for one in told(type=None, dst="102")] == ["internal_call"]
    assert told(event_name="NewState") == [Passed("call_not_ended", "newstate")]
    assert told(event_name="Survey") == [Passed("not_a_call", "survey")]


def test_simotel_knows_a_short_number_outside():
    (found,) = told(dst="1818")

    assert (found.data["direction"], found.number) == ("outbound", "1818")


def test_a_form_and_the_address_of_a_get_are_read_like_json():
    fields = urlencode(SIMOTEL)

    expected = told()
    assert SYSTEM.translate(Delivery(headers=FORM, body=fields.encode()), options("simotel")) == expected
    url = f"https://hooks.example/hooks/pbx?{fields}"
    assert SYSTEM.translate(Delivery(method="GET", url=url), options("simotel")) == expected


def test_what_is_no_json_is_refused_with_the_place():
    body = json.dumps({"event_name": "IncomingCall", "number": "X"}).replace('"X"', "09331112233").encode()

    with pytest.raises(RefusedError, match=r"not JSON.*line 1 column") as refused:
        SYSTEM.translate(Delivery(headers=JSON, body=body), options("simotel"))

    assert refused.value.reason == "unreadable_json"


def test_the_caller_proves_itself_by_user_and_password():
    def basic(text):
        return Delivery(headers={"authorization": f"Basic {base64.b64encode(text).decode()}"})

    SYSTEM.proof.verify(basic(b"pbx:secret"), "pbx:secret", options("simotel"), 0)
    for delivery, reason in (
        (basic(b"pbx:secreT"), Forgery.WRONG_PROOF),
        (basic(b"secret"), Forgery.WRONG_PROOF),
        (basic(b""), Forgery.MISSING_PROOF),
        (Delivery(headers={"authorization": "Basic !"}), Forgery.UNREADABLE_PROOF),
        (Delivery(headers={"authorization": "Bearer pbx:secret"}), Forgery.MISSING_PROOF),
    ):
        with pytest.raises(ForgedError) as forged:
            SYSTEM.proof.verify(delivery, "pbx:secret", options("simotel"), 0)
        assert forged.value.reason is reason


@pytest.mark.skipif(not PAYLOADS.exists(), reason="the payloads are not beside this checkout")
@pytest.mark.parametrize(("path", "talk"), [("simotel/cdr_1.json", 9), ("simotel/cdr_queue.json", 31)])
def test_the_real_records_are_calls_where_their_first_number_is_outside(path, talk):
    sent = json.loads(payload(path)) | {"type": None, "src": "09331112233"}

    (found,) = SYSTEM.translate(posted(sent), options("simotel"))

    assert (found.data["direction"], found.data["talk_seconds"], found.rep[-1]) == ("inbound", talk, "ext:993")
