"""What the types of the settings cannot say: names that must exist, ranges, order, uniqueness."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from itertools import pairwise
from typing import Final

from funnelwatch.schemas import fields
from funnelwatch.schemas.currencies import CURRENCIES
from funnelwatch.schemas.problems import Problems, nearest
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.settings import (
    CalendarSettings,
    CallSettings,
    DetectorSettings,
    GatewaySettings,
    PipelineSettings,
    Rate,
    RepOverride,
    Settings,
)

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SYSTEMS: Final = ("gregorian", "jalali")
WINDOWS: Final = ("1h", "24h", "today", "7d", "30d", "90d", "wtd", "mtd", "prev_month")
SECURITIES: Final = (
    "plaintext",
    "tls",
    "plain",
    "scram-sha-256",
    "scram-sha-512",
    "plain+tls",
    "scram-sha-256+tls",
    "scram-sha-512+tls",
)
"""SASL mechanisms, alone or over TLS, beside the two without a user."""
DELIVERIES: Final = ("chunk", "stock")
WORKER_FOLDS: Final = ("compiled", "python")

NAME_CHARS_MAX: Final = 200
PIPELINES_MAX: Final = 50
STAGES_MAX: Final = 50
"""Of one pipeline; each is a label of metrics."""
RETENTION_DAYS_MAX: Final = 3_660
EXPECTED_HOURS_MAX: Final = 10_000
PARTITIONS_MAX: Final = 1_000
REPS_MAX: Final = 1_000_000
LEAVE_DAYS_MAX: Final = 400
"""Of one span: a longer one is a mistake in a year."""
EVIDENCE_MIN, EVIDENCE_MAX = 3.0, 100.0
"""What pages is above what warns."""
SHAPE_MIN, SHAPE_MAX = 0.1, 1_000.0
PAGES_MAX: Final = 10_000
PORT_MAX: Final = 65_535
SESSION_SECONDS_MIN: Final = 2.0
SECONDS_MAX: Final = 3_600.0
DISK_MB_MAX: Final = 10_000_000

_SPAN: Final = re.compile(r"([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])", re.ASCII)
_SERVER: Final = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):([0-9]{1,5})", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9_.-]+|\[?[0-9a-fA-F:.]+(?:%[A-Za-z0-9_.-]+)?\]?", re.ASCII)
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]*", re.ASCII)
_RATE: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)
_DAY_MINUTES: Final = 24 * 60


def check(settings: Settings, problems: Problems, countries: Mapping[str, Collection[str]] | None) -> None:
    """Note everything in ``settings`` that cannot be used."""
    _organisation(settings, problems)
    _calendar(settings.calendar, problems, countries)
    _pipelines(settings.pipelines, problems)
    _expectations(settings, problems)
    _detectors(settings.detectors, problems)
    for rep, override in settings.reps.items():
        _override(rep, override, problems)
    _rates(settings, problems)
    _kafka(settings, problems)
    _processes(settings, problems)
    if settings.sources or settings.gateway != GatewaySettings() or settings.calls != CallSettings():
        from funnelwatch.schemas.sources import checks as sources  # noqa: PLC0415  (all translators: not for everybody)

        sources.check(settings, problems)


def _organisation(settings: Settings, problems: Problems) -> None:
    problems.unless(0 < len(settings.name) <= NAME_CHARS_MAX, "name", f"must have 1 to {NAME_CHARS_MAX} characters")
    _currency(settings.currency, "currency", problems)
    if settings.clock not in {"system", "event"}:
        _refused(
            lambda: fields.instant(settings.clock, "it"),
            "clock",
            'must be "system", "event" or an instant with an offset, like "2026-11-23T10:00:00Z"',
            problems,
        )
    _between(settings.retention_days, 1, RETENTION_DAYS_MAX, "retention_days", problems)
    _between(settings.recordings_days, 0, RETENTION_DAYS_MAX, "recordings_days", problems)


def _calendar(calendar: CalendarSettings, problems: Problems, countries: Mapping[str, Collection[str]] | None) -> None:
    problems.unless(
        fields.zone_exists(calendar.zone),
        "calendar.zone",
        f"{calendar.zone!r} is not in the IANA time zone database; write one like 'Europe/Berlin'",
    )
    _one_of(calendar.system, SYSTEMS, "calendar.system", problems)
    _one_of(calendar.week_start, WEEKDAYS, "calendar.week_start", problems)
    problems.unless(calendar.working_days, "calendar.working_days", "must name at least one day")
    _weekdays(calendar.working_days, "calendar.working_days", problems)
    problems.unless(calendar.hours, "calendar.hours", "must have at least one span like '09:00-17:00'")
    _hours(calendar.hours, "calendar.hours", problems)
    for day, hours in calendar.hours_by_day.items():
        _one_of(day, WEEKDAYS, f"calendar.hours_by_day.{day}", problems)
        _hours(hours, f"calendar.hours_by_day.{day}", problems)
    _dates(calendar.holidays.extra, "calendar.holidays.extra", problems)
    _dates(calendar.holidays.worked, "calendar.holidays.worked", problems)
    _country(calendar.holidays.country, calendar.holidays.subdivision, problems, countries)


def _country(
    country: str, subdivision: str, problems: Problems, countries: Mapping[str, Collection[str]] | None
) -> None:
    path = "calendar.holidays"
    if not country:
        problems.unless(not subdivision, f"{path}.subdivision", "needs a country")
    elif countries is not None and country not in countries:
        meant = nearest(country.upper(), countries) if len(country) != 2 or country.islower() else ""  # noqa: PLR2004  (ISO 3166)
        problems.add(
            f"{path}.country", f"no holidays are known for {country!r}; write an ISO 3166 code like 'IR'{meant}"
        )
    elif countries is not None and subdivision and subdivision not in countries[country]:
        known = ", ".join(sorted(countries[country])) or "none"
        problems.add(f"{path}.subdivision", f"{country} has no subdivision {subdivision!r}; known: {known}")


def _pipelines(pipelines: tuple[PipelineSettings, ...], problems: Problems) -> None:
    problems.unless(len(pipelines) <= PIPELINES_MAX, "pipelines", f"there may be {PIPELINES_MAX} at most")
    _unique([pipeline.name for pipeline in pipelines], "pipelines", "name", problems)
    for number, pipeline in enumerate(pipelines):
        path = f"pipelines[{number}]"
        _name(pipeline.name, f"{path}.name", problems)
        problems.unless(
            not pipeline.name.startswith("@"), f"{path}.name", "must not begin with @, which marks our own pipelines"
        )
        problems.unless(
            1 <= len(pipeline.stages) <= STAGES_MAX, f"{path}.stages", f"must be 1 to {STAGES_MAX} stages in order"
        )
        _unique([stage.name for stage in pipeline.stages], f"{path}.stages", "name", problems)
        for position, stage in enumerate(pipeline.stages):
            _name(stage.name, f"{path}.stages[{position}].name", problems)
            _expected(stage.expected_hours, f"{path}.stages[{position}].expected_hours", problems)


def _expectations(settings: Settings, problems: Problems) -> None:
    _expected(settings.leads.new_hours, "leads.new_hours", problems)
    _expected(settings.leads.qualified_hours, "leads.qualified_hours", problems)
    _expected(settings.leads.accepted_hours, "leads.accepted_hours", problems)
    benchmarks = settings.benchmarks
    _between(benchmarks.outreach_per_day, 0, fields.COUNT_MAX, "benchmarks.outreach_per_day", problems)
    _between(benchmarks.conversion_rate, 0, 1, "benchmarks.conversion_rate", problems)
    _between(benchmarks.support_ratio, 0, 1, "benchmarks.support_ratio", problems)


def _override(rep: str, override: RepOverride, problems: Problems) -> None:
    _refused(lambda: fields.identifier(rep, "it"), f"reps.{rep}", "is no id of a rep", problems)
    _hours(override.hours, f"reps.{rep}.hours", problems)
    _weekdays(override.working_days, f"reps.{rep}.working_days", problems)
    _leave(override.leave, f"reps.{rep}.leave", problems)


def _leave(leave: tuple[str, ...], path: str, problems: Problems) -> None:
    for number, text in enumerate(leave):
        first, _, last = text.partition("..")
        ends = [first, last or first]
        _dates(tuple(ends), f"{path}[{number}]", problems)
        problems.unless(
            ends == sorted(ends) and days_of_leave(text) <= LEAVE_DAYS_MAX,
            f"{path}[{number}]",
            f"must be a date or first..last, at most {LEAVE_DAYS_MAX} days",
        )


def days_of_leave(text: str) -> int:
    """How many days a date, or a span of dates, has; 0 if it is none."""
    try:
        first, last = (date.fromisoformat(part) for part in (text.split("..") * 2)[:2])
    except ValueError:
        return 0
    return (last - first).days + 1


def _detectors(detectors: DetectorSettings, problems: Problems) -> None:
    for name in ("loss_critical", "stall_critical"):
        _between(getattr(detectors, name), EVIDENCE_MIN, EVIDENCE_MAX, f"detectors.{name}", problems)
    _between(detectors.stall_shape, SHAPE_MIN, SHAPE_MAX, "detectors.stall_shape", problems)
    _between(detectors.pages_per_manager_day, 0, PAGES_MAX, "detectors.pages_per_manager_day", problems)


def _rates(settings: Settings, problems: Problems) -> None:
    seen = Counter((rate.date, rate.currency) for rate in settings.rates)
    for number, rate in enumerate(settings.rates):
        _rate(rate, f"rates[{number}]", settings.currency, problems)
        problems.unless(seen[rate.date, rate.currency] == 1, f"rates[{number}]", "there are two rates of this day")


def _rate(rate: Rate, path: str, own: str, problems: Problems) -> None:
    _dates((rate.date,), f"{path}.date", problems)
    _currency(rate.currency, f"{path}.currency", problems)
    problems.unless(rate.currency != own, f"{path}.currency", f"is the organisation's own currency, {own}")
    problems.unless(
        _RATE.fullmatch(rate.rate) and float(rate.rate) > 0,
        f"{path}.rate",
        "must be a positive decimal text, like '1.08'",
    )


def _kafka(settings: Settings, problems: Problems) -> None:
    kafka = settings.kafka
    problems.unless(kafka.bootstrap, "kafka.bootstrap", "must name at least one broker")
    for number, server in enumerate(kafka.bootstrap):
        found = _SERVER.fullmatch(server)
        problems.unless(
            found and 0 < int(found[1]) <= PORT_MAX,
            f"kafka.bootstrap[{number}]",
            "must be host:port; user and password have settings of their own",
        )
    for name in ("prefix", "group"):
        problems.unless(
            _TOPIC.fullmatch(getattr(kafka, name)),
            f"kafka.{name}",
            "may have letters, digits, dots, dashes, underscores",
        )
    problems.unless(kafka.group, "kafka.group", "must not be empty")
    _between(kafka.partitions, 1, PARTITIONS_MAX, "kafka.partitions", problems)
    _between(kafka.replication, 1, PARTITIONS_MAX, "kafka.replication", problems)
    problems.unless(
        kafka.security in SECURITIES,
        "kafka.security",
        f"is none of {', '.join(SECURITIES)}; the password is taken from FUNNELWATCH_KAFKA_PASSWORD",
    )
    if kafka.security in SECURITIES and kafka.security not in {"plaintext", "tls"}:
        problems.unless(kafka.username, "kafka.username", f"is needed for security = {kafka.security!r}")


def _processes(settings: Settings, problems: Problems) -> None:
    redis, worker, board = settings.redis, settings.worker, settings.board
    for path, port in (("redis.port", redis.port), ("worker.port", worker.port), ("board.port", board.port)):
        _between(port, 1, PORT_MAX, path, problems)
    for path, text in (
        ("redis.host", redis.host),
        ("redis.prefix", redis.prefix),
        ("worker.host", worker.host),
        ("worker.data_dir", worker.data_dir),
        ("board.host", board.host),
    ):
        problems.unless(text.strip(), path, "must not be empty")
    for path, host in (("redis.host", redis.host), ("worker.host", worker.host), ("board.host", board.host)):
        problems.unless(
            not host.strip() or _HOST.fullmatch(host),
            path,
            "must be the name or address of a host, and nothing else; ports, users and passwords have their own places",
        )
    _between(redis.database, 0, fields.COUNT_MAX, "redis.database", problems)
    _one_of(worker.delivery, DELIVERIES, "worker.delivery", problems)
    _one_of(worker.fold, WORKER_FOLDS, "worker.fold", problems)
    _between(worker.standby_replicas, 0, PARTITIONS_MAX, "worker.standby_replicas", problems)
    _between(worker.session_seconds, SESSION_SECONDS_MIN, SECONDS_MAX, "worker.session_seconds", problems)
    problems.unless(
        0 < worker.commit_seconds < worker.session_seconds,
        "worker.commit_seconds",
        "must be above 0 and below worker.session_seconds",
    )
    problems.unless(0 <= worker.storm_share <= 1, "worker.storm_share", "must be a share, from 0 to 1")
    for path, seconds in (("seconds", worker.storm_seconds), ("probe_seconds", worker.storm_probe_seconds)):
        _between(seconds, 1, SECONDS_MAX, f"worker.storm_{path}", problems)
    _between(worker.disk_free_mb_min, 0, DISK_MB_MAX, "worker.disk_free_mb_min", problems)
    _between(worker.storm_events_min, 1, fields.COUNT_MAX, "worker.storm_events_min", problems)
    for number, window in enumerate(board.metric_windows):
        _one_of(window, WINDOWS, f"board.metric_windows[{number}]", problems)
    _between(board.reps_max, 1, REPS_MAX, "board.reps_max", problems)


def _name(name: str, path: str, problems: Problems) -> None:
    problems.unless(
        1 <= len(name) <= NAME_CHARS_MAX and fields.is_clean(name), path, f"must have 1 to {NAME_CHARS_MAX} characters"
    )


def _unique(names: Iterable[str], path: str, field: str, problems: Problems) -> None:
    for name, times in Counter(names).items():
        problems.unless(times == 1, path, f"{times} have the {field} {name!r}")


def _between(value: float | None, least: float, most: float, path: str, problems: Problems) -> None:
    if value is not None:
        problems.unless(
            math.isfinite(value) and least <= value <= most, path, f"must be between {least} and {most}, is {value}"
        )


def _expected(hours: float | None, path: str, problems: Problems) -> None:
    if hours is not None:
        problems.unless(
            math.isfinite(hours) and 0 < hours <= EXPECTED_HOURS_MAX,
            path,
            f"must be working hours above 0 and up to {EXPECTED_HOURS_MAX}, is {hours}",
        )


def _one_of(value: str, known: Collection[str], path: str, problems: Problems) -> None:
    problems.unless(value in known, path, f"{value!r} is none of {', '.join(known)}{nearest(value.lower(), known)}")


def _weekdays(days: tuple[str, ...], path: str, problems: Problems) -> None:
    for number, day in enumerate(days):
        _one_of(day, WEEKDAYS, f"{path}[{number}]", problems)
    _unique(days, path, "name", problems)


def _hours(spans: tuple[str, ...], path: str, problems: Problems) -> None:
    found = []
    for number, text in enumerate(spans):
        minutes = _span(text)
        if minutes is None:
            problems.add(
                f"{path}[{number}]",
                f"{text!r} is no span of a day; write one like '09:00-17:00', ending at '24:00' at most",
            )
        else:
            found.append(minutes)
    for (_, ended), (begins, _) in pairwise(sorted(found)):
        problems.unless(ended <= begins, path, "spans overlap")


def _span(text: str) -> tuple[int, int] | None:
    match = _SPAN.fullmatch(text)
    if match is None:
        return None
    hour, minute, end_hour, end_minute = map(int, match.groups())
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    return (start, end) if start < end <= _DAY_MINUTES else None


def _dates(texts: tuple[str, ...], path: str, problems: Problems) -> None:
    for text in texts:
        try:
            date.fromisoformat(text)
        except ValueError:
            problems.add(path, f"{text!r} is no date; write one like '2026-12-24'")


def _currency(code: str, path: str, problems: Problems) -> None:
    hint = "; write IRR (1 toman = 10 IRR)" if code.upper() == "IRT" else nearest(code.upper(), CURRENCIES)
    problems.unless(code in CURRENCIES, path, f"{code!r} is not in ISO 4217{hint}")


def _refused(read: Callable[[], object], path: str, message: str, problems: Problems) -> None:
    try:
        read()
    except RefusedError:
        problems.add(path, message)
