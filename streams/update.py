"""One entity taking the events or links of one chunk: the new row, what it changes, and what others have to be told.

This is the hot path. Nearly always the events come after those known; then the history is walked once, and only what
the new events count is compared. Links alone are as frequent, and change little. Else the contributions before and
after are both made from scratch.
"""

from __future__ import annotations

from typing import Any

import msgspec

from funnelwatch.schemas.events import Event
from funnelwatch.streams.cells import Contribution
from funnelwatch.streams.context import Context
from funnelwatch.streams.fold import Fold
from funnelwatch.streams.links import Link, Received


class Changed(msgspec.Struct, gc=False):
    """What an update came to.

    ``before`` is to be subtracted and ``after`` to be added: either may lack what both would have. ``links`` are the
    facts that are news. If any event was unchanged, send `Update.links` instead: a crash may have kept them back.
    """

    row: bytes
    before: Contribution | None
    after: Contribution
    links: list[Link]
    newest: int | None


class Update:
    """The state of one entity while it takes what a chunk has for it.

    Args:
        fold: Of its kind.
        subject: Its id.
        row: Its row; None if there is none.

    Raises:
        msgspec.MsgspecError: The row is no state.
    """

    __slots__ = ("_fold", "_known", "_last", "_links", "_repeats", "_row", "_subject", "state")

    def __init__(self, fold: Fold[Any], subject: str, row: bytes | None) -> None:
        self._fold = fold
        self._subject = subject
        self._row = row
        state = self.state = fold.empty() if row is None else fold.decode(row)
        self._known = len(state.history)
        self._last = state.history[-1] if state.history else None
        self._repeats = len(state.repeats)
        self._links: list[Received] | None = None  # as they were, once one is taken

    def take(self, item: Event | Link) -> bool:
        """Take an event or a link; False if it was known.

        Raises:
            Refused: As `Fold.add`.
        """
        if isinstance(item, Link):
            before = list(self.state.links)
            changed = self._fold.add_link(self.state, item)
            if changed and self._links is None:
                self._links = before
            return changed
        return self._fold.add(self.state, item)

    def links(self) -> list[Link]:
        """All facts the entity tells now."""
        return self._fold.links(self._subject, self.state)

    def finish(self, context: Context) -> Changed:
        """What the items taken came to. It is for updates of which at least one was not known."""
        fold, subject, state, row = self._fold, self._subject, self.state, self._row
        newest = fold.newest(state)
        if row is None:
            after = fold.contribution(subject, state, context)
            return Changed(fold.encode(state), None, after, fold.links(subject, state), newest)
        if self._is_only_longer:
            short = fold.difference(subject, state, self._known, context)
            if short is not None:
                links = self._news(self._before(row)) if fold.retells(state.history[self._known :]) else []
                return Changed(fold.encode(state), *short, links, newest)
        elif self._is_only_linked:
            short = fold.relinked(subject, state, self._links or [], context)
            if short is not None:
                return Changed(fold.encode(state), *short, [], newest)
        told = self._before(row)
        before, after = (fold.contribution(subject, one, context) for one in (told, state))
        return Changed(fold.encode(state), before, after, self._news(told), newest)

    def _before(self, row: bytes) -> Any:
        """The state of the row. It is for reading: nearly always it shares what it can with the state now."""
        if self._is_only_longer:
            state = self.state
            return type(state)(state.history[: self._known], *msgspec.structs.astuple(state)[1:])
        return self._fold.decode(row)

    @property
    def _is_only_longer(self) -> bool:
        """Whether the history is what it was, and new steps behind it, and nothing else changed."""
        return self._last is not None and self._links is None and self._stands

    @property
    def _is_only_linked(self) -> bool:
        """Whether links are all that changed."""
        return self._links is not None and len(self.state.history) == self._known and self._stands

    @property
    def _stands(self) -> bool:
        """Whether the steps known are where they were, and nothing is repeated that was not."""
        history = self.state.history
        return len(self.state.repeats) == self._repeats and (not self._known or history[self._known - 1] is self._last)

    def _news(self, before: Any) -> list[Link]:
        """The facts that were not told before."""
        links = self.links()
        if not links:
            return links
        facts = {(link.target, link.target_id, link.at) for link in self._fold.links(self._subject, before)}
        return [link for link in links if (link.target, link.target_id, link.at) not in facts]
