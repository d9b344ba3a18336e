"""A shard in Redis: fenced writes, each announced. The board reads what is written here.

Keys, with P the configured prefix: ``{P:kind:partition}:owner`` = ``epoch:worker``; ``…:cells``, a hash of encoded
cells to encoded values; ``…:meta``, a hash with ``seq`` (+1 with every accepted write or swap), ``watermark_us`` (time
of the newest event, empty if none), ``updated_us`` (everything read until this system time is in), ``current_us``
(everything that Kafka had at this system time is in; 0 or absent: nobody can say), ``epoch``, ``fingerprint`` and
``worker``.

Every accepted call also publishes on ``P:changes`` a MessagePack array [kind, partition, seq, op, payload]: ``set``
with [field, value, …] (an empty value: removed), ``reload`` with nil after a swap, ``beat`` with [watermark_us or nil,
updated_us, current_us]. A reader that misses a ``seq`` reads the hash and ``meta`` again, together. ``refused``, with
seq 0 and a text, is said by a worker whose writes Redis does not take (one without memory still passes messages on).

Nobody increments a figure, so a retry is harmless, and Redis may be flushed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib import resources
from itertools import chain
from typing import Any, Final, NamedTuple

import msgspec
from redis.exceptions import NoScriptError

from funnelwatch.agents.board.shards import changes_channel, shard_key
from funnelwatch.agents.engine.shards import Shard

FIELDS_PER_CALL: Final = 1_000
STAGED_SECONDS_MAX: Final = 600
"""A staged copy whose worker died goes away by itself."""
KEYS_PER_CALL: Final = 4
log = logging.getLogger(__name__)
_REFUSALS: Final = {
    "OOM": "it is out of memory: raise its maxmemory, or remove other keys",
    "MISCONF": "it cannot save its snapshot: make room on its disk",
    "READONLY": "it is a read-only replica: name the master in redis.host",
}
_REFUSAL_CHARS_MAX: Final = 200
_pack: Final = msgspec.msgpack.Encoder().encode
_ARRAY_OF_5: Final = b"\x95"


class Answer(StrEnum):
    """What a fenced script says."""

    OK = "ok"
    TAKEN = "taken"
    KEPT = "kept"
    LOST = "lost"
    """Nobody or somebody older owns it: claim again, and publish everything."""
    FENCED = "fenced"
    """Somebody newer owns it: Kafka will tell us soon."""


class Call(NamedTuple):
    """A script with what it is told; nothing has happened yet."""

    script: Any
    keys: list[str]
    arguments: list[Any]


class ShardStore:
    """Redis, as far as a worker writes to it.

    Args:
        redis: An asynchronous client that answers bytes.
        prefix: In front of all keys.
        worker: This process' own name.
        fingerprint: Of the settings that fix what a cell means.
    """

    def __init__(self, redis: Any, prefix: str, worker: str, fingerprint: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._worker = worker
        self._fingerprint = fingerprint
        self._claim, self._write, self._swap, self._beat = (
            redis.register_script(_script(name)) for name in ("claim", "write", "swap", "beat")
        )

    def token(self, shard: Shard) -> bytes:
        """What the owner key says while the shard is ours."""
        return f"{shard.epoch}:{self._worker}".encode()

    async def run_id(self) -> str:
        """Changes when Redis restarts."""
        return str((await self._redis.info("server"))["run_id"])

    async def owners(self, shards: Sequence[Shard]) -> list[bytes | None]:
        """What the owner keys say."""
        if not shards:
            return []
        found: list[bytes | None] = await self._redis.mget([self._key(shard, "owner") for shard in shards])
        return found

    async def send(self, calls: Sequence[Call]) -> list[Answer]:
        """Have all of these done, in one message to Redis and in this order; what each script said."""
        if len(calls) < 2:  # noqa: PLR2004  (one needs no pipeline)
            return [await self._one(call) for call in calls]
        pipeline = self._redis.pipeline(transaction=False)
        for call in calls:
            pipeline.evalsha(call.script.sha, KEYS_PER_CALL, *call.keys, *call.arguments)
        answers = []
        for call, said in zip(calls, await pipeline.execute(raise_on_error=False), strict=True):
            if isinstance(said, NoScriptError):
                answers.append(await self._one(call))  # which tells Redis the script first
            elif isinstance(said, BaseException):
                raise said
            else:
                answers.append(Answer(said.decode()))
        return answers

    async def _one(self, call: Call) -> Answer:
        said: bytes = await call.script(keys=call.keys, args=call.arguments)
        return Answer(said.decode())

    async def claim(self, shard: Shard) -> Answer:
        """Become the owner: `Answer.TAKEN`, `Answer.KEPT` or `Answer.FENCED`."""
        answer = await self._one(self._call(self._claim, shard, updated_us=0, op="claim", payload=None))
        if answer is Answer.TAKEN:
            await self._note_other_meaning(shard)
        return answer

    async def _note_other_meaning(self, shard: Shard) -> None:
        found: bytes | None = await self._redis.hget(self._key(shard, "meta"), "fingerprint")
        if found is not None and found.decode(errors="replace") != self._fingerprint:
            log.warning(
                "%s[%s]: Redis has figures of another configuration (%s, ours is %s); all are derived anew from "
                "what was observed, and replaced.",
                *(shard.kind.value, shard.partition, found.decode(errors="replace"), self._fingerprint),
            )

    def write(self, shard: Shard, changes: Mapping[bytes, bytes], updated_us: int) -> Call:
        """Set cells as they are published; an empty value removes one. At most `FIELDS_PER_CALL` of them."""
        flat = list(chain.from_iterable(changes.items()))
        return self._call(self._write, shard, updated_us=updated_us, op="set", payload=flat)

    async def stage(self, shard: Shard, cells: Mapping[bytes, bytes]) -> None:
        """Add cells to the copy that `swap` will put in place."""
        staged = self._staged(shard)
        await self._redis.hset(staged, mapping=dict(cells))
        await self._redis.expire(staged, STAGED_SECONDS_MAX)

    async def unstage(self, shard: Shard) -> None:
        """Begin a new copy."""
        await self._redis.delete(self._staged(shard))

    async def swap(self, shard: Shard, updated_us: int) -> Answer:
        """Put the staged copy in place of all the shard said before."""
        return await self._one(self._call(self._swap, shard, updated_us=updated_us, op="reload", payload=None))

    def beat(self, shard: Shard, updated_us: int, current_us: int) -> Call:
        """Say that everything read until ``updated_us`` is in, and everything that Kafka had at ``current_us``."""
        payload = [shard.cells.newest, updated_us, current_us]
        more = [str(current_us).encode()]
        return self._call(self._beat, shard, updated_us=updated_us, op="beat", payload=payload, more=more)

    async def say_refused(self, shard: Shard, why: str) -> None:
        """Tell readers that what the shard has to say is not taken: what they have read grows old."""
        head = _ARRAY_OF_5 + _pack(shard.kind.value) + _pack(shard.partition)
        await self._redis.publish(changes_channel(self._prefix), head + _pack(0) + _pack("refused") + _pack(why))

    def _call(
        self, script: Any, shard: Shard, *, updated_us: int, op: str, payload: Any, more: Sequence[bytes] = ()
    ) -> Call:
        newest = shard.cells.newest
        return Call(
            script,
            keys=[self._key(shard, what) for what in ("owner", "cells", "meta")] + [self._staged(shard)],
            arguments=[
                self.token(shard),
                self._fingerprint,
                self._worker,
                "" if newest is None else newest,
                updated_us,
                changes_channel(self._prefix),
                _ARRAY_OF_5 + _pack(shard.kind.value) + _pack(shard.partition),
                _pack(op) + _pack(payload),
                *more,
            ],
        )

    def _key(self, shard: Shard, what: str) -> str:
        return shard_key(self._prefix, shard.kind, shard.partition, what)

    def _staged(self, shard: Shard) -> str:
        return self._key(shard, f"staged:{self._worker}")


def refusal_of(error: BaseException) -> str:
    """Why Redis took no write, and what to do about it: some words for a sentence."""
    text = str(error)
    known = (words for code, words in _REFUSALS.items() if code in text)
    return next(known, f"it said: {text[:_REFUSAL_CHARS_MAX]}")


def _script(name: str) -> str:
    lua = resources.files("funnelwatch.agents.engine") / "lua"
    return (lua / "common.lua").read_text() + (lua / f"{name}.lua").read_text()
