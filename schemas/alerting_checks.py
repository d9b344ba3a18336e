"""What the types of the alerting settings cannot say."""

from __future__ import annotations

import math
import re
from typing import Final
from urllib.parse import urlsplit

from funnelwatch.schemas.alerting import Contact
from funnelwatch.schemas.problems import Problems
from funnelwatch.schemas.settings import Settings

SECONDS_MAX: Final = 3_600.0
HOURS_MAX: Final = 24.0 * 31
GROUP_INTERVAL_SECONDS_MIN: Final = 0.1
"""Alertmanager wakes each group so often."""
CONTACTS_MAX: Final = 10_000
LANGUAGES: Final = ("en", "fa")
ENCRYPTIONS: Final = ("none", "starttls", "tls")
LISTED_MAX: Final = 100
PORT_MAX: Final = 65_535

_ADDRESS: Final = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+", re.ASCII)
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


def check(settings: Settings, problems: Problems) -> None:
    """Note everything in the alerting settings that cannot be used."""
    alerting = settings.alerting
    for name, least in (
        ("scrape_seconds", 0.1),
        ("evaluation_seconds", 0.1),
        ("group_wait_seconds", 0.0),
        ("group_interval_seconds", GROUP_INTERVAL_SECONDS_MIN),
    ):
        _between(getattr(alerting, name), least, SECONDS_MAX, f"alerting.{name}", problems)
    _between(alerting.repeat_hours, 1 / 60, HOURS_MAX, "alerting.repeat_hours", problems)
    for path, url in (
        ("board.public_url", settings.board.public_url),
        ("alerting.alertmanager_url", alerting.alertmanager_url),
        ("alerting.alertmanager_api", alerting.alertmanager_api),
        ("alerting.grafana_url", alerting.grafana_url),
        ("alerting.runbook_url", alerting.runbook_url),
        ("alerting.watchdog_webhook", alerting.watchdog_webhook),
    ):
        _url(url, path, problems)
    _contact(alerting.everybody, "alerting.everybody", settings, problems)
    _contact(alerting.operators, "alerting.operators", settings, problems)
    for table, contacts in (("managers", alerting.managers), ("teams", alerting.teams)):
        problems.unless(len(contacts) <= CONTACTS_MAX, f"alerting.{table}", f"there may be {CONTACTS_MAX} at most")
        for name, contact in contacts.items():
            _contact(contact, f"alerting.{table}.{name}", settings, problems)
    _mail(settings, problems)


def _contact(contact: Contact, path: str, settings: Settings, problems: Problems) -> None:
    for number, address in enumerate(contact.email):
        problems.unless(_ADDRESS.fullmatch(address), f"{path}.email[{number}]", "is no mail address")
    _url(contact.webhook, f"{path}.webhook", problems)
    problems.unless(contact.language in LANGUAGES, f"{path}.language", f"must be one of {', '.join(LANGUAGES)}")
    problems.unless(
        not contact.email or settings.mail.host, f"{path}.email", "needs a server that takes mail: set mail.host"
    )
    problems.unless(
        not contact.slack_channel or settings.alerting.slack_url_file,
        f"{path}.slack_channel",
        "needs the webhook's address in a file: set alerting.slack_url_file",
    )
    problems.unless(
        not contact.telegram_chat or settings.alerting.telegram_token_file,
        f"{path}.telegram_chat",
        "needs the bot's token in a file: set alerting.telegram_token_file",
    )


def _mail(settings: Settings, problems: Problems) -> None:
    mail, digest = settings.mail, settings.digest
    _between(mail.port, 1, PORT_MAX, "mail.port", problems)
    problems.unless(
        mail.encryption in ENCRYPTIONS, "mail.encryption", f"{mail.encryption!r} is none of {', '.join(ENCRYPTIONS)}"
    )
    problems.unless(_ADDRESS.fullmatch(mail.sender), "mail.sender", "is no mail address")
    problems.unless(not mail.username or mail.password_file, "mail.password_file", "is needed for mail.username")
    problems.unless(_TIME.fullmatch(digest.time), "digest.time", f"{digest.time!r} is no time; write one like '07:30'")
    _between(digest.reps_max, 1, LISTED_MAX, "digest.reps_max", problems)
    _between(digest.recordings_max, 0, LISTED_MAX, "digest.recordings_max", problems)


def _url(text: str, path: str, problems: Problems) -> None:
    """Empty, or an absolute address without a query: links are made by appending to it."""
    if text:
        try:
            parts = urlsplit(text)
            is_fit = (
                parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.query and text.isprintable()
            )
        except ValueError:
            is_fit = False
        problems.unless(is_fit and " " not in text, path, "must be an address like 'https://sales.example.com'")


def _between(value: float, least: float, most: float, path: str, problems: Problems) -> None:
    problems.unless(
        math.isfinite(value) and least <= value <= most, path, f"must be between {least:g} and {most:g}, is {value}"
    )
