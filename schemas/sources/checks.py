"""What the types of a source's settings cannot say: systems, options, zones and values that must exist."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Final
from urllib.parse import urlsplit

from funnelwatch.schemas import careful, fields
from funnelwatch.schemas.currencies import CURRENCIES
from funnelwatch.schemas.problems import Problems, nearest
from funnelwatch.schemas.settings import CallSettings, GatewaySettings, Settings, SourceSettings
from funnelwatch.schemas.sources.contract import System
from funnelwatch.schemas.sources.numbers import country_exists
from funnelwatch.schemas.sources.options import options_of
from funnelwatch.schemas.sources.registry import SYSTEMS

SOURCES_MAX: Final = 200
"""Each is a label of metrics."""
LEAD_STATES: Final = ("new", "qualified", "accepted", "converted", "disqualified")

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_PREFIX: Final = re.compile(r"[A-Za-z0-9_.-]{0,64}", re.ASCII)
_PORT_MAX: Final = 65_535
_MEMBERS: Final = {name for members in careful.MEMBERS.values() for name in members}


def check(settings: Settings, problems: Problems) -> None:
    """Note everything in the gateway's and the sources' settings that cannot be used."""
    _gateway(settings.gateway, problems)
    _calls(settings.calls, problems)
    problems.unless(len(settings.sources) <= SOURCES_MAX, "sources", f"there may be {SOURCES_MAX} at most")
    for name, times in Counter(source.name for source in settings.sources).items():
        problems.unless(times == 1, "sources", f"{times} have the name {name!r}")
    stages = {stage.name for pipeline in settings.pipelines for stage in pipeline.stages}
    for number, source in enumerate(settings.sources):
        _source(source, settings, stages, f"sources[{number}]", problems)


def _gateway(gateway: GatewaySettings, problems: Problems) -> None:
    for name in ("host", "data_dir"):
        problems.unless(getattr(gateway, name).strip(), f"gateway.{name}", "must not be empty")
    for name, least, most in (
        ("port", 1, _PORT_MAX),
        ("body_bytes_max", 1_024, 64 * 1_048_576),
        ("header_seconds", 0.1, 3_600),
        ("body_seconds", 0.1, 3_600),
        ("kafka_seconds", 0.05, 60),
        ("connections_max", 1, 1_000_000),
        ("connections_per_address_max", 0, 1_000_000),
        ("spool_bytes_max", 1_048_576, 2**50),
        ("unknown_events_max", 0, fields.COUNT_MAX),
    ):
        _between(getattr(gateway, name), least, most, f"gateway.{name}", problems)
    if gateway.public_url:
        parts = urlsplit(gateway.public_url)
        problems.unless(
            parts.scheme in {"http", "https"} and parts.netloc and not parts.query and "@" not in parts.netloc,
            "gateway.public_url",
            "must be an address without user and query, like 'https://hooks.firm.example'",
        )


def _calls(calls: CallSettings, problems: Problems) -> None:
    for name, least, most in (
        ("tolerance_seconds", 0, 3_600),
        ("memory_days", 0.1, 3_660),
        ("calls_max", 100, fields.COUNT_MAX),
    ):
        _between(getattr(calls, name), least, most, f"calls.{name}", problems)
    problems.unless(
        not calls.country or country_exists(calls.country),
        "calls.country",
        f"{calls.country!r} is no country whose numbers are known; write an ISO 3166 code like 'IR'",
    )


def _source(source: SourceSettings, settings: Settings, stages: set[str], path: str, problems: Problems) -> None:
    problems.unless(
        _NAME.fullmatch(source.name), f"{path}.name", "must be 1 to 64 of a-z, 0-9, dash and underscore: it is in a URL"
    )
    problems.unless(_PREFIX.fullmatch(source.prefix), f"{path}.prefix", "may have letters, digits, dots and dashes")
    problems.unless(
        not source.zone or fields.zone_exists(source.zone), f"{path}.zone", f"{source.zone!r} is no IANA zone"
    )
    problems.unless(
        not source.currency or source.currency in CURRENCIES,
        f"{path}.currency",
        f"{source.currency!r} is not in ISO 4217{nearest(source.currency.upper(), CURRENCIES)}",
    )
    _values(source.lead_states, LEAD_STATES, f"{path}.lead_states", problems)
    _values(source.outcomes, careful.OUTCOMES, f"{path}.outcomes", problems)
    if stages:
        _values(source.stages, tuple(sorted(stages)), f"{path}.stages", problems)
    problems.unless(
        not (source.secret_env and source.secret_file), f"{path}.secret_file", "is there beside secret_env: give one"
    )
    _between(source.requests_per_second_max, 0.1, 1e6, f"{path}.requests_per_second_max", problems)
    _between(source.requests_at_once_max, 1, 100_000, f"{path}.requests_at_once_max", problems)
    _between(source.silent_hours, 0, 10_000, f"{path}.silent_hours", problems)
    system = SYSTEMS.get(source.system)
    if system is None:
        known = nearest(source.system, SYSTEMS) or f"; there are {', '.join(sorted(SYSTEMS))}"
        problems.add(f"{path}.system", f"{source.system!r} is no system{known}")
    else:
        _system(source, system, settings, path, problems)


def _system(source: SourceSettings, system: System, settings: Settings, path: str, problems: Problems) -> None:
    for name in source.options:
        problems.unless(
            name in system.options,
            f"{path}.options.{name}",
            f"{system.title} has no such option{nearest(name, system.options)}",
        )
    known = _MEMBERS | set(system.fields)
    beginnings = tuple(name for name in system.fields if name.endswith(":"))
    for member in source.fields:
        problems.unless(
            member in known or member.startswith(beginnings),
            f"{path}.fields.{member}",
            f"is no member{nearest(member, known)}",
        )
    problems.unless(
        source.mapping_file or not system.needs_mapping, f"{path}.mapping_file", f"is needed for {system.title}"
    )
    if system.check is not None:
        for sentence in system.check(options_of(source, settings)):
            problems.add(path, sentence)


def _values(found: dict[str, str], known: tuple[str, ...], path: str, problems: Problems) -> None:
    for name, value in found.items():
        problems.unless(
            value in known, f"{path}.{name}", f"{value!r} is none of {', '.join(known)}{nearest(value, known)}"
        )


def _between(value: float, least: float, most: float, path: str, problems: Problems) -> None:
    problems.unless(
        math.isfinite(value) and least <= value <= most, path, f"must be between {least:g} and {most:g}, is {value:g}"
    )
