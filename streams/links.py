"""Facts that one entity tells another, in another partition: a deal its lead, a call or email what it touched.

A link is absolute (what is so now, not what changed), so sending it again is harmless and its order of arrival does
not matter: of one origin the highest version stands. Links are not events of the entity that receives them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Final

import msgspec

from funnelwatch.schemas.events import Kind

LINKS_MAX: Final = 256
"""Most facts one entity keeps of others, and as many withdrawn ones. Beyond it the earliest and the latest half stay,
which are what figures read (first touch, last touch, earliest win)."""

WON: Final = "won"
TOUCH: Final = "touch"


class Link(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One fact for the entity ``target_id``: its deal was won at ``at``, or a call or email touched it at ``at``.

    ``at`` is None when that is not (or no longer) so. ``version`` is the number of observations the origin has: it
    grows with each new one, and ``told_at`` the time of its newest event (µs; 0: told before this was said). The key of
    the record on the internal topic is ``target_id``.
    """

    target: Kind
    target_id: str
    origin: Kind
    origin_id: str
    fact: str
    at: int | None
    version: int
    told_at: int = 0


encode: Callable[[Link], bytes] = msgspec.msgpack.Encoder().encode
decode: Callable[[bytes], Link] = msgspec.msgpack.Decoder(Link).decode
"""A link as bytes: the value of a record on the internal topic."""

Received = tuple[int, str, int, int | None]
"""(code of the origin's kind, origin's id, version, at), as an entity stores it."""

_ORIGINS: Final = (Kind.DEAL, Kind.CALL, Kind.EMAIL)
DEAL_ORIGIN: Final = 0
"""Code of the links that say "won"; the others say "touch"."""


def receive(received: list[Received], link: Link) -> bool:
    """Take a link into the ordered list of those received; False if the list stays what it was."""
    one = (_ORIGINS.index(link.origin), link.origin_id, link.version, link.at)
    return _take(received, one) and (not _trim(received) or one in received)


def join(left: list[Received], right: list[Received]) -> list[Received]:
    """Everything that two states of one entity have received."""
    if not right or left == right:
        return left
    joined = list(left)
    for one in right:
        _take(joined, one)
    _trim(joined)
    return joined


def touches(received: list[Received]) -> list[int]:
    """The instants at which calls and emails touched the entity, in no order."""
    return [at for origin, _, _, at in received if at is not None and origin != DEAL_ORIGIN]


def earliest_win(received: list[Received]) -> int | None:
    """When the first of the deals that stand won was won."""
    return min((at for origin, _, _, at in received if at is not None and origin == DEAL_ORIGIN), default=None)


def _take(received: list[Received], one: Received) -> bool:
    origin = one[:2]
    place = bisect_left(received, origin, key=lambda known: known[:2])
    if place == len(received) or received[place][:2] != origin:
        received.insert(place, one)
        return True
    if _rank(received[place]) >= _rank(one):
        return False
    received[place] = one
    return True


def _rank(one: Received) -> tuple[int, int]:
    _, _, version, at = one
    return version, -1 if at is None else at


def _trim(received: list[Received]) -> bool:
    """Bound the list; whether anything went."""
    if len(received) <= LINKS_MAX:
        return False
    wins = [one for one in received if one[3] is not None and one[0] == DEAL_ORIGIN]
    touched = [one for one in received if one[3] is not None and one[0] != DEAL_ORIGIN]
    withdrawn = [one for one in received if one[3] is None]
    kept = sorted(_ends(wins) + _ends(touched) + withdrawn[:LINKS_MAX], key=lambda one: one[:2])
    if len(kept) == len(received):
        return False
    received[:] = kept
    return True


def _ends(standing: list[Received]) -> list[Received]:
    if len(standing) <= LINKS_MAX:
        return standing
    standing.sort(key=lambda one: (one[3], one[:2]))
    return standing[: LINKS_MAX // 2] + standing[-(LINKS_MAX // 2) :]
