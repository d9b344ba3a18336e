"""The configuration as types, with its defaults. Loading and checking it is ``schemas.configuration``.

Settings that fix the meaning of figures (`calendar`, `pipelines`, `leads`, the default currency, the money scale)
are fingerprinted, so that figures of two meanings are never mixed (`Settings.fingerprint`).
"""

from __future__ import annotations

import hashlib

import msgspec

from funnelwatch.schemas.alerting import AlertingSettings, DigestSettings, MailSettings

MONEY_UNITS = 10_000
"""Amounts are integers in this fraction of the major unit: 4 fractional digits."""

FOLD_VERSION = 1
"""Raised when the stored form, or the meaning, of an entity's row changes."""


class Holidays(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Public holidays: a country of the ``holidays`` package, own dates (ISO), dates worked all the same."""

    country: str = ""
    subdivision: str = ""
    extra: tuple[str, ...] = ()
    worked: tuple[str, ...] = ()


class CalendarSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The organisation's calendar. ``hours`` are local half-open spans ``HH:MM-HH:MM`` of a working day.

    ``hours_by_day`` overrides them for a weekday (``{"thursday": ["09:00-13:00"]}``).
    """

    zone: str = "UTC"
    system: str = "gregorian"
    week_start: str = "monday"
    working_days: tuple[str, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday")
    hours: tuple[str, ...] = ("09:00-17:00",)
    hours_by_day: dict[str, tuple[str, ...]] = {}
    holidays: Holidays = Holidays()


class StageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stage of a pipeline with the working time a deal is expected to spend in it."""

    name: str
    expected_hours: float | None = None


class PipelineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pipeline with its open stages in order; won and lost are states, not stages."""

    name: str
    stages: tuple[StageSettings, ...]


class LeadSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Expected working time of a lead in each of its open states."""

    new_hours: float | None = None
    qualified_hours: float | None = None
    accepted_hours: float | None = None


class BenchmarkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the organisation expects of a rep who has no benchmark of his or her own."""

    outreach_per_day: float | None = None
    conversion_rate: float | None = None
    support_ratio: float = 0.7


class RepOverride(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hours and days of one rep where they differ from the organisation's (the zone comes from ``rep.upserted``)."""

    hours: tuple[str, ...] = ()
    working_days: tuple[str, ...] = ()


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From ``date`` (local, ISO) on, one unit of ``currency`` is ``rate`` units of the organisation's."""

    date: str
    currency: str
    rate: str


class KafkaSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Brokers and topics. The password is taken from ``FUNNELWATCH_KAFKA_PASSWORD`` and kept out of every repr."""

    bootstrap: tuple[str, ...] = ("127.0.0.1:9092",)
    prefix: str = ""
    group: str = "funnelwatch"
    partitions: int = 4
    replication: int = 1
    security: str = "plaintext"
    username: str = ""
    ca_file: str = ""


class RedisSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the read model lives; the password is taken from ``FUNNELWATCH_REDIS_PASSWORD``."""

    host: str = "127.0.0.1"
    port: int = 6379
    database: int = 0
    tls: bool = False
    username: str = ""
    prefix: str = "funnelwatch"


class WorkerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One worker process. ``delivery`` is ``chunk`` (ours) or ``stock`` (Faust's own, for comparison)."""

    data_dir: str = "funnelwatch-data"
    delivery: str = "chunk"
    standby_replicas: int = 0
    session_seconds: float = 10.0
    commit_seconds: float = 1.0
    host: str = "127.0.0.1"
    port: int = 8081


class BoardSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The board process: where it listens, which windows Prometheus sees, how many reps at most.

    ``public_url`` is where people reach it: what links in alerts and mails begin with.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""
    metric_windows: tuple[str, ...] = ("today", "7d", "30d", "mtd")
    reps_max: int = 20_000

    @property
    def url(self) -> str:
        """What links to the board begin with, without a slash at the end."""
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"


class Secrets(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """Passwords, from the environment only. The repr shows nothing."""

    kafka_password: str = ""
    redis_password: str = ""

    def __repr__(self) -> str:
        return "Secrets(…)"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything a process of Funnelwatch can be told."""

    name: str = "My organisation"
    currency: str = "EUR"
    clock: str = "system"
    retention_days: int = 800
    recordings_days: int = 30
    calendar: CalendarSettings = CalendarSettings()
    pipelines: tuple[PipelineSettings, ...] = ()
    leads: LeadSettings = LeadSettings()
    benchmarks: BenchmarkSettings = BenchmarkSettings()
    reps: dict[str, RepOverride] = {}
    rates: tuple[Rate, ...] = ()
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    worker: WorkerSettings = WorkerSettings()
    board: BoardSettings = BoardSettings()
    alerting: AlertingSettings = AlertingSettings()
    mail: MailSettings = MailSettings()
    digest: DigestSettings = DigestSettings()

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits of everything that fixes the meaning of a published cell."""
        meaning = (FOLD_VERSION, MONEY_UNITS, self.currency, self.calendar, self.pipelines, self.leads)
        return hashlib.sha256(msgspec.json.encode(meaning, order="deterministic")).hexdigest()[:12]
