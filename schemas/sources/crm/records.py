"""What CRMs tell of leads and deals, as events, whatever the CRM: a record as it stands, or what changed of it.

CRMs do not send what happened but how a record looks, often again and again, sometimes in another order, and some tell
only its last state. The same look must give the same events, and a look at a deal won long ago must not win it again
today. So:

- Every event's id is made of what it says (a hash), of the record and of the instant: the same word again is a repeat.
- *Created* is said at the record's creation, with nothing in it: then it is the same whichever look it comes from.
- *As of* the look's own instant the fields are set. An open deal is told as ``deal.reopened``, which on a deal that
  is open says no more than its fields, and brings back one that was closed: no old state is needed to know which.
- *Closes and milestones* are said at the instant at which they came about, if the CRM tells it (``since``). If it does
  not, they have one id per record (and ``round``) and the time of the look: of all looks the earliest stands
  (``docs/figures.md``, "Order, identity, fold"). One source must not do now this and now that: where some looks tell
  the instant, the others say nothing of the close.

At one instant they are ordered by the rank that begins the last part of their ids.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Any, Final

import msgspec

from funnelwatch.schemas.sources.contract import Outgoing, SourceOptions

ONE_SAVE_US: Final = 2_000_000
"""A stage that was entered at most this long before the record was last changed was entered by that change."""
DIGEST_CHARS: Final = 16

ID_CHARS_MAX: Final = 120
"""Longer ids stand in an event's id as their hash; the subject has them whole."""

NEW_LEADS: Final = "new_leads"
NEW_LEADS_HELP: Final = (
    "'new' (default): a lead counts as qualified (MQL) when its status says so; 'qualified': every lead that comes "
    "into this CRM was handed to sales by marketing and counts as qualified from its creation"
)


class Outcome(StrEnum):
    """How a deal stands."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class Deal(msgspec.Struct, frozen=True, kw_only=True):
    """A deal as it stood at an instant, or what changed of it then.

    ``id`` is the vendor's. ``at`` is when it looked like this, ``since`` since when it has had this stage and outcome
    (None: not told), ``created_at`` when it began. ``outcome`` None: nothing is said about it. ``stage`` is the
    organisation's name of the stage or closing label. ``moves`` are earlier entries into stages. ``data`` has members
    of ``crm.deals`` but for ``stage``. ``currency`` is that of a deal that never names one: said with the creation, so
    that one that is named at any time comes after it. ``round`` tells apart closes of which no ``since`` is known.
    """

    id: str
    at: int
    created_at: int | None = None
    outcome: Outcome | None = None
    since: int | None = None
    stage: str = ""
    moves: tuple[tuple[int, str], ...] = ()
    data: dict[str, Any] = {}
    rep: tuple[str, ...] = ()
    currency: str = ""
    round: str = ""


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """A lead as it stood at an instant, or what changed of it then.

    As of `Deal`; ``state`` is one that ``lead_states`` may give, or empty if nothing is said about it. ``data`` has
    members of ``crm.leads``.
    """

    id: str
    at: int
    created_at: int | None = None
    state: str = ""
    since: int | None = None
    data: dict[str, Any] = {}
    rep: tuple[str, ...] = ()


def deal_events(deal: Deal, options: SourceOptions) -> list[Outgoing]:
    """What a look at a deal says; nothing if it says nothing."""
    entity = Entity("deal", deal.id, options)
    at = _one_save(deal.at, deal.since)
    closed = deal.outcome in {Outcome.WON, Outcome.LOST}
    placed = {name: value for name, value in (("stage", deal.stage),) if value}
    pipeline = {name: value for name, value in deal.data.items() if name == "pipeline"}
    if deal.created_at is not None:
        entity.once("created", deal.created_at, {"currency": deal.currency} if deal.currency else {})
    for entered_at, stage in deal.moves:
        entity.say("1-stage", "stage_changed", entered_at, {"stage": stage} | pipeline)
    if deal.outcome is Outcome.OPEN and deal.since is not None:
        entity.say("1-stage", "reopened", deal.since, placed | pipeline)
        entity.tell("updated", at, deal.data, deal.rep)
    elif deal.outcome is Outcome.OPEN:
        entity.say("2-as-of", "reopened", at, deal.data | placed, deal.rep)
    else:
        entity.tell("updated", at, deal.data if closed else deal.data | placed, deal.rep)
    if closed:
        type_ = str(deal.outcome)
        if deal.since is not None:
            entity.say(f"3-{type_}", type_, deal.since, placed)
        else:
            entity.once(type_, at, placed, rank="3", part=deal.round)
    return entity.said


def lead_events(lead: Lead, options: SourceOptions) -> list[Outgoing]:
    """What a look at a lead says; nothing if it says nothing."""
    entity = Entity("lead", lead.id, options)
    at = _one_save(lead.at, lead.since)
    handed_over = options.option(NEW_LEADS, "new") == "qualified"
    if lead.created_at is not None:
        entity.once("created", lead.created_at)
        if handed_over:
            entity.once("qualified", lead.created_at, rank="3")
    entity.tell("assigned", at, lead.data, lead.rep)
    if lead.state not in {"", "new"} and not (lead.state == "qualified" and handed_over):
        if lead.since is not None:
            entity.say(f"3-{lead.state}", lead.state, lead.since, {})
        else:
            entity.once(lead.state, at, rank="3")
    return entity.said


def deal_stage(vendor_stage: str, options: SourceOptions, won: tuple[str, ...], lost: tuple[str, ...]) -> Outcome:
    """What a vendor's stage says of the outcome, by the source's ``won`` and ``lost``, else by its own names."""
    if vendor_stage in (options.won or won):
        return Outcome.WON
    if vendor_stage in (options.lost or lost):
        return Outcome.LOST
    return Outcome.OPEN


def lead_state(vendor_status: str, options: SourceOptions, known: dict[str, str]) -> str:
    """What a vendor's status says of a lead, by the source's ``lead_states``, else by the vendor's own names."""
    found = options.lead_states.get(vendor_status)
    return found if found is not None else known.get(vendor_status, "")


