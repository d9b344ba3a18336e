"""Deliveries of many: one event or record that cannot be read does not take the others with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources.contract import Outgoing, Passed, Result

UNREADABLE: Final = "unreadable"
"""The reason under which an element is passed over that cannot be read, while others of its delivery are taken.

Refusing them all would make the vendor send them all again, and drop them all in the end, because of one.
"""


def each(elements: Sequence[Any], read: Callable[[Any], list[Result]]) -> list[Result]:
    """What all elements say; those that cannot be read are passed over with the reason.

    Raises:
        RefusedError: None of them can be read: the first one's.
    """
    told: list[Result] = []
    refused: list[RefusedError] = []
    for element in elements:
        try:
            found = read(element)
            for one in found:
                if isinstance(one, Outgoing):
                    one.event()
        except RefusedError as error:
            refused.append(error)
        else:
            told += found
    if refused and len(refused) == len(elements):
        raise refused[0]
    return [*told, *(Passed(UNREADABLE, f"{error.reason}: {error.detail}") for error in refused)]
