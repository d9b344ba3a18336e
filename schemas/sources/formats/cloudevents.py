"""Events of ours over HTTP, for whoever programs the sender: CloudEvents 1.0, structured, binary, or a batch.

The events are already ours (``events.md``): nothing is translated but people. Ids stay as they are, so the sender puts
the system in front (``crm:42``), and ``rep_id`` is looked up in the table of people like any other reference.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

from funnelwatch.schemas import careful, envelope, fields
from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import Delivery, Outgoing, Reply, Result, SourceOptions, System

EVENTS_MAX: Final = 10_000
"""Events in one batch."""
MEDIA: Final = ("application/cloudevents+json", "application/cloudevents-batch+json")
_ATTRIBUTE: Final = "ce-"


def translate(delivery: Delivery, _options: SourceOptions, /) -> list[Result]:
    """The events of a request; a batch with one that cannot be taken is refused as a whole.

    Raises:
        RefusedError: It is no CloudEvent of ours.
    """
    return [_outgoing(one) for one in _envelopes(delivery)]


def _envelopes(delivery: Delivery) -> list[dict[str, Any]]:
    media = delivery.media_type
    if media.startswith("application/cloudevents"):
        if media not in MEDIA:
            raise RefusedError(Reason.WRONG_CONTENT_TYPE, f"events are read as JSON, not as {fields.described(media)}")
    elif any(name.startswith(_ATTRIBUTE) for name in delivery.headers):
        return [_binary(delivery)]
    found = reading.json_body(delivery.body)
    events = reading.sequence(found, "the batch", EVENTS_MAX) if isinstance(found, list) else [found]
    return [envelope.opened(reading.mapping(event, "an event")) for event in events]


def _binary(delivery: Delivery) -> dict[str, Any]:
    """Attributes are percent-encoded in headers, as the HTTP binding has it (section 3.1.3.2)."""
    envelope.check_data_type(delivery.media_type)
    try:
        attributes: dict[str, Any] = {
            name.removeprefix(_ATTRIBUTE): unquote(value, errors="strict")
            for name, value in delivery.headers.items()
            if name.startswith(_ATTRIBUTE)
        }
    except UnicodeDecodeError:
        raise RefusedError(Reason.UNREADABLE_TEXT, "an attribute in the headers is not UTF-8") from None
    attributes["data"] = reading.json_body(delivery.body) if delivery.body else None
    return attributes


def _outgoing(found: dict[str, Any]) -> Outgoing:
    type_ = found.get("type")
    kind = careful.KIND_OF_TYPE.get(type_) if isinstance(type_, str) else None
    if kind is None and type_ is not None:
        raise RefusedError(
            Reason.UNKNOWN_TYPE, f"unknown type {fields.described(type_)}; events.md lists those there are"
        )
    event = careful.read_event(kind or next(iter(careful.KIND_OF_TYPE.values())), found)
    data = dict(found.get("data") or {})
    rep = data.pop("rep_id", None)
    return Outgoing(
        type=event.type,
        subject=event.subject,
        at=event.at,
        id=event.id,
        source=event.source,
        data=data,
        rep=() if rep is None else (fields.identifier(rep, "data.rep_id"),),
    )


class _Proof(proofs.AnyOf):
    """A signature or a token, and the handshake of CloudEvents' webhook specification: consent to being called."""

    def handshake(self, delivery: Delivery, _secret: str, _options: SourceOptions, /) -> Reply | None:
        """Consent, to whoever asks: a call still needs the token."""
        origin = delivery.headers.get("webhook-request-origin")
        if delivery.method != "OPTIONS" or not origin:
            return None
        return Reply(200, {"allow": "POST", "webhook-allowed-origin": origin, "webhook-allowed-rate": "*"})


PROOF: Final = _Proof(
    proofs.Signature(proofs.header("x-signature-256", "sha256="), proofs.hmac_hex),
    proofs.Token(proofs.bearer_of, proofs.query("access_token")),
)

SYSTEM: Final = System(
    name="cloudevents",
    title="CloudEvents over HTTP",
    translate=translate,
    proof=PROOF,
    page="cloudevents.md",
    methods=("POST", "OPTIONS"),
)
