"""The one Faust application, built from settings and secrets; nothing here is a global.

Five agents fold the input topics and one the links topic. Everything keyed by an entity has the same number of
partitions, so Faust's assignor gives partition N of all of them to the same worker.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import faust
from faust.sensors.monitor import Monitor

from funnelwatch.agents import topics
from funnelwatch.agents.clock import monotonic, now_us
from funnelwatch.agents.connections import kafka_client
from funnelwatch.agents.engine.barrier import SendBarrier
from funnelwatch.agents.engine.chunk_transport import SEND_UNCERTAIN, ChunkTransport, StockTransport
from funnelwatch.agents.engine.entity_table import EntityTable, PartitionLost
from funnelwatch.agents.engine.fold_agent import FoldAgents
from funnelwatch.agents.engine.foreign import ForeignReader
from funnelwatch.agents.engine.judging import Judge
from funnelwatch.agents.engine.kind_fold import KindFold
from funnelwatch.agents.engine.metrics import Metrics
from funnelwatch.agents.engine.outbox import Outbox
from funnelwatch.agents.engine.progress import Position, Progress
from funnelwatch.agents.engine.recovery import GenerationRecovery, PromptTables
from funnelwatch.agents.engine.recovery_progress import Part, RecoveryWatch
from funnelwatch.agents.engine.room import EXIT_NO_ROOM, is_no_room
from funnelwatch.agents.engine.row_cache import RowCache
from funnelwatch.agents.engine.shards import Shards, ShardsOfKind
from funnelwatch.agents.engine.storms import Storms
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import FOLD_VERSION, Secrets, Settings
from funnelwatch.streams import compiled
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.context import Context
from funnelwatch.streams.fold import Fold
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.storm import StormRules

EXIT_STATE_UNCERTAIN: Final = 70
CHUNKS_BUFFERED_MAX: Final = 16
"""Per agent; more would only wait in memory."""
RECORDS_BUFFERED_MAX: Final = 4_096
"""The same in stock delivery."""
BATCH_BYTES_MAX: Final = 900_000
"""One record batch per chunk; a broker takes up to 1 MiB by default."""
HEARTBEATS_PER_SESSION: Final = 5
log = logging.getLogger("funnelwatch.worker")
"""Not the module's: that one has Faust's chatter about the class."""

_RAW: Final = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}


class QuietMonitor(Monitor):  # type: ignore[misc]  # Faust is untyped
    """Faust's monitor keeps statistics per event that nobody reads here; they cost 15 % of the time."""

    def on_message_in(self, tp: Any, offset: int, message: Any) -> None:  # noqa: ARG002  (Faust's signature)
        """Only what Faust itself reads."""
        message.time_in = 0.0

    def on_stream_event_in(self, tp: Any, offset: int, stream: Any, event: Any) -> None:
        """Nothing."""

    def on_stream_event_out(self, tp: Any, offset: int, stream: Any, event: Any, state: Any = None) -> None:
        """Nothing."""

    def on_message_out(self, tp: Any, offset: int, message: Any) -> None:
        """Nothing."""

    def track_tp_end_offset(self, tp: Any, offset: int) -> None:
        """Nothing."""


class FunnelApp(faust.App):  # type: ignore[misc]  # Faust is untyped
    """A Faust application that leaves at once when its state is uncertain.

    ``source_topics`` are the topics that agents read; ``delivery`` is ``chunk`` or ``stock``.
    """

    def __init__(self, *args: Any, source_topics: frozenset[str], delivery: str, **kwargs: Any) -> None:
        self.source_topics = source_topics
        self.delivery = delivery
        self.is_stopping = False
        self.note_rebalance: Callable[[float], None] = _nothing
        self.before_reading: Callable[[], None] = lambda: None
        self._rebalance_began: float | None = None
        self.barrier = SendBarrier(lambda failure: self.die(failure, SEND_UNCERTAIN))
        super().__init__(*args, **kwargs)

    def _new_transport(self) -> Any:
        transport = ChunkTransport if self.delivery == "chunk" else StockTransport
        return transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Any:
        return self._new_transport()

    def on_rebalance_start(self) -> None:
        """As stock. Another one may begin before this one ends: together they are one stand-still."""
        super().on_rebalance_start()
        if self._rebalance_began is None:
            self._rebalance_began = monotonic()

    def on_rebalance_end(self) -> None:
        """As stock, and say how long nothing was folded."""
        super().on_rebalance_end()
        if self._rebalance_began is not None:
            self.note_rebalance(monotonic() - self._rebalance_began)
            self._rebalance_began = None

    def _crash(self, reason: BaseException) -> None:
        if self.started and not self.is_stopping:
            self.die(reason, "Faust crashed")
        super()._crash(reason)

    def die(self, reason: BaseException, why: str) -> NoReturn:
        """Leave at once, committing nothing.

        Faust acknowledges a message whose agent raised, and commits on the way out of an orderly crash: an orderly stop
        after a fault loses events. Ending like ``kill -9`` is the path that is tested most.
        """
        self.log.critical("Leaving, and committing nothing: %s: %r", why, reason, exc_info=reason)
        if is_no_room(reason):
            self.log.critical(
                "The disk of %s is full: make room. Started again, the worker waits for it.", self.conf.datadir
            )
            os._exit(EXIT_NO_ROOM)
        os._exit(EXIT_STATE_UNCERTAIN)


