"""The way of one delivery: limits, body, proof, translation, and an answer when its events are safe.

Nothing that was sent is logged, nor anything of a secret.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from funnelwatch.agents.clock import monotonic
from funnelwatch.agents.gateway import bodies
from funnelwatch.agents.gateway.bodies import BodyError, Receive
from funnelwatch.agents.gateway.intake import Intake
from funnelwatch.agents.gateway.limits import Room
from funnelwatch.agents.gateway.metrics import Metrics
from funnelwatch.agents.gateway.refusals import Refusals
from funnelwatch.agents.gateway.replays import Replays, key_of
from funnelwatch.agents.gateway.silence import Silence
from funnelwatch.agents.gateway.sources import Source
from funnelwatch.agents.gateway.spool import FullError
from funnelwatch.schemas.board import Problem
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.settings import GatewaySettings
from funnelwatch.schemas.sources.contract import (
    WINDOW_US,
    Delivery,
    ForgedError,
    Forgery,
    Reply,
)

log = logging.getLogger(__name__)

PROBLEM: Final = "application/problem+json"
UNKNOWN: Final = "__unknown__"
"""The source under which requests to addresses of no source are counted."""
CLOSE: Final = {"connection": "close"}
"""Of answers to requests whose body is not read to its end."""
_ECHO: Final = re.compile(r"[ -~]{0,1024}", re.ASCII)
"""What a handshake may give back in a header: it is what the caller sent."""
TITLES: Final = {
    400: "The request cannot be read",
    404: "No such source",
    405: "The source is not called with this method",
    408: "The body did not arrive in time",
    413: "The body is too large",
    415: "The body is packed in an unknown way",
    429: "Too many requests",
    503: "Try again later",
}

RawHeaders = Iterable[tuple[bytes, bytes]]


class Receiver:
    """Takes deliveries of all sources.

    Args:
        settings: Limits, and the address that vendors call.
        sources: The sources by name.
        intake: Where results go.
        metrics: What is counted.
        silence: Who is told which sources were heard.
        refusals: Where deliveries are kept that are believed and cannot be read.
        now_us: The clock.
    """

    def __init__(  # noqa: PLR0917  (what the gateway is made of)
        self,
        settings: GatewaySettings,
        sources: Mapping[str, Source],
        intake: Intake,
        metrics: Metrics,
        silence: Silence,
        refusals: Refusals,
        now_us: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._sources = sources
        self._intake = intake
        self._metrics = metrics
        self._silence = silence
        self._refusals = refusals
        self._now_us = now_us
        self._room = Room()
        self._replays = Replays()

    async def receive(self, name: str, method: str, address: str, raw: RawHeaders, receive: Receive) -> Reply:
        """Take a request.

        Args:
            name: The source's name, as its address has it.
            method: GET, POST, …
            address: Path and query.
            raw: The headers.
            receive: Of the ASGI request.

        Raises:
            GoneError: The caller went away.
        """
        source = self._sources.get(name)
        if source is None or not source.system.webhook:
            return await self._turned_away(receive, UNKNOWN, "refused", "no_such_source", Reply(404))
        if method not in source.system.methods:
            allowed = Reply(405, {"allow": ", ".join(source.system.methods)})
            return await self._turned_away(receive, name, "refused", "wrong_method", allowed)
        if source.at_once >= source.settings.requests_at_once_max or not source.rate.take(monotonic()):
            slower = Reply(429, {"retry-after": "1"})
            return await self._turned_away(receive, name, "limited", "too_many_requests", slower)
        source.at_once += 1
        try:
            return await self._within_limits(source, method, address, raw, receive)
        finally:
            source.at_once -= 1

    async def _within_limits(
        self, source: Source, method: str, address: str, raw: RawHeaders, receive: Receive
    ) -> Reply:
        headers = _joined(raw)
        limits = self._settings
        try:
            body = await bodies.read(
                receive, headers.get("content-length", ""), limits.body_bytes_max, limits.body_seconds, self._room
            )
            body = bodies.unpacked(body, headers.get("content-encoding", ""), limits.body_bytes_max)
        except BodyError as error:
            result = "busy" if error.status == 503 else "refused"  # noqa: PLR2004  (service unavailable)
            reply = Reply(error.status)
            if error.whole:
                return self._refused(source.name, result, error.reason, reply)
            return await self._turned_away(receive, source.name, result, error.reason, reply)
        url = self._url(address, headers)
        now_us = self._now_us()
        delivery = Delivery(method=method, url=url, headers=headers, body=body, received_us=now_us)
        return await self._delivered(source, delivery, now_us)

    async def _delivered(self, source: Source, delivery: Delivery, now_us: int) -> Reply:
        started = monotonic()
        answers = source.system.answers
        try:
            if (reply := self._handshake(source, delivery)) is not None:
                if not all(_ECHO.fullmatch(text) for text in reply.headers.values()):
                    return self._refused(source.name, "refused", "unreadable_handshake", Reply(400))
                self._metrics.delivered(source.name, "handshake")
                return reply
            replay_key = self._believed(source, delivery, now_us)
        except ForgedError as error:
            return self._refused(source.name, "forged", error.reason.value, answers.forged)
        try:
            try:
                await self._intake.take(source, source.system.translate(delivery, source.options))
            except RefusedError as error:
                detail = error.refusal().detail
                await self._refusals.add(source.name, delivery, error.reason.value, detail)
                return self._refused(source.name, "refused", error.reason.value, answers.unreadable, detail)
        except FullError:
            return self._refused(source.name, "busy", "no_room", answers.busy)
        if replay_key is not None:
            self._replays.remember(replay_key, now_us, source.system.proof.window_us or WINDOW_US)
        self._silence.saw(source.name, now_us)
        self._metrics.delivered(source.name, "accepted")
        self._metrics.seconds.observe(monotonic() - started)
        return answers.accepted

    def _handshake(self, source: Source, delivery: Delivery) -> Reply | None:
        return source.system.proof.handshake(delivery, source.secrets.values[0], source.options)

    def _believed(self, source: Source, delivery: Delivery, now_us: int) -> int | None:
        """Verify; the key by which a replay would be known, if one can be.

        Raises:
            ForgedError: It is not believed.
        """
        proof = source.system.proof
        refused: ForgedError | None = None
        for secret in source.secrets.values:
            try:
                proof.verify(delivery, secret, source.options, now_us)
            except ForgedError as error:
                refused = error
            else:
                break
        else:
            raise refused or ForgedError(Forgery.MISSING_PROOF)
        moment = source.dated.moment(delivery, source.options) if source.dated is not None else None
        if moment is None:
            return None
        key = key_of(source.name, moment, delivery.body)
        if self._replays.known(key):
            raise ForgedError(Forgery.REPLAYED)
        return key

    async def again(self) -> int:
        """Try what was refused before. How many deliveries are taken now.

        Raises:
            FullError: There is no room for their events.
        """
        taken = number = 0
        while found := await self._refusals.after(number):
            for refused in found:
                number = refused.number
                source = self._sources.get(refused.name)
                if source is None:
                    continue
                try:
                    await self._intake.take(source, source.system.translate(refused.delivery, source.options))
                except RefusedError:
                    continue
                await self._refusals.remove(refused)
                taken += 1
        return taken

    async def _turned_away(self, receive: Receive, source: str, result: str, reason: str, reply: Reply) -> Reply:
        """Refuse a request whose body was not read to its end."""
        if not await bodies.drained(receive):
            reply = Reply(reply.status, {**reply.headers, **CLOSE}, reply.body)
        return self._refused(source, result, reason, reply)

    def _url(self, address: str, headers: Mapping[str, str]) -> str:
        public = self._settings.public_url.rstrip("/")
        return f"{public or 'http://' + headers.get('host', '')}{address}"

    def _refused(self, source: str, result: str, reason: str, reply: Reply, detail: str = "") -> Reply:
        """Count a request that is not accepted, and say why; not in place of what the vendor expects to read."""
        self._metrics.delivered(source, result, reason)
        if reply.body or reply.status < 400:  # noqa: PLR2004  (answers of errors begin there)
            return reply
        title = TITLES.get(reply.status, "The delivery was not accepted")
        body = msgspec.json.encode(Problem(title, reply.status, f"{reason}: {detail}" if detail else reason))
        return Reply(reply.status, {"content-type": PROBLEM, **reply.headers}, body)


def _joined(raw: RawHeaders) -> dict[str, str]:
    """Headers by their lower-case name; one that was sent several times is joined."""
    found: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found
