"""Somebody has seen a page: its alert is silenced in Alertmanager until the next working day begins.

A link in a message only shows what is to be acknowledged: mail servers and chats open links by themselves.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
import msgspec

from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.alerting.files import alerts
from funnelwatch.streams.calendar import Calendar

ALERTMANAGER_SECONDS_MAX: Final = 5.0
WHO_CHARS_MAX: Final = 100
LABEL_CHARS_MAX: Final = 300
NEXT_DAYS_MAX: Final = 60
"""Without a working day for so long, a silence ends after a day."""
DAY_US: Final = 86_400_000_000


class Acknowledgement(msgspec.Struct, forbid_unknown_fields=True):
    """Who has seen which alert; ``labels`` name it, as in its link."""

    alertname: str
    labels: dict[str, str] = {}
    who: str = ""


class Acknowledged(msgspec.Struct):
    """Until when it is silenced."""

    until: str
    silence: str


class NotAcknowledgedError(Exception):
    """It cannot be; the message says why. ``status`` is what to answer with."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def until_us(calendar: Calendar, now: int) -> int:
    """The begin of work on the next working day."""
    today = calendar.day(now)
    for day in range(today + 1, today + NEXT_DAYS_MAX):
        if calendar.day_working_us(day) > 0:
            return calendar.working_after(calendar.day_start(day), 1)
    return now + DAY_US


def matchers(asked: Acknowledgement) -> list[dict[str, Any]]:
    """The matchers of a silence of exactly this alert.

    Raises:
        NotAcknowledgedError: There is no such alert, or the labels are not those that name one of it.
    """
    labels = {alert.name: alert.labels for alert in alerts()}.get(asked.alertname)
    if labels is None:
        raise NotAcknowledgedError(404, f"No alert is called {asked.alertname!r}.")
    if set(asked.labels) != set(labels) or any(len(value) > LABEL_CHARS_MAX for value in asked.labels.values()):
        raise NotAcknowledgedError(400, f"{asked.alertname} is named by {', '.join(labels) or 'no label'}.")
    found = {"alertname": asked.alertname, **asked.labels}
    return [{"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in found.items()]


async def acknowledge(settings: Settings, asked: Acknowledgement, now: int) -> Acknowledged:
    """Silence an alert.

    Raises:
        NotAcknowledgedError: It is no alert of ours, or Alertmanager does not take it.
    """
    calendar = Calendar(settings.calendar)
    ends = until_us(calendar, now)
    silence = {
        "matchers": matchers(asked),
        "startsAt": _instant(now),
        "endsAt": _instant(ends),
        "createdBy": asked.who[:WHO_CHARS_MAX] or "board",
        "comment": "Acknowledged on the board.",
    }
    alerting = settings.alerting
    url = (alerting.alertmanager_api or alerting.alertmanager_url).rstrip("/")
    timeout = aiohttp.ClientTimeout(total=ALERTMANAGER_SECONDS_MAX)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(f"{url}/api/v2/silences", json=silence) as answer,
        ):
            if answer.status != 200:  # noqa: PLR2004  (OK)
                said = (await answer.text())[:200]
                raise NotAcknowledgedError(502, f"Alertmanager did not take it ({answer.status}): {said}")
            made = msgspec.json.decode(await answer.read(), type=dict[str, str])
    except (TimeoutError, aiohttp.ClientError, msgspec.MsgspecError) as error:
        raise NotAcknowledgedError(502, f"Alertmanager does not answer at {url} ({type(error).__name__}).") from error
    return Acknowledged(calendar.text(ends), made.get("silenceID", ""))


def _instant(us: int) -> str:
    return datetime.fromtimestamp(us / 1_000_000, UTC).isoformat().replace("+00:00", "Z")
