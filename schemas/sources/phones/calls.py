"""What every telephone system tells of a call, in our words, and how it becomes an event.

The options that all of them share (`OPTIONS`) are the organisation's say in what no telephone system knows: which
numbers are extensions, which calls are cold, where recordings can be heard.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec

from funnelwatch.schemas import fields
from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources.contract import Delivery, Outgoing, SourceOptions
from funnelwatch.schemas.sources.people import EXTENSION, NUMBER
from funnelwatch.schemas.sources.reading import instant_text
from funnelwatch.schemas.written import western

COMPLETED: Final = "call.completed"
RECORDED: Final = "call.recorded"
"""Also tells what is known of a call before it ends: alone it counts nothing."""
CONNECTED: Final = "connected"

ALL: Final = "all"
NONE: Final = "none"
EXTENSION_DIGITS_MAX: Final = 5
"""A number of so few digits is an extension, unless ``extensions`` says which are."""
EARLY_US: Final = 7 * 86_400 * 1_000_000
"""A call that began earlier before its end than this did not: its start is left out."""
LABELS_MAX: Final = 64

OPTIONS: Final[dict[str, str]] = {
    "extensions": "which numbers are extensions: '100-199, 8*'; all of up to 5 digits if not given",
    "dial_prefix": "digits in front of an outside number to get a line ('9'); they are taken away",
    "cold": "which outbound calls are cold: 'all', 'none', or labels (tag, queue, account code, own number, …) of "
    "which one must be there; nothing is said if not given",
    "recordings": "where recordings are heard: an address to put the file's name behind, or one with {file}, {id}, "
    "{year}, {month}, {day} in it",
}

_WORD: Final = re.compile(r"[^a-z0-9]+")
_DIALABLE: Final = re.compile(r"[^0-9+*#]")


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call. ``id`` is the system's, ``version`` tells its events apart, ``at`` is when this was so, in µs.

    ``number`` is the other party's, ``recording`` an address that stays, ``rep`` all that the rep may be known by.
    ``talk_ratio`` is the rep's share of the talking, 0 to 1. What is None or empty is not said.
    """

    id: str
    version: str
    at: int
    direction: str | None = None
    outcome: str | None = None
    started: int | None = None
    talk_seconds: float | None = None
    number: str = ""
    recording: str = ""
    labels: tuple[str, ...] = ()
    rep: tuple[str, ...] = ()
    lead_id: str = ""
    deal_id: str = ""
    talk_ratio: float | None = None


def event(type_: str, call: Call, options: SourceOptions) -> Outgoing:
    """The event of what is told of a call.

    Raises:
        RefusedError: A time is outside the calendar, or the id is none.
    """
    fields.identifier(call.id, "the call's id")
    started = call.started if call.started is not None and 0 <= call.at - call.started <= EARLY_US else None
    data: dict[str, Any] = {
        "direction": call.direction,
        "outcome": call.outcome,
        "started_at": None if started is None else instant_text(started),
        "talk_seconds": _talk(call),
        "cold": cold(call, options),
        "recording_url": call.recording or None,
        "lead_id": call.lead_id or None,
        "deal_id": call.deal_id or None,
        "talk_ratio": call.talk_ratio,
    }
    instant_text(call.at)
    return Outgoing(
        type=type_,
        subject=options.id_of(call.id),
        at=call.at,
        id=f"{call.id}/{call.version}",
        source=options.source,
        data={name: value for name, value in data.items() if value is not None},
        rep=tuple(dict.fromkeys(one for one in call.rep if one)),
        number=call.number,
    )


def cold(call: Call, options: SourceOptions) -> bool | None:
    """Whether the organisation calls this cold; None if it does not say, or does not say of which direction it is."""
    wanted = {word_of(one) for one in texts(options, "cold")}
    if not wanted or call.direction is None:
        return None
    if call.direction != "outbound" or wanted == {NONE}:
        return False
    if wanted == {ALL}:
        return True
    return not wanted.isdisjoint(word_of(label) for label in call.labels[:LABELS_MAX])


def outcome_of(word: str, known: Mapping[str, str], options: SourceOptions) -> str | None:
    """Our outcome for the vendor's word: what the organisation says, else what is known; None for neither.

    Case, blanks and punctuation are nothing: ``NO ANSWER``, ``no-answer`` and ``NoAnswer`` are one word.
    """
    asked = word_of(word)
    for theirs, ours in options.outcomes.items():
        if word_of(theirs) == asked:
            return ours
    return known.get(asked)


def word_of(text: str) -> str:
    """A word as it is compared: lower-case letters and digits alone."""
    return _WORD.sub("", text.casefold()) or text.strip().casefold()


def number_of(text: str) -> str:
    """What can be dialled of a number: ``+43 720 880079`` is ``+43720880079``; empty for ``anonymous``.

    A blank in front of a long number is a ``+`` that a form lost: decoding an unescaped plus sign gives a blank.
    """
    plain = western(text)
    stripped = plain.strip()
    digits = _DIALABLE.sub("", stripped)
    lost = plain.startswith(" ") and digits[:1].isdigit() and len(digits) > EXTENSION_DIGITS_MAX
    return f"+{digits}" if lost else digits


