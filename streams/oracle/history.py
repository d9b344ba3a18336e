"""The events of one entity, each once and in order, and what can be asked of them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from funnelwatch.schemas.events import Event, Kind

DELETED_BY = {
    Kind.LEAD: "lead.deleted",
    Kind.DEAL: "deal.deleted",
    Kind.CALL: "call.deleted",
    Kind.EMAIL: "email.deleted",
    Kind.REP: "rep.removed",
}
BROUGHT_BACK_BY = {
    Kind.LEAD: "lead.created",
    Kind.DEAL: "deal.created",
    Kind.CALL: "call.completed",
    Kind.EMAIL: "email.sent",
    Kind.REP: "rep.upserted",
}


class History:
    """One entity's events in order."""

    def __init__(self, events: Iterable[Event]) -> None:
        once: dict[tuple[str, str], Event] = {}
        for event in sorted(events, key=_standing, reverse=True):
            once[event.source, event.id] = event
        self.events = sorted(once.values(), key=lambda event: event.stamp)
        self.subject = self.events[0].subject
        self.kind = self.events[0].kind
        self.created_at = self.events[0].at

    @property
    def gone(self) -> bool:
        """Whether the entity's last word is that it was deleted (a rep: removed)."""
        words = (DELETED_BY[self.kind], BROUGHT_BACK_BY[self.kind])
        said = [event.type for event in self.events if event.type in words]
        return bool(said) and said[-1] == words[0]

    def places(self, event_type: str) -> list[int]:
        """Where in the order events of a type stand."""
        return [place for place, event in enumerate(self.events) if event.type == event_type]

    def said(self, member: str) -> list[tuple[int, object]]:
        """Each (place, value) that an event set a data member to."""
        values = ((place, getattr(event.data, member)) for place, event in enumerate(self.events))
        return [(place, value) for place, value in values if value is not None]

    def final_text(self, member: str) -> str | None:
        """The value a textual member has after all events."""
        said = self.said(member)
        return str(said[-1][1]) if said else None

    def final_int(self, member: str) -> int | None:
        """The value a numeric member has after all events."""
        said = self.said(member)
        value = said[-1][1] if said else None
        return value if isinstance(value, int) else None

    def owner(self, place: int) -> str:
        """The owner after the event at a place; −1 is before the first event."""
        said = self.said("rep_id")
        until = [value for at, value in said if at <= place]
        return str(until[-1] if until else said[0][1] if said else "")

    def owner_at(self, instant: int) -> str:
        """The owner after all events of that instant and before."""
        return self.owner(sum(event.at <= instant for event in self.events) - 1)


def histories(events: Iterable[Event], kind: Kind) -> list[History]:
    """The histories of all entities of a kind."""
    grouped: dict[str, list[Event]] = {}
    for event in events:
        if event.kind is kind:
            grouped.setdefault(event.subject, []).append(event)
    return [History(group) for group in grouped.values()]


def _standing(event: Event) -> tuple[int, str, bytes]:
    """Of the events with one identity the smallest by this stands."""
    members = {name: value for name, value in msgspec.to_builtins(event.data).items() if value is not None}
    return (event.at, event.type, msgspec.json.encode(members, order="sorted"))
