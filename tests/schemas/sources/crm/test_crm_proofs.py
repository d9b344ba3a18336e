"""How each CRM proves that it is the caller, by the vendors' own vectors where there are any; what is not believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path

import pytest
from support.sources import options

from funnelwatch.schemas.sources.contract import Delivery, ForgedError, Forgery
from funnelwatch.schemas.sources.crm import hubspot_proof
from funnelwatch.schemas.sources.registry import SYSTEMS

PAYLOADS = Path(__file__).parents[5] / "shared" / "payloads"
NOW_US = 1_693_657_560_000_000
SECRET = "s3cret"


def believed(system, delivery, secret=SECRET, now_us=NOW_US, **settings):
    """True, or why not."""
    try:
        SYSTEMS[system].proof.verify(delivery, secret, options(system, **settings), now_us)
    except ForgedError as error:
        return error.reason
    return True


def vectors(system):
    path = PAYLOADS / system / "signature_vectors.json"
    if not path.is_file():
        pytest.skip("the real payloads are not beside the checkout")
    return json.loads(path.read_bytes())


def hubspot_delivery(vector):
    headers = {vector["header"].lower(): vector["signature"], "x-hubspot-signature-version": vector["version"]}
    if "timestamp" in vector:
        headers["x-hubspot-request-timestamp"] = vector["timestamp"]
    return Delivery(
        method=vector.get("method", "POST"), url=vector.get("url", ""), headers=headers, body=vector["body"].encode()
    )


class TestHubSpot:
    def test_its_own_vectors_are_believed(self):
        for vector in vectors("hubspot"):
            settings = {"options": {"signatures": (vector["version"],)}}

            assert believed("hubspot", hubspot_delivery(vector), vector["client_secret"], **settings) is True

    def test_its_own_vectors_are_not_believed_with_another_body_or_secret(self):
        for vector in vectors("hubspot"):
            settings = {"options": {"signatures": (vector["version"],)}}
            other = hubspot_delivery(vector | {"body": vector["body"] + " "})

            assert believed("hubspot", other, vector["client_secret"], **settings) is Forgery.WRONG_PROOF
            assert believed("hubspot", hubspot_delivery(vector), "other", **settings) is Forgery.WRONG_PROOF

    def signed(self, at_ms=NOW_US // 1_000, url="https://x.example/hooks/crm", body=b"[]"):
        signature = hubspot_proof.v3(SECRET, "POST", url, body, str(at_ms))
        headers = {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": str(at_ms)}
        return Delivery(url=url, headers=headers, body=body)

    @pytest.mark.parametrize("seconds", [-300, 0, 300])
    def test_a_signature_holds_for_five_minutes(self, seconds):
        assert believed("hubspot", self.signed(NOW_US // 1_000 + seconds * 1_000)) is True

    @pytest.mark.parametrize("seconds", [-301, 301])
    def test_an_older_or_later_one_does_not(self, seconds):
        delivery = self.signed(NOW_US // 1_000 + seconds * 1_000)

        assert believed("hubspot", delivery) is Forgery.OUTSIDE_WINDOW

    def test_an_address_may_be_signed_with_its_escapes_opened(self):
        escaped = "https://x.example/hooks/crm?a=1%3A2%2F3"
        delivery = self.signed(url="https://x.example/hooks/crm?a=1:2/3")

        assert believed("hubspot", Delivery(url=escaped, headers=delivery.headers, body=b"[]")) is True

    def test_an_old_signature_is_not_believed_unless_the_source_says_so(self):
        headers = {"x-hubspot-signature": hubspot_proof.v1(SECRET, b"[]"), "x-hubspot-signature-version": "v1"}
        delivery = Delivery(headers=headers, body=b"[]")

        assert believed("hubspot", delivery) is Forgery.MISSING_PROOF
        assert believed("hubspot", delivery, options={"signatures": ("v1", "v3")}) is True

    def test_a_new_signature_that_is_wrong_is_not_saved_by_an_old_one(self):
        headers = {
            "x-hubspot-signature": hubspot_proof.v1(SECRET, b"[]"),
            "x-hubspot-signature-v3": "AAAA",
            "x-hubspot-request-timestamp": str(NOW_US // 1_000),
        }

        settings = {"options": {"signatures": ("v1", "v3")}}
        assert believed("hubspot", Delivery(headers=headers, body=b"[]"), **settings) is Forgery.WRONG_PROOF

    def test_the_signed_time_tells_replays_and_an_old_signature_binds_none(self):
        proof, delivery = SYSTEMS["hubspot"].proof, self.signed()

        assert str(NOW_US // 1_000) == proof.moment(delivery, options("hubspot"))
        assert proof.moment(delivery, options("hubspot", options={"signatures": ("v1",)})) is None

    def test_a_time_that_is_no_number_is_unreadable(self):
        headers = {"x-hubspot-signature-v3": "AAAA", "x-hubspot-request-timestamp": "soon"}

        assert believed("hubspot", Delivery(headers=headers)) is Forgery.UNREADABLE_PROOF


def test_quickbooks_vector_is_believed_and_its_neighbours_are_not():
    (vector,) = vectors("quickbooks")
    headers = {"intuit-signature": vector["signature"]}
    delivery = Delivery(headers=headers, body=vector["body"].encode())

    assert believed("quickbooks", delivery, vector["verifier_token"]) is True
    assert believed("quickbooks", delivery, "other") is Forgery.WRONG_PROOF
    longer = Delivery(headers=headers, body=vector["body"].encode() + b"\n")
    assert believed("quickbooks", longer, vector["verifier_token"]) is Forgery.WRONG_PROOF


def basic(user_and_password):
    return {"authorization": "Basic " + base64.b64encode(user_and_password.encode()).decode()}


def digest(secret, message):
    return hmac.new(secret, message, hashlib.sha256)


def twenty(at_ms=NOW_US // 1_000, secret=SECRET):
    signature = digest(secret.encode(), f"{at_ms}:".encode() + b"{}").hexdigest()
    return {"x-twenty-webhook-signature": signature, "x-twenty-webhook-timestamp": str(at_ms)}


def close(at_s=NOW_US // 1_000_000, key="ab" * 32):
    signature = digest(bytes.fromhex(key), f"{at_s}".encode() + b"{}").hexdigest()
    return {"close-sig-hash": signature, "close-sig-timestamp": str(at_s)}


def espocrm(id_="w1", key="k1"):
    signed = base64.b64encode(f"{id_}:{digest(key.encode(), b'{}').hexdigest()}".encode()).decode()
    return {"signature": signed}


def espocrm_before_9(id_="w1", key="k1"):
    return {"x-signature": base64.b64encode(f"{id_}:".encode() + digest(key.encode(), b"{}").digest()).decode()}


ESPO = "w1:k1 w2:k2"
GOOD = {
    "pipedrive": ("pipedrive", "ana:pw", basic("ana:pw")),
    "twenty": ("twenty", SECRET, twenty()),
    "close": ("close", "ab" * 32, close()),
    "espocrm": ("espocrm", ESPO, espocrm()),
    "espocrm, another webhook": ("espocrm", ESPO, espocrm("w2", "k2")),
    "espocrm before 9.0": ("espocrm", ESPO, espocrm_before_9()),
    "salesforce": ("salesforce", SECRET, {"x-funnelwatch-key": SECRET}),
    "vtiger": ("vtiger", SECRET, {"x-funnelwatch-key": SECRET}),
    "odoo": ("odoo", SECRET, {"x-funnelwatch-key": SECRET}),
}
FORGED = {
    "pipedrive, another password": ("pipedrive", "ana:pw", basic("ana:no"), Forgery.WRONG_PROOF),
    "pipedrive, no password": ("pipedrive", "ana:pw", {}, Forgery.MISSING_PROOF),
    "pipedrive, no base64": ("pipedrive", "ana:pw", {"authorization": "Basic §"}, Forgery.UNREADABLE_PROOF),
    "twenty, another secret": ("twenty", "x", twenty(), Forgery.WRONG_PROOF),
    "twenty, long ago": ("twenty", SECRET, twenty(NOW_US // 1_000 - 301_000), Forgery.OUTSIDE_WINDOW),
    "close, another key": ("close", "cd" * 32, close(), Forgery.WRONG_PROOF),
    "close, a key that is none": ("close", "xyz", close(), Forgery.WRONG_PROOF),
    "close, long ago": ("close", "ab" * 32, close(NOW_US // 1_000_000 - 301), Forgery.OUTSIDE_WINDOW),
    "espocrm, another webhook's key": ("espocrm", ESPO, espocrm("w1", "k2"), Forgery.WRONG_PROOF),
    "espocrm, an unknown webhook": ("espocrm", ESPO, espocrm("w3", "k1"), Forgery.WRONG_PROOF),
    "espocrm, no base64": ("espocrm", ESPO, {"signature": "§"}, Forgery.UNREADABLE_PROOF),
    "espocrm, none": ("espocrm", ESPO, {}, Forgery.MISSING_PROOF),
    "vtiger, none": ("vtiger", SECRET, {}, Forgery.MISSING_PROOF),
    "odoo, another": ("odoo", SECRET, {"x-funnelwatch-key": "s3cres"}, Forgery.WRONG_PROOF),
}


@pytest.mark.parametrize("case", GOOD)
def test_a_proof_is_believed(case):
    system, secret, headers = GOOD[case]

    assert believed(system, Delivery(headers=headers, body=b"{}"), secret) is True


@pytest.mark.parametrize(
    "case", [case for case in GOOD if case.partition(",")[0].partition(" ")[0] in {"twenty", "close", "espocrm"}]
)
def test_a_signature_is_of_one_body(case):
    system, secret, headers = GOOD[case]

    assert believed(system, Delivery(headers=headers, body=b"{} "), secret) is Forgery.WRONG_PROOF


@pytest.mark.parametrize("case", FORGED)
def test_a_forgery_is_refused_with_its_reason(case):
    system, secret, headers, reason = FORGED[case]

    assert believed(system, Delivery(headers=headers, body=b"{}"), secret) is reason


@pytest.mark.parametrize("system", ["odoo", "vtiger", "salesforce"])
def test_a_secret_may_stand_in_the_address_of_systems_that_set_no_header(system):
    assert believed(system, Delivery(url=f"https://x.example/hooks/crm?key={SECRET}", body=b"{}")) is True


class TestZoho:
    def body(self, **members):
        return Delivery(body=json.dumps({"token": SECRET, "channel_id": "1105", "module": "Leads"} | members).encode())

    def test_the_token_in_the_body_is_believed(self):
        assert believed("zoho", self.body()) is True

    def test_another_channel_is_not_if_the_source_names_its_own(self):
        assert believed("zoho", self.body(), options={"channel_id": "1105"}) is True
        assert believed("zoho", self.body(channel_id="9"), options={"channel_id": "1105"}) is Forgery.WRONG_PROOF

    @pytest.mark.parametrize("token", [None, "", "other", 5, [SECRET]])
    def test_anything_else_is_not(self, token):
        assert believed("zoho", self.body(token=token)) in {Forgery.WRONG_PROOF, Forgery.MISSING_PROOF}

    def test_a_body_that_is_no_json_is_unreadable(self):
        assert believed("zoho", Delivery(body=b"{")) is Forgery.UNREADABLE_PROOF
