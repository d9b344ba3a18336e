"""Asterisk's call detail records: all the rows of one call become one call.

A transfer, a queue, a parked call or a consultation makes several rows with one ``linkedid``. Talk time is the time
during which at least one row had two parties connected, so that a consultation beside a held call is not counted twice.
How long a party was on hold is not in the records: it counts as talk.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources import reading
from funnelwatch.schemas.sources.contract import SourceOptions
from funnelwatch.schemas.sources.phones import calls
from funnelwatch.schemas.sources.phones.calls import Call

COLUMNS: Final = (
    "accountcode,src,dst,dcontext,clid,channel,dstchannel,lastapp,lastdata,start,answer,end,duration,billsec,"
    "disposition,amaflags,uniqueid,userfield"
)
"""Of ``Master.csv``, which has no header. Other columns are named by the option ``columns``."""
ROWS_MAX: Final = 10_000
FIELD_CHARS_MAX: Final = 65_536
OUTCOMES: Final = {
    "answered": "connected",
    "answer": "connected",
    "noanswer": "no_answer",
    "noanswered": "no_answer",
    "busy": "busy",
    "failed": "failed",
    "congestion": "failed",
}
AMI_NAMES: Final = {
    "source": "src",
    "destination": "dst",
    "destinationcontext": "dcontext",
    "callerid": "clid",
    "destinationchannel": "dstchannel",
    "lastapplication": "lastapp",
    "starttime": "start",
    "answertime": "answer",
    "endtime": "end",
    "billableseconds": "billsec",
    "calldate": "start",
}
"""What columns are called in AMI's ``Cdr`` event and in FreePBX's table, and here."""
_BEST: Final = ("connected", "voicemail", "no_answer", "busy", "failed")
"""Of several rows' outcomes the first of these is the call's."""
_SEQUENCE: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_MAILBOXES: Final = frozenset({"voicemail", "voicemailmain", "minivmrecord"})


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One record. Times in µs; ``answered`` is None if nobody did."""

    src: str
    dst: str
    channel: str
    dstchannel: str
    lastapp: str
    started: int
    answered: int | None
    ended: int
    outcome: str | None
    id: str
    unique: str
    sequence: str
    recording: str
    labels: tuple[str, ...]

    @property
    def place(self) -> tuple[int, int, str, str]:
        """The order of the rows of a call: by begin, then as Asterisk numbered them."""
        number = int(self.sequence) if _SEQUENCE.fullmatch(self.sequence) else 0
        return (self.started, number, self.unique, self.dstchannel)


