"""What every source told of calls, on disk, so that a call told by two of them is published as one.

`streams.matching` decides; this keeps what it decides from. A gateway and its pollers share the file: each event is one
transaction, so that two processes that hear of the same call at the same time agree.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas.events import Event
from funnelwatch.schemas.sources.numbers import comparable
from funnelwatch.streams import matching
from funnelwatch.streams.matching import Call, Party, Rules

BUSY_SECONDS: Final = 10.0
"""How long one process waits for another's transaction."""
CLUSTER_MAX: Final = 200
"""Calls of one party that are looked at together, those nearest in time: a dialler's thousand attempts are no match."""
FORGET_EVERY: Final = 10_000
"""Events between two looks for what is too old or too much."""
_DAY_US: Final = 86_400_000_000

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS calls (
    source TEXT NOT NULL, subject TEXT NOT NULL, party BLOB, started INTEGER NOT NULL, name TEXT NOT NULL,
    call BLOB NOT NULL, PRIMARY KEY (source, subject)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS calls_by_party ON calls (party, started);
CREATE INDEX IF NOT EXISTS calls_by_start ON calls (started);
CREATE INDEX IF NOT EXISTS calls_by_name ON calls (name);
"""

_encode = msgspec.msgpack.Encoder().encode
_decode: Callable[[bytes], Call] = msgspec.msgpack.Decoder(Call).decode


class Match(msgspec.Struct, frozen=True):
    """A call that several sources told of: the name it is published under, when it began, and the sources' own ids."""

    name: str
    started_us: int
    calls: tuple[tuple[str, str], ...]


class CallMemory:
    """Events of calls in, events to be published out. Used by one thread at a time, which need not be the same one.

    Args:
        path: The file; its folder must exist.
        rules: How calls are matched.
        country: Whose national numbers are compared (`numbers.comparable`).
        days: How long a call is remembered after it began.
        calls_max: How many are remembered; then the oldest are forgotten first.

    Raises:
        OperationError: The file cannot be used.
    """

    def __init__(
        self, path: Path, rules: Rules, *, country: str = "", days: float = 35, calls_max: int = 1_000_000
    ) -> None:
        self._rules = rules
        self._country = country
        self._days, self._calls_max = days, calls_max
        self._path = path
        self._taken = 0
        self.told: Counter[str] = Counter()
        """Events of calls, by source, since the start."""
        self.matched: Counter[tuple[str, str]] = Counter()
        """Calls that were found to be one with another's, by the two sources, since the start."""
        self.renamed = 0
        """Names that were deleted since the start, because what stood under them was not so any more."""
        try:
            self._database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _SCHEMA)
        except sqlite3.Error as error:
            raise self._trouble(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def take(self, event: Event, number: str, now_us: int) -> list[Event]:
        """`take_all` of one event."""
        (said,) = self.take_all([[(event, number)]], now_us)
        return said

    def take_all(self, told: Sequence[Sequence[tuple[Event, str]]], now_us: int) -> list[list[Event]]:
        """What is to be published because of events of calls, in this order. The same event again gives it again.

        Args:
            told: Groups of events of calls, their people known, each with the other party's number as the source writes
                it.
            now_us: The clock, for forgetting.

        Returns:
            For each group what is to be published.

        Raises:
            OperationError: The file cannot be used; nothing was noted.
        """
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                said = [
                    [one for event, number in group for one in self._take(event, comparable(number, self._country))]
                    for group in told
                ]
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
            self._taken += sum(map(len, told))
            if self._taken >= FORGET_EVERY:
                self._taken = 0
                self.forget(now_us)
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        return said

    def forget(self, now_us: int) -> int:
        """Forget what began too long ago, and the oldest of what is too much. Returns how many."""
        before = now_us - int(self._days * _DAY_US)
        gone = self._database.execute("DELETE FROM calls WHERE started < ?", (before,)).rowcount
        (known,) = self._database.execute("SELECT count(*) FROM calls").fetchone()
        if (more := known - self._calls_max) > 0:
            gone += self._database.execute(
                "DELETE FROM calls WHERE (source, subject) IN "
                "(SELECT source, subject FROM calls ORDER BY started LIMIT ?)",
                (more,),
            ).rowcount
        return gone

    def matches(self, limit: int = 100) -> list[Match]:
        """The latest calls that several sources told of."""
        names = self._database.execute(
            "SELECT name FROM calls GROUP BY name HAVING count(*) > 1 ORDER BY max(started) DESC LIMIT ?", (limit,)
        ).fetchall()
        found = []
        for (name,) in names:
            rows = self._database.execute(
                "SELECT source, subject, started FROM calls WHERE name = ? ORDER BY source", (name,)
            ).fetchall()
            found.append(Match(name, min(row[2] for row in rows), tuple((row[0], row[1]) for row in rows)))
        return found

    def __len__(self) -> int:
        (known,) = self._database.execute("SELECT count(*) FROM calls").fetchone()
        return int(known)

    def _take(self, event: Event, number: str) -> list[Event]:
        self.told[event.source] += 1
        call = self._known(event) or Call(event.source, event.subject)
        before = call.mark()
        new = matching.add(call, event, number)
        together = {call.key: call}
        for mark in {before, call.mark()}:
            if mark.party is not None:
                together |= {one.key: one for one in self._cluster(mark.party, mark.started) if one.key != call.key}
        calls = list(together.values())
        grouped = matching.groups(calls, self._rules)
        if not new:
            known = any(told.id == event.id for told in call.told)
            return matching.restate(grouped) if known else matching.beyond(grouped, event)
        names = sum(len(one.dead) for one in calls)
        said = matching.settle(grouped)
        self.renamed += sum(len(one.dead) for one in calls) - names
        self._keep(grouped)
        return said

    def _known(self, event: Event) -> Call | None:
        row = self._database.execute(
            "SELECT call FROM calls WHERE source = ? AND subject = ?", (event.source, event.subject)
        ).fetchone()
        return None if row is None else _decode(row[0])

    def _cluster(self, party: Party, started: int) -> list[Call]:
        """The calls of a party around an instant, up to where there was none for longer than the tolerance."""
        key = _encode(party)
        later = self._chain(
            "SELECT started, call FROM calls WHERE party = ? AND started >= ? ORDER BY started", key, started
        )
        earlier = self._chain(
            "SELECT started, call FROM calls WHERE party = ? AND started < ? ORDER BY started DESC", key, started
        )
        return [*earlier, *later]

    def _chain(self, query: str, key: bytes, started: int) -> Iterator[Call]:
        last = started
        for began, call in self._database.execute(f"{query} LIMIT ?", (key, started, CLUSTER_MAX // 2)).fetchall():
            if abs(began - last) > self._rules.tolerance_us:
                return
            last = began
            yield _decode(call)

    def _keep(self, grouped: Iterable[Sequence[Call]]) -> None:
        for first, *others in grouped:
            for call in (first, *others):
                party, started = call.mark()
                if call is not first and self._name_of(call) != first.name:
                    self.matched[first.source, call.source] += 1
                row = (*call.key, None if party is None else _encode(party), started, first.name, _encode(call))
                self._database.execute("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?, ?, ?)", row)

    def _name_of(self, call: Call) -> str | None:
        """The name that a call went by until now."""
        row = self._database.execute("SELECT name FROM calls WHERE source = ? AND subject = ?", call.key).fetchone()
        return None if row is None else str(row[0])

    def _trouble(self, error: sqlite3.Error) -> OperationError:
        return OperationError(f"The memory of calls {self._path} cannot be used: {error}.")