class Worker:
    """The application and what hangs on it. Build it inside the running event loop.

    Args:
        settings: The configuration.
        secrets: Its passwords.
        folds: Of each kind: the product's, but in a benchmark.

    Raises:
        OperationError: The Kafka security settings are wrong.
    """

    def __init__(self, settings: Settings, secrets: Secrets, folds: Mapping[Kind, Fold[Any]] = FOLDS) -> None:
        self.settings = settings
        self.folds = folds
        self.metrics = Metrics()
        self.judge = Judge(settings)
        self.is_compiled = folds is FOLDS and compiled.is_used(settings)
        context = Context(settings, Calendar(settings.calendar))
        self.shards = Shards(settings, context, folds, self.judge, now_us, is_compiled=self.is_compiled)
        self.app = new_app(settings, secrets)
        self.progress = Progress(self.positions)
        foreign = ForeignReader(settings, secrets)
        self.tables: dict[Kind, EntityTable] = {}
        row_cache = RowCache()
        for kind in Kind:
            rules = ShardsOfKind(self.shards, kind, folds[kind])
            table = EntityTable(
                self.app,
                name=kind.value,  # the changelog is then called what `topics.changelog_topic` says
                partitions=settings.kafka.partitions,
                rules=rules,
                listener=rules,
                read_foreign=foreign.read,
                row_cache=row_cache,
            )
            rules.table = self.tables[kind] = table
            self.app.tables.add(table)
        self.outbox = Outbox(
            self._producer,
            self.app.barrier,
            dead_letters=topics.dead_letters_topic(settings),
            links=topics.links_topic(settings),
            partitions=settings.kafka.partitions,
        )
        self.storms = Storms(
            storm_rules(settings),
            lambda: self.app.consumer,
            self._is_settled,
            is_on=settings.worker.delivery == "chunk",
        )
        self.app.before_reading = self.storms.adopt
        self.agents = FoldAgents(
            tables=self.tables,
            folds={kind: KindFold(folds[kind], context, compiled=self.is_compiled) for kind in Kind},
            shards=self.shards,
            outbox=self.outbox,
            judge=self.judge,
            metrics=self.metrics,
            progress=self.progress,
            partitions=settings.kafka.partitions,
            now_us=now_us,
            note=self.storms.note,
        )
        for kind in Kind:
            self._add_agent(f"fold-{kind.value}", topics.input_topic(settings, kind), self._folder(kind))
        self._add_agent("fold-links", topics.links_topic(settings), self.agents.fold_links)
        self.metrics.watch_positions(self.positions)
        self.app.note_rebalance = self.metrics.rebalanced
        self.recovery = RecoveryWatch(self._recovering, self._derived)
        self.metrics.watch_stops(self.storms.stopped)
        self.metrics.watch_repairs(lambda: sum(table.repaired_records for table in self.tables.values()))

    def _producer(self) -> Any:
        return self.app.producer._ensure_producer()  # noqa: SLF001  (Faust wraps no record batches)

    def _folder(self, kind: Kind) -> Callable[[list[Any]], Awaitable[None]]:
        return lambda records: self.agents.fold_events(kind, records)

    def _add_agent(self, name: str, topic: str, fold: Callable[[list[Any]], Awaitable[None]]) -> None:
        app = self.app
        channel = app.topic(topic, partitions=self.settings.kafka.partitions, allow_empty=True, **_RAW)

        async def agent(stream: Any) -> None:
            async for event in stream.events():
                message = event.message
                if self.storms.drops(message):
                    app.consumer.settle(message)
                    continue
                try:
                    await fold(message.value if isinstance(message.value, list) else [message])
                except PartitionLost as lost:
                    if message.generation_id == app.consumer_generation_id and not app.rebalancing:
                        app.die(lost, "a partition that is ours is not open")
                    message.generation_id = None  # never acknowledged: whoever owns the partition gets it again
                    log.info("A chunk is dropped, its partition is being moved: %s", lost)
                except Exception as failure:  # noqa: BLE001  (Faust would acknowledge the chunk and go on without it)
                    app.die(failure, f"a chunk of {topic}[{message.partition}] up to {message.offset} was not folded")
                else:
                    app.consumer.folded(message)
                await asyncio.sleep(0)  # others have to get their turn in a long catch-up
                app.consumer.settle(message)

        app.agent(channel, name=name)(agent)

    def _recovering(self) -> dict[Part, int] | None:
        """Changelog records to be merged yet, by table and partition; None if no recovery is under way."""
        app = self.app
        if not app.in_recovery and app.tables.actives_ready:
            return None
        kinds = {table.changelog_topic_name: kind.value for kind, table in self.tables.items()}
        remaining = app.tables.recovery.active_remaining()
        return {(kinds[tp.topic], tp.partition): left for tp, left in remaining.items() if tp.topic in kinds}

    def _derived(self) -> dict[Part, tuple[int, int]]:
        return {
            (kind.value, partition): rows
            for kind, table in self.tables.items()
            for partition, rows in table.derived().items()
        }

    def _is_settled(self) -> bool:
        return bool(self.app.started and not self.app.rebalancing and not self.app.in_recovery)

    def positions(self) -> dict[tuple[str, int], Position]:
        """Where every partition of a source topic that is ours stands."""
        consumer = self.app.consumer
        return {
            (tp.topic, tp.partition): Position(consumer.highwater(tp), committed, consumer.fetched(tp))
            for tp, committed in consumer.committed().items()
        }

    def current_us(self, kind: Kind, partition: int) -> int:
        """Everything that this shard's topics had at this system time (µs) is folded; 0 if nobody can say."""
        sources = (topics.input_topic(self.settings, kind), topics.links_topic(self.settings))
        return self.progress.current_us(*((topic, partition) for topic in sources))


