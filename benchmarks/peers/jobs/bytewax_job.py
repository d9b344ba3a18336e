"""sales-kpi-1 on Bytewax: Kafka source, stateful by deal, stateful by (rep, day), Kafka sink, recovery in SQLite."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import progress
from bytewax._bytewax import cli_main
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from semantics import Json, count, move, new_row, read

COUNT = progress.start()
BROKERS = [os.environ["BROKER"]]
EPOCH = timedelta(seconds=10)


def parse(message: Any) -> tuple[str, Json]:
    event = read(json.loads(message.value))
    return event["deal"], event


def by_rep(row: Json | None, told: Json) -> tuple[Json, Json]:
    row = row or new_row()
    count(row, told)
    COUNT[0] += 1
    return row, row.copy()


flow = Dataflow("kpi")
events = op.map("parse", op.input("in", flow, KafkaSource(BROKERS, [os.environ["TOPIC"]], batch_size=1000)), parse)
moves = op.stateful_map("by_deal", events, move)
rekeyed = op.map("rekey", moves, lambda pair: (f"{pair[1]['rep']}|{pair[1]['day']}", pair[1]))
rows = op.stateful_map("by_rep", rekeyed, by_rep)
messages = op.map("encode", rows, lambda pair: KafkaSinkMessage(pair[0].encode(), json.dumps(pair[1]).encode()))
op.output("out", messages, KafkaSink(BROKERS, os.environ["OUT_TOPIC"]))

if __name__ == "__main__":
    recovery = Path(os.environ["STATE_DIR"])
    if not list(recovery.glob("*.sqlite3")):
        init_db_dir(recovery, 1)
    cli_main(flow, epoch_interval=EPOCH, recovery_config=RecoveryConfig(str(recovery)))
