"""Alertmanager's configuration: who is told what, by which way. A new manager or team in ``crm.reps`` is a new route.

Pages of managers go to the manager and to the team's own contact; warnings go to the daily digest; what concerns the
pipeline goes to the operators. For Alertmanager 0.25 and later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from funnelwatch.schemas.alerting import Contact
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.alerting.files import duration
from funnelwatch.streams.alerting.pipeline import WATCHDOG
from funnelwatch.streams.alerting.rule import MANAGER, OPERATOR
from funnelwatch.streams.alerting.yaml_text import as_yaml
from funnelwatch.streams.exposition import label_text

HEAD: Final = "# Written by `funnelwatch alertmanager` from crm.reps and the settings: change those, not this file.\n"
TEMPLATES: Final = "funnelwatch.tmpl"
"""The file with the texts, beside the configuration."""

EVERYBODY, OPERATORS, DIGEST, DEAD_MAN = "everybody", "operators", "digest", "watchdog"
WATCHDOG_SECONDS: Final = 60
ROUTES_MAX: Final = 10_000
"""Managers and teams with routes of their own; whoever is beyond is told as everybody is."""


_Own = tuple[dict[str, Any], dict[str, Any]]
"""A route and its receiver."""


class People(msgspec.Struct, frozen=True):
    """Who there is, as ``crm.reps`` says: managers and teams."""

    managers: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()

    @classmethod
    def of(cls, pairs: Iterable[tuple[str | None, str | None]]) -> People:
        """From (manager, team) of every rep."""
        known = list(pairs)
        return cls(
            managers=tuple(sorted({manager for manager, _ in known if manager})),
            teams=tuple(sorted({team for _, team in known if team})),
        )


def contact_of(settings: Settings, manager: str) -> Contact | None:
    """How to reach a manager: as configured, else by the mail address that the name is; None if in neither way."""
    configured = settings.alerting.managers.get(manager)
    if configured is not None and configured.is_reachable:
        return configured
    name, at, host = manager.partition("@")
    is_address = bool(name and at and host) and not set(manager) & set(' \t\r\n,;<>"') and manager.isprintable()
    if is_address and settings.mail.host:
        language = (configured or settings.alerting.everybody).language
        return Contact(email=(manager,), language=language)
    return None


def unreachable(settings: Settings, people: People) -> tuple[str, ...]:
    """Managers whose pages go to everybody's contact, since none is known of theirs."""
    return tuple(manager for manager in people.managers if contact_of(settings, manager) is None)


def alertmanager(settings: Settings, people: People, telegram_token: str = "", also: str = "") -> str:
    """The configuration.

    Args:
        settings: Contacts, intervals, the mail server.
        people: Whom the alerts can be about.
        telegram_token: The bot's token: Alertmanager before 0.26 takes it from nowhere else. Whoever writes the text
            to a file keeps it from others.
        also: A webhook that is told everything that people are told (the board's, a demo's).
    """
    alerting = settings.alerting
    write = _Receivers(telegram_token, also)
    own = [*_teams(settings, people, write), *_managers(settings, people, write)]
    told = [{"receiver": EVERYBODY, "matchers": [_is("audience", MANAGER)]}]  # a team's route goes on: it ends here
    return HEAD + as_yaml(
        {
            "global": _global(settings),
            "templates": [TEMPLATES],
            "route": {
                "receiver": EVERYBODY,
                "group_by": ["alertname", "team"],
                "group_wait": duration(alerting.group_wait_seconds),
                "group_interval": duration(alerting.group_interval_seconds),
                "repeat_interval": duration(alerting.repeat_hours * 3_600),
                "routes": [*_FIXED, *(route for route, _ in own), *told],
            },
            "inhibit_rules": INHIBITIONS,
            "receivers": [*_fixed(settings, write), *(receiver for _, receiver in own)],
        }
    )


def _teams(settings: Settings, people: People, write: _Receivers) -> Iterator[_Own]:
    """Teams with a contact of their own: told beside the manager."""
    for team in sorted({*people.teams, *settings.alerting.teams})[:ROUTES_MAX]:
        contact = settings.alerting.teams.get(team)
        if contact is not None and contact.is_reachable:
            receiver = write.receiver(f"team {team}", contact)
            yield {"receiver": receiver["name"], "matchers": [_is("team", team)], "continue": True}, receiver


def _managers(settings: Settings, people: People, write: _Receivers) -> Iterator[_Own]:
    """Managers that can be reached."""
    for manager in sorted({*people.managers, *settings.alerting.managers})[:ROUTES_MAX]:
        contact = contact_of(settings, manager)
        if contact is not None:
            receiver = write.receiver(f"manager {manager}", contact)
            yield {"receiver": receiver["name"], "matchers": [_is("manager", manager)]}, receiver


