"""Mails on their way: to a server that takes them, once each, whatever is started anew in between.

A mark in Redis says what became of a manager's digest of a day. It is claimed before the server is asked, and set to
sent when the server has taken the mail. A process that ends between the two leaves a claim that runs out: the mail
goes out again with the same Message-ID, which mail systems take for the same mail.
"""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from enum import Enum
from pathlib import Path
from typing import Any, Final

from funnelwatch.agents.digest.rendering import Mail
from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas.alerting import MailSettings

SMTP_SECONDS_MAX: Final = 30.0
CLAIM_SECONDS: Final = 120
"""Longer than a server may take; then somebody else may send."""
SENT_SECONDS: Final = 3 * 86_400
CLAIMED, SENT = b"claimed", b"sent"


class Claim(Enum):
    """What became of asking to send."""

    MINE = "mine"
    OTHERS = "others"
    SENT = "sent"


class Marks:
    """What was sent, in Redis under one prefix."""

    def __init__(self, redis: Any, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix

    def key(self, day: str, manager: str) -> str:
        """The mark of one manager and day; the name is hashed, since it may be of any length."""
        return f"{self._prefix}:digest:{day}:{digest_of(manager)}"

    async def claim(self, day: str, manager: str) -> Claim:
        """Ask to send."""
        key = self.key(day, manager)
        if await self._redis.set(key, CLAIMED, nx=True, ex=CLAIM_SECONDS):
            return Claim.MINE
        return Claim.SENT if await self._redis.get(key) == SENT else Claim.OTHERS

    async def sent(self, day: str, manager: str) -> None:
        """The server has it."""
        await self._redis.set(self.key(day, manager), SENT, ex=SENT_SECONDS)

    async def release(self, day: str, manager: str) -> None:
        """It was not sent: whoever is next may."""
        await self._redis.delete(self.key(day, manager))


def digest_of(text: str) -> str:
    """A text of any characters as twenty that stand in a key or a Message-ID."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def message(
    mail: Mail, settings: MailSettings, to: Sequence[str], *, day: str, manager: str, at: datetime
) -> EmailMessage:
    """The mail with its headers."""
    found = EmailMessage()
    found["Subject"] = mail.subject
    found["From"] = settings.sender
    found["To"] = ", ".join(to)
    found["Date"] = format_datetime(at)
    found["Message-ID"] = f"<digest-{day}-{digest_of(manager)}@{settings.sender.rpartition('@')[2]}>"
    found["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody answers it by machine
    found.set_content(mail.text)
    found.add_alternative(mail.html, subtype="html")
    return found


def send(found: EmailMessage, settings: MailSettings) -> None:
    """Hand a mail to the server. Blocks for `SMTP_SECONDS_MAX` at most at each step.

    Raises:
        OperationError: The server did not take it; the message says why, without the password.
    """
    where = f"The mail server {settings.host}:{settings.port}"
    try:
        password = Path(settings.password_file).read_text("utf-8").strip() if settings.username else ""
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise OperationError(f"mail.password_file: {settings.password_file} cannot be read: {why}.") from None
    try:
        with _connected(settings) as server:
            if settings.username:
                server.login(settings.username, password)
            refused = server.send_message(found)
    except smtplib.SMTPAuthenticationError as error:
        raise OperationError(f"{where} does not accept the user {settings.username} ({error.smtp_code}).") from None
    except (smtplib.SMTPException, OSError) as error:
        raise OperationError(f"{where} did not take a mail to {found['To']}: {error}.") from error
    if refused:
        raise OperationError(f"{where} refused some of {found['To']}: {', '.join(refused)}.")


def _connected(settings: MailSettings) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if settings.encryption == "tls":
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=SMTP_SECONDS_MAX, context=context)
    server = smtplib.SMTP(settings.host, settings.port, timeout=SMTP_SECONDS_MAX)
    if settings.encryption == "starttls":
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server
