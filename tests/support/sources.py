"""Deliveries to translators, and what they become, in a form that tests can read."""

from __future__ import annotations

import json
from typing import Any

from funnelwatch.schemas.encode import time_text
from funnelwatch.schemas.sources.contract import Delivery, Outgoing, Passed, Result, SourceOptions, Wanted
from funnelwatch.schemas.sources.registry import SYSTEMS


def options(system: str, **settings: Any) -> SourceOptions:
    return SourceOptions(**({"name": "crm", "system": system, "currency": "EUR"} | settings))


def delivery(body: object, url: str = "", **attributes: Any) -> Delivery:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Delivery(url=url, body=raw, **attributes)


def translate(system: str, body: object, url: str = "", received_us: int = 0, **settings: Any) -> list[Result]:
    """What a body becomes; every event is read as a worker would read it."""
    found = SYSTEMS[system].translate(delivery(body, url, received_us=received_us), options(system, **settings))
    for one in found:
        if isinstance(one, Outgoing):
            one.event("sara")
    return found


def outgoing(results: list[Result], type_: str = "") -> list[Outgoing]:
    return [one for one in results if isinstance(one, Outgoing) and type_ in {"", one.type}]


def only(results: list[Result], type_: str) -> Outgoing:
    (found,) = outgoing(results, type_)
    return found


def passed(results: list[Result]) -> list[str]:
    return [one.reason for one in results if isinstance(one, Passed)]


def wanted(results: list[Result]) -> list[tuple[str, str]]:
    return [(one.entity, one.id) for one in results if isinstance(one, Wanted)]


def lines(results: list[Result]) -> list[str]:
    """Types with their instants."""
    return [f"{one.type} {time_text(one.at)}" for one in outgoing(results)]
