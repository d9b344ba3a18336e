"""Emails: state, contribution and links. The rules are `docs/figures.md`, "Calls and emails"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from funnelwatch.schemas.events import EmailData, Event, Kind
from funnelwatch.streams.cells import MINUTE_US, Contribution
from funnelwatch.streams.context import Context
from funnelwatch.streams.entities.ownership import last_places, last_set, owner_after
from funnelwatch.streams.entities.touch import touch_links
from funnelwatch.streams.fold import Fold
from funnelwatch.streams.history import Step
from funnelwatch.streams.links import Link, Received

REPLIED: Final = 1

_COLD: Final = 5
_LEAD_ID: Final = 7
_DEAL_ID: Final = 8

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
        sent, replied, deleted = last_places(history, len(self.codes))
        if deleted > sent:
            return Contribution()
        contribution = Contribution()
        if sent >= 0:
            cold = 1 if last_set(history, _COLD) else 0
            contribution.sums[owner_after(history, sent), history[sent][0] // MINUTE_US, ("email", cold)] = 1
        if replied >= 0:
            replied = next(place for place, step in enumerate(history) if step[3] == REPLIED)  # the first one
            contribution.sums[owner_after(history, replied), history[replied][0] // MINUTE_US, ("reply",)] = 1
        return contribution

    def links(self, subject: str, state: EmailState) -> list[Link]:
        """To the lead and the deal it names: touched at …; to those it named earlier: not touched."""
        sent, _, deleted = last_places(state.history, len(self.codes))
        at = state.history[sent][0] if sent > deleted else None
        return touch_links((Kind.EMAIL, subject), state.history, state.repeats, (_LEAD_ID, _DEAL_ID), at)

    def retells(self, steps: Sequence[Any]) -> bool:  # noqa: ARG002  (hardly any step does not)
        """As of `Fold`: any step may."""
        return True

    def forgettable(self, state: EmailState, before_us: int) -> bool:
        """No event since: an email is never open."""
        return all(step[0] < before_us for step in state.history[-1:])

    def _step(self, code: int, event: Event) -> Step:
        data = event.data
        assert isinstance(data, EmailData)
        return (event.at, event.source, event.id, code, *astuple(data))

    def _data(self, step: Any) -> dict[str, Any]:
        return dict(zip(EmailData.__struct_fields__, step[4:], strict=True))
