"""An Asterisk manager for tests: a real socket, the real protocol, and what it is told to say."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Self

SECRET = "s3cret"
BANNER = b"Asterisk Call Manager/2.8.0\r\n"


class FakeManager:
    """Accepts one user with plain or MD5 login; ``say`` sends text to whoever is logged in.

    ``channels`` are the uniqueids it lists, ``actions`` what it was asked, ``mute`` leaves pings unanswered.
    """

    def __init__(self, *, banner: bytes = BANNER, mute: bool = False, secret: str = SECRET) -> None:
        self.channels: list[str] = []
        self.actions: list[dict[str, str]] = []
        self.mute = mute
        self.port = 0
        self.logins = 0
        self._banner = banner
        self._secret = secret
        self._writers: list[asyncio.StreamWriter] = []
        self._logged_in = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self.drop()

    async def ready(self, seconds: float = 20) -> None:
        """Until somebody has logged in and was told the channels."""
        await asyncio.wait_for(self._logged_in.wait(), seconds)

    async def say(self, text: bytes) -> None:
        for writer in self._writers:
            writer.write(text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
            await writer.drain()

    async def drop(self) -> None:
        """Break all connections."""
        self._logged_in.clear()
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._banner)
        challenge = "841415273"
        while action := await _action(reader):
            self.actions.append(action)
            name, number = action["action"], action.get("actionid", "")
            if name == "Challenge":
                reply = f"Response: Success\r\nChallenge: {challenge}\r\n"
            elif name == "Login":
                key = hashlib.md5((challenge + self._secret).encode()).hexdigest()
                good = action["username"] == "wall" and (
                    action.get("key") == key or action.get("secret") == self._secret
                )
                said = ("Success", "Authentication accepted") if good else ("Error", "Authentication failed")
                reply = f"Response: {said[0]}\r\nMessage: {said[1]}\r\n"
                self.logins += good
                if good:
                    self._writers.append(writer)
            elif name == "CoreShowChannels":
                reply = f"Response: Success\r\nActionID: {number}\r\n\r\n" + "".join(
                    f"Event: CoreShowChannel\r\nChannel: PJSIP/{one}\r\nUniqueid: {one}\r\nLinkedid: {one}\r\n\r\n"
                    for one in self.channels
                )
                reply += "Event: CoreShowChannelsComplete\r\n"
                self._logged_in.set()
            elif self.mute:
                continue
            else:
                reply = "Response: Success\r\nPing: Pong\r\n"
            writer.write(f"{reply}ActionID: {number}\r\n\r\n".encode())
        writer.close()


async def _action(reader: asyncio.StreamReader) -> dict[str, str]:
    found: dict[str, str] = {}
    while line := (await reader.readline()).decode().rstrip("\r\n"):
        name, _, value = line.partition(": ")
        found[name.lower()] = value
    return found
