"""The three commands, once their options are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from funnelwatch.agents.dlq.letter import Letter, Position, Wanted
from funnelwatch.agents.dlq.reading import Letters
from funnelwatch.agents.dlq.sending import Outcome, Sender, addresses_of, obstacle
from funnelwatch.agents.dlq.showing import Listing
from funnelwatch.schemas.settings import Secrets, Settings


async def listing(settings: Settings, secrets: Secrets, wanted: Wanted, limit: int) -> Listing:
    """The newest letters that are wanted."""
    found = Listing(limit)
    async with Letters(settings, secrets) as letters:
        async for letter in letters.all(wanted.since):
            if wanted.takes(letter):
                found.add(letter)
    return found


async def one(settings: Settings, secrets: Secrets, position: Position) -> Letter:
    """The letter at a position."""
    async with Letters(settings, secrets) as letters:
        return await letters.one(position)


async def replay(
    settings: Settings,
    secrets: Secrets,
    chosen: Wanted | Sequence[Position],
    *,
    agree: Callable[[Outcome], bool] | None,
    console: Console,
) -> Outcome | None:
    """Send letters again: those that are wanted, or those at some positions.

    Args:
        settings: Whose letters.
        secrets: Passwords.
        chosen: Which letters.
        agree: Is shown what would be sent, and says whether it is to be; None only counts.
        console: Where the progress bar goes.

    Returns:
        What was sent, or would be; None if it was not agreed.
    """
    async with Letters(settings, secrets) as letters:
        plan, addresses = Outcome(), addresses_of(settings)
        async for letter in _chosen(letters, chosen):
            why = obstacle(letter, addresses)
            if why is None:
                plan.sent[letter.topic] += 1
            else:
                plan.refuse(letter, why)
        if agree is None or not plan.sent:
            return plan
        if not agree(plan):
            return None
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("sending again", total=plan.sent.total() + plan.not_sent)
            async with Sender(settings, secrets) as sender:
                async for letter in _chosen(letters, chosen):
                    await sender.send(letter)
                    progress.advance(task)
        return sender.outcome


async def _chosen(letters: Letters, chosen: Wanted | Sequence[Position]) -> AsyncIterator[Letter]:
    if not isinstance(chosen, Wanted):
        for position in chosen:
            yield await letters.one(position)
        return
    async for letter in letters.all(chosen.since):
        if chosen.takes(letter):
            yield letter
