"""The webhook of whatever system has one: a mapping says what its records mean, options say how it proves itself.

Without options a delivery is believed by ``X-Signature-256`` (hexadecimal HMAC-SHA256 of the body). The scheme
``token`` takes the secret itself, for senders that can do no better: in a header, as a bearer token, as HTTP Basic
(``user:password``), or as ``?token=`` in the address.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from functools import lru_cache, partial
from typing import Final

from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import (
    WINDOW_US,
    Dated,
    Delivery,
    ForgedError,
    Forgery,
    Proof,
    Reply,
    SourceOptions,
    System,
)
from funnelwatch.schemas.sources.formats import mapped

CHALLENGE_CHARS_MAX: Final = 1_024
SCHEMES: Final = ("signature", "timed", "standard", "token")
ALGORITHMS: Final = ("sha256", "sha1", "sha512")
ENCODINGS: Final = ("hex", "base64")
DEFAULT_HEADER: Final = "x-signature-256"

OPTIONS: Final = {
    "scheme": "signature (of the body; the default), timed (of the timestamp, a dot and the body), standard "
    "(standardwebhooks.com) or token (the secret itself)",
    "signature_header": "where the signature, or the token, stands; x-signature-256 by default",
    "timestamp_header": "where the time (seconds since 1970) stands that a timed signature covers",
    "algorithm": "sha256, sha1 or sha512",
    "encoding": "hex or base64",
    "signature_prefix": "what stands in front of the signature, such as sha256=",
    "challenge": "member or query field that is sent once and must come back, when the webhook is set up",
}


class _Proof:
    """What the options say; each request is looked at by the proof they describe."""

    window_us = WINDOW_US

    def verify(self, delivery: Delivery, secret: str, options: SourceOptions, now_us: int, /) -> None:
        """Believe it if the proof that the options describe holds."""
        _proof(options)[0].verify(delivery, secret, options, now_us)

    def moment(self, delivery: Delivery, options: SourceOptions, /) -> str | None:
        """The signed time, of the schemes that have one."""
        _, dated = _proof(options)
        return None if dated is None else dated.moment(delivery, options)

    def handshake(self, delivery: Delivery, _secret: str, options: SourceOptions, /) -> Reply | None:
        """The challenge as it came."""
        name = options.option("challenge")
        if not name:
            return None
        text = delivery.query.get(name, "")
        if not text and delivery.method == "POST":
            try:
                found = reading.json_body(delivery.body)
            except RefusedError:
                return None
            text = reading.text_of(found.get(name)) if isinstance(found, dict) else ""
        if not 0 < len(text) <= CHALLENGE_CHARS_MAX:
            return None
        return Reply(200, {"content-type": "text/plain"}, text.encode("utf-8", "replace"))


class _Standard(proofs.TimedSignature):
    """Standard Webhooks: base64 of HMAC-SHA256 over id, time and body; several signatures while a key is replaced."""

    def __init__(self) -> None:
        super().__init__(proofs.header("webhook-signature"), proofs.header("webhook-timestamp"), _standard_message)

    def verify(self, delivery: Delivery, secret: str, _options: SourceOptions, now_us: int, /) -> None:
        """Believe it if one of its signatures is what the secret gives, and its time is near."""
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            key = secret.encode()
        text = delivery.headers.get("webhook-timestamp", "")
        given = delivery.headers.get("webhook-signature", "")[: proofs.PROOF_CHARS_MAX]
        if not text or not given:
            raise ForgedError(Forgery.MISSING_PROOF)
        wanted = base64.b64encode(hmac.digest(key, _standard_message(text, delivery), "sha256")).decode()
        if not any(proofs.same(one.removeprefix("v1,"), wanted) for one in given.split(" ")):
            raise ForgedError(Forgery.WRONG_PROOF)
        try:
            proofs.demand_now(reading.epoch_seconds(text, "the time"), now_us)
        except RefusedError:
            raise ForgedError(Forgery.UNREADABLE_PROOF) from None


def _standard_message(text: str, delivery: Delivery) -> bytes:
    return f"{delivery.headers.get('webhook-id', '')}.{text}.".encode() + delivery.body


def _proof(options: SourceOptions) -> tuple[Proof, Dated | None]:
    """The proof that the options describe, and again if it covers a time: asking that takes longer than verifying."""
    header = options.option("signature_header", DEFAULT_HEADER).lower()
    return _both(
        options.option("scheme", "signature"),
        header,
        options.option("timestamp_header").lower(),
        options.option("algorithm", "sha256"),
        options.option("encoding", "hex"),
        options.option("signature_prefix", "sha256=" if header == DEFAULT_HEADER else ""),
    )


@lru_cache(maxsize=256)
def _both(*described: str) -> tuple[Proof, Dated | None]:
    proof = _made(*described)
    return proof, proof if isinstance(proof, Dated) else None


def _made(  # noqa: PLR0917  (what the options say, in their order)
    scheme: str, header: str, timestamp_header: str, algorithm: str, encoding: str, prefix: str
) -> Proof:
    sign = partial(proofs.hmac_base64 if encoding == "base64" else proofs.hmac_hex, algorithm=algorithm)
    given = proofs.header(header, prefix)
    token = proofs.Token(
        proofs.header(header), proofs.bearer_of, proofs.basic_of, proofs.query("token"), proofs.query("access_token")
    )
    if scheme == "standard":
        return _Standard()
    if scheme == "timed":
        message = lambda text, delivery: text.encode() + b"." + delivery.body  # noqa: E731  (it is one expression)
        return proofs.TimedSignature(given, proofs.header(timestamp_header), message, sign=sign)
    if scheme == "token":
        return token
    return proofs.Signature(given, sign)


def _check(options: SourceOptions) -> list[str]:
    problems = mapped.check(options)
    for name, known in (("scheme", SCHEMES), ("algorithm", ALGORITHMS), ("encoding", ENCODINGS)):
        value = options.option(name, known[0])
        if value not in known:
            problems.append(f"options.{name}: {value!r} is none of {', '.join(known)}")
    if options.option("scheme") == "timed" and not options.option("timestamp_header"):
        problems.append("options.timestamp_header: is needed for scheme = 'timed'")
    return problems


PROOF: Final = _Proof()

SYSTEM: Final = System(
    name="webhook",
    title="Any signed JSON webhook",
    translate=mapped.translate,
    proof=PROOF,
    page="webhook.md",
    methods=("POST", "GET"),
    options=OPTIONS,
    needs_mapping=True,
    check=_check,
)
