"""Asterisk as a source that is polled: its manager is listened to, or its file or a table of records is followed."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

import msgspec

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway.polling import Polled, Poller
from funnelwatch.agents.gateway.sources import Source
from funnelwatch.agents.sources import ami, cdr_file, cdr_mysql, cdr_table
from funnelwatch.agents.sources.ami import Account, Manager
from funnelwatch.agents.sources.cdr_file import Place
from funnelwatch.agents.sources.handing_in import hand_in
from funnelwatch.schemas.sources.contract import Delivery, SourceOptions
from funnelwatch.schemas.sources.phones.asterisk import WAYS
from funnelwatch.schemas.sources.phones.conversations import Conversations, written

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
"""How often files and tables are looked at."""
HEARD_SECONDS: Final = 10.0
PLACE: Final = "place"
ENDED: Final = "ended"
"""The note of the end of the latest call that was read from a server's table."""
SERVER_LOOK_SECONDS: Final = 5.0
"""How often a server's table is looked at."""
TOGETHER: Final = 500
"""Calls that are handed in at a time, where there are many to catch up with."""
PROGRESS_SECONDS: Final = 10.0
_DAY_US: Final = 86_400_000_000

_encode = msgspec.json.Encoder().encode
_place: Callable[[str], Place] = msgspec.json.Decoder(Place).decode


class Asterisk:
    """The pollers of all Asterisk sources of a gateway. Calls under way outlive a connection that breaks."""

    def __init__(self) -> None:
        self._under_way: WeakKeyDictionary[Source, Conversations] = WeakKeyDictionary()
        self._lost_us: WeakKeyDictionary[Source, int] = WeakKeyDictionary()

    async def poll(self, polled: Polled) -> None:
        """Listen or follow until cancelled.

        Raises:
            OperationError: The manager, the file or the table cannot be used.
        """
        options = polled.source.options
        ways: dict[str, Callable[[Polled], Awaitable[None]]] = {
            "host": self._listen,
            "cdr_file": _follow_file,
            "cdr_database": _follow_table,
            "cdr_server": _follow_server,
        }
        await next(way for name, way in ways.items() if options.option(name))(polled)

    async def _listen(self, polled: Polled) -> None:
        source = polled.source
        calls = self._under_way.setdefault(source, Conversations())
        async with Manager(_account(source)) as manager:
            log.info("the source %s listens to its manager; %d calls are under way", source.name, len(calls))
            channels = await manager.channels()
            present = {one["uniqueid"] for one in channels if "uniqueid" in one}
            overs = calls.present(present, self._lost_us.get(source) or now_us())
            try:
                for channel in channels:
                    overs += calls.feed(channel, now_us())
                await _told(polled, overs)
                heard = 0.0
                async for message in manager.messages():
                    await _told(polled, calls.feed(message, now_us()))
                    if (time := asyncio.get_running_loop().time()) - heard > HEARD_SECONDS:
                        polled.heard()
                        heard = time
            finally:
                self._lost_us[source] = now_us()


async def _told(polled: Polled, overs: Iterable[list[dict[str, str]]]) -> None:
    if deliveries := [Delivery(body=written(over), received_us=now_us()) for over in overs]:
        await hand_in(polled, deliveries, "a call")


async def _follow_file(polled: Polled) -> None:
    options = polled.source.options
    path = Path(options.option("cdr_file"))
    noted = await polled.spool.noted(polled.source.name, PLACE)
    place = _place(noted) if noted else Place()
    told = asyncio.get_running_loop().time()
    while True:
        piece = await asyncio.to_thread(cdr_file.read, path, place, options)
        if piece.unreadable:
            log.warning("%d lines of %s are no records and were left out", piece.unreadable, path)
        await _rows(polled, piece.rows)
        polled.heard()
        if piece.place != place:
            place = piece.place
            await polled.spool.note(polled.source.name, PLACE, _encode(place).decode())
            if (time := asyncio.get_running_loop().time()) - told > PROGRESS_SECONDS:
                told = time
                log.info("%d of %d bytes of %s are read", place.offset, piece.size, path)
        else:
            await asyncio.sleep(LOOK_SECONDS)


