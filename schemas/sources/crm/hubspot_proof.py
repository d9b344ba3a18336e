"""How HubSpot signs: three versions, of which only the third binds a time.

HubSpot sends old signatures along for old receivers, and an attacker may leave the new one away: so an older version
is only believed if the source's ``signatures`` names it.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final
from urllib.parse import unquote

from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import WINDOW_US, Delivery, ForgedError, Forgery, Reply, SourceOptions

SIGNATURES: Final = "signatures"
SIGNATURES_HELP: Final = "versions of signatures that are believed; default ['v3'], old private apps need 'v1' or 'v2'"
VERSIONS: Final = ("v1", "v2", "v3")

_DECODED: Final = re.compile(r"%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
"""What HubSpot says to decode in the address before it is hashed."""


def v1(secret: str, body: bytes) -> str:
    """Hash of the secret and the body."""
    return hashlib.sha256(secret.encode() + body).hexdigest()


def v2(secret: str, method: str, url: str, body: bytes) -> str:
    """Hash of the secret, the method, the address and the body."""
    return hashlib.sha256(f"{secret}{method}{url}".encode("utf-8", "surrogatepass") + body).hexdigest()


def v3(secret: str, method: str, url: str, body: bytes, timestamp: str) -> str:
    """HMAC of the method, the address, the body and the time."""
    message = f"{method}{url}".encode("utf-8", "surrogatepass") + body + timestamp.encode("utf-8", "surrogatepass")
    return proofs.hmac_base64(secret, message)


def decoded(url: str) -> str:
    """An address with the escapes opened that HubSpot opens."""
    return _DECODED.sub(lambda match: unquote(match.group()), url)


def check_signatures(options: SourceOptions) -> list[str]:
    """What is wrong with the option."""
    wrong = sorted(_allowed(options) - set(VERSIONS))
    return [f"options.{SIGNATURES}: {', '.join(wrong)} is none of {', '.join(VERSIONS)}"] if wrong else []


class _HubSpot:
    """The newest signature that is there decides."""

    window_us: int | None = WINDOW_US

    def verify(self, delivery: Delivery, secret: str, options: SourceOptions, now_us: int, /) -> None:
        """Believe it if the newest signature holds, and is of a version that is believed."""
        allowed = _allowed(options)
        newest = delivery.headers.get("x-hubspot-signature-v3", "").strip()
        if newest and "v3" in allowed:
            _verify_v3(newest, delivery, secret, now_us)
            return
        old = delivery.headers.get("x-hubspot-signature", "").strip()
        version = delivery.headers.get("x-hubspot-signature-version", "v1").strip().lower()
        if not old or version not in allowed:
            raise ForgedError(Forgery.MISSING_PROOF)
        if version == "v2":
            _demand_either(old, [v2(secret, delivery.method, url, delivery.body) for url in _addresses(delivery)])
        else:
            proofs.demand(old, v1(secret, delivery.body))

    def moment(self, delivery: Delivery, options: SourceOptions, /) -> str | None:
        """The signed time of a third version's signature; the older ones bind none."""
        if "v3" not in _allowed(options) or not delivery.headers.get("x-hubspot-signature-v3"):
            return None
        return delivery.headers.get("x-hubspot-request-timestamp")

    def handshake(self, _delivery: Delivery, _secret: str, _options: SourceOptions, /) -> Reply | None:
        """There is none."""
        return None


def _verify_v3(given: str, delivery: Delivery, secret: str, now_us: int) -> None:
    timestamp = delivery.headers.get("x-hubspot-request-timestamp", "").strip()
    if not timestamp:
        raise ForgedError(Forgery.MISSING_PROOF)
    try:
        signed_us = reading.epoch_ms(timestamp, "the time")
    except RefusedError:
        raise ForgedError(Forgery.UNREADABLE_PROOF) from None
    wanted = [v3(secret, delivery.method, url, delivery.body, timestamp) for url in _addresses(delivery)]
    _demand_either(given, wanted)
    proofs.demand_now(signed_us, now_us)


def _addresses(delivery: Delivery) -> tuple[str, str]:
    return delivery.url, decoded(delivery.url)


def _demand_either(given: str, wanted: list[str]) -> None:
    if len(given) > proofs.PROOF_CHARS_MAX or not sum(proofs.same(given, one) for one in wanted):  # constant time
        raise ForgedError(Forgery.WRONG_PROOF)


def _allowed(options: SourceOptions) -> set[str]:
    return {part.strip() for part in options.option(SIGNATURES, "v3").split(",")} - {""}


PROOF: Final = _HubSpot()
