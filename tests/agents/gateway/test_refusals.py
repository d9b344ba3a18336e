from __future__ import annotations

from funnelwatch.agents.gateway.refusals import Refusals, kept
from funnelwatch.agents.gateway.spool import Spool
from funnelwatch.schemas.sources.contract import Delivery


async def test_the_oldest_are_forgotten_and_counted_when_there_is_no_room(tmp_path):
    spool = Spool(tmp_path, 1_000_000, 10)
    refusals = Refusals(spool, bytes_max=250)
    for number in range(5):
        delivery = Delivery(headers={"authorization": "Bearer x", "a": "b"}, body=bytes([number]) * 100)
        await refusals.add("crm", delivery, "bad_time", "data.x")
    spool.close()

    found = kept(tmp_path)
    assert [one.delivery.body[0] for one in found] == [3, 4]
    assert found[0].delivery.headers == {"a": "b"}
    assert (refusals.count, refusals.bytes, refusals.forgotten) == (2, 200, 3)
