"""sales-kpi-1 on Quix Streams: stateful by deal, regrouped by rep (a topic), stateful by (rep, day)."""

import os
from typing import Any

import progress
from quixstreams import Application, State
from semantics import Json, count, move, new_row, read

COUNT = progress.start()
app = Application(
    broker_address=os.environ["BROKER"],
    consumer_group=os.environ["APP_ID"],
    auto_offset_reset="earliest",
    state_dir=os.environ["STATE_DIR"],
    loglevel="WARNING",
)
deals = app.topic(os.environ["TOPIC"], value_deserializer="json", key_deserializer="str")
rows = app.topic(os.environ["OUT_TOPIC"], value_serializer="json", key_serializer="str")


def by_deal(event: Json, state: State) -> Json:
    before = state.get("deal")
    after, told = move(before, read(event))
    if after is not before:
        state.set("deal", after)
    return told


def by_rep(told: Json, state: State) -> dict[str, Any]:
    row = state.get(told["day"]) or new_row()
    count(row, told)
    state.set(told["day"], row)
    COUNT[0] += 1
    return {"k": f"{told['rep']}|{told['day']}", **row}


moves = app.dataframe(deals).apply(by_deal, stateful=True)
moves = moves.group_by("rep").apply(by_rep, stateful=True)
moves.to_topic(rows, key=lambda row: row["k"])
if __name__ == "__main__":
    app.run()
