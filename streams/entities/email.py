"""Emails: state, contribution and links. The rules are `docs/figures.md`, "Calls and emails"."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from funnelwatch.schemas.events import EmailData, Event, Kind
from funnelwatch.streams.cells import Contribution
from funnelwatch.streams.context import Context
from funnelwatch.streams.entities.flow import RepSums, count
from funnelwatch.streams.entities.ownership import Owners, last_place, last_set
from funnelwatch.streams.entities.touch import touch_links
from funnelwatch.streams.fold import Fold
from funnelwatch.streams.history import Step
from funnelwatch.streams.links import Link, Received

SENT: Final = 0
REPLIED: Final = 1
DELETED: Final = 2

_REP: Final = 4
_COLD, _TEMPLATE, _LEAD_ID, _DEAL_ID = range(5, 9)

EmailStep = tuple[int, str, str, int, str | None, bool | None, str | None, str | None, str | None]
"""at, source, id, type code, and the members as `EmailData` lists them."""


class EmailState(msgspec.Struct, array_like=True, gc=False):
    """What was observed of an email."""

    history: list[EmailStep] = []
    repeats: list[EmailStep] = []
    links: list[Received] = []


class EmailFold(Fold[EmailState]):
    """The fold of emails."""

    kind = Kind.EMAIL
    codes = ("email.sent", "email.replied", "email.deleted")
    _state = EmailState

    def contribution(self, subject: str, state: EmailState, context: Context) -> Contribution:  # noqa: ARG002  (no item)
        """The email at the last word that it was sent, and its first reply."""
        history = state.history
        sent = last_place(history, SENT)
        if last_place(history, DELETED) > sent:
            return Contribution()
        owners = Owners([step[0] for step in history], [step[_REP] for step in history])
        sums: RepSums = {}
        if sent >= 0:
            count(sums, owners.after(sent), history[sent][0], ("email", 1 if last_set(history, _COLD) else 0))
        replied = next((place for place, step in enumerate(history) if step[3] == REPLIED), -1)
        if replied >= 0:
            count(sums, owners.after(replied), history[replied][0], ("reply",))
        return Contribution(sums)

    def links(self, subject: str, state: EmailState) -> list[Link]:
        """To the lead and the deal it names: touched at …; to those it named earlier: not touched."""
        sent = last_place(state.history, SENT)
        at = state.history[sent][0] if sent > last_place(state.history, DELETED) else None
        return touch_links((Kind.EMAIL, subject), state.history, state.repeats, (_LEAD_ID, _DEAL_ID), at)

    def forgettable(self, state: EmailState, before_us: int) -> bool:
        """No event since: an email is never open."""
        return all(step[0] < before_us for step in state.history[-1:])

    def _step(self, code: int, event: Event) -> Step:
        data = event.data
        assert isinstance(data, EmailData)
        return (
            event.at,
            event.source,
            event.id,
            code,
            data.rep_id,
            data.cold,
            data.template,
            data.lead_id,
            data.deal_id,
        )

    def _data(self, step: Any) -> dict[str, Any]:
        return dict(zip(EmailData.__struct_fields__, step[4:], strict=True))