def _fixed(settings: Settings, write: _Receivers) -> list[dict[str, Any]]:
    alerting = settings.alerting
    watched = {"webhook_configs": [{"url": alerting.watchdog_webhook}]} if alerting.watchdog_webhook else {}
    return [
        write.receiver(EVERYBODY, alerting.everybody),
        write.receiver(OPERATORS, alerting.operators if alerting.operators.is_reachable else alerting.everybody),
        {"name": DIGEST},
        {"name": DEAD_MAN, **watched},
    ]


INHIBITIONS: Final = [
    {"source_matchers": ['blinds="managers"'], "target_matchers": [f'audience="{MANAGER}"']},
    {
        "source_matchers": [f'audience="{MANAGER}"', 'severity="critical"'],
        "target_matchers": [f'audience="{MANAGER}"', 'severity="warning"'],
        "equal": ["alertname", "rep", "team"],
    },
    {
        "source_matchers": ['alertname="FunnelwatchNoWorker"'],
        "target_matchers": [
            'alertname=~"FunnelwatchWorkerDown|FunnelwatchKpisStale|FunnelwatchLagHigh|FunnelwatchCommitStuck"'
        ],
    },
    {
        "source_matchers": ['alertname="FunnelwatchRedisAway"'],
        "target_matchers": ['alertname=~"FunnelwatchBoardBlind|FunnelwatchKpisStale"'],
    },
]
"""Managers hear nothing new while figures cannot be trusted; a page mutes its warning, a cause its effects."""


_FIXED: Final[list[dict[str, Any]]] = [
    {
        "receiver": DEAD_MAN,
        "matchers": [f'alertname="{WATCHDOG}"'],
        "group_wait": "0s",
        "group_interval": duration(WATCHDOG_SECONDS),
        "repeat_interval": duration(WATCHDOG_SECONDS),
    },
    {"receiver": OPERATORS, "matchers": [f'audience="{OPERATOR}"'], "group_by": ["alertname"]},
    {"receiver": DIGEST, "matchers": [f'audience="{MANAGER}"', 'severity="warning"']},
]


def _global(settings: Settings) -> dict[str, Any]:
    mail, found = settings.mail, dict[str, Any]()
    if mail.host:
        found = {
            "smtp_smarthost": f"{mail.host}:{mail.port}",
            "smtp_from": mail.sender,
            "smtp_require_tls": mail.encryption == "starttls",
        }
        if mail.username:
            found |= {"smtp_auth_username": mail.username, "smtp_auth_password_file": mail.password_file}
    if settings.alerting.slack_url_file:
        found["slack_api_url_file"] = settings.alerting.slack_url_file
    return {"resolve_timeout": "5m", **found}


def _is(label: str, value: str) -> str:
    """A matcher; the value as it stands in the label (`label_text`), escaped as Alertmanager reads it."""
    escaped = label_text(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'{label}="{escaped}"'


class _Receivers:
    """Contacts as receivers; names are made printable, since they are only names."""

    def __init__(self, telegram_token: str, also: str) -> None:
        self._telegram_token = telegram_token
        self._also = also

    def receiver(self, name: str, contact: Contact) -> dict[str, Any]:
        lang = contact.language
        title = f'{{{{ template "funnelwatch.{lang}.title" . }}}}'
        text = f'{{{{ template "funnelwatch.{lang}.text" . }}}}'
        html = f'{{{{ template "funnelwatch.{lang}.html" . }}}}'
        found: dict[str, Any] = {"name": label_text(name)}
        if contact.email:
            found["email_configs"] = [
                {"to": ", ".join(contact.email), "headers": {"Subject": title}, "html": html, "text": text, **_ENDS}
            ]
        if contact.telegram_chat:
            found["telegram_configs"] = [
                {
                    "bot_token": self._telegram_token,
                    "chat_id": contact.telegram_chat,
                    "message": text,
                    **_PLAIN,
                    **_ENDS,
                }
            ]
        if contact.slack_channel:
            found["slack_configs"] = [{"channel": contact.slack_channel, "title": title, "text": text, **_ENDS}]
        webhooks = []
        if contact.webhook:
            token = contact.webhook_token_file
            secret = {"http_config": {"authorization": {"credentials_file": token}}} if token else {}
            webhooks.append({"url": contact.webhook, **secret, **_ENDS})
        if self._also:
            webhooks.append({"url": self._also, **_ENDS})
        if webhooks:
            found["webhook_configs"] = webhooks
        return found


_ENDS: Final = {"send_resolved": True}
_PLAIN: Final = {"parse_mode": ""}
"""Telegram takes the text as it is: a name is never markup."""
