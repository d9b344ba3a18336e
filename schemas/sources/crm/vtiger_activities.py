"""Vtiger's calls (``PhoneCalls``, ``PBXManager``), logged calls (``Events``) and users."""

from __future__ import annotations

from typing import Final

from funnelwatch.schemas.sources import reading
from funnelwatch.schemas.sources.contract import Passed, Result, SourceOptions
from funnelwatch.schemas.sources.crm import values
from funnelwatch.schemas.sources.crm.records import Entity
from funnelwatch.schemas.sources.crm.vtiger_record import USERS, Record

CALL_MODULES: Final = frozenset({"PhoneCalls", "PBXManager"})
STATUSES: Final = {
    "completed": "connected", "in-progress": None, "ringing": None, "no-answer": "no_answer",
    "no-response": "no_answer", "busy": "busy", "voicemail": "voicemail",
}  # fmt: skip
"""Call states; None is a call that is not over. Any other text is the reason why it failed."""


def call(record: Record, options: SourceOptions) -> list[Result]:
    """A call that a telephone system told Vtiger of. ``starttime`` and ``endtime`` are a person's."""
    status = record.text("outcome", "callstatus")
    outcome = options.outcomes.get(status, STATUSES.get(status, "failed" if status else None))
    if outcome is None:
        return [Passed("planned", "the call is not over yet")]
    started_at = record.local_time("starttime")
    ended_at = record.local_time("endtime")
    at = next((one for one in (ended_at, started_at) if one is not None), record.modified_at)
    direction = record.text("direction", "direction").lower()
    data = values.present(
        direction=direction if direction in {"inbound", "outbound"} else "",
        outcome=outcome,
        started_at=None if started_at is None else reading.instant_text(started_at),
        talk_seconds=reading.seconds(record.value("talk_seconds", "billduration"), "billduration"),
        recording_url=record.text("recording_url", "recordingurl"),
        cold=values.flag(record.value("cold")),
        **_links(record, options),
    )
    number = record.text("number", "customernumber")
    user = record.text("rep_id", "user", "assigned_user_id")
    user = f"{options.option(USERS, '19')}x{user}" if user.isdecimal() else user
    return [Entity("call", record.id, options).did("completed", at, data, values.person(options, user), number=number)]


def event(record: Record, options: SourceOptions) -> list[Result]:
    """A call that somebody wrote into the calendar."""
    if record.text("type", "activitytype") != "Call":
        return [Passed("other_activity", "only calls are outreach")]
    outcome = {"Held": "connected", "Not Held": "no_answer"}.get(record.text("outcome", "eventstatus"))
    if outcome is None:
        return [Passed("planned", "the call is not over yet")]
    data = values.present(outcome=outcome, direction="outbound", cold=values.flag(record.value("cold")))
    return [Entity("call", record.id, options).did("completed", record.modified_at, data, record.owner())]


def user(record: Record, received_us: int, options: SourceOptions) -> list[Result]:
    """A user is a rep. Users have no time of their last change in Vtiger: what is seen now is so now."""
    at = record.database_time("modified", "modifiedtime", "date_modified")
    name = " ".join(filter(None, (record.text("first_name", "first_name"), record.text("last_name", "last_name"))))
    status = record.text("status", "status")
    data = values.present(name=name or record.text("name", "user_name"), active=status == "Active" if status else None)
    address = record.text("rep_address", "email1")
    return [Entity("rep", record.id, options).person(received_us if at is None else at, data, address)]


def _links(record: Record, options: SourceOptions) -> dict[str, str]:
    """The lead or deal that was called."""
    deal = record.text("deal_id", "potentials_id")
    found = {"deal_id": options.id_of(deal)} if deal else {}
    customer, type_ = record.text("customer", "customer"), record.text("customer_type", "customertype")
    if customer and type_ in {"Leads", "Potentials"}:
        found["lead_id" if type_ == "Leads" else "deal_id"] = options.id_of(customer)
    return found
