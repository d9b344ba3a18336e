"""The documents of everybody, kept until something in them changes or a minute passes, and what is made of them.

Nothing here waits for anything but its turn: the table changes between two turns of the event loop, never within one.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from itertools import count, islice, takewhile
from math import inf
from typing import Final, Protocol

import msgspec

from funnelwatch.agents import clock
from funnelwatch.agents.board.pace import REFRESH_REST, Pace
from funnelwatch.agents.board.roster import ORGANISATION, Key, Listing, Roster
from funnelwatch.schemas.board import Row
from funnelwatch.schemas.document import Document, Evidence
from funnelwatch.streams.cells import MINUTE_US
from funnelwatch.streams.ranking import row, worst_first
from funnelwatch.streams.samples import KpiSeries
from funnelwatch.streams.subjects import UnknownSubjectError
from funnelwatch.streams.table import Table

REPS_PER_JUDGEMENT: Final = 100
"""Reps whose changes the detectors take in at a time, at a millisecond or two each; the others have their turn next."""
OVER_PER_REFRESH: Final = 50
"""Documents of reps over the cap computed in one refresh, so that a flood of invented ids keeps nobody waiting.

More of them, for as long as the rest of the refresh took, where listing so many takes long."""
AGED_PER_REFRESH: Final = 400
"""Documents renewed in one refresh only since a minute has passed; those that changed come first."""
UNSHOWN_MAX: Final = 2_000
"""Documents whose series wait to be made until they are read; more are not put off, or reading took too long."""
TOGETHER_SECONDS: Final = 1.0
"""Teams and the organisation change with every rep: they are computed again at most this often."""
OTHERS_SECONDS: Final = 60.0
"""How old what a rep is compared with (the team, the organisation) may be where nobody asks for the document."""
EVIDENCE_DIGITS: Final = 1
"""Evidence in rows; finer steps would send every row to every page each second."""


class Documents(Listing, Protocol):
    """What the figures need of `streams.documents.Documents`."""

    def rep(self, rep: str, now: int, /) -> Document:
        """The document of one rep."""

    def team(self, team: str, now: int, /) -> Document:
        """The document of one team."""

    def organisation(self, now: int, /) -> Document:
        """The document of all."""


class Entry(msgspec.Struct, gc=False):
    """A document as it is served, and as of when it holds."""

    document: Document
    row: Row
    minute: int
    revision: int
    computed: float
    etag: str
    served: bytes | None = None

    def answer(self) -> bytes:
        """The document as JSON; made when somebody asks."""
        if self.served is None:
            self.served = msgspec.json.encode(self.document)
        return self.served


class Changes(msgspec.Struct, gc=False):
    """What a refresh found: new rows, the subjects that are gone, and reps' new documents."""

    rows: list[Row] = []
    gone: list[Key] = []
    documents: list[Document] = []


