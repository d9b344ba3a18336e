"""Who is who: the table by which the users of CRMs and telephone systems become reps. The organisation edits it.

One rep has any number of ids, one in each system and of several forms::

    [[people]]
    rep = "sara"
    ids = ["hubspot:42", "sara@firm.example", "ext:101", "tel:+98 21 9130 5588"]

===================== ============================================================================================
form                  what it is
===================== ============================================================================================
``SYSTEM:ID``         the user's id in that system or source; the system in any case, the id exactly as it has it
``NAME@DOMAIN``       an e-mail address, in any case
``ext:101``           an extension of any telephone system; with two systems that use the same one write
                      ``SYSTEM:101``, which comes first
``tel:+982191305588`` a direct number, international, with or without blanks, dots, dashes and parentheses
===================== ============================================================================================
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from funnelwatch.schemas import fields
from funnelwatch.schemas.problems import ConfigurationError, Problems, nearest
from funnelwatch.schemas.reasons import RefusedError

PEOPLE_MAX: Final = 100_000
"""Reps of one table."""
IDS_MAX: Final = 64
"""Ids of one rep."""
TABLE_CHARS_MAX: Final = 32 * 1024 * 1024
EXTENSION: Final = "ext"
NUMBER: Final = "tel"

_DIGITS: Final = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
_ADDRESS: Final = re.compile(r"[^\s@:]+@[^\s@:]+")
_SYSTEM: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*", re.ASCII)
_EXTENSION: Final = re.compile(r"[0-9*#]{1,16}", re.ASCII)
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{3,14}", re.ASCII)
_PUNCTUATION: Final = re.compile(r"[\s().\-\u200e\u200f\u00ad\u2010-\u2015]")


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rep: the id that figures carry, and the ids other systems know the rep by."""

    rep: str
    ids: tuple[str, ...] = ()


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    people: tuple[Person, ...] = ()


class People:
    """A lookup from the ids of other systems to reps. Made once, never changed: a new table is a new `People`.

    Raises:
        ConfigurationError: The table cannot be used; all problems are listed.
    """

    def __init__(self, people: Iterable[Person] = (), systems: Collection[str] | None = None) -> None:
        self.people = tuple(people)
        problems = Problems()
        self._reps = _reps(self.people, systems, problems)
        if problems.found:
            raise ConfigurationError(problems.found)

    def __len__(self) -> int:
        return len(self.people)

    def rep_of(self, *ids: str) -> str | None:
        """The rep of the first of some ids that the table has; None if it has none of them.

        Ids that are written in no known form are unknown, not an error: they come from other systems.
        """
        for one in ids:
            try:
                rep = self._reps.get(key_of(one))
            except ValueError:
                continue
            if rep is not None:
                return rep
        return None


def parse(text: str, systems: Collection[str] | None = None) -> People:
    """The table from its TOML.

    Args:
        text: The file's content; empty for nobody.
        systems: The systems and sources that ids may name; None allows any.

    Raises:
        ConfigurationError: It cannot be used; all problems are listed.
    """
    problems = Problems()
    if len(text) > TABLE_CHARS_MAX:
        problems.add("", f"the table has more than {TABLE_CHARS_MAX} characters")
        raise ConfigurationError(problems.found)
    try:
        table = msgspec.convert(tomllib.loads(text), _Table)
    except (ValueError, RecursionError) as error:  # msgspec's and tomllib's errors are ValueErrors
        problems.add("", f"the table of people cannot be read: {error}")
        raise ConfigurationError(problems.found) from None
    return People(table.people, systems)


def key_of(text: str) -> str:
    """The one spelling of an id under which it is looked up.

    Raises:
        ValueError: It has none of the forms.
    """
    text = text.strip()
    system, colon, rest = text.partition(":")
    if not colon:
        if not _ADDRESS.fullmatch(text):
            raise ValueError(
                "is neither an address nor an id with its system in front; write 'hubspot:42', 'sara@firm.example', "
                "'ext:101' or 'tel:+982191305588'"
            )
        return text.casefold()
    system, rest = system.strip().lower(), rest.strip()
    if system == EXTENSION:
        return extension(rest)
    if system == NUMBER:
        return number(rest)
    if not _SYSTEM.fullmatch(system) or not rest or not fields.is_clean(rest):
        raise ValueError("must have a system's name and an id that is not empty, like 'hubspot:42'")
    return f"{system}:{rest}"


def extension(text: str) -> str:
    """The key of an extension: ``ext:101``.

    Raises:
        ValueError: It is none: digits, ``*`` and ``#``, 16 at most.
    """
    plain = _PUNCTUATION.sub("", text.translate(_DIGITS))
    if not _EXTENSION.fullmatch(plain):
        raise ValueError("is no extension; write one like 'ext:101'")
    return f"{EXTENSION}:{plain}"


def number(text: str) -> str:
    """The key of a direct number: ``tel:+982191305588``.

    Raises:
        ValueError: It is not international.
    """
    plain = _PUNCTUATION.sub("", text.translate(_DIGITS))
    plain = f"+{plain[2:]}" if plain.startswith("00") else plain
    if not _NUMBER.fullmatch(plain):
        raise ValueError("is no international number; write one like 'tel:+982191305588'")
    return f"{NUMBER}:{plain}"


def _reps(people: tuple[Person, ...], systems: Collection[str] | None, problems: Problems) -> dict[str, str]:
    """Key to rep. Everything that is wrong is noted."""
    problems.unless(len(people) <= PEOPLE_MAX, "people", f"has {len(people)} entries; at most {PEOPLE_MAX} are taken")
    found: dict[str, str] = {}
    places: dict[str, str] = {}
    reps: dict[str, str] = {}
    for number_, person in enumerate(people):
        path = f"people[{number_}]"
        _rep(person.rep, path, reps, problems)
        problems.unless(person.ids, f"{path}.ids", "must have at least one id")
        problems.unless(len(person.ids) <= IDS_MAX, f"{path}.ids", f"has {len(person.ids)} ids; at most {IDS_MAX}")
        for position, text in enumerate(person.ids):
            place = f"{path}.ids[{position}]"
            try:
                key = key_of(text)
            except ValueError as error:
                problems.add(place, f"{fields.shown(text)} {error}")
                continue
            _known(key, place, systems, problems)
            if key in places:
                problems.add(place, f"{fields.shown(text)} is the same as {places[key]}, of {found[key]!r}")
            found.setdefault(key, person.rep)
            places.setdefault(key, place)
    return found


def _rep(rep: str, path: str, reps: dict[str, str], problems: Problems) -> None:
    try:
        fields.identifier(rep, "it")
    except RefusedError as error:
        problems.add(f"{path}.rep", error.detail)
        return
    problems.unless(rep not in reps, f"{path}.rep", f"{rep!r} is also {reps.get(rep)}; put all ids into one entry")
    reps.setdefault(rep, path)


def _known(key: str, place: str, systems: Collection[str] | None, problems: Problems) -> None:
    system, colon, _ = key.partition(":")
    if systems is None or not colon or system in {EXTENSION, NUMBER, *systems}:
        return
    problems.add(place, f"no system or source is named {system!r}{nearest(system, [*systems, EXTENSION, NUMBER])}")
