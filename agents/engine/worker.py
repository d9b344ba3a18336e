"""The worker process: starts everything, stops it in order, and says in one sentence what prevents it."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import logging
import signal
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import redis.asyncio
from aiokafka.errors import KafkaError
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from funnelwatch.agents import topics
from funnelwatch.agents.clock import monotonic
from funnelwatch.agents.connections import KafkaAwayError, kafka_trouble, redis_client
from funnelwatch.agents.engine import application, chunk_transport, entity_table, recovery
from funnelwatch.agents.engine.application import Worker
from funnelwatch.agents.engine.forgetting import Forgetting
from funnelwatch.agents.engine.publisher import Publisher
from funnelwatch.agents.engine.room import EXIT_NO_ROOM, MEGABYTE, Room
from funnelwatch.agents.engine.server import OperationsServer
from funnelwatch.agents.engine.shard_store import ShardStore
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.stops import Stops
from funnelwatch.agents.tasks import ended
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import FOLD_VERSION, Secrets, Settings
from funnelwatch.streams import compiled
from funnelwatch.streams.fold import Fold
from funnelwatch.streams.folds import FOLDS

ONCE: Final = Retry(NoBackoff(), 0)
KAFKA_SECONDS_MAX: Final = 300.0
"""How long a starting worker waits for Kafka."""
KAFKA_RETRY_SECONDS: Final = 2.0
STOP_SECONDS_MAX: Final = 20.0
SWITCH_SECONDS: Final = 0.0005
"""How long the thread that talks to Kafka waits for the one that folds. It asks several times for each fetch: with
Python's own 5 ms that was half of the time from an event's sending to its figure."""
_LOCK_NAME: Final = "worker.lock"
_LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_QUIET: Final = ("aiokafka", "faust", "mode", "rocksdict", "kafka")

Task = asyncio.Task[None]

log = logging.getLogger(__name__)


def run(settings: Settings, secrets: Secrets, folds: Mapping[Kind, Fold[Any]] = FOLDS) -> int:
    """Fold events until SIGTERM or SIGINT; the process' exit code. ``folds``: see `Worker`.

    Raises:
        OperationError: The worker cannot run: a port or data directory in use, unfit topics, Kafka away.
    """
    set_up_logging()
    gc.set_threshold(100_000, 50, 100)  # a chunk makes thousands of short-lived tuples and no cycles
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()  # Faust collects by hand at every rebalance: what is loaded now need not be looked at
    with own_directory(Path(settings.worker.data_dir)):
        return asyncio.run(serve(settings, secrets, folds))


def set_up_logging() -> None:
    """Everything to stderr. Faust's own chatter only from warnings on."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=_LOG_FORMAT, force=True)
    logging.disable(logging.DEBUG)  # their debug calls build records even when nobody reads them: 30 % of the time
    for name in (*_QUIET, *(module.__name__ for module in (application, chunk_transport, entity_table, recovery))):
        logging.getLogger(name).setLevel(logging.WARNING)  # ours: Faust logs under the module of a class