def storm_rules(settings: Settings) -> StormRules:
    """When reading of a partition stops."""
    worker = settings.worker
    return StormRules(worker.storm_share, worker.storm_seconds, worker.storm_events_min, worker.storm_probe_seconds)


def _nothing(_: float) -> None:
    """Nobody asked."""


def new_app(settings: Settings, secrets: Secrets) -> FunnelApp:
    """The application without its agents and tables.

    Raises:
        OperationError: The Kafka security settings are wrong.
    """
    kafka, worker = settings.kafka, settings.worker
    sources = {topics.links_topic(settings), *(topics.input_topic(settings, kind) for kind in Kind)}
    is_chunked = worker.delivery == "chunk"
    app = FunnelApp(
        kafka.prefix + kafka.group,
        version=FOLD_VERSION,  # rows of another version: another group, other tables, from the topics' beginning
        source_topics=frozenset(sources),
        delivery=worker.delivery,
        broker=";".join(f"kafka://{address}" for address in kafka.bootstrap),
        broker_credentials=credentials(settings, secrets),
        broker_client_id="funnelwatch-worker",
        broker_commit_interval=worker.commit_seconds,
        broker_session_timeout=worker.session_seconds,
        broker_heartbeat_interval=worker.session_seconds / HEARTBEATS_PER_SESSION,
        consumer_auto_offset_reset="earliest",
        store="rocksdb://",
        datadir=str(Path(worker.data_dir)),
        table_standby_replicas=worker.standby_replicas,
        topic_partitions=kafka.partitions,
        topic_replication_factor=kafka.replication,
        topic_allow_declare=False,  # `topics.ensure` creates and checks them
        topic_disable_leader=True,
        stream_wait_empty=False,
        stream_buffer_maxsize=CHUNKS_BUFFERED_MAX if is_chunked else RECORDS_BUFFERED_MAX,
        producer_acks=-1,
        producer_linger=0.0,  # closed record batches don't linger; nothing else is sent often
        producer_max_batch_size=BATCH_BYTES_MAX,
        producer_max_request_size=topics.LETTER_WITH_HEADERS_BYTES_MAX,  # letters are larger than a broker's default
        web_enabled=False,
        Monitor=QuietMonitor,
        TableManager=PromptTables,
    )
    app.tables._recovery = GenerationRecovery(app, app.tables, beacon=app.tables.beacon)  # noqa: SLF001  (no setting)
    return app


def credentials(settings: Settings, secrets: Secrets) -> Any:
    """What Faust takes for the Kafka security settings, None for plaintext. It holds the password: never log it.

    Raises:
        OperationError: They are wrong.
    """
    client = kafka_client(settings, secrets)
    protocol, context = client.get("security_protocol", "PLAINTEXT"), client.get("ssl_context")
    if protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=client["sasl_plain_username"],
            password=client["sasl_plain_password"],
            mechanism=client["sasl_mechanism"],
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if protocol == "SSL" else None
