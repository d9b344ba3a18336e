from __future__ import annotations

import asyncio
import contextlib

import aiohttp
import pytest
from msgspec.structs import replace
from support.browser import CHROMIUM, browser
from support.cell_floor import BENCHMARKS, LEADS, NOW, PIPELINES, floor
from support.shards import ShardWriter

from funnelwatch.agents import clock
from funnelwatch.agents.board.service import serve
from funnelwatch.agents.embedded import EmbeddedRedis, free_ports
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import BoardSettings, KafkaSettings, RedisSettings, Secrets, Settings
from funnelwatch.streams.cells import DayCell, ItemCell

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed here"),
]

REPS = 8
TODAY = NOW.date().toordinal()
HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>' + "x" * 100
SECONDS_MAX = 20.0
SIZES = ((1920, 1080), (1280, 720), (400, 800))


class Floor:
    """A board, what it reads from, and the browser that looks at it."""

    def __init__(self, page, url: str, writer: ShardWriter, redis: EmbeddedRedis) -> None:
        self.page = page
        self.url = url
        self.writer = writer
        self.redis = redis

    async def wall(self, query: str = "", **options) -> None:
        await self.page.open(f"{self.url}/{query}", **options)
        await self.page.until(f"document.querySelectorAll('#rows tr').length === {REPS}")


@pytest.fixture
async def shown(tmp_path):
    redis_port, nowhere, board_port = free_ports(3)
    settings = Settings(
        name="Acme",
        clock=NOW.isoformat(),
        pipelines=PIPELINES,
        leads=LEADS,
        benchmarks=BENCHMARKS,
        redis=RedisSettings(port=redis_port),
        kafka=KafkaSettings(bootstrap=(f"127.0.0.1:{nowhere}",), partitions=2),
        board=BoardSettings(port=board_port),
    )
    cells = floor(reps=REPS)
    rep = ItemCell("crm:1", "rep", "crm:1")
    for own in cells.values():
        if rep in own:
            own[rep] = replace(own[rep], name=HOSTILE, teams=((0, HOSTILE),))
    stop = asyncio.Event()
    with EmbeddedRedis(tmp_path / "redis", redis_port) as redis:
        writer = ShardWriter(settings)
        writer.everything(cells, at=clock.now_us())
        task = asyncio.create_task(serve(settings, Secrets(), stop))
        url = f"http://127.0.0.1:{board_port}"
        await ready(url)
        async with browser(tmp_path / "profile") as page:
            yield Floor(page, url, writer, redis)
        stop.set()
        await task
        writer.close()


async def ready(url: str) -> None:
    async with asyncio.timeout(SECONDS_MAX), aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{url}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)


async def test_the_wall_is_whole_on_every_screen_in_both_languages(shown):
    for width, height in SIZES:
        for query, direction in (("", "ltr"), ("?lang=fa", "rtl")):
            await shown.wall(query, width=width, height=height)

            assert await shown.page.run("document.documentElement.dir") == direction
            assert await shown.page.run("document.documentElement.scrollWidth <= innerWidth"), (width, query)
    assert await shown.page.run("[...document.querySelectorAll('[data-label]')].every(one => one.textContent)")
    assert shown.page.complaints == []


async def test_hostile_names_are_text_on_every_page(shown):
    await shown.wall()
    names = await shown.page.run("[...document.querySelectorAll('#rows .name bdi')].map(one => one.textContent)")

    assert HOSTILE in names
    assert (
        await shown.page.run("window.hacked === undefined && document.querySelectorAll('main img, main script').length")
        == 0
    )

    await shown.page.open(f"{shown.url}/reps/crm%3A1")
    await shown.page.until("document.querySelectorAll('#figures .card').length === 7")

    assert await shown.page.run("document.getElementById('name').textContent") == HOSTILE
    assert await shown.page.run("window.hacked") is None
    assert await shown.page.run("document.documentElement.scrollWidth <= innerWidth")
    assert shown.page.complaints == []


async def test_figures_change_on_the_page_without_reloading(shown):
    await shown.wall()
    won = "[...document.querySelectorAll('#rows tr')].map(row => row.innerText).join('|').includes('€1.8m')"
    assert not await shown.page.run(won)

    change = {
        DayCell("crm:2", TODAY): {
            ("won", "new-business", "EUR"): 1,
            ("won_amount", "new-business", "EUR"): 1_750_000 * 10_000,
        }
    }
    shown.writer.change(Kind.EMAIL, 1, change, at=clock.now_us())

    await shown.page.until(won)


async def test_a_rep_whose_calls_are_listened_to_has_the_share_of_the_talking(shown):
    recordings = "[...document.querySelectorAll('table')].find(one => one.querySelector('a[href*=recordings]'))"
    for query, title, shares in (("", "Rep talks", ["–", "0%", "62%", "–", "0%"]), ("?lang=fa", "سهم فروشنده", None)):
        await shown.page.open(f"{shown.url}/reps/crm%3A3{query}", width=400, height=800)
        await shown.page.until(f"{recordings} !== undefined")

        assert title in await shown.page.run(f"{recordings}.querySelector('thead').textContent")
        cells = f"[...{recordings}.querySelectorAll('tbody tr')].map(row => row.lastElementChild.textContent)"
        assert shares is None or await shown.page.run(cells) == shares
        assert await shown.page.run("document.documentElement.scrollWidth <= innerWidth"), query

    await shown.page.open(f"{shown.url}/reps/crm%3A2")
    await shown.page.until(f"{recordings} !== undefined")

    assert "Rep talks" not in await shown.page.run(f"{recordings}.textContent")


async def test_the_page_says_loudly_when_redis_is_away_and_recovers_by_itself(shown):
    await shown.wall()
    assert await shown.page.run("document.getElementById('banner').hidden")

    shown.redis.kill()
    await shown.page.until("document.getElementById('banner').textContent.includes('is away')")

    assert await shown.page.run("document.body.classList.contains('stale')")

    shown.redis.start()
    shown.writer.everything(floor(reps=REPS), at=clock.now_us())
    await shown.page.until("document.getElementById('banner').hidden")


async def test_the_list_is_found_and_switched_by_keyboard(shown):
    await shown.wall()
    await shown.page.call("Input.dispatchKeyEvent", type="keyDown", key="/", text="/")
    await shown.page.call("Input.dispatchKeyEvent", type="keyUp", key="/")
    await shown.page.call("Input.insertText", text="crm:2")
    await shown.page.until("document.querySelectorAll('#rows tr').length === 1")

    assert await shown.page.run("document.activeElement.id") == "find"

    await shown.page.run("document.getElementById('find').value = ''")
    await shown.page.run("document.getElementById('find').dispatchEvent(new Event('input'))")
    await shown.page.run("document.querySelector('[data-view=teams]').focus()")
    await shown.page.call(
        "Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13
    )
    await shown.page.call("Input.dispatchKeyEvent", type="keyUp", key="Enter", code="Enter", windowsVirtualKeyCode=13)
    await shown.page.until("document.querySelector('[data-view=teams]').getAttribute('aria-pressed') === 'true'")
