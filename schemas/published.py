"""The JSON Schemas and the AsyncAPI description that ship in ``docs/schemas``, made from the types."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from funnelwatch.schemas.document import Alert, Document
from funnelwatch.schemas.events import TOPICS, Kind
from funnelwatch.schemas.reasons import Reason
from funnelwatch.schemas.wire import EVENTS

KPI_TOPIC: Final = "kpi.reps"
ALERT_TOPIC: Final = "kpi.alerts"
DEAD_LETTER_TOPIC: Final = "crm.dead-letters"

CONTRACT_VERSION: Final = "1.0.0"
"""Of the wire, not of the program. A change that breaks a publisher or a reader raises the first number."""

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE: Final = "#/components/schemas/{name}"
_DESCRIPTION: Final = """\
Funnelwatch reads what CRMs and telephone systems publish on the `crm.*` topics and publishes live, exact sales KPIs.
Every value is a CloudEvents 1.0 event as JSON: structured, binary (`ce_` headers), or an array of events (batch).
The key is the entity's id, partitioned with murmur2. All names may carry a configured prefix."""

_INPUT: Final = {
    Kind.LEAD: "What happens to leads.",
    Kind.DEAL: "What happens to deals.",
    Kind.CALL: "Calls of reps.",
    Kind.EMAIL: "Emails of reps.",
    Kind.REP: "Who the reps are, their teams, quotas and benchmarks.",
}
_TEXT: Final = {"type": "string"}
_DEAD_LETTER_HEADERS: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["dlq_reason", "dlq_detail", "dlq_topic", "dlq_partition", "dlq_offset", "dlq_time"],
    "properties": {
        "dlq_reason": {"type": "string", "enum": [reason.value for reason in Reason], "description": "A stable code."},
        "dlq_detail": {**_TEXT, "description": "A sentence for a person."},
        "dlq_topic": _TEXT,
        "dlq_partition": {**_TEXT, "description": "Decimal."},
        "dlq_offset": {**_TEXT, "description": "Decimal."},
        "dlq_time": {**_TEXT, "format": "date-time", "description": "When it was refused."},
    },
    "description": "These, after the headers of the refused message.",
}


def files() -> dict[str, str]:
    """Name to content of every file in ``docs/schemas``."""
    found = {f"{TOPICS[kind]}.json": _schema(event) for kind, event in EVENTS.items()}
    found[f"{KPI_TOPIC}.json"] = _schema(Document)
    found[f"{ALERT_TOPIC}.json"] = _schema(Alert)
    found["asyncapi.json"] = asyncapi()
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in found.items()}


def _schema(type_: type[msgspec.Struct]) -> dict[str, Any]:
    return {"$schema": _DIALECT, **msgspec.json.schema(type_)}


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 description of all topics, as seen by Funnelwatch: it receives ``crm.*`` and sends the rest."""
    types = [*EVENTS.values(), Document, Alert]
    _, schemas = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    messages: dict[str, Any] = {}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for kind, event in EVENTS.items():
        name = kind.value
        messages[name] = _event_message(event, _INPUT[kind])
        messages[f"{name}s"] = _batch_message(event)
        channels[TOPICS[kind]] = _channel(TOPICS[kind], _INPUT[kind], name, f"{name}s")
        operations[f"receive_{name}s"] = _operation("receive", TOPICS[kind], f"Fold what happens to {name}s.")
    for topic, name, type_ in ((KPI_TOPIC, "kpis", Document), (ALERT_TOPIC, "alert", Alert)):
        summary = _summary(type_)
        messages[name] = {"summary": summary, "contentType": "application/json", "payload": _reference(type_)}
        channels[topic] = _channel(topic, summary, name)
        operations[f"send_{name}"] = _operation("send", topic, summary)
    channels[KPI_TOPIC]["bindings"] = {"kafka": {"topicConfiguration": {"cleanup.policy": ["compact"]}}}
    messages["dead_letter"] = {
        "summary": "A refused message: its value, key and headers as they came, and why it was refused.",
        "contentType": "application/octet-stream",
        "headers": _DEAD_LETTER_HEADERS,
        "payload": {"description": "The bytes of the refused message, whatever they are."},
    }
    channels[DEAD_LETTER_TOPIC] = _channel(DEAD_LETTER_TOPIC, "What could not be taken, and why.", "dead_letter")
    operations["send_dead_letter"] = _operation("send", DEAD_LETTER_TOPIC, "Keep what cannot be taken.")
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Funnelwatch", "version": CONTRACT_VERSION, "description": _DESCRIPTION},
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def _event_message(event: type[msgspec.Struct], summary: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "contentType": "application/cloudevents+json",
        "payload": _reference(event),
        "bindings": {"kafka": {"key": {"type": "string", "description": "The event's subject."}}},
    }


def _batch_message(event: type[msgspec.Struct]) -> dict[str, Any]:
    return {
        "summary": "Several events in one message, taken apart as if each had come alone.",
        "contentType": "application/cloudevents-batch+json",
        "payload": {"type": "array", "items": _reference(event)},
    }


def _channel(topic: str, description: str, *messages: str) -> dict[str, Any]:
    return {
        "address": topic,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


def _operation(action: str, topic: str, summary: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic}"}, "summary": summary}


def _reference(type_: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=type_.__name__)}


def _summary(type_: type[msgspec.Struct]) -> str:
    return (type_.__doc__ or "").strip().partition("\n")[0]
