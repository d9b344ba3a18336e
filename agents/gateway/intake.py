"""What a translator says, on its way: people become reps, events go out, those of unknown people are kept.

Receivers and pollers hand in their results here. When `Intake.take` returns, everything is safe.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from funnelwatch.agents.gateway.directory import Directory
from funnelwatch.agents.gateway.matching import Matching, Told
from funnelwatch.agents.gateway.metrics import Metrics
from funnelwatch.agents.gateway.outlet import Outlet
from funnelwatch.agents.gateway.sources import Source
from funnelwatch.agents.gateway.spool import Kept, Message, Spool
from funnelwatch.schemas import fields
from funnelwatch.schemas.encode import encode_event, members
from funnelwatch.schemas.events import TOPICS, Kind
from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.settings import Settings
from funnelwatch.schemas.sources.contract import Outgoing, Passed, Result

log = logging.getLogger(__name__)

RELEASE_EVENTS: Final = 1_000
"""Kept events that are published at a time when their person becomes known."""
REFERENCES_MAX: Final = 8
"""Ways in which one event names its person."""
NOT_FETCHED: Final = "not_fetched"
"""The reason why an object that a notification names is passed: nothing polls this source."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Outgoing).decode


class Intake:
    """Takes results of translators. ``fetching`` are the sources whose poller fetches what notifications only name."""

    def __init__(  # noqa: PLR0917  (what the gateway is made of)
        self,
        settings: Settings,
        directory: Directory,
        outlet: Outlet,
        spool: Spool,
        metrics: Metrics,
        matching: Matching | None = None,
    ) -> None:
        self.fetching: set[str] = set()
        self._topics = {kind: settings.kafka.prefix + topic for kind, topic in TOPICS.items()}
        self._directory = directory
        self._outlet = outlet
        self._spool = spool
        self._metrics = metrics
        self._matching = matching

    async def take(self, source: Source, results: Sequence[Result]) -> None:
        """Return when all of it is safe: acknowledged by Kafka, or on disk.

        Raises:
            RefusedError: An event cannot be taken; then nothing of the results is.
            FullError: There is no room. Some may have been taken: hand the same in again later.
        """
        ready: list[Told] = []
        kept: list[Kept] = []
        wanted: list[bytes] = []
        passed: Counter[str] = Counter()
        for result in results:
            if isinstance(result, Outgoing):
                self._sort(result, ready, kept)
            elif isinstance(result, Passed):
                passed[result.reason] += 1
            elif source.name in self.fetching:
                wanted.append(_encode(result))
            else:
                passed[NOT_FETCHED] += 1
        if kept:
            await self._spool.keep(kept)
        if wanted:
            await self._spool.want(source.name, wanted)
        messages = await self._messages(ready)
        await self._outlet.put(messages)
        self._metrics.took(source.name, published=len(messages), kept=len(kept), wanted=len(wanted), passed=passed)

    def _sort(self, outgoing: Outgoing, ready: list[Told], kept: list[Kept]) -> None:
        references = _readable(outgoing.references)
        rep = self._directory.rep_of(references) if references else None
        if references and rep is None:
            data = members(outgoing.event().data)  # what could not be published later is refused now
            plain = _encode(msgspec.structs.replace(outgoing, data=data))
            kept.append(Kept(outgoing.source, outgoing.id, references, plain))
        else:
            ready.append((outgoing.event(rep), outgoing.number))

    async def _messages(self, ready: Sequence[Told]) -> list[Message]:
        """What is published of some events: calls that several sources tell of are one."""
        events = [event for event, _ in ready]
        if self._matching is not None and any(event.kind is Kind.CALL for event in events):
            calls = [one for one in ready if one[0].kind is Kind.CALL]
            events = [event for event in events if event.kind is not Kind.CALL]
            events += await self._matching.published(calls)
        return [Message(self._topics[event.kind], event.subject, encode_event(event)) for event in events]

    async def release(self) -> int:
        """Publish the kept events of people who have become known. How many they were."""
        released = 0
        for person, _ in await self._spool.people():
            rep = self._directory.rep_of(person)
            while rep is not None and (found := await self._spool.kept_of(person, RELEASE_EVENTS)):
                ready = [one for _, outgoing in found if (one := self._released(outgoing, rep))]
                await self._outlet.put(await self._messages(ready))
                await self._spool.release(number for number, _ in found)
                released += len(found)
        if released:
            log.info("%d kept events of people who are known now are published", released)
        return released

    def _released(self, kept: bytes, rep: str) -> Told | None:
        outgoing = _decode(kept)
        try:
            return outgoing.event(rep), outgoing.number
        except RefusedError as error:  # it was looked at before it was kept, so only a new version can refuse it
            log.error("A kept event cannot be published (%s): %s", error.reason, error.detail)  # noqa: TRY400
            return None


def _readable(references: tuple[str, ...]) -> tuple[str, ...]:
    """References that can be in a table: texts of a body can be anything.

    Raises:
        RefusedError: Somebody is named, and in no way that can.
    """
    found = tuple(one for one in references if 0 < len(one) <= fields.ID_CHARS_MAX and fields.is_clean(one))
    if references and not found:
        raise RefusedError(Reason.BAD_ID, f"nobody can be called {fields.shown(references[0])}")
    return found[:REFERENCES_MAX]
