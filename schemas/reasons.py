"""Why a message is refused: stable codes, public in the ``dlq_reason`` header and in ``funnelwatch_refused_total``."""

from __future__ import annotations

from enum import StrEnum

from funnelwatch.schemas.events import Refusal

DETAIL_CHARS_MAX = 500
"""A detail quotes what was sent; more of it than this would only repeat the dead letter's own value."""


class Reason(StrEnum):
    """What is wrong with a message or event. A code never changes its meaning; new ones may be added.

    Each member's description says what its publisher should do.
    """

    EMPTY = "empty"
    """No value (a tombstone), or no bytes. Publish ``….deleted`` events instead of tombstones."""
    TOO_LARGE = "too_large"
    """An event of more than 256 KiB. Leave out what ``events.md`` does not list."""
    TOO_MANY_EVENTS = "too_many_events"
    """A batch of more than ``EVENTS_MAX`` events. Split it."""
    UNREADABLE_JSON = "unreadable_json"
    """Not JSON in UTF-8."""
    UNREADABLE_TEXT = "unreadable_text"
    """A text that is no Unicode (a lone surrogate). Cut texts at characters, not at UTF-16 units."""
    NESTED_TOO_DEEP = "nested_too_deep"
    """JSON nested deeper than ``DEPTH_MAX``."""
    WRONG_CONTENT_TYPE = "wrong_content_type"
    """An event format or a data format other than JSON (Avro, Protobuf, XML)."""
    WRONG_SPECVERSION = "wrong_specversion"
    """Not CloudEvents 1.0."""
    MISSING_ATTRIBUTE = "missing_attribute"
    """One of ``specversion id source type subject time`` is absent or ``null``."""
    UNKNOWN_TYPE = "unknown_type"
    """No type that ``events.md`` lists."""
    WRONG_TOPIC = "wrong_topic"
    """A type that belongs on another topic."""
    WRONG_TYPE = "wrong_type"
    """A member of another JSON type than ``events.md`` says."""
    BAD_ID = "bad_id"
    """An id that is empty, longer than 256 characters, or has control characters."""
    BAD_TIME = "bad_time"
    """A text that is no RFC 3339 instant."""
    TIME_WITHOUT_OFFSET = "time_without_offset"
    """An instant without ``Z`` or ``+hh:mm``: nobody can know when that was."""
    IN_THE_FUTURE = "in_the_future"
    """``time`` is more than 24 h ahead of the clock."""
    TOO_OLD = "too_old"
    """``time`` is older than the retention."""
    BAD_AMOUNT = "bad_amount"
    """An amount that is no decimal, has more than 4 fractional digits, or is out of range."""
    BAD_CURRENCY = "bad_currency"
    """A currency that is not in ISO 4217 (nor ``IRT``)."""
    BAD_NUMBER = "bad_number"
    """A number outside its range, such as a negative talk time."""
    NOT_FINITE = "not_finite"
    """NaN, infinity, or a number too large for any double."""
    BAD_MONTH = "bad_month"
    """A quota's key that is no ``YYYY-MM``."""
    BAD_ZONE = "bad_zone"
    """A time zone the IANA database does not have."""
    UNKNOWN_VALUE = "unknown_value"
    """A value outside a closed list (``direction``, ``outcome``)."""
    REPEATED_MEMBER = "repeated_member"
    """A webhook's JSON object with two members of one name: readers differ in which one they take."""
    TEXT_TOO_LONG = "text_too_long"
    """A text longer than its limit."""


class RefusedError(Exception):
    """A value that cannot be taken. Only used inside the codec: its callers get a `Refusal`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def refusal(self) -> Refusal:
        """The same as a value; its detail is short and can be written as UTF-8."""
        return refusal(self.reason, self.detail)


def refusal(reason: Reason, detail: str) -> Refusal:
    """A refusal whose detail is short and can be written as UTF-8, whatever it quotes."""
    readable = detail.encode("utf-8", "backslashreplace").decode("utf-8")
    return Refusal(reason.value, readable[:DETAIL_CHARS_MAX])
