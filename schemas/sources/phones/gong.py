"""Gong: the webhook of an automation rule, with the call, who took part, and how it went.

Proved by a JWT in ``Authorization`` (RS256, with the address and the hash of the body) whose public key is the
secret, or, if the organisation chose that at Gong, by a secret in the address (``?token=``).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import (
    WINDOW_US,
    Delivery,
    ForgedError,
    Forgery,
    Passed,
    Reply,
    Result,
    SourceOptions,
    System,
)
from funnelwatch.schemas.sources.phones import calls
from funnelwatch.schemas.sources.phones.calls import Call

OUTCOMES: Final = {
    "connected": "connected",
    "answered": "connected",
    "noanswer": "no_answer",
    "voicemail": "voicemail",
    "leftvoicemail": "voicemail",
    "leftmessage": "voicemail",
    "busy": "busy",
    "wrongnumber": "failed",
    "badnumber": "failed",
}
"""``sdrDisposition``; the organisation's ``outcomes`` say more."""
PROOFS: Final = ("jwt", "url")
PARTIES_MAX: Final = 1_000
KEY_CHARS_MIN: Final = 200
"""A secret of so many characters that is base64 is a public key without its first and last line."""
_DEALS, _LEADS = frozenset({"opportunity", "deal"}), frozenset({"lead"})


class _Proof:
    """A JWT with the address and the hash of the body, or a secret in the address."""

    window_us = None

    def __init__(self) -> None:
        self._token = proofs.Token(proofs.query("token"), proofs.query("key"))

    def verify(self, delivery: Delivery, secret: str, options: SourceOptions, now_us: int, /) -> None:
        """As `Proof.verify`."""
        if options.option("proof", PROOFS[0]) == "url":
            self._token.verify(delivery, secret, options, now_us)
            return
        scheme, _, rest = delivery.headers.get("authorization", "").strip().rpartition(" ")
        if not rest or scheme.lower() not in {"", "bearer"}:
            raise ForgedError(Forgery.MISSING_PROOF)
        key = _public_key(secret)
        if key is None:  # no key: nothing it could have signed, and nothing to compare a token with
            raise ForgedError(Forgery.WRONG_PROOF)
        claims = _claims(rest[: proofs.PROOF_CHARS_MAX], key, now_us)
        digest = hashlib.sha256(delivery.body).hexdigest()
        body_same = proofs.same(str(claims.get("body_sha256", "")).lower(), digest)
        url_same = proofs.same(str(claims.get("webhook_url", "")), delivery.url)
        if not (body_same and url_same):
            raise ForgedError(Forgery.WRONG_PROOF)

    def handshake(self, _delivery: Delivery, _secret: str, _options: SourceOptions, /) -> Reply | None:
        """There is none."""
        return None


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """The call of a rule that fired. A web conference is no outreach: only its recording is told.

    Raises:
        RefusedError: It cannot be read.
    """
    sent = reading.json_object(delivery.body)
    data = sent.get("callData")
    if not isinstance(data, dict):
        return [Passed("not_a_call", "there is no callData")]
    if sent.get("isTest") is True and options.option("tests") != "count":
        return [Passed("test_delivery", "somebody pressed the button that tests the rule")]
    meta = reading.mapping(data.get("metaData"), "callData.metaData")
    if reading.text_of(meta.get("scope")) == "Internal":
        return [Passed("internal_call")]
    call = _call(data, meta, private=sent.get("isPrivate") is True or meta.get("isPrivate") is True, options=options)
    return [calls.event(calls.COMPLETED if call.direction else calls.RECORDED, call, options)]


