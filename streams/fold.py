"""What all five kinds of entity have in common: a state is a set of steps and of links, and folds from it.

The state of an entity is the union of what was observed; a figure is read from that set. See `streams.history` for why
adding and merging are commutative, associative and idempotent.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec

from funnelwatch.schemas.events import Event, Kind
from funnelwatch.streams.cells import Contribution
from funnelwatch.streams.context import Context
from funnelwatch.streams.history import Step, canonical, observe, union
from funnelwatch.streams.links import Link, Received, join, receive


class State(Protocol):
    """The stored state of one entity. Two equal states have equal bytes."""

    history: list[Any]
    repeats: list[Any]
    links: list[Received]


St = TypeVar("St", bound=State)

_encode: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode


class Fold(ABC, Generic[St]):
    """How the events of one kind of entity become its state, and the state figures. It holds no data itself."""

    kind: ClassVar[Kind]
    codes: ClassVar[tuple[str, ...]]
    """The event types by their code in a step. Stored: never reorder them without raising ``FOLD_VERSION``."""
    _state: type[St]

    def __init__(self) -> None:
        self.decode: Callable[[bytes], St] = msgspec.msgpack.Decoder(self._state).decode
        """The state of a row. Raises ``msgspec.MsgspecError`` if the bytes are none."""
        self.encode: Callable[[St], bytes] = _encode
        """The row of a state."""
        self._code_of = {name: code for code, name in enumerate(self.codes)}

    def empty(self) -> St:
        """The state of an entity of which nothing is known."""
        return self._state()

    def add(self, state: St, event: Event) -> bool:
        """Take an event into the state; False if the state knew it already.

        Raises:
            Refused: The entity has ``HISTORY_MAX`` observations already.
        """
        step = self._step(self._code_of[event.type], event)
        return observe(state.history, state.repeats, step, self._content)

    def add_link(self, state: St, link: Link) -> bool:
        """Take a fact another entity tells; False if it says nothing new."""
        return receive(state.links, link)

    def merge(self, left: St, right: St) -> St:
        """The state that knows all that either knows. Neither is changed."""
        merged = self._state()
        merged.history, merged.repeats = union(
            (left.history, left.repeats), (right.history, right.repeats), self._content
        )
        merged.links = join(list(left.links), right.links)
        return merged

    def merge_rows(self, left: bytes, right: bytes) -> bytes:
        """``merge`` for rows; gives back one of the two objects if it contains the other."""
        if left == right:
            return left
        merged = self.encode(self.merge(self.decode(left), self.decode(right)))
        return left if merged == left else right if merged == right else merged

    def newest(self, state: St) -> int | None:
        """The time of the newest event in µs; None if there is none."""
        return state.history[-1][0] if state.history else None

    @abstractmethod
    def contribution(self, subject: str, state: St, context: Context) -> Contribution:
        """What the entity adds to its reps."""

    def links(self, subject: str, state: St) -> list[Link]:  # noqa: ARG002  (leads and reps tell nobody anything)
        """All facts the entity tells others now, and those it has to take back."""
        return []

    def retells(self, steps: Sequence[Any]) -> bool:  # noqa: ARG002  (leads and reps tell nobody anything)
        """Whether these steps, coming last, may change what `links` says but for its version."""
        return False

    def difference(
        self,
        subject: str,  # noqa: ARG002  (by default there is no short way)
        state: St,  # noqa: ARG002
        known: int,  # noqa: ARG002
        context: Context,  # noqa: ARG002
    ) -> tuple[Contribution, Contribution] | None:
        """What the steps from ``known`` > 0 on change: two contributions that lack the same sums of the steps before.

        It is what nearly every event needs (it comes last), without the cost of counting the whole history twice. None:
        these steps change what the ones before count for, so `contribution` has to tell.
        """
        return None

    def relinked(
        self,
        subject: str,  # noqa: ARG002  (by default there is no short way)
        state: St,  # noqa: ARG002
        links: list[Received],  # noqa: ARG002
        context: Context,  # noqa: ARG002
    ) -> tuple[Contribution, Contribution] | None:
        """What it changes that the entity had received ``links`` and now has those of the state, all else being equal.

        Two contributions that lack the same sums, as of `difference`. None: `contribution` has to tell.
        """
        return None

    @abstractmethod
    def forgettable(self, state: St, before_us: int) -> bool:
        """Whether the entity may be forgotten: it is not open, and all of its figures lie before the instant."""

    @abstractmethod
    def _step(self, code: int, event: Event) -> Step:
        """The event as it is stored."""

    @abstractmethod
    def _data(self, step: Any) -> dict[str, Any]:
        """The members of a step by the names they had in the event's data."""

    def _content(self, step: Step) -> tuple[str, bytes]:
        return canonical(self.codes[step[3]], self._data(step))
