"""What a source is: a delivery comes in, events of ours (or a stated reason why there are none) come out.

A translator is a pure function and knows nothing of networks, clocks or stores. What one delivery says must come out as
the same events with the same ids however often it is delivered: then a vendor's redelivery is a repeat and changes
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, Protocol, runtime_checkable
from urllib.parse import parse_qsl, urlsplit

import msgspec

from funnelwatch.schemas import careful
from funnelwatch.schemas.encode import time_text
from funnelwatch.schemas.events import Event, Kind
from funnelwatch.schemas.mapping import Import
from funnelwatch.schemas.reasons import Reason, RefusedError

WINDOW_US: Final = 300_000_000
"""How far the time in a signature may be from the clock, unless the vendor says otherwise: five minutes."""
QUERY_FIELDS_MAX: Final = 100


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request, or one record a poller fetched.

    ``url`` is the whole address as the vendor called it (behind a proxy: the public one), since some sign it.
    ``headers`` have lower-case names; a header sent more than once is joined by ``, ``. ``body`` is as sent, after
    decompression. ``received_us`` is µs since the epoch. The repr shows no header, query or body: they hold secrets.
    """

    method: str = "POST"
    url: str = ""
    headers: Mapping[str, str] = {}
    body: bytes = b""
    received_us: int = 0

    def __repr__(self) -> str:
        return f"Delivery({self.method} {len(self.body)} bytes)"

    @property
    def media_type(self) -> str:
        """``application/json`` of ``Application/JSON; charset=utf-8``; empty if there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def query(self) -> dict[str, str]:
        """The fields of the query; of fields with the same name the first stands. At most ``QUERY_FIELDS_MAX``."""
        found: dict[str, str] = {}
        try:
            pairs = parse_qsl(urlsplit(self.url).query, keep_blank_values=True, max_num_fields=QUERY_FIELDS_MAX)
        except ValueError:
            return found
        for name, value in pairs:
            found.setdefault(name, value)
        return found


class SourceOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the organisation says of one source. Secrets are not here.

    ``name`` is its own (``/hooks/{name}``), ``system`` a key of the registry. ``zone`` is that of times without an
    offset. ``prefix`` stands in front of every id (the system's name by default). ``currency`` is that of amounts
    without one. ``stages`` names the vendor's stages as ``pipelines`` in the configuration has them, ``won`` and
    ``lost`` are the vendor's stages (or statuses) that close a deal, ``lead_states`` turns the vendor's lead statuses
    into ``new``, ``qualified``, ``accepted``, ``converted``, ``disqualified``, ``outcomes`` its call results into
    ours. ``fields`` names the vendor's (custom) field for a member of ours. ``options`` are the system's own.
    ``mapping`` is read from ``mapping_file`` for systems whose field names the organisation chooses.
    """

    name: str
    system: str
    zone: str = "UTC"
    prefix: str = ""
    currency: str = ""
    stages: dict[str, str] = {}
    won: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    lead_states: dict[str, str] = {}
    outcomes: dict[str, str] = {}
    fields: dict[str, str] = {}
    options: dict[str, str | int | float | bool | tuple[str, ...]] = {}
    mapping: Import | None = None

    def __repr__(self) -> str:
        return f"SourceOptions({self.name!r}, {self.system!r})"

    @property
    def source(self) -> str:
        """The ``source`` of every event made of its deliveries."""
        return f"funnelwatch/{self.system}/{self.name}"

    def id_of(self, vendor_id: object) -> str:
        """An id of ours: ``hubspot:42``. For subjects, ``lead_id``, ``deal_id`` and references to people alike."""
        return f"{self.prefix or self.system}:{vendor_id}"

    def stage_of(self, vendor_stage: str) -> str:
        """A stage as the organisation calls it."""
        return self.stages.get(vendor_stage, vendor_stage)

    def option(self, name: str, default: str = "") -> str:
        """One of the system's own options as a text."""
        value = self.options.get(name, default)
        return ",".join(value) if isinstance(value, tuple) else str(value)


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One event of ours, before people are known.

    ``type`` is one of ``schemas.events.TYPES``; it fixes kind and topic. ``subject`` is ``prefix:id``. ``at`` is when
    it happened, in µs since the epoch: the vendor's time, never the clock. ``id`` is made of what the vendor sent
    (its event's id, or entity + version) and unique within ``source``. ``data`` has the members that ``events.md``
    lists, as JSON values (amounts as texts, instants as RFC 3339), without ``rep_id``.

    ``rep`` names the person by everything the vendor tells, best first: ``("hubspot:42", "sara@firm.example",
    "ext:101")``. The first that the table of people knows decides; the gateway puts ``rep_id`` in. Empty: unchanged.
    Of ``rep.upserted`` the person is the subject itself, whose references are ``subject`` and then ``rep``.

    ``number`` is the other party's of a call (the customer's, never the rep's), as the vendor writes it. It is not
    published: a call that a CRM and a telephone system both tell of is known as one by it. Give ``started_at`` and
    ``direction`` in the data of such a call, too.
    """

    type: str
    subject: str
    at: int
    id: str
    source: str
    data: dict[str, Any] = {}
    rep: tuple[str, ...] = ()
    number: str = ""

    @property
    def kind(self) -> Kind:
        """The kind of entity, and with it the topic."""
        return careful.KIND_OF_TYPE[self.type]

    @property
    def references(self) -> tuple[str, ...]:
        """How its person may be known; empty if it speaks of nobody."""
        return (self.subject, *self.rep) if self.kind is Kind.REP else self.rep

    def event(self, rep_id: str | None = None) -> Event:
        """The event as the codec would read it, with the person put in.

        Args:
            rep_id: Our id of the person; None leaves the person unchanged.

        Raises:
            RefusedError: A member cannot be taken; the error says which.
        """
        try:
            time = time_text(self.at)
        except OverflowError:
            raise RefusedError(Reason.BAD_TIME, f"{self.at} µs is outside the years 1 to 9999") from None
        subject, data = self.subject, self.data
        if rep_id is not None:
            if self.kind is Kind.REP:
                subject = rep_id
            else:
                data = data | {"rep_id": rep_id}
        return careful.read_event(
            self.kind,
            {
                "specversion": careful.SPECVERSION,
                "id": self.id,
                "source": self.source,
                "type": self.type,
                "subject": subject,
                "time": time,
                "data": data,
            },
        )


class Passed(msgspec.Struct, frozen=True):
    """Something that is rightly nothing for us. ``reason`` is a stable code in snake case: it is a metric's label."""

    reason: str
    detail: str = ""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An object that a notification only names: whoever polls this system fetches it and translates the answer.

    ``entity`` is the vendor's name of the kind (``Invoice``), ``id`` its id there, ``account`` the vendor's account
    if it has several (QuickBooks' realm), ``at`` the time of the change in µs, ``change`` what was done to it.
    """

    entity: str
    id: str
    at: int
    account: str = ""
    change: str = ""


Result = Outgoing | Passed | Wanted


class Translate(Protocol):
    """Turns a delivery into results, in the order in which they happened as far as the vendor tells."""

    def __call__(self, delivery: Delivery, options: SourceOptions, /) -> list[Result]:
        """Translate.

        Raises:
            RefusedError: Nobody can read it; nothing of it is taken. No other error, whatever the bytes.
        """


class Forgery(StrEnum):
    """Why a delivery is not believed. Labels of metrics."""

    MISSING_PROOF = "missing_proof"
    """The signature, token or password is not there."""
    UNREADABLE_PROOF = "unreadable_proof"
    """It is there and cannot be read (not base64, not a number)."""
    WRONG_PROOF = "wrong_proof"
    """It is not what the secret gives."""
    OUTSIDE_WINDOW = "outside_window"
    """Its signed time is too far from the clock."""
    REPLAYED = "replayed"
    """The very same signed request was accepted before."""


class ForgedError(Exception):
    """A delivery that does not prove where it comes from. Its text holds nothing of what was sent."""

    def __init__(self, reason: Forgery) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Reply(msgspec.Struct, frozen=True):
    """What is answered: a status, headers with lower-case names, a body."""

    status: int = 200
    headers: dict[str, str] = {}
    body: bytes = b""


class Proof(Protocol):
    """How a system proves that it is the caller."""

    @property
    def window_us(self) -> int | None:
        """How long a signature holds, in µs, if its time is signed; None if it holds for ever.

        A proof that covers a time is `Dated` as well. The same request with any other proof is taken again: it makes
        the same events, which are repeats.
        """

    def verify(self, delivery: Delivery, secret: str, options: SourceOptions, now_us: int) -> None:
        """Believe the delivery, in a time that does not depend on how near it comes.

        Args:
            delivery: What came.
            secret: As the environment or file gives it. Two parts (``user:password``) are joined by a colon.
            options: The source's.
            now_us: The clock.

        Raises:
            ForgedError: It is not believed. No other error, whatever came.
        """

    def handshake(self, delivery: Delivery, secret: str, options: SourceOptions) -> Reply | None:
        """The answer to a request that only sets the subscription up; None if this is none. Comes before ``verify``.

        Raises:
            ForgedError: It is a handshake, and not believed.
        """


@runtime_checkable
class Dated(Protocol):
    """A proof that covers something no two requests share: their time, a nonce. Then a replay can be told."""

    def moment(self, delivery: Delivery, options: SourceOptions) -> str | None:
        """The signed time or nonce of a delivery that was believed; None if this one has none.

        The same moment with the same body is a replay. It is asked for after ``verify`` and raises nothing.
        """


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What the vendor expects to be told."""

    accepted: Reply = Reply(200)
    forged: Reply = Reply(401)
    unreadable: Reply = Reply(422)
    busy: Reply = Reply(503, {"retry-after": "30"})


class System(msgspec.Struct, frozen=True, kw_only=True):
    """One system that can be a source.

    ``name`` is what ``system = "…"`` of a source says, ``title`` what people call it. ``page`` is its page under
    ``docs/sources/``. ``options`` are the names of its own options with a sentence each; others are a mistake in the
    configuration. ``fields`` are what a source's ``fields`` may name besides members of ours, a name that ends in a
    colon being the beginning of names. ``methods`` are those it calls with. ``webhook`` is False if it is only polled.
    ``check`` gives what is wrong with a source's options, beyond unknown names: sentences with the option's name in
    front.
    """

    name: str
    title: str
    translate: Translate
    proof: Proof
    page: str
    answers: Answers = Answers()
    methods: tuple[str, ...] = ("POST",)
    options: dict[str, str] = {}
    fields: dict[str, str] = {}
    webhook: bool = True
    needs_mapping: bool = False
    check: Callable[[SourceOptions], list[str]] | None = None