class Figures:
    """Documents, rows and series of all reps, teams and the organisation."""

    def __init__(self, table: Table, documents: Documents, series: KpiSeries, currency: str) -> None:
        self._table = table
        self._documents = documents
        self._series = series
        self._currency = currency
        self._entries: dict[Key, Entry] = {}
        self._process, self._numbers = secrets.token_hex(4), count()  # a document tells its instant: none is as another
        self._roster = Roster(table, documents, series)
        self._changed: dict[str, None] = {}
        self._computed: dict[Key, None] = {}
        self._unjudged: set[str] = set()
        self._evidence: Mapping[Key, dict[str, float]] = {}
        self._details: Mapping[Key, dict[str, Evidence]] = {}
        self._withheld: Mapping[Key, frozenset[str]] = {}
        self._severities: Mapping[Key, str] = {}
        self._moved: set[Key] = set()
        self._unshown: set[Key] = set()
        self._unshown_evidence: set[Key] = set()
        self._renewed: set[str] = set()
        self._shown: dict[Key, Row] = {}

    def find(self, key: Key, now: int) -> Entry | None:
        """The entry of a rep, a team or the organisation as of now; None if there is no such.

        A rep is compared with the team as it was up to a minute ago; `serve` looks again.
        """
        self._take(now)
        return self._current(key, now) if key in self._roster.listed else None

    def serve(self, key: Key, now: int) -> Entry | None:
        """As `find`; whom a rep is compared with is as of a moment ago, too."""
        entry = self.find(key, now)
        if entry is None or not self._is_behind(entry, TOGETHER_SECONDS):
            return entry
        return self._put(key, now)

    def reps(self) -> list[tuple[Row, Document]]:
        """Row and document of every rep as of the last refresh."""
        return [(entry.row, entry.document) for (level, _), entry in self._entries.items() if level == "rep"]

    def rows(self, level: str) -> list[Row]:
        """All rows of a level as of the last refresh, worst first."""
        return worst_first(entry.row for (own, _), entry in self._entries.items() if own == level)

    def is_unjudged(self, now: int) -> bool:
        """Whether there is a rep whose cells changed since the detectors looked."""
        self._take(now)
        return bool(self._unjudged)

    def take_unjudged(self, now: int) -> set[str]:
        """Some of the reps whose cells changed since they were taken last, for the detectors."""
        self._take(now)
        changed = set(islice(self._unjudged, REPS_PER_JUDGEMENT))
        self._unjudged -= changed
        return changed

    def judged_reps(self, now: int) -> list[str]:
        """Whom the detectors look at: the listed reps under the cap."""
        self._take(now)
        return [subject for (level, subject), is_own in self._roster.listed.items() if level == "rep" and is_own]

    async def judged(
        self,
        evidence: Mapping[Key, dict[str, float]],
        severities: Mapping[Key, str],
        details: Mapping[Key, dict[str, Evidence]],
        withheld: Mapping[Key, frozenset[str]],
    ) -> None:
        """What the detectors see now: severities, what each is made of, and the detectors whose page is withheld."""
        pace, before = Pace(), (self._evidence, self._severities, self._details, self._withheld)
        self._evidence, self._severities, self._details, self._withheld = evidence, severities, details, withheld
        for key in details.keys() | before[2].keys():
            found = details.get(key, {}), withheld.get(key, frozenset())
            if found != (before[2].get(key, {}), before[3].get(key, frozenset())):
                self._unshown_evidence.add(key)
            await pace.rest()
        for key in evidence.keys() | before[0].keys():
            if evidence.get(key) != before[0].get(key):
                self._unshown_evidence.add(key)
                self._moved.add(key)
            await pace.rest()
        self._moved.update(
            key for key in severities.keys() | before[1].keys() if severities.get(key) != before[1].get(key)
        )

    async def refresh(self, now: int, seconds: float = inf) -> Changes:
        """Bring everything up to date that changed, and the oldest of what only aged, or what of it there is time for.

        Args:
            now: As of when (µs).
            seconds: What is not done by then is first at the next refresh. Unlimited, nothing else is waited for.
        """
        self._take(now)
        began, changes, pace = clock.monotonic(), Changes(), Pace(REFRESH_REST if seconds < inf else 0.0)
        for key in self._roster.take_gone():
            if key in self._entries:
                self._forget(key)
                changes.gone.append(key)
        due, over = self._due(now)
        await self._renew(due, now, pace, began + seconds)
        until = clock.monotonic() + clock.monotonic() - began
        for i in range(0, len(over), OVER_PER_REFRESH):
            await self._renew(over[i : i + OVER_PER_REFRESH], now, pace, inf)
            if clock.monotonic() >= until:
                break
        if len(self._unshown) > UNSHOWN_MAX:
            await self.settle(pace)
        self._report(changes)
        return changes

    async def settle(self, pace: Pace) -> None:
        """Bring the series up to what is computed; to be called before they are read."""
        for key in list(self._unshown):
            self._unshown.discard(key)
            if key != ORGANISATION and (entry := self._entries.get(key)):
                self._series.put(entry.document)
                self._unshown_evidence.add(key)
            await pace.rest()
        for key in list(self._unshown_evidence):
            self._unshown_evidence.discard(key)
            if key != ORGANISATION and (entry := self._entries.get(key)):
                self._series.put_evidence(entry.document, self._evidence.get(key, {}))
                self._series.put_details(
                    entry.document, self._details.get(key, {}), self._withheld.get(key, frozenset())
                )
            await pace.rest()
        self._series.settle()

    async def _renew(self, keys: Iterable[Key], now: int, pace: Pace, until: float) -> None:
        for key in keys:
            if clock.monotonic() >= until:
                return
            with contextlib.suppress(UnknownSubjectError):  # gone since the list was made: the next refresh forgets it
                self._current(key, now)
            await pace.rest()

    def _due(self, now: int) -> tuple[list[Key], list[Key]]:
        """Whose documents to compute: those that changed first come first, then aged ones; and those over the cap."""
        listed = self._roster.listed
        changed = [key for rep in self._changed if (key := ("rep", rep)) in listed]
        together = [key for key in listed if key[0] != "rep" and self._is_new(key)]
        aged = islice(takewhile(lambda key: self._is_old(key, now), self._computed), AGED_PER_REFRESH)
        own = [key for key in changed if listed[key]]
        return [*own, *together, *aged], [key for key in changed if not listed[key]]

    def _report(self, changes: Changes) -> None:
        """What was computed since the last refresh, here or for a request, and not told yet."""
        for key in self._moved:
            if entry := self._entries.get(key):
                entry.row = self._row(entry.document)
                if _differ(self._shown.get(key), entry.row):
                    self._shown[key] = entry.row
                    changes.rows.append(entry.row)
        changes.documents = [entry.document for rep in self._renewed if (entry := self._entries.get(("rep", rep)))]
        self._moved.clear()
        self._renewed.clear()

    def _take(self, now: int) -> None:
        """What the table says that changed since, and who is listed now."""
        changed = self._table.take_changed()
        self._changed.update(dict.fromkeys(changed))
        self._unjudged |= changed
        self._roster.update(changed, self._table.take_changed_teams(), now)

    def _is_new(self, key: Key) -> bool:
        """Whether the subject has no document of what the table says now (teams: of what it said a moment ago)."""
        entry = self._entries.get(key)
        if entry is None:
            return True
        if key[0] == "rep":
            return key[1] in self._changed
        return self._is_behind(entry, TOGETHER_SECONDS)

    def _is_behind(self, entry: Entry, seconds: float) -> bool:
        """Whether the table has changed anywhere since, and so long ago."""
        return entry.revision != self._table.revision and clock.monotonic() - entry.computed >= seconds

    def _is_old(self, key: Key, now: int) -> bool:
        """A minute has passed, by the clock of figures or by ours: that one may stand still, or be that of events."""
        entry = self._entries[key]
        return entry.minute != now // MINUTE_US or self._is_behind(entry, OTHERS_SECONDS)

    def _current(self, key: Key, now: int) -> Entry:
        return self._put(key, now) if self._is_new(key) or self._is_old(key, now) else self._entries[key]

    def _put(self, key: Key, now: int) -> Entry:
        self._entries[key] = entry = self._compute(key, now)
        self._computed.pop(key, None)
        self._computed[key] = None
        self._unshown.add(key)
        self._moved.add(key)
        if key[0] == "rep":
            self._changed.pop(key[1], None)
            self._renewed.add(key[1])
        return entry

    def _compute(self, key: Key, now: int) -> Entry:
        document = self._document(key)(now)
        etag = f"{self._process}-{next(self._numbers):x}"
        return Entry(document, self._row(document), now // MINUTE_US, self._table.revision, clock.monotonic(), etag)

    def _document(self, key: Key) -> Callable[[int], Document]:
        level, subject = key
        if level == "rep":
            return lambda now: self._documents.rep(subject, now)
        if level == "team":
            return lambda now: self._documents.team(subject, now)
        return self._documents.organisation

    def _row(self, document: Document) -> Row:
        key = ORGANISATION if document.level == "organisation" else (document.level, document.id)
        evidence = {
            detector: round(value, EVIDENCE_DIGITS) for detector, value in self._evidence.get(key, {}).items() if value
        }
        return row(document, evidence, self._severities.get(key), self._currency)

    def _forget(self, key: Key) -> None:
        del self._entries[key], self._computed[key]
        self._shown.pop(key, None)
        self._series.remove(*key)
        self._unshown.discard(key)
        self._unshown_evidence.discard(key)
        if key[0] == "rep":
            self._changed.pop(key[1], None)
            self._roster.free_place()


def _differ(before: Row | None, after: Row) -> bool:
    """Whether a page should hear of it: the instant alone is no news."""
    return before is None or msgspec.structs.replace(before, as_of=after.as_of) != after