@contextmanager
def own_directory(directory: Path) -> Iterator[None]:
    """Make the data directory and hold it for this process.

    Raises:
        OperationError: Another worker has it, or it cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / _LOCK_NAME).open("w")
    except OSError as error:
        raise OperationError(f"The data directory {directory} cannot be used: {error.strerror}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OperationError(
                f"The data directory {directory} belongs to a running worker: give each its own worker.data_dir."
            ) from error
        _note_other_versions(directory)
        yield


def _note_other_versions(directory: Path) -> None:
    others = sorted(path.name for path in directory.glob("v*") if path.is_dir() and path.name != f"v{FOLD_VERSION}")
    if others:
        log.warning(
            "%s has rows of another fold version (%s); this is v%s, which reads the topics from their beginning. "
            "Remove the old ones when you do not go back.",
            directory,
            ", ".join(others),
            FOLD_VERSION,
        )


async def serve(settings: Settings, secrets: Secrets, folds: Mapping[Kind, Fold[Any]]) -> int:
    """Run until a signal. Raises what `run` raises."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    worker = Worker(settings, secrets, folds)
    log.info("Events %s.", compiled.words(settings))
    client = redis.asyncio.Redis(**redis_client(settings, secrets), retry=ONCE)  # the publisher tries again itself
    store = ShardStore(client, settings.redis.prefix, uuid.uuid4().hex[:12], settings.fingerprint)
    publisher = Publisher(
        worker.shards,
        store,
        worker.metrics,
        worker.app.die,
        sample=worker.progress.sample,
        current_us=worker.current_us,
    )
    worker.metrics.watch_moment(lambda: publisher.is_connected)
    room = Room(Path(settings.worker.data_dir), settings.worker.disk_free_mb_min * MEGABYTE)
    worker.metrics.watch_room(room.free_bytes)
    server = OperationsServer(
        settings.worker.host,
        settings.worker.port,
        worker.metrics,
        lambda: room.trouble() or _unready(worker, publisher),
    )
    await server.start()
    try:
        if not await _topics_are_there(settings, secrets, stop):
            return 0
        await room.wait(stop)
        stops = Stops(client, settings.redis.prefix)
        await worker.storms.look(stops)
        filling = asyncio.create_task(_stop_when_full(room, stop))
        recovering = asyncio.create_task(worker.recovery.run())  # the first recovery is part of the start
        await _start(worker, stop)
        publishing = asyncio.create_task(publisher.run())
        others = [
            filling,
            recovering,
            asyncio.create_task(Forgetting(worker).run()),
            asyncio.create_task(worker.storms.run(stops)),
        ]
        if not stop.is_set():
            log.info("Ready. Metrics on http://%s:%s/metrics", settings.worker.host, settings.worker.port)
            await stop.wait()
        log.info("Stopping in order.")
        await worker.storms.leave(stops)
        await _stop(worker, others, publishing, publisher)
    finally:
        await server.stop()
        await client.aclose()
    return EXIT_NO_ROOM if room.is_lacking else 0


async def _topics_are_there(settings: Settings, secrets: Secrets, stop: asyncio.Event) -> bool:
    """Create what topics are missing; False if the worker was told to stop before that.

    Kafka may be away: whoever starts workers again must not do so all the time that it is.

    Raises:
        OperationError: A topic is unlike what it must be, or Kafka was away for `KAFKA_SECONDS_MAX`.
    """
    until = monotonic() + KAFKA_SECONDS_MAX
    while not stop.is_set():
        try:
            created = await topics.ensure(settings, secrets)
        except KafkaAwayError as away:
            left = until - monotonic()
            if left <= 0:
                raise
            log.warning("%s Trying for %.0f s more.", away, left)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), KAFKA_RETRY_SECONDS)
        else:
            if created:
                log.info("Created topics: %s", ", ".join(created))
            return True
    return False


async def _stop_when_full(room: Room, stop: asyncio.Event) -> None:
    await room.exhausted()
    stop.set()


async def _start(worker: Worker, stop: asyncio.Event) -> None:
    starting = asyncio.create_task(worker.app.start())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not starting.done():
        await ended(starting)
        return
    try:
        starting.result()
    except (KafkaError, OSError) as error:
        raise kafka_trouble(worker.settings, error) from error


async def _stop(worker: Worker, others: Sequence[Task], publishing: Task, publisher: Publisher) -> None:
    worker.app.is_stopping = True
    for task in others:
        await ended(task)
    # Not wait_for: it waits for what it cancels, and Faust's services may swallow that.
    done, _ = await asyncio.wait({asyncio.create_task(worker.app.stop())}, timeout=STOP_SECONDS_MAX)
    if not done:
        worker.app.die(
            TimeoutError(f"not stopped within {STOP_SECONDS_MAX:g} s"), "what was not committed is read again"
        )
    await ended(publishing)
    with suppress(redis.RedisError, OSError):
        await publisher.publish()


def _unready(worker: Worker, publisher: Publisher) -> str:
    app = worker.app
    if not app.started or app.rebalancing or app.in_recovery or not app.tables.actives_ready:
        tables = worker.recovery.text()
        return f"recovering: {tables}" if tables else "waiting for partitions or their recovery"
    if stopped := worker.storms.trouble():
        return stopped
    if publisher.refusal:
        return f"Redis takes no writes; {publisher.refusal}"
    return "" if publisher.is_connected else "Redis does not answer"
