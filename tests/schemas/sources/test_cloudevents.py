"""CloudEvents over HTTP: three modes, the same events; the specification's own examples are refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from funnelwatch.schemas.events import DealData
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources.contract import Delivery, ForgedError, Forgery, SourceOptions
from funnelwatch.schemas.sources.formats.cloudevents import SYSTEM
from funnelwatch.schemas.sources.proofs import hmac_hex

OPTIONS = SourceOptions(name="own", system="cloudevents")
WON = {
    "specversion": "1.0",
    "id": "1",
    "source": "crm",
    "type": "deal.won",
    "subject": "crm:7",
    "time": "2026-11-23T10:00:00Z",
    "data": {"rep_id": "crm:42", "amount": "12.5", "currency": "EUR"},
}
STRUCTURED = Delivery(headers={"content-type": "application/cloudevents+json"}, body=json.dumps(WON).encode())
BINARY = Delivery(
    headers={"content-type": "application/json"} | {f"ce-{name}": WON[name] for name in WON if name != "data"},
    body=json.dumps(WON["data"]).encode(),
)
BATCH = Delivery(headers={"content-type": "application/cloudevents-batch+json"}, body=json.dumps([WON]).encode())


@pytest.mark.parametrize("delivery", [STRUCTURED, BINARY, BATCH])
def test_the_three_modes_say_the_same(delivery):
    (found,) = SYSTEM.translate(delivery, OPTIONS)

    assert found.references == ("crm:42",)
    assert found.event("sara").data == DealData(rep_id="sara", amount=125_000, currency="EUR")
    assert (found.subject, found.id, found.source) == ("crm:7", "1", "crm")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("02", "unknown_type"), ("04", "unknown_type"), ("06", "unknown_type")],
)
def test_events_that_are_none_of_ours_are_refused(name, reason):
    path = Path(__file__).parents[4] / "shared" / "payloads" / "cloudevents" / f"json_format_example_{name}.json"
    if not path.exists():
        pytest.skip("the payloads are not beside this checkout")

    with pytest.raises(RefusedError) as refused:
        SYSTEM.translate(Delivery(body=path.read_bytes()), OPTIONS)

    assert refused.value.reason == reason


def test_an_empty_batch_has_no_events():
    assert SYSTEM.translate(Delivery(body=b"[]"), OPTIONS) == []


def test_attributes_in_headers_are_percent_encoded():
    delivery = Delivery(headers={**BINARY.headers, "ce-subject": "crm:%D8%A7"}, body=BINARY.body)

    assert SYSTEM.translate(delivery, OPTIONS)[0].subject == "crm:ا"


def test_a_member_given_twice_is_refused():
    body = STRUCTURED.body.replace(b'"id": "1"', b'"id": "1", "id": "2"')

    with pytest.raises(RefusedError) as refused:
        SYSTEM.translate(Delivery(body=body), OPTIONS)

    assert refused.value.reason == "repeated_member"


def test_a_signature_or_a_token_proves_the_sender():
    SYSTEM.proof.verify(
        Delivery(headers={"x-signature-256": "sha256=" + hmac_hex("key", b"{}")}, body=b"{}"), "key", OPTIONS, 0
    )
    SYSTEM.proof.verify(Delivery(headers={"authorization": "Bearer key"}), "key", OPTIONS, 0)


@pytest.mark.parametrize(
    ("delivery", "reason"),
    [
        (Delivery(), Forgery.MISSING_PROOF),
        (Delivery(headers={"authorization": "Bearer kez"}), Forgery.WRONG_PROOF),
        (Delivery(headers={"x-signature-256": hmac_hex("key", b"[]")}, body=b"{}"), Forgery.WRONG_PROOF),
        (Delivery(headers={"x-signature-256": "ü", "authorization": "Bearer key"}), Forgery.WRONG_PROOF),
    ],
)
def test_without_the_secret_nothing_is_believed(delivery, reason):
    with pytest.raises(ForgedError) as forged:
        SYSTEM.proof.verify(delivery, "key", OPTIONS, 0)

    assert forged.value.reason is reason


def test_consent_to_being_called_is_given_to_whoever_asks_as_the_specification_says():
    asked = Delivery(method="OPTIONS", headers={"webhook-request-origin": "crm.example"})

    reply = SYSTEM.proof.handshake(asked, "key", OPTIONS)

    assert reply.headers["webhook-allowed-origin"] == "crm.example"
    assert SYSTEM.proof.handshake(STRUCTURED, "key", OPTIONS) is None