def _call(data: dict[str, Any], meta: dict[str, Any], *, private: bool, options: SourceOptions) -> Call:
    direction = reading.text_of(meta.get("direction")).lower()
    started = reading.time_us(meta.get("started"), options.zone, "metaData.started")
    talk = reading.seconds(meta.get("duration"), "metaData.duration")
    parties = [party for party in _list(data.get("parties")) if isinstance(party, dict)]
    user = reading.text_of(meta.get("primaryUserId"))
    own = next((party for party in parties if user and reading.text_of(party.get("userId")) == user), {})
    theirs = next((party for party in parties if _is_outside(party) and party.get("phoneNumber")), {})
    deal_id, lead_id = (_named(data, kinds) for kinds in (_DEALS, _LEADS))
    call_id = calls.needed(reading.text_of(meta.get("id")), "metaData.id")
    disposition = reading.text_of(meta.get("sdrDisposition"))
    outcome = calls.outcome_of(disposition, OUTCOMES, options) if disposition else None
    return Call(
        id=call_id,
        version="call",
        at=started + int((talk or 0) * 1_000_000),
        direction=direction if direction in {"inbound", "outbound"} else None,
        outcome=outcome or (calls.CONNECTED if talk else None),
        started=started,
        talk_seconds=talk,
        number=calls.number_of(reading.text_of(theirs.get("phoneNumber"))),
        recording="" if private else reading.text_of(meta.get("url")),
        labels=calls.tuple_of(reading.text_of(meta.get(name)) for name in ("purpose", "system", "sdrDisposition")),
        rep=calls.tuple_of((options.id_of(user) if user else "", reading.text_of(own.get("emailAddress"))))
        + calls.by_number(reading.text_of(own.get("phoneNumber"))),
        deal_id=deal_id,
        lead_id=lead_id,
        talk_ratio=_talk_ratio(data),
    )


def _talk_ratio(data: dict[str, Any]) -> float | None:
    """The rep's share of the talking, 0 to 1; Gong tells it as a percentage or as a share."""
    interaction = data.get("interaction")
    for one in _list(interaction.get("interactionStats") if isinstance(interaction, dict) else None):
        if isinstance(one, dict) and one.get("name") == "Talk Ratio":
            found = reading.number(one.get("value"), "Talk Ratio")
            if found is not None and 0 <= found <= 100:  # noqa: PLR2004  (per cent)
                return float(found / 100 if found > 1 else found)
    return None


def _named(data: dict[str, Any], kinds: frozenset[str]) -> str:
    """The first object of a CRM of some kinds that the call belongs to: ``salesforce:0061Q00000mkU1fQAE``."""
    for context in _list(data.get("context")):
        if not isinstance(context, dict):
            continue
        for one in _list(context.get("objects")):
            if isinstance(one, dict) and reading.text_of(one.get("objectType")).lower() in kinds:
                system, object_id = reading.text_of(context.get("system")), reading.text_of(one.get("objectId"))
                if system and object_id:
                    return f"{system.lower()}:{object_id}"
    return ""


def _is_outside(party: dict[str, Any]) -> bool:
    return reading.text_of(party.get("affiliation")) != "Internal"


def _list(value: object) -> list[Any]:
    return value[:PARTIES_MAX] if isinstance(value, list) else []


def _claims(token: str, key: RSAPublicKey, now_us: int) -> dict[str, Any]:
    try:
        head, claims, signed, signature = reading.jwt_parts(token)
        if head.get("alg") != "RS256":
            raise ForgedError(Forgery.UNREADABLE_PROOF)
        key.verify(signature, signed, PKCS1v15(), SHA256())
        expires = claims.get("exp")
        if expires is not None and reading.epoch_seconds(expires, "exp") < now_us - WINDOW_US:
            raise ForgedError(Forgery.OUTSIDE_WINDOW)
    except InvalidSignature:
        raise ForgedError(Forgery.WRONG_PROOF) from None
    except RefusedError:
        raise ForgedError(Forgery.UNREADABLE_PROOF) from None
    return claims


@lru_cache(maxsize=64)
def _public_key(secret: str) -> RSAPublicKey | None:
    """The key that a secret is: PEM, or the base64 within; None if it is something else."""
    text = secret.strip().replace("\\n", "\n")
    try:
        if text.startswith("-----BEGIN"):
            key = load_pem_public_key(text.encode())
        elif len(text) >= KEY_CHARS_MIN:
            key = load_der_public_key(base64.b64decode(text, validate=True))
        else:
            return None
    except (ValueError, UnsupportedAlgorithm, binascii.Error):
        return None
    return key if isinstance(key, RSAPublicKey) else None


def _checked(options: SourceOptions) -> list[str]:
    found = calls.checked(options)
    if options.option("proof", PROOFS[0]) not in PROOFS:
        found.append(f"proof: must be one of {', '.join(PROOFS)}")
    return found


SYSTEM: Final = System(
    name="gong",
    title="Gong",
    translate=translate,
    proof=_Proof(),
    page="gong.md",
    options={
        "cold": calls.OPTIONS["cold"],
        "proof": "'jwt' (the default: a signed header; the secret is the public key) or 'url' (?token=)",
        "tests": "'count' takes what the button that tests a rule sends as a real call",
    },
    check=_checked,
)