def rows_of_csv(body: bytes, options: SourceOptions) -> list[dict[str, str]]:
    """The rows of a CSV: by its header if it has one, else by the columns that are configured.

    Raises:
        RefusedError: It is no CSV of such rows.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("cp1252", "replace")  # Asterisk writes what callers' names were sent as
    columns = [name.strip().lower() for name in options.option("columns", COLUMNS).split(",")]
    found: list[dict[str, str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), strict=True):
            if not row:
                continue
            lowered = [cell.strip().lower() for cell in row]
            if not found and {"src", "dst"} <= set(lowered):
                columns = lowered
                continue
            found.append(dict(zip(columns, row, strict=False)))
            if len(found) > ROWS_MAX:
                raise RefusedError(Reason.TOO_MANY_EVENTS, f"more than {ROWS_MAX} rows in one piece")
    except csv.Error as error:
        raise RefusedError(Reason.UNREADABLE_TEXT, f"this is no CSV: {error}") from None
    return found


def calls_of(rows: Iterable[Mapping[str, Any]], options: SourceOptions) -> list[Call | str]:
    """The calls of some rows, in the order of their begin; for those that are none of ours, why.

    Raises:
        RefusedError: A row cannot be read.
    """
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        one = _row(row, options)
        groups[one.id].append(one)
    ordered = (sorted(group, key=lambda row: row.place) for group in groups.values())
    return [_call(group, options) for group in sorted(ordered, key=lambda group: group[0].place)]


def _call(rows: list[Row], options: SourceOptions) -> Call | str:
    """The call of its rows in order."""
    found = next((side for row in rows if (side := calls.sides(row.src, row.dst, options)) is not None), None)
    if found is None:
        return "internal_call"
    direction, extension, number = found
    outcome = next((one for one in _BEST if one in {_outcome(row) for row in rows}), None)
    rep = extension if direction == "outbound" else _who_talked(rows, number, options) or extension
    file = calls.first(*(row.recording for row in rows))
    day = calls.local_day(rows[0].started, options)
    return Call(
        id=rows[0].id,
        version=f"{len(rows):04}",
        at=max(row.ended for row in rows),
        direction=direction,
        outcome=outcome,
        started=rows[0].started,
        talk_seconds=_union(_talks(rows)) / 1_000_000,
        number=number,
        recording=calls.recording_at(file, rows[0].unique, day, options),
        labels=tuple(dict.fromkeys(label for row in rows for label in row.labels)),
        rep=calls.by_extension(rep, options),
    )


def _outcome(row: Row) -> str | None:
    if calls.word_of(row.lastapp) in _MAILBOXES and row.outcome == calls.CONNECTED:
        return "voicemail"
    if row.outcome == calls.CONNECTED and not row.dstchannel:
        return "no_answer"  # an announcement or a menu answered, nobody talked
    return row.outcome


def _talks(rows: Iterable[Row]) -> list[tuple[int, int]]:
    return [
        (row.answered, row.ended)
        for row in rows
        if row.answered is not None and row.dstchannel and _outcome(row) == calls.CONNECTED
    ]


def _union(spans: Iterable[tuple[int, int]]) -> int:
    """The length of the union of spans, in µs."""
    total, until = 0, 0
    for begin, end in sorted(spans):
        total += max(0, end - max(begin, until))
        until = max(until, end)
    return total


def _who_talked(rows: Iterable[Row], number: str, options: SourceOptions) -> str:
    """The extension that talked longest with the outside; of several the first. Empty if none is known."""
    talked: dict[str, int] = {}
    for row in rows:
        extension = _extension(row, options)
        if extension and calls.outside(row.src, options) == number:
            talked[extension] = talked.get(extension, 0) + _union(_talks([row]))
    return max(talked, key=lambda one: talked[one], default="")


def _extension(row: Row, options: SourceOptions) -> str:
    """Who was called: the phone that rang (``SIP/101-0000002a``) if it is an extension, else what was dialled."""
    peer = row.dstchannel.rpartition("/")[2].partition("@")[0].partition("-")[0]
    candidates = (peer, row.dst)
    return next((calls.number_of(one) for one in candidates if one and _is_plain(one, options)), "")


def _is_plain(text: str, options: SourceOptions) -> bool:
    return text == calls.number_of(text) and calls.is_extension(text, options)


def _row(row: Mapping[str, Any], options: SourceOptions) -> Row:
    told: dict[str, str] = {}
    for name, value in row.items():
        key = str(name).strip().lower().replace("_", "")
        told.setdefault(AMI_NAMES.get(key, key), reading.text_of(value)[:FIELD_CHARS_MAX])
    unique = told.get("uniqueid", "")
    linked = calls.first(told.get("linkedid", ""), unique)
    started, ended = _times(told, options)
    zone = options.zone
    answered = reading.time_us(told["answer"], zone, "answer") if told.get("answer", "") not in _NEVER else None
    outcome = calls.outcome_of(told.get("disposition", ""), OUTCOMES, options)
    if answered is None and outcome == calls.CONNECTED and "billsec" in told:
        answered = ended - int((reading.seconds(told["billsec"], "billsec") or 0) * 1_000_000)  # no column for it
    return Row(
        src=calls.first(told.get("src", ""), told.get("cnum", "")),
        dst=told.get("dst", ""),
        channel=told.get("channel", ""),
        dstchannel=told.get("dstchannel", ""),
        lastapp=told.get("lastapp", ""),
        started=started,
        answered=answered,
        ended=ended,
        outcome=outcome,
        id=calls.needed(linked, "uniqueid"),
        unique=unique or linked,
        sequence=told.get("sequence", ""),
        recording=told.get("recordingfile", ""),
        labels=calls.tuple_of(told.get(name, "") for name in ("accountcode", "userfield", "dcontext", "did")),
    )


_NEVER: Final = frozenset({"", "0000-00-00 00:00:00", "NULL"})


def _times(told: Mapping[str, str], options: SourceOptions) -> tuple[int, int]:
    """Begin and end; a table without an end has the duration."""
    zone = options.zone
    started = reading.time_us(calls.needed(told.get("start", ""), "start"), zone, "start")
    if told.get("end", "") not in _NEVER:
        return started, reading.time_us(told["end"], zone, "end")
    return started, started + int((reading.seconds(told.get("duration"), "duration") or 0) * 1_000_000)
