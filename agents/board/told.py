"""Which alerts people were told of, as Alertmanager says by its webhook: the wall shows it beside each alert.

Nothing is decided by it: a message that never comes, or comes from somebody else, changes no figure and no alert.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from funnelwatch.schemas.document import Alert
from funnelwatch.streams.exposition import label_text

TOLD_MAX: Final = 10_000
"""Alerts that are remembered; beyond, the oldest are forgotten."""

Key = tuple[str, str, str]
"""(detector, level, subject as it stands in a label)."""


class Told(msgspec.Struct):
    """One alert of a message, as far as it matters here."""

    status: str
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    started: str = msgspec.field(name="startsAt", default="")


class Message(msgspec.Struct):
    """What Alertmanager sends: https://prometheus.io/docs/alerting/0.25/configuration/#webhook_config."""

    alerts: list[Told]


_decode = msgspec.json.Decoder(Message).decode


class Announcements:
    """When each alert was told to people. In memory: a board that starts anew learns of it with the next page."""

    def __init__(self) -> None:
        self._told: dict[Key, str] = {}

    def take(self, body: bytes, at: str) -> bool:
        """A message that came at an instant; whether it says anything new.

        Raises:
            msgspec.MsgspecError: It is no message of Alertmanager.
        """
        before = dict(self._told)
        for one in _decode(body).alerts:
            key = _key(one.labels)
            if key is None:
                continue
            if one.status != "firing":
                self._told.pop(key, None)
            elif key not in self._told:
                if len(self._told) >= TOLD_MAX:
                    del self._told[next(iter(self._told))]
                self._told[key] = at
        return self._told != before

    def of(self, alerts: Iterable[Alert]) -> dict[str, str]:
        """Id of the alert → when it was told, for those that were."""
        found = {}
        for alert in alerts:
            at = self._told.get((alert.detector, alert.level, label_text(alert.subject)))
            if at is not None:
                found[alert.id] = at
        return found


def _key(labels: dict[str, str]) -> Key | None:
    """None for what is not about a rep or a team."""
    detector = labels.get("detector")
    if not detector:
        return None
    for level in ("rep", "team"):
        if labels.get(level):
            return (detector, level, labels[level])
    return None
