"""Secrets in every place an event, a header or a configuration has for one; each is a word that is nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random

from funnelwatch.schemas.careful import MEMBERS
from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.schemas.events import TYPES, Kind, Refusal
from funnelwatch.streams.simulator import Published

UNSEEN = {
    Kind.LEAD: ("campaign", "reason"),
    Kind.DEAL: ("expected_close", "snooze_reason"),
    Kind.CALL: (),
    Kind.EMAIL: ("template",),
    Kind.REP: (),
}
"""Members of which nothing is made that anybody sees. The others are ids, names and labels: figures are about them."""
HEADERS = ("authorization", "cookie", "x-api-key", "dlq_token", "traceparent")
WRONG = ("{secret}", ["{secret}"], {"{secret}": "{secret}"})


class Secrets:
    """Hands out secrets and remembers where each was put."""

    def __init__(self, seed: int) -> None:
        self._random = Random(f"{seed}/secrets")
        self.places: dict[str, str] = {}

    def new(self, place: str) -> str:
        secret = f"hush{self._random.randrange(16**12):012x}"
        self.places[secret] = place
        return secret

    def in_text(self, text: bytes) -> list[str]:
        """The places whose secrets a text gives away."""
        return [place for secret, place in self.places.items() if secret.encode() in text]


Message = tuple[Kind, bytes, list[tuple[str, bytes]]]


def good(events: list[Published], secrets: Secrets) -> Iterator[Message]:
    """Events that are taken, with secrets where none is shown; each member of each kind has one at least once."""
    planted = set()
    for event in events:
        value = json.loads(event.value)
        if value["type"] not in planted:
            planted.add(value["type"])
            where = f"of a good {value['type']}"
            value["source"] = f"//ann:{secrets.new(f'the source {where}')}@crm.example"
            value["id"] += secrets.new(f"the id {where}")
            value["authtoken"] = secrets.new(f"an extension attribute {where}")
            value["data"] |= {"password": secrets.new(f"an unknown member {where}")}
            value["data"] |= {name: secrets.new(f"data.{name} {where}") for name in UNSEEN[event.kind]}
            if event.kind is Kind.CALL:
                user = secrets.new(f"the user in data.recording_url {where}")
                password = secrets.new(f"the password in data.recording_url {where}")
                value["data"]["recording_url"] = f"https://{user}:{password}@pbx.example/1.mp3"
        headers = [(name, secrets.new(f"the header {name} of a good event").encode()) for name in HEADERS[:1]]
        yield event.kind, json.dumps(value).encode(), headers


def bad(secrets: Secrets) -> Iterator[Message]:
    """Events that are refused for a secret in the wrong place."""
    for kind, value, headers in _with_secrets_everywhere(secrets):
        if all(isinstance(found, Refusal) for found in decode(kind, value, headers, UNLIMITED)):
            yield kind, value, headers


def _with_secrets_everywhere(secrets: Secrets) -> Iterator[Message]:
    """For each place events with a secret in it. Some of them are taken: an id may be anything."""
    for kind in Kind:
        for place in ("specversion", "id", "source", "type", "subject", "time", "data", "data_base64"):
            for wrong in WRONG:
                yield _bad(kind, place, {place: _filled(wrong, secrets.new(f"{place} of a refused {kind}"))}, secrets)
        for member in MEMBERS[kind]:
            for wrong in WRONG:
                filled = _filled(wrong, secrets.new(f"data.{member} of a refused {kind}"))
                yield _bad(kind, member, {"data": {member: filled}}, secrets)
        yield kind, secrets.new("a message that is no JSON").encode(), []
        media = f"application/{secrets.new('a content-type')}".encode()
        yield kind, b"{}", [("content-type", media), ("ce_id", b"1")]
        yield kind, b"{}", [("ce_specversion", b"1.0"), ("ce_id", secrets.new("a ce_id").encode() + b"\xff")]


def _bad(kind: Kind, place: str, changes: dict, secrets: Secrets) -> Message:
    value = {
        "specversion": "1.0",
        "id": f"bad-{place}",
        "source": "//crm.example",
        "type": TYPES[kind][0],
        "subject": "s",
        "time": "2026-06-01T00:00:00Z",
        "data": {},
    }
    headers = [(name, secrets.new(f"the header {name} of a refused event").encode()) for name in HEADERS]
    return kind, json.dumps(value | changes | {"time": changes.get("time", value["time"])}).encode(), headers


def _filled(wrong: object, secret: str) -> object:
    return json.loads(json.dumps(wrong).replace("{secret}", secret))


def configurations(secrets: Secrets) -> Iterator[tuple[str, dict[str, str]]]:
    """Configurations that must be refused, as TOML and environment, with secrets where people put them by mistake."""
    yield (
        _told(
            """
        password = "{secret}"
        kafka_password = "{secret}"
        [kafka]
        bootstrap = ["ann:{secret}@127.0.0.1:9092", "sasl://ann:{secret}@127.0.0.1:9092"]
        security = "plain:{secret}"
        password = "{secret}"
        sasl = { user = "ann", password = "{secret}" }
        [redis]
        host = "redis://:{secret}@127.0.0.1:6379"
        password = "{secret}"
        url = "redis://:{secret}@127.0.0.1"
        [worker]
        host = "ann:{secret}@127.0.0.1"
        """,
            secrets,
        ),
        {},
    )
    yield _told('redis.host = "ann:{secret}@127.0.0.1"\nkafka.bootstrap = "sasl://ann:{secret}@h:1"\n', secrets), {}
    yield _told("kafka.password = {secret}\n", secrets), {}
    yield (
        "",
        {
            "FUNNELWATCH_KAFKA__BOOTSTRAP": _told("ann:{secret}@127.0.0.1:9092", secrets),
            "FUNNELWATCH_KAFKA__PASSWORD": _told("{secret}", secrets),
            "FUNNELWATCH_REDIS__PORT": _told("{secret}", secrets),
            "FUNNELWATCH_REDIS__HOST": _told("redis://:{secret}@127.0.0.1", secrets),
        },
    )


def _told(text: str, secrets: Secrets) -> str:
    lines = (line.replace("{secret}", secrets.new(f"the setting {line.strip()!r}")) for line in text.splitlines())
    return "\n".join(lines)
