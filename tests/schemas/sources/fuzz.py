"""Mutated deliveries for every translator: events or a stated refusal, never a crash.

The test beside this runs a few hundred for each system. The long form, which prints what it saw and ends with 1 on the
first crash, with the line that replays it:

    python tests/schemas/sources/fuzz.py --rounds 100000 [--system twilio] [--seed 7]
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[3])]

from support.mangling import mangled
from support.samples import samples

from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.schemas.encode import encode_event
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources.contract import Delivery, ForgedError, Outgoing, Passed, SourceOptions, System, Wanted
from funnelwatch.schemas.sources.registry import SYSTEMS

REASON = re.compile(r"[a-z][a-z0-9_]{0,40}", re.ASCII)


def outcomes(system: System, delivery: Delivery, options: SourceOptions) -> Iterator[str]:
    """What a delivery came to, a word for each result. Whatever breaks the contract is an error."""
    with suppress(ForgedError):
        system.proof.handshake(delivery, "secret", options)
        system.proof.verify(delivery, "secret", options, delivery.received_us)
    try:
        results = system.translate(delivery, options)
    except RefusedError as error:
        yield f"refused {error.refusal().reason}"
        return
    assert results == system.translate(delivery, options), "the same delivery gave something else the second time"
    for result in results:
        match result:
            case Passed():
                assert REASON.fullmatch(result.reason), result.reason
                yield f"passed {result.reason}"
            case Wanted():
                yield "wanted"
            case Outgoing():
                yield _published(result)
            case _:
                raise AssertionError(result)
    if not results:
        yield "nothing"


def _published(outgoing: Outgoing) -> str:
    try:
        event = outgoing.event("rep")
    except RefusedError as error:
        return f"refused {error.refusal().reason}"
    assert isinstance(outgoing.number, str)
    assert all(isinstance(one, str) and one for one in outgoing.references)
    assert decode(event.kind, encode_event(event), (), UNLIMITED) == [event]
    return outgoing.type


def run(system: System, rounds: int, seed: int) -> Counter[str]:
    """So many mutated deliveries of a system's samples. Any error tells the seed of its round."""
    counted: Counter[str] = Counter()
    known = samples(system.name)
    for round_ in range(rounds):
        random = Random(f"{seed}/{system.name}/{round_}")
        delivery, options = random.choice(known)
        hurt = mangled(delivery, random)
        try:
            counted.update(outcomes(system, hurt, options))
        except Exception as error:
            raise AssertionError(f"system {system.name}, seed {seed}, round {round_}: {error!r}") from error
    return counted


def main() -> int:
    """The long form."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--system", choices=sorted(SYSTEMS), action="append")
    arguments = parser.parse_args()
    for name in arguments.system or SYSTEMS:
        began = time.monotonic()
        counted = run(SYSTEMS[name], arguments.rounds, arguments.seed)
        print(f"{name}: {arguments.rounds:,} deliveries in {time.monotonic() - began:.0f} s")  # noqa: T201  (a program)
        for word, count in counted.most_common():
            print(f"  {count:>9,} {word}")  # noqa: T201  (a program)
    return 0


if __name__ == "__main__":
    sys.exit(main())
