"""Gong: a signed header or a secret address, what was talked, by whom, and of which deal."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from functools import cache

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.samples import NOW_US, PAYLOADS, payload
from support.samples_phones import GONG, URL, options, posted

from funnelwatch.schemas.sources.contract import Delivery, ForgedError, Forgery, Passed
from funnelwatch.schemas.sources.phones.gong import SYSTEM


@cache
def key(number=0):
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def public(encoding=Encoding.PEM, number=0):
    return key(number).public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def signed(delivery, algorithm="RS256", number=0, **claims):
    own = {
        "webhook_url": URL,
        "body_sha256": hashlib.sha256(delivery.body).hexdigest(),
        "exp": NOW_US // 1_000_000 + 60,
    }
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": algorithm}, {name: value for name, value in (own | claims).items() if value is not None})
    ]
    text = b".".join(parts)
    signature = base64.urlsafe_b64encode(key(number).sign(text, PKCS1v15(), SHA256())).rstrip(b"=")
    return msgspec.structs.replace(delivery, headers={"authorization": (text + b"." + signature).decode()})


def told(options_=None, **meta):
    sent = copy.deepcopy(GONG)
    sent["callData"]["metaData"] |= meta
    return SYSTEM.translate(posted(sent), options_ or options("gong"))


@pytest.mark.parametrize("secret", [public().decode(), public().decode().replace("\n", "\\n")])
def test_a_header_signed_with_the_companys_key_is_believed(secret):
    delivery = signed(posted(GONG))

    SYSTEM.proof.verify(delivery, secret, options("gong"), NOW_US)
    bearer = msgspec.structs.replace(delivery, headers={"authorization": f"Bearer {delivery.headers['authorization']}"})
    SYSTEM.proof.verify(bearer, base64.b64encode(public(Encoding.DER)).decode(), options("gong"), NOW_US)


@pytest.mark.parametrize(
    ("delivery", "reason"),
    [
        (signed(posted(GONG), number=1), Forgery.WRONG_PROOF),
        (signed(posted(GONG), algorithm="HS256"), Forgery.UNREADABLE_PROOF),
        (signed(posted(GONG), algorithm="none"), Forgery.UNREADABLE_PROOF),
        (signed(posted(GONG), body_sha256="00"), Forgery.WRONG_PROOF),
        (signed(posted(GONG), body_sha256=None), Forgery.WRONG_PROOF),
        (signed(posted(GONG), webhook_url="https://other.example"), Forgery.WRONG_PROOF),
        (signed(posted(GONG), exp=NOW_US // 1_000_000 - 301), Forgery.OUTSIDE_WINDOW),
        (posted(GONG), Forgery.MISSING_PROOF),
        (Delivery(headers={"authorization": "Basic eyJ9"}, url=URL), Forgery.MISSING_PROOF),
        (Delivery(headers={"authorization": "eyJ9"}, url=URL), Forgery.UNREADABLE_PROOF),
    ],
)
def test_any_other_header_is_not(delivery, reason):
    with pytest.raises(ForgedError) as forged:
        SYSTEM.proof.verify(delivery, public().decode(), options("gong"), NOW_US)

    assert forged.value.reason is reason


@pytest.mark.parametrize("secret", ["secret", "-----BEGIN PUBLIC KEY-----", "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKC"])
def test_a_secret_that_is_no_key_believes_nobody(secret):
    for delivery in (Delivery(url=f"{URL}?token={secret}"), signed(posted(GONG))):
        with pytest.raises(ForgedError):
            SYSTEM.proof.verify(delivery, secret, options("gong"), NOW_US)


def test_where_the_address_is_the_secret_no_header_is_needed():
    by_address = options("gong", proof="url")
    SYSTEM.proof.verify(Delivery(url=f"{URL}?token=secret"), "secret", by_address, NOW_US)
    for url, reason in ((URL, Forgery.MISSING_PROOF), (f"{URL}?token=secreT", Forgery.WRONG_PROOF)):
        with pytest.raises(ForgedError) as forged:
            SYSTEM.proof.verify(signed(Delivery(url=url)), "secret", by_address, NOW_US)
        assert forged.value.reason is reason
    assert SYSTEM.check(options("gong", proof="none")) == ["proof: must be one of jwt, url"]


def test_a_call_has_its_rep_its_deal_and_the_share_of_talking():
    (found,) = told()

    assert found.data == {
        "direction": "outbound",
        "outcome": "connected",
        "started_at": "2025-11-27T10:00:00Z",
        "talk_seconds": 147.0,
        "recording_url": "https://gong.example/call?id=11",
        "deal_id": "salesforce:0061Q00000mkU1fQAE",
        "talk_ratio": 0.435,
    }
    assert found.rep == ("gong:42", "sara@firm.example", "tel:+15555550100")
    assert (found.number, found.at) == ("+16195550100", NOW_US + 147_000_000)


def test_a_web_conference_is_no_outreach_but_can_be_heard():
    (found,) = told(direction="Conference")

    assert found.type == "call.recorded"
    assert "direction" not in found.data


def test_a_private_calls_recording_is_nobodys():
    assert "recording_url" not in told(isPrivate=True)[0].data


def test_a_disposition_says_how_the_call_ended():
    assert told(sdrDisposition="No Answer")[0].data["outcome"] == "no_answer"
    assert told(sdrDisposition="Left Voicemail")[0].data["outcome"] == "voicemail"
    assert told(sdrDisposition="Very good")[0].data["outcome"] == "connected"


def test_a_call_among_colleagues_and_a_pressed_test_button_count_nothing():
    assert told(scope="Internal") == [Passed("internal_call")]
    assert [one.reason for one in SYSTEM.translate(posted(GONG, isTest=True), options("gong"))] == ["test_delivery"]


@pytest.mark.skipif(not PAYLOADS.exists(), reason="the payloads are not beside this checkout")
def test_the_real_payload_counts_if_tests_do():
    body = payload("gong/webhook_call_created.json")

    (found,) = SYSTEM.translate(Delivery(body=body), options("gong", tests="count"))

    assert found.data == {
        "direction": "inbound",
        "outcome": "no_answer",
        "started_at": "2024-02-17T10:30:00Z",
        "talk_seconds": 0,
        "recording_url": "https://us-49467.app.gong.io/call?id=4570250816631531513",
        "talk_ratio": 0.0,
    }
    assert found.rep == ("gong:1309263961237846110", "internal.attendee@example.com", "tel:+15555550100")
