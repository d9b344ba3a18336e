"""3CX: the report that the shipped template posts after a call."""

from __future__ import annotations

import base64

import pytest
from support.samples_phones import THREECX, options, posted

from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources.contract import Delivery
from funnelwatch.schemas.sources.phones.threecx import SYSTEM


def told(options_=None, **members):
    sent = {name: value for name, value in (THREECX | members).items() if value is not None}
    return SYSTEM.translate(posted(sent), options_ or options("3cx"))


@pytest.mark.parametrize(
    ("kind", "direction", "outcome"),
    [
        ("Outbound", "outbound", "connected"),
        ("Inbound", "inbound", "connected"),
        ("Missed", "inbound", "no_answer"),
        ("Notanswered", "outbound", "no_answer"),
    ],
)
def test_the_kind_of_call_is_direction_and_outcome(kind, direction, outcome):
    (found,) = told(CallType=kind)

    assert (found.data["direction"], found.data["outcome"]) == (direction, outcome)


def test_a_report():
    (found,) = told()

    assert (found.data["started_at"], found.data["talk_seconds"]) == ("2025-11-27T09:59:40Z", 9.0)
    assert (found.number, found.rep) == ("00989331112233", ("3cx:101", "ext:101", "sara@firm.example"))
    assert found.at == 1_764_237_600_000_000


def test_the_same_report_again_is_the_same_call_and_another_is_another():
    assert told()[0].subject == told()[0].subject
    assert told()[0].subject != told(Agent="102")[0].subject
    assert told()[0].subject != told(CallStartTimeUTC="2025-11-27T09:59:41Z")[0].subject


@pytest.mark.parametrize("names", [str.upper, str.lower, lambda name: name.replace("Call", "call_")])
def test_the_names_of_members_are_read_in_any_dress(names):
    sent = {names(name): value for name, value in THREECX.items()}

    assert SYSTEM.translate(posted(sent), options("3cx")) == told()


@pytest.mark.parametrize(
    ("text", "seconds"), [("01:02:03", 3723), ("1.00:00:01", 86_401), ("75", 75), ("00:00:09.7", 9)]
)
def test_durations(text, seconds):
    (found,) = told(Duration=text, CallEstablishedTimeUTC=None, CallEndTimeUTC=None)

    assert found.data["talk_seconds"] == seconds


def test_a_local_time_serves_where_there_is_no_other():
    (found,) = told(CallStartTimeUTC=None, DateTime="11/27/2025 1:29:40 PM")

    assert found.data["started_at"] == "2025-11-27T09:59:40Z"
    with pytest.raises(RefusedError, match="CallStartTimeUTC"):
        told(CallStartTimeUTC=None)


def test_the_lead_is_the_one_that_3cx_found_in_the_crm():
    assert told(Crm="hubspot")[0].data["lead_id"] == "hubspot:77"
    assert told(Crm="hubspot", EntityType="Deals")[0].data["deal_id"] == "hubspot:77"
    assert not {"lead_id", "deal_id"} & set(told(Crm="hubspot", EntityType="Contacts")[0].data)
    assert "lead_id" not in told()[0].data


def test_an_unknown_kind_is_refused_and_a_colleague_counts_nothing():
    with pytest.raises(RefusedError, match="CallType must be"):
        told(CallType="Chat")
    assert [one.reason for one in told(Number="102")] == ["internal_call"]
    assert [one.reason for one in told(CallType=None)] == ["not_a_call"]


@pytest.mark.parametrize(
    "delivery",
    [
        Delivery(headers={"authorization": "Bearer secret"}),
        Delivery(headers={"authorization": f"Basic {base64.b64encode(b'secret').decode()}"}),
        Delivery(headers={"x-funnelwatch-token": "secret"}),
        Delivery(url="https://hooks.example/hooks/pbx?token=secret"),
    ],
)
def test_the_secret_may_stand_wherever_a_template_can_put_it(delivery):
    SYSTEM.proof.verify(delivery, "secret", options("3cx"), 0)
