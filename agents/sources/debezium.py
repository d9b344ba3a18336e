"""Change events of Debezium, read from their topics: offsets are committed when what they became is safe."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.connections import kafka_client, kafka_trouble
from funnelwatch.agents.gateway.polling import Polled, Poller
from funnelwatch.agents.sources.handing_in import put
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources.contract import Delivery, Outgoing, Result

log = logging.getLogger(__name__)

RECORDS_MAX: Final = 500
"""Changes that are handed in at a time."""
WAIT_MS: Final = 500


async def poll(polled: Polled) -> None:
    """Read on from where the source's group has come, until cancelled.

    Raises:
        OperationError: Kafka does not answer.
    """
    options, settings = polled.source.options, polled.settings
    topics = [name.strip() for name in options.option("topics").split(",") if name.strip()]
    consumer = AIOKafkaConsumer(
        *topics,
        **kafka_client(settings, polled.secrets),
        group_id=f"{settings.kafka.group}-source-{polled.source.name}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    try:
        await consumer.start()
        while True:
            batches = await consumer.getmany(timeout_ms=WAIT_MS, max_records=RECORDS_MAX)
            records = [record for batch in batches.values() for record in batch]
            if records:
                await _take(polled, records)
                await consumer.commit()
            polled.heard()
    except (KafkaError, OSError) as error:
        raise kafka_trouble(settings, error) from error
    finally:
        await consumer.stop()


async def _take(polled: Polled, records: Iterable[Any]) -> None:
    results: list[Result] = []
    for record in records:
        delivery = Delivery(
            url=f"kafka:{record.topic}/{record.partition}/{record.offset}",
            body=record.value or b"",
            received_us=now_us(),
        )
        try:
            found = polled.source.system.translate(delivery, polled.source.options)
            for result in found:
                if isinstance(result, Outgoing):
                    result.event()  # what is refused later would take the others of the portion with it
        except RefusedError as error:
            log.warning("a change is refused (%s): %s", error.reason.value, delivery.url)
            if polled.refuse is not None:
                await polled.refuse(delivery, error)
        else:
            results += found
    await put(polled, results)


POLLER: Final = Poller(poll)