async def _follow_table(polled: Polled) -> None:
    options = polled.source.options
    path, table = Path(options.option("cdr_database")), options.option("cdr_table", "cdr")
    after = int(await polled.spool.noted(polled.source.name, PLACE) or 0)
    while True:
        rows, last = await asyncio.to_thread(cdr_table.read, path, table, after)
        await _rows(polled, rows)
        polled.heard()
        if last != after:
            after = last
            await polled.spool.note(polled.source.name, PLACE, str(after))
        else:
            await asyncio.sleep(LOOK_SECONDS)


async def _follow_server(polled: Polled) -> None:
    options = polled.source.options
    account = cdr_mysql.Account.of(options.option("cdr_server"), _secret(polled.source), tls=_is_tls(options))
    since = await polled.spool.noted(polled.source.name, ENDED) or _oldest(polled)
    table = await asyncio.to_thread(cdr_mysql.Table, account, options.option("cdr_table", "cdr"), since)
    told = asyncio.get_running_loop().time()
    try:
        while True:
            rows, through = await asyncio.to_thread(table.read)
            await _rows(polled, rows)
            polled.heard()
            if not rows:
                await asyncio.sleep(SERVER_LOOK_SECONDS)
                continue
            await polled.spool.note(polled.source.name, ENDED, through)
            if (time := asyncio.get_running_loop().time()) - told > PROGRESS_SECONDS:
                told = time
                log.info("the records of the source %s are read through %s", polled.source.name, through)
    finally:
        await asyncio.to_thread(table.close)


def _oldest(polled: Polled) -> str:
    """The local time before which calls are too old to be taken."""
    oldest = now_us() - polled.settings.retention_days * _DAY_US
    return datetime.fromtimestamp(oldest / 1e6, ZoneInfo(polled.source.options.zone)).strftime("%Y-%m-%d %H:%M:%S")


async def _rows(polled: Polled, rows: Iterable[Mapping[str, Any]]) -> None:
    """Hand in the rows of some calls."""
    calls: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        lowered = {str(key).lower(): value for key, value in row.items()}
        calls[str(lowered.get("linkedid") or lowered.get("uniqueid") or "")].append(row)
    groups = list(calls.values())
    for begin in range(0, len(groups), TOGETHER):
        deliveries = [Delivery(body=_encode(group), received_us=now_us()) for group in groups[begin : begin + TOGETHER]]
        await hand_in(polled, deliveries, "a call")


def _account(source: Source) -> Account:
    options = source.options
    return Account(
        host=options.option("host"),
        port=int(options.option("port", str(ami.PORT))),
        tls=_is_tls(options),
        username=options.option("username"),
        secret=_secret(source),
        login=options.option("login", "md5"),
    )


def _secret(source: Source) -> str:
    if not source.secrets.values:
        raise OperationError(
            f"The source {source.name} has no secret of its user: set {source.settings.secret_variable}, or "
            "name a file with secret_file."
        )
    return source.secrets.values[0]


def _is_tls(options: SourceOptions) -> bool:
    return options.option("tls").lower() in {"true", "1", "yes"}


def _is_heard(source: Source) -> bool:
    return any(source.options.option(name) for name in WAYS)


def _could_begin(source: Source) -> None:
    """Whether there is what is to be followed.

    Raises:
        OperationError: There is not, or it is something else; or there is no secret to log in with.
    """
    options = source.options
    table = options.option("cdr_table", "cdr")
    if options.option("host"):
        _account(source)
    elif path := options.option("cdr_file"):
        cdr_file.read(Path(path), Place(), options)
    elif path := options.option("cdr_database"):
        cdr_table.read(Path(path), table, 0)
    else:
        account = cdr_mysql.Account.of(options.option("cdr_server"), _secret(source), tls=_is_tls(options))
        cdr_mysql.Table(account, table, "").close()


POLLER: Final = Poller(Asterisk().poll, wanted=_is_heard, check=_could_begin)
