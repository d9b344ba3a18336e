"""How vendors prove that they are the caller: the kinds of proof that several share. Comparisons take constant time.

A vendor's own computation is a function of the delivery and the secret; the classes here compare what it gives.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from typing import Any, Final

from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources import reading
from funnelwatch.schemas.sources.contract import WINDOW_US, Dated, Delivery, ForgedError, Forgery, Reply, SourceOptions

PROOF_CHARS_MAX: Final = 8_192
"""A signature, token or JWT in a header is not longer."""

ALGORITHMS: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def same(given: str | bytes, wanted: str | bytes) -> bool:
    """Whether two texts are equal, in a time that does not depend on where they differ. Empty equals nothing."""
    left, right = (text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text for text in (given, wanted))
    return bool(right) and hmac.compare_digest(left, right)


def demand(given: str | bytes | None, wanted: str | bytes) -> None:
    """Take ``given`` only if it is ``wanted``.

    Raises:
        ForgedError: It is missing or something else.
    """
    if not given:
        raise ForgedError(Forgery.MISSING_PROOF)
    if len(given) > PROOF_CHARS_MAX or not same(given, wanted):
        raise ForgedError(Forgery.WRONG_PROOF)


def demand_now(signed_us: int, now_us: int, window_us: int = WINDOW_US) -> None:
    """Take a signed time only near the clock.

    Raises:
        ForgedError: It is further away than ``window_us``, before or after.
    """
    if abs(now_us - signed_us) > window_us:
        raise ForgedError(Forgery.OUTSIDE_WINDOW)


def hmac_hex(secret: str, message: bytes, algorithm: str = "sha256") -> str:
    """HMAC in lower-case hexadecimal digits."""
    return hmac.new(secret.encode(), message, algorithm).hexdigest()


def hmac_base64(secret: str, message: bytes, algorithm: str = "sha256") -> str:
    """HMAC in base64."""
    return base64.b64encode(hmac.digest(secret.encode(), message, algorithm)).decode()


def basic_of(delivery: Delivery) -> str | None:
    """``user:password`` of HTTP Basic; None without.

    Raises:
        ForgedError: It cannot be read.
    """
    scheme, _, credentials = delivery.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials.strip()[:PROOF_CHARS_MAX], validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise ForgedError(Forgery.UNREADABLE_PROOF) from None


def bearer_of(delivery: Delivery) -> str | None:
    """The token of ``Authorization: Bearer``; None without."""
    scheme, _, token = delivery.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def verified_claims(token: str, secret: str, now_us: int) -> dict[str, Any]:
    """The claims of a JWT signed with a shared secret (HS256, HS384, HS512); ``exp`` and ``nbf`` are held to.

    Raises:
        ForgedError: It is not signed with the secret, names another algorithm (``none``!), or is not of now.
    """
    try:
        header, claims, signed, signature = reading.jwt_parts(token[:PROOF_CHARS_MAX] if token else "")
        algorithm = ALGORITHMS.get(str(header.get("alg")))
        if algorithm is None:
            raise ForgedError(Forgery.UNREADABLE_PROOF)
        if not same(hmac.digest(secret.encode(), signed, algorithm), signature):
            raise ForgedError(Forgery.WRONG_PROOF)
        for name, sign in (("exp", 1), ("nbf", -1)):
            if claims.get(name) is None:
                continue
            if sign * (reading.epoch_seconds(claims[name], name) - now_us) < -WINDOW_US:
                raise ForgedError(Forgery.OUTSIDE_WINDOW)
    except RefusedError:
        raise ForgedError(Forgery.UNREADABLE_PROOF) from None
    return claims


class _NoHandshake:
    """A system that sets no subscription up by a request."""

    def handshake(self, _delivery: Delivery, _secret: str, _options: SourceOptions, /) -> Reply | None:
        """There is none."""
        return None


Given = Callable[[Delivery], str | None]
"""Where the proof stands in a delivery: see `header`, `query`."""


def header(name: str, prefix: str = "") -> Given:
    """The content of a header, without a ``prefix`` such as ``sha256=``."""
    return lambda delivery: (delivery.headers.get(name) or "").strip().removeprefix(prefix) or None


def query(name: str) -> Given:
    """A field of the query."""
    return lambda delivery: delivery.query.get(name)


class Token(_NoHandshake):
    """A text that every delivery repeats, in any of some places: a header, the query, HTTP Basic, a body's field.

    Nothing binds it to the body and nothing to a time: it is as good as the secrecy of the connection.
    """

    window_us = None

    def __init__(self, *places: Given) -> None:
        self._places = places

    def verify(self, delivery: Delivery, secret: str, _options: SourceOptions, _now_us: int, /) -> None:
        """Believe it if the first place that has a text has the secret."""
        demand(next((found for place in self._places if (found := place(delivery))), None), secret)


class Signature(_NoHandshake):
    """A signature over what ``message`` gives, which is the body unless said otherwise; its time is not signed."""

    window_us = None

    def __init__(
        self,
        given: Given,
        sign: Callable[[str, bytes], str] = hmac_base64,
        message: Callable[[Delivery], bytes] = lambda delivery: delivery.body,
    ) -> None:
        self._given, self._sign, self._message = given, sign, message

    def verify(self, delivery: Delivery, secret: str, _options: SourceOptions, _now_us: int, /) -> None:
        """Believe it if the signature is what the secret gives."""
        demand(self._given(delivery), self._sign(secret, self._message(delivery)))


class TimedSignature(_NoHandshake):
    """A signature that covers a time, which must be near the clock.

    ``signed_at`` reads the time in µs from the text that ``time`` finds, ``message`` is what is signed, made of that
    text and the delivery.
    """

    def __init__(
        self,
        given: Given,
        time: Given,
        message: Callable[[str, Delivery], bytes],
        *,
        sign: Callable[[str, bytes], str] = hmac_hex,
        signed_at: Callable[[str], int] = lambda text: reading.epoch_seconds(text, "the time"),
        window_us: int = WINDOW_US,
    ) -> None:
        self._given, self._time, self._message = given, time, message
        self._sign, self._signed_at = sign, signed_at
        self.window_us: int | None = window_us
        self._width = window_us

    def verify(self, delivery: Delivery, secret: str, _options: SourceOptions, now_us: int, /) -> None:
        """Believe it if the signature is what the secret gives, and its time is near."""
        text = self._time(delivery)
        if not text:
            raise ForgedError(Forgery.MISSING_PROOF)
        try:
            signed_us = self._signed_at(text)
        except RefusedError:
            raise ForgedError(Forgery.UNREADABLE_PROOF) from None
        demand(self._given(delivery), self._sign(secret, self._message(text, delivery)))
        demand_now(signed_us, now_us, self._width)

    def moment(self, delivery: Delivery, _options: SourceOptions, /) -> str | None:
        """The signed time, as it was written."""
        return self._time(delivery)


class AnyOf(_NoHandshake):
    """Several proofs, for systems that changed theirs: the first whose text is there decides."""

    def __init__(self, *proofs: Any) -> None:
        self._proofs = proofs
        self._dated = [proof for proof in proofs if isinstance(proof, Dated)]
        windows = [proof.window_us for proof in proofs]
        self.window_us = None if None in windows else max(windows)

    def verify(self, delivery: Delivery, secret: str, options: SourceOptions, now_us: int, /) -> None:
        """Believe it if the first proof that is there holds."""
        for proof in self._proofs:
            try:
                proof.verify(delivery, secret, options, now_us)
            except ForgedError as error:
                if error.reason is not Forgery.MISSING_PROOF:
                    raise
            else:
                return
        raise ForgedError(Forgery.MISSING_PROOF)

    def moment(self, delivery: Delivery, options: SourceOptions, /) -> str | None:
        """That of the first proof that has one."""
        moments = (proof.moment(delivery, options) for proof in self._dated)
        return next((moment for moment in moments if moment), None)
