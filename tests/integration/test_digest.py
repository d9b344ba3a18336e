"""The digest on a real mail server and a real Redis: once for each manager and day, whatever happens in between."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest
import redis.asyncio
from aiosmtpd.controller import Controller
from msgspec.structs import replace
from support.board_process import BoardProcess
from support.cell_floor import BENCHMARKS, LEADS, NOW, PIPELINES, floor
from support.mornings import SETTINGS as MORNING_SETTINGS
from support.mornings import mornings
from support.shards import ShardWriter

from funnelwatch.agents import clock
from funnelwatch.agents.digest.sending import Claim, Marks
from funnelwatch.agents.digest.service import Service
from funnelwatch.agents.embedded import free_ports
from funnelwatch.schemas.alerting import AlertingSettings, Contact, MailSettings
from funnelwatch.schemas.settings import BoardSettings, KafkaSettings, RedisSettings, Settings

pytestmark = pytest.mark.integration

MORNING = int(datetime(2026, 11, 20, 4, 0, tzinfo=UTC).timestamp()) * 1_000_000
"""07:30 in Tehran, on a Friday, which is a working day there in these settings."""
OWNERS = {f"crm:{number}": f"m{number % 3}@example.com" for number in range(1, 7)}


class Inbox:
    """What the server took; ``refuse`` so many before it takes one."""

    def __init__(self) -> None:
        self.mails = []
        self.refuse = 0

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802  (aiosmtpd asks for it by this name)
        if self.refuse:
            self.refuse -= 1
            return "451 try again later"
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=default)))
        return "250 taken"


@pytest.fixture
def inbox():
    found = Inbox()
    controller = Controller(found, hostname="127.0.0.1", port=free_ports(1)[0])
    controller.start()
    found.port = controller.port
    yield found
    controller.stop()


@pytest.fixture
def settings(inbox, redis_server, prefix) -> Settings:
    return replace(
        MORNING_SETTINGS,
        redis=RedisSettings(port=redis_server.port, prefix=prefix),
        mail=MailSettings(host="127.0.0.1", port=inbox.port, encryption="none", sender="sales@example.com"),
        alerting=AlertingSettings(managers={"m1@example.com": Contact(email=("m1@example.com",), language="fa")}),
    )


@pytest.fixture
async def marks(settings):
    client = redis.asyncio.Redis(port=settings.redis.port)
    yield Marks(client, settings.redis.prefix)
    await client.aclose()


def service(settings, marks, now: int = MORNING) -> Service:
    found = mornings(settings, change=lambda row: replace(row, manager=OWNERS[row.id]))
    return Service(settings, marks, lambda: now, lambda _: found)


async def test_each_manager_gets_one_mail_in_the_own_language_with_own_reps(settings, marks, inbox):
    assert await service(settings, marks).look() == 3
    mails = {to[0]: mail for to, mail in inbox.mails}
    persian = mails["m1@example.com"].get_body(("html",)).get_content()

    assert mails.keys() == {"m0@example.com", "m1@example.com", "m2@example.com"}
    assert '<html lang="fa" dir="rtl">' in persian
    assert "Your team this morning" in mails["m0@example.com"]["Subject"]
    assert mails["m0@example.com"]["From"] == "sales@example.com"
    assert "reps/crm%3A3" in mails["m0@example.com"].get_body(("plain",)).get_content()
    assert "reps/crm%3A1" not in mails["m0@example.com"].get_body(("plain",)).get_content()


async def test_nothing_before_its_hour_and_nothing_on_a_day_off(settings, marks, inbox):
    for now in (MORNING - 1_000_000, MORNING + 86_400_000_000):
        assert await service(settings, marks, now).look() == 0

    assert inbox.mails == []


async def test_a_restart_sends_nothing_again(settings, marks, inbox):
    first = service(settings, marks)
    await first.look()
    await first.look()
    await service(settings, marks, MORNING + 3_600_000_000).look()

    assert len(inbox.mails) == 3


async def test_two_services_at_once_send_each_mail_once(settings, marks, inbox):
    await asyncio.gather(*(service(settings, marks).look() for _ in range(4)))

    assert sorted(to[0] for to, _ in inbox.mails) == ["m0@example.com", "m1@example.com", "m2@example.com"]


async def test_what_the_server_did_not_take_is_sent_later_and_only_that(settings, marks, inbox):
    inbox.refuse = 1
    once = service(settings, marks)

    assert (await once.look(), await once.look(), await once.look()) == (2, 1, 0)
    assert len({mail["Message-ID"] for _, mail in inbox.mails}) == 3


async def test_a_process_that_died_while_sending_is_waited_for_and_then_stood_in_for(settings, marks, inbox):
    day = "2026-11-20"
    assert await marks.claim(day, "m0@example.com") is Claim.MINE  # and nobody ever hears of it again
    survivor = service(settings, marks)

    assert await survivor.look() == 2
    await marks._redis.delete(marks.key(day, "m0@example.com"))  # its claim runs out
    assert await survivor.look() == 1
    assert len(inbox.mails) == 3


async def test_the_next_working_day_has_its_own(settings, marks, inbox):
    await service(settings, marks).look()
    assert await service(settings, marks, MORNING + 3 * 86_400_000_000).look() == 3  # Monday

    assert len({mail["Message-ID"] for _, mail in inbox.mails}) == 6


async def test_whoever_has_no_address_is_told_of_by_everybodys_contact(settings, marks, inbox):
    found = mornings(settings, change=lambda row: replace(row, manager="nobody"))
    told = replace(settings, alerting=AlertingSettings(everybody=Contact(email=("all@example.com",))))
    await Service(told, marks, lambda: MORNING, lambda _: found).look()
    await Service(settings, Marks(marks._redis, settings.redis.prefix + "x"), lambda: MORNING, lambda _: found).look()

    assert [to for to, _ in inbox.mails] == [["all@example.com"]]


def test_the_preview_is_a_page_of_what_the_board_has(redis_server, prefix, tmp_path):
    nowhere, port = free_ports(2)
    settings = Settings(
        clock=NOW.isoformat(),
        pipelines=PIPELINES,
        leads=LEADS,
        benchmarks=BENCHMARKS,
        redis=RedisSettings(port=redis_server.port, prefix=prefix.rstrip(".")),
        kafka=KafkaSettings(bootstrap=(f"127.0.0.1:{nowhere}",), partitions=2, prefix=prefix),
        board=BoardSettings(port=port),
    )
    writer = ShardWriter(settings)
    writer.everything(floor(reps=4), at=clock.now_us())
    page = tmp_path / "digest.html"
    with BoardProcess(settings, tmp_path) as board:
        for _ in range(300):
            if board.status("/readyz") == 200:
                break
            asyncio.run(asyncio.sleep(0.1))
        command = [sys.executable, "-m", "funnelwatch", "digest", "--config", str(tmp_path / "board.toml")]
        done = subprocess.run([*command, "--preview", str(page)], capture_output=True, text=True, check=False)
        unknown = subprocess.run(
            [*command, "--preview", str(page), "--manager", "x"], capture_output=True, text=True, check=False
        )
    writer.close()

    assert done.returncode == 0, done.stderr
    assert "On Thursday 19 November 2026" in page.read_text("utf-8")
    assert unknown.returncode == 1
    assert "No rep has the manager 'x'" in unknown.stderr