def check_options(options: SourceOptions) -> list[str]:
    """What is wrong with the options that all CRMs share."""
    wrong = []
    if options.option(NEW_LEADS, "new") not in {"new", "qualified"}:
        wrong.append(f"options.{NEW_LEADS}: must be 'new' or 'qualified'")
    both = sorted(set(options.won) & set(options.lost))
    if both:
        wrong.append(f"won: {', '.join(both)} cannot be both won and lost")
    return wrong


class Entity:
    """One lead, deal, call, email or rep, of which events are told. ``id_`` is the vendor's."""

    def __init__(self, kind: str, id_: str, options: SourceOptions) -> None:
        self.said: list[Outgoing] = []
        self._kind = kind
        self._subject = options.id_of(id_)
        self._source = options.source
        self._path = f"{kind}/{id_}" if len(id_) <= ID_CHARS_MAX else f"{kind}/{digest(id_)}"

    def deleted(self, at: int) -> Outgoing:
        """It was deleted."""
        return self.say("4-deleted", "deleted", at, {})

    def restored(self, at: int) -> Outgoing:
        """It was deleted, and came back."""
        return self.say("5-restored", "created", at, {})

    def did(self, word: str, at: int, data: dict[str, Any], rep: tuple[str, ...], *, number: str = "") -> Outgoing:
        """A call or an email took place (``completed``, ``sent``): each look restates it, the last one stands."""
        said = self.say(f"1-{word}", word, at, data, rep)
        return msgspec.structs.replace(said, number=number) if number else said

    def person(self, at: int, data: dict[str, Any], address: str = "") -> Outgoing:
        """A user of the CRM looks like this, and may also be known by an address."""
        return self.say("1-upserted", "upserted", at, data, (address,) if "@" in address else ())

    def removed(self, at: int) -> Outgoing:
        """A user of the CRM is none any more."""
        return self.say("4-removed", "removed", at, {})

    def say(self, rank: str, word: str, at: int, data: dict[str, Any], rep: tuple[str, ...] = ()) -> Outgoing:
        """An event whose id is made of all it says."""
        said = digest([word, data, rep])
        return self._add(word, at, f"{self._path}/{rank}/{at}/{said}", data, rep)

    def tell(self, word: str, at: int, data: dict[str, Any], rep: tuple[str, ...]) -> None:
        """The fields as of an instant, unless there are none."""
        if data or rep:
            self.say("2-as-of", word, at, data, rep)

    def once(self, word: str, at: int, data: dict[str, Any] | None = None, *, rank: str = "0", part: str = "") -> None:
        """Something that comes about once: of all that say it, the earliest stands."""
        identity = f"{self._path}/{rank}-{word}" + (f"/{digest(part)}" if part else "")
        self._add(word, at, identity, data or {}, ())

    def _add(self, word: str, at: int, identity: str, data: dict[str, Any], rep: tuple[str, ...]) -> Outgoing:
        said = Outgoing(
            type=f"{self._kind}.{word}",
            subject=self._subject,
            at=at,
            id=identity,
            source=self._source,
            data=data,
            rep=rep,
        )
        self.said.append(said)
        return said


def digest(said: object) -> str:
    """A short hash of a JSON value."""
    content = json.dumps(said, sort_keys=True, separators=(",", ":"))  # plain ASCII: also of a lone surrogate
    return hashlib.sha256(content.encode()).hexdigest()[:DIGEST_CHARS]


def _one_save(at: int, since: int | None) -> int:
    """When a look's fields came about: with its stage, if both are of one save."""
    return since if since is not None and 0 <= at - since <= ONE_SAVE_US else at
