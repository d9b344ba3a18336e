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

SECRET_PREFIX = "FUNNELWATCH_SECRET_"  # noqa: S105  (where a source's secret is, not what it is)
"""Begins the environment variables that hold the secrets of sources."""

FOLD_VERSION = 2
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
    """Hours and days of one rep where they differ from the organisation's (the zone comes from ``rep.upserted``).

    ``leave``: dates, or spans ``first..last`` of them with both ends, on which the rep does not work.
    """

    hours: tuple[str, ...] = ()
    working_days: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()


class DetectorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a manager is paged; ``funnelwatch calibrate`` tells what other values would do.

    ``loss_critical`` and ``stall_critical`` are evidence (−log10 of a probability). ``stall_shape`` is that of the
    gamma factor by which a rep's pace varies from day to day; the smaller, the more. ``pages_per_manager_day``: what
    is over goes to the digest; 0 is no limit.
    """

    loss_critical: float = 4.25
    stall_critical: float = 4.0
    stall_shape: float = 4.0
    pages_per_manager_day: int = 5


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
    """One worker process. ``delivery`` is ``chunk`` (ours) or ``stock`` (Faust's own, for comparison).

    ``fold`` is ``compiled`` (where that is installed) or ``python``: both come to the same.
    """

    data_dir: str = "funnelwatch-data"
    delivery: str = "chunk"
    fold: str = "compiled"
    standby_replicas: int = 0
    session_seconds: float = 10.0
    commit_seconds: float = 1.0
    storm_share: float = 0.5
    storm_seconds: float = 60.0
    storm_events_min: int = 100
    storm_probe_seconds: float = 60.0
    disk_free_mb_min: int = 100
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


class GatewaySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The process that webhooks are pointed at.

    ``public_url`` is how vendors reach it: some sign the address. ``people`` is the file of the table of people; with
    none, whoever a vendor names is a rep under the vendor's id. ``data_dir`` holds what Kafka has not got yet.
    ``connections_per_address_max`` of 0 is no limit: behind a proxy all have the same address.
    """

    host: str = "127.0.0.1"
    port: int = 8082
    public_url: str = ""
    people: str = ""
    data_dir: str = "funnelwatch-gateway"
    body_bytes_max: int = 1_048_576
    header_seconds: float = 10.0
    body_seconds: float = 15.0
    connections_max: int = 2_000
    connections_per_address_max: int = 0
    kafka_seconds: float = 2.0
    spool_bytes_max: int = 1_073_741_824
    unknown_events_max: int = 1_000_000


class SourceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One system that sends to the gateway, or that it polls. All but the last six are `SourceOptions`, see there.

    The secret is in the environment (``secret_env``, by default ``FUNNELWATCH_SECRET_`` and the name in capitals) or in
    ``secret_file``; several lines are several secrets, each as good, so that one can be replaced without a gap.
    ``mapping_file`` is a mapping's TOML, or the name of one that ships. ``silent_hours`` of working time without a
    delivery are an alert; 0 is never.
    """

    name: str
    system: str
    zone: str = ""
    prefix: str = ""
    currency: str = ""
    stages: dict[str, str] = {}
    won: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    lead_states: dict[str, str] = {}
    outcomes: dict[str, str] = {}
    fields: dict[str, str] = {}
    options: dict[str, str | int | float | bool | tuple[str, ...]] = {}
    mapping_file: str = ""
    secret_env: str = ""
    secret_file: str = ""
    requests_per_second_max: float = 5_000.0
    requests_at_once_max: int = 500
    silent_hours: float = 8.0

    @property
    def secret_variable(self) -> str:
        """The environment variable that holds the secret."""
        plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in self.name)
        return self.secret_env or f"{SECRET_PREFIX}{plain.upper()}"


class CallSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When calls that two sources tell of are one: see `streams.matching`.

    ``country`` (ISO 3166) is whose national numbers are compared with international ones; without it the last nine
    digits decide. A call is remembered for ``memory_days`` after it began, and ``calls_max`` of them at most.
    """

    match: bool = True
    tolerance_seconds: float = 120.0
    country: str = ""
    memory_days: float = 35.0
    calls_max: int = 1_000_000


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
    detectors: DetectorSettings = DetectorSettings()
    reps: dict[str, RepOverride] = {}
    rates: tuple[Rate, ...] = ()
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    worker: WorkerSettings = WorkerSettings()
    board: BoardSettings = BoardSettings()
    gateway: GatewaySettings = GatewaySettings()
    sources: tuple[SourceSettings, ...] = ()
    calls: CallSettings = CallSettings()
    alerting: AlertingSettings = AlertingSettings()
    mail: MailSettings = MailSettings()
    digest: DigestSettings = DigestSettings()

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits of everything that fixes the meaning of a published cell."""
        meaning = (FOLD_VERSION, MONEY_UNITS, self.currency, self.calendar, self.pipelines, self.leads)
        return hashlib.sha256(msgspec.json.encode(meaning, order="deterministic")).hexdigest()[:12]
