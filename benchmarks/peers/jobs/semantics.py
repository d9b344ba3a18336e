"""The work in plain Python, for the peers that take one event at a time: see ``peers.workload``."""

from typing import Any

from times import ms_of

Json = dict[str, Any]


def read(event: Json) -> Json:
    """What is needed of a decoded event."""
    at = event["occurred_at"]
    return {
        "type": event["type"],
        "deal": event["deal_id"],
        "rep": event["rep_id"],
        "stage": event["stage"],
        "cents": round(event["amount"] * 100),
        "at": ms_of(at),
        "day": at[:10],
    }


def move(stood: list[Any] | None, event: Json) -> tuple[list[Any], Json]:
    """How a deal stands after an event (stage, since), and what its rep has to know of it."""
    told = {name: event[name] for name in ("rep", "day", "type", "cents")} | {"from": None, "stayed": 0, "late": 0}
    if stood is not None and event["at"] < stood[1]:
        return stood, told | {"late": 1}
    if stood is not None:
        told |= {"from": stood[0], "stayed": event["at"] - stood[1]}
    return [event["stage"], event["at"]], told


def new_row() -> Json:
    """The figures of a (rep, day) before its first event."""
    return {"n": 0, "created": 0, "won": 0, "lost": 0, "amt": 0, "late": 0, "ds": {}, "dc": {}}


def count(row: Json, told: Json) -> None:
    """Add a move to its row."""
    row["n"] += 1
    row["late"] += told["late"]
    if told["type"] == "deal.created":
        row["created"] += 1
    elif told["type"] == "deal.lost":
        row["lost"] += 1
    elif told["type"] == "deal.won":
        row["won"] += 1
        row["amt"] += told["cents"]
    stage = told["from"]
    if stage is not None:
        row["ds"][stage] = row["ds"].get(stage, 0) + told["stayed"]
        row["dc"][stage] = row["dc"].get(stage, 0) + 1
