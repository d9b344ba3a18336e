"""Who is told when something is wrong, by which way, and how soon: settings of rules, routing and the digest.

None of it changes the meaning of a figure. Secrets (a bot's token, a channel's address, a mail password) are never
settings: a setting names the file that holds one.
"""

from __future__ import annotations

import msgspec


class Contact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ways to reach somebody; every one that is given is used. ``language`` is that of the texts (en, fa)."""

    email: tuple[str, ...] = ()
    telegram_chat: int = 0
    slack_channel: str = ""
    webhook: str = ""
    webhook_token_file: str = ""
    language: str = "en"

    @property
    def is_reachable(self) -> bool:
        """Whether there is any way at all."""
        return bool(self.email or self.telegram_chat or self.slack_channel or self.webhook)


class AlertingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often Prometheus looks, how Alertmanager groups and repeats, where links lead, and who is told.

    ``managers`` is keyed by what ``crm.reps`` says in ``manager``, ``teams`` by the team's name.
    """

    scrape_seconds: float = 5.0
    evaluation_seconds: float = 5.0
    group_wait_seconds: float = 1.0
    group_interval_seconds: float = 1.0
    repeat_hours: float = 12.0
    alertmanager_url: str = "http://127.0.0.1:9093"
    alertmanager_api: str = ""
    grafana_url: str = "http://127.0.0.1:3000"
    runbook_url: str = ""
    watchdog_webhook: str = ""
    slack_url_file: str = ""
    telegram_token_file: str = ""
    everybody: Contact = Contact()
    operators: Contact = Contact()
    managers: dict[str, Contact] = {}
    teams: dict[str, Contact] = {}


class MailSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The server that takes mail. ``encryption`` is ``none``, ``starttls`` or ``tls``."""

    host: str = ""
    port: int = 587
    encryption: str = "starttls"
    username: str = ""
    password_file: str = ""
    sender: str = "funnelwatch@localhost"


class DigestSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The daily digest: when it is sent on working days, local time of the organisation."""

    time: str = "07:30"
    reps_max: int = 10
    recordings_max: int = 5
