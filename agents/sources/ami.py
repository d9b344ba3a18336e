"""A connection to Asterisk's manager interface (AMI): log in, listen, and tell who is there.

panoramisk, the library of the field, knows no MD5 login, tries again every two seconds for ever, keeps events without
a limit while they are worked off, and goes on after a refused login; what is needed of the protocol is this page.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Final, Self

import msgspec

from funnelwatch.agents.errors import OperationError

PORT: Final = 5038
CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 10.0
PING_SECONDS: Final = 15.0
"""A silence of so long is broken with a ping; if nothing comes for as long again, the connection is dead."""
LINE_BYTES_MAX: Final = 64 * 1024
FIELDS_MAX: Final = 400
CHANNELS_MAX: Final = 50_000
MEANWHILE_MAX: Final = 50_000
"""Events that come while channels are listed; of more the first are forgotten."""

_BANNER: Final = b"Asterisk Call Manager"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Where the manager is and who we are to it. ``login`` is ``md5`` or ``plain``; the repr shows no secret."""

    host: str
    port: int = PORT
    tls: bool = False
    username: str = ""
    secret: str = ""
    login: str = "md5"

    def __repr__(self) -> str:
        return f"Account({self.username}@{self.host}:{self.port})"


class Manager:
    """A connection, as an asynchronous context manager: entering it connects and logs in.

    Raises:
        OperationError: There is no manager, or it does not let us in.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._number = 0
        self._meanwhile: deque[dict[str, str]] = deque(maxlen=MEANWHILE_MAX)

    async def __aenter__(self) -> Self:
        account = self._account
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                self._reader, self._writer = await asyncio.open_connection(
                    account.host,
                    account.port,
                    ssl=ssl.create_default_context() if account.tls else None,
                    limit=LINE_BYTES_MAX,
                )
                await self._greeted()
                await self._log_in()
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            await self._close()
            raise OperationError(f"The manager {account!r} does not answer: {_told(error)}.") from error
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._close()

    async def channels(self) -> list[dict[str, str]]:
        """The channels there are now, each as a ``CoreShowChannel`` event. Events that come meanwhile are kept.

        Raises:
            OperationError: The manager does not tell.
        """
        found: list[dict[str, str]] = []
        await self._send({"Action": "CoreShowChannels"})
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while True:
                    message = await self._message()
                    kind = message.get("event", "").lower()
                    if kind == "coreshowchannel" and len(found) < CHANNELS_MAX:
                        found.append(message)
                    if kind == "coreshowchannelscomplete":
                        return found
                    if "event" in message and kind != "coreshowchannel":
                        self._meanwhile.append(message)
                    if message.get("response", "").lower() == "error":
                        raise OperationError(
                            f"The manager {self._account!r} does not tell its channels ({message.get('message', '')}): "
                            "its user needs the class 'system' or 'reporting' in read and write."
                        )
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            raise OperationError(
                f"The manager {self._account!r} does not tell its channels: {_told(error)}."
            ) from error

    async def messages(self) -> AsyncIterator[dict[str, str]]:
        """What it says, events and answers to pings, fields by their names in lower case, until the connection breaks.

        Raises:
            OperationError: It broke.
        """
        pinged = False
        while self._meanwhile:
            yield self._meanwhile.popleft()
        while True:
            try:
                async with asyncio.timeout(PING_SECONDS):
                    message = await self._message()
            except TimeoutError:
                if pinged:
                    raise OperationError(f"The manager {self._account!r} has fallen silent.") from None
                pinged = True
                await self._send({"Action": "Ping"})
                continue
            except (OSError, EOFError, ValueError) as error:
                raise OperationError(f"The connection to {self._account!r} broke: {_told(error)}.") from error
            pinged = False
            yield message

    async def _greeted(self) -> None:
        greeting = await self._line()
        if not greeting.startswith(_BANNER):
            raise OperationError(f"What answers at {self._account!r} is no manager of Asterisk.")

    async def _log_in(self) -> None:
        account = self._account
        login = {"Action": "Login", "Username": account.username, "Events": "call,dialplan"}
        if account.login == "md5":
            challenge = (await self._ask({"Action": "Challenge", "AuthType": "MD5"})).get("challenge", "")
            key = hashlib.md5((challenge + account.secret).encode(), usedforsecurity=False).hexdigest()
            login |= {"AuthType": "MD5", "Key": key}
        else:
            login["Secret"] = account.secret
        await self._ask(login)

    async def _ask(self, action: Mapping[str, str]) -> dict[str, str]:
        """Send an action and wait for its response; events in between are left out.

        Raises:
            OperationError: It is refused.
        """
        await self._send(action)
        while "response" not in (message := await self._message()):
            continue
        if message["response"].lower() != "success":
            raise OperationError(
                f"The manager does not let us in as {self._account!r}: {message.get('message', 'refused')}. See the "
                "user's secret and its permit lines in manager.conf."
            )
        return message

    async def _send(self, action: Mapping[str, str]) -> None:
        assert self._writer is not None
        self._number += 1
        lines = (*action.items(), ("ActionID", f"funnelwatch-{self._number}"))
        text = "".join(f"{name}: {_one_line(value)}\r\n" for name, value in lines)
        try:
            self._writer.write(f"{text}\r\n".encode())
            await self._writer.drain()
        except OSError as error:
            raise OperationError(f"The connection to {self._account!r} broke: {_told(error)}.") from error

    async def _message(self) -> dict[str, str]:
        """The next event or response. Lines without a name, and fields beyond the limit, are left out."""
        found: dict[str, str] = {}
        while True:
            line = (await self._line()).rstrip(b"\r\n").decode("utf-8", "replace")
            if not line.strip():
                if found:
                    return found
                continue
            name, colon, value = line.partition(":")
            if colon and len(found) < FIELDS_MAX:
                found.setdefault(name.strip().lower(), value.strip())

    async def _line(self) -> bytes:
        """A line with its end.

        Raises:
            EOFError: The connection was closed.
            ValueError: The line is longer than any event has.
        """
        assert self._reader is not None
        line = await self._reader.readline()
        if not line:
            raise EOFError("closed by Asterisk")
        return line

    async def _close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 1.0)


def _one_line(value: str) -> str:
    """A value that cannot end its line: a name in the configuration is no second action."""
    return value.replace("\r", " ").replace("\n", " ")


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__
