"""Who works on the floor."""

from __future__ import annotations

from random import Random
from typing import Final

import msgspec

REPS_MAX: Final = 20_000
"""The largest floor: as many reps as a board lists by default."""

_TEAMS = (
    ("Alborz", "Mina Farahani"),
    ("Harbour", "Agnes Lindqvist"),
    ("Zagros", "Kaveh Sohrabi"),
    ("Riverside", "Tomás Beltrán"),
    ("Northern Light", "Ingrid Aasen"),
)
_FIRST = (
    "Shirin", "Jonas", "Leila", "Marta", "Dariush", "Priya", "Omid", "Clara", "Nasrin", "Felix",
    "Arash", "Yuki", "Parisa", "Luca", "Golnaz", "Amara", "Reza", "Sofia", "Babak", "Hugo",
)  # fmt: skip
_LAST = (
    "Ahmadi", "Becker", "Karimi", "Nowak", "Rostami", "Sharma", "Moradi", "Dubois", "Hosseini", "Keller",
    "Tehrani", "Tanaka", "Ebrahimi", "Rossi", "Jafari", "Okafor", "Kazemi", "Silva", "Yazdani", "Jansen",
)  # fmt: skip
_PERSIAN = ("سارا رحیمی", "علی کریمی", "مریم احمدی", "حسین مرادی", "زهرا یزدانی", "پویا شریفی")  # fmt: skip
_PERSIAN_EVERY = 7


class Rep(msgspec.Struct, frozen=True):
    """One rep as the CRM knows him or her; ``quota`` is per month, in major units."""

    id: str
    name: str
    team: str
    manager: str
    quota: int
    outreach_per_day: float | None


def roster(random: Random, reps: int, teams: int) -> tuple[Rep, ...]:
    """So many reps spread over so many teams.

    Raises:
        ValueError: There are no reps or teams, or too many of them.
    """
    if not 1 <= teams <= reps <= REPS_MAX:
        raise ValueError(f"{reps} reps in {teams} teams: there are 1 to {REPS_MAX} reps, and no more teams than reps")
    return tuple(_rep(random, number, number % teams) for number in range(reps))


def _rep(random: Random, number: int, team: int) -> Rep:
    known, manager = _TEAMS[team % len(_TEAMS)]
    return Rep(
        id=f"demo:rep-{number + 1:02d}",
        name=_name(number),
        team=known if team < len(_TEAMS) else f"{known} {team // len(_TEAMS) + 1}",
        manager=manager,
        quota=random.randrange(90, 131, 5) * 1_000,
        outreach_per_day=random.choice((None, None, None, 12.0, 16.0)),
    )


def _name(number: int) -> str:
    """A name of its own for each of the first 400 reps."""
    if number % _PERSIAN_EVERY == _PERSIAN_EVERY - 1 and number // _PERSIAN_EVERY < len(_PERSIAN):
        return _PERSIAN[number // _PERSIAN_EVERY]
    first, turn = number % len(_FIRST), number // len(_FIRST)
    return f"{_FIRST[first]} {_LAST[(first * 3 + turn * 7) % len(_LAST)]}"