def outside(text: str, options: SourceOptions) -> str:
    """An outside number, without the digits that get a line."""
    plain = number_of(text)
    prefix = options.option("dial_prefix")
    return plain.removeprefix(prefix) if prefix and len(plain) - len(prefix) > EXTENSION_DIGITS_MAX else plain


def is_extension(text: str, options: SourceOptions) -> bool:
    """Whether a number is one of the organisation's extensions."""
    plain = number_of(text)
    if not plain or plain.startswith("+"):
        return False
    ranges = texts(options, "extensions")
    if not ranges:
        return len(plain) <= EXTENSION_DIGITS_MAX
    return any(_within(plain, one) for one in ranges)


def sides(caller: str, called: str, options: SourceOptions) -> tuple[str, str, str] | None:
    """Direction, extension and outside number of who called whom; None if both are inside.

    Of two outside numbers (a trunk that forwards, a call from a mobile) the caller is the other party: inbound,
    without an extension.
    """
    if is_extension(caller, options):
        if is_extension(called, options):
            return None
        return "outbound", number_of(caller), outside(called, options)
    return "inbound", number_of(called) if is_extension(called, options) else "", outside(caller, options)


def by_extension(extension: str, options: SourceOptions) -> tuple[str, ...]:
    """How the rep at an extension may be known: as this source's user first, then by the extension anywhere."""
    return (options.id_of(extension), f"{EXTENSION}:{extension}") if extension else ()


def by_number(text: str) -> tuple[str, ...]:
    """How the rep with a direct number may be known."""
    plain = number_of(text)
    return (f"{NUMBER}:{plain}",) if plain.startswith(("+", "00")) else ()


def recording_at(file: str, call_id: str, day_text: str, options: SourceOptions) -> str:
    """The address of a recording by the name of its file; empty without one, or if ``recordings`` is not given.

    Args:
        file: The name, perhaps with a path: only its last part is taken.
        call_id: For ``{id}``.
        day_text: ``YYYY-MM-DD`` in the telephone system's own zone, for ``{year}``, ``{month}`` and ``{day}``.
        options: The source's.
    """
    address, name = options.option("recordings"), re.split(r"[/\\]", file.strip())[-1]
    if not name or not address:
        return ""
    if "{" not in address:
        return f"{address.rstrip('/')}/{_quoted(name)}"
    year, month, day = [*day_text.split("-"), "", "", ""][:3]
    parts = {"file": _quoted(name), "id": _quoted(call_id), "year": year, "month": month, "day": day}
    for part, value in parts.items():
        address = address.replace(f"{{{part}}}", value)
    return address


def local_day(at: int, options: SourceOptions) -> str:
    """The day of an instant where the telephone system stands, ``YYYY-MM-DD``; empty outside the calendar."""
    try:
        return fields.moment_of(at).astimezone(ZoneInfo(options.zone)).date().isoformat()
    except OverflowError:
        return ""


def asked_id(delivery: Delivery, name: str) -> str:
    """An id that the organisation put into the address it gave to the vendor (``?deal_id=hubspot:42``)."""
    return delivery.query.get(name, "").strip()


def checked(options: SourceOptions) -> list[str]:
    """What is wrong with the shared options."""
    found = [
        f"extensions: {fields.shown(one)} is neither a range like '100-199', a prefix like '8*' nor an extension"
        for one in texts(options, "extensions")
        if not re.fullmatch(r"[0-9*#]{1,16}|[0-9]{1,9}-[0-9]{1,9}", one)
    ]
    address = options.option("recordings")
    if address and not address.startswith(("http://", "https://")):
        found.append("recordings: must be an address that begins with https:// or http://")
    if (prefix := options.option("dial_prefix")) and not re.fullmatch(r"[0-9*#+]{1,8}", prefix):
        found.append("dial_prefix: must be up to 8 digits")
    return found


def texts(options: SourceOptions, name: str) -> tuple[str, ...]:
    """An option that is a list: an array, or a text with commas."""
    return tuple(part.strip() for part in options.option(name).split(",") if part.strip())


def needed(value: str, name: str) -> str:
    """A text that must be there.

    Raises:
        RefusedError: It is empty.
    """
    if not value:
        raise RefusedError(Reason.MISSING_ATTRIBUTE, f"{name} is missing or empty")
    return value


def first(*values: str) -> str:
    """The first text that is not empty; empty if there is none."""
    return next((value for value in values if value), "")


def tuple_of(values: Iterable[str]) -> tuple[str, ...]:
    """The texts that are not empty."""
    return tuple(value for value in values if value)


def _talk(call: Call) -> float | int | None:
    """Nobody was talked to where nobody answered, whatever a system says of its announcements and mail boxes."""
    if call.outcome is not None and call.outcome != CONNECTED:
        return 0
    if call.talk_seconds is None:
        return None
    return max(0.0, min(call.talk_seconds, float(fields.TALK_SECONDS_MAX)))


def _within(plain: str, pattern: str) -> bool:
    if pattern.endswith("*"):
        return plain.startswith(pattern[:-1])
    low, dash, high = pattern.partition("-")
    if not dash:
        return plain == pattern
    return plain.isdigit() and len(plain) <= len(high) and int(low) <= int(plain) <= int(high)


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")
