"""What the shards hold that is no sum: open deals and leads, lost deals, recordings, and the reps' records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from funnelwatch.streams.cells import CallRecording, Item, ItemCell, LostDeal, OpenDeal, OpenLead, RepRecord
from funnelwatch.streams.piles import Piles

NO_DEALS: Mapping[str, OpenDeal] = MappingProxyType({})
NO_LEADS: Mapping[str, OpenLead] = MappingProxyType({})


class Recordings(dict[str, CallRecording]):
    """The recorded calls of one rep by id. ``version`` grows when any changes, or a deal that one of them is on."""

    version = 0


class Holdings:
    """Items by rep. An entity lives in one shard, so its item is never in two at once.

    ``by_rep``: what is open has to be known by rep as well as by currency.
    """

    def __init__(self, *, by_rep: bool = False) -> None:
        self.deal_piles, self.lead_piles = Piles(by_rep=by_rep), Piles()
        self.records: dict[str, RepRecord] = {}
        self.open_deals: dict[str, dict[str, OpenDeal]] = {}
        self.open_leads: dict[str, dict[str, OpenLead]] = {}
        self.recordings: dict[str, Recordings] = {}
        self.lost_deals: dict[str, LostDeal] = {}
        self._lost_by: dict[str, str] = {}
        self._heard_on: dict[str, dict[str, set[str]]] = {}

    def put(self, cell: ItemCell, item: Item) -> Iterable[str]:
        """Takes the item in. Returns the reps whose figures it may change."""
        if isinstance(item, OpenDeal):
            deals = self.open_deals.setdefault(cell.rep, {})
            self.deal_piles.put(cell.rep, deals.get(cell.id), item)
            deals[cell.id] = item
        elif isinstance(item, OpenLead):
            leads = self.open_leads.setdefault(cell.rep, {})
            self.lead_piles.put(cell.rep, leads.get(cell.id), item)
            leads[cell.id] = item
        elif isinstance(item, CallRecording):
            self._forget_recording(cell)
            recordings = self.recordings.setdefault(cell.rep, Recordings())
            recordings[cell.id] = item
            recordings.version += 1
            if item.deal_id is not None:
                self._heard_on.setdefault(item.deal_id, {}).setdefault(cell.rep, set()).add(cell.id)
        elif isinstance(item, LostDeal):
            self.lost_deals[cell.id] = item
            self._lost_by[cell.id] = cell.rep
            return self._heard_anew(cell)
        else:
            self.records[cell.rep] = item
        return (cell.rep,)

    def drop(self, cell: ItemCell) -> Iterable[str]:
        """Forgets the item of a cell. Returns the reps whose figures that may change."""
        if cell.type == "open_deal":
            self.deal_piles.put(cell.rep, _forget(self.open_deals, cell), None)
        elif cell.type == "open_lead":
            self.lead_piles.put(cell.rep, _forget(self.open_leads, cell), None)
        elif cell.type == "recording":
            self._forget_recording(cell)
        elif cell.type == "lost_deal":
            # A deal that changed hands may already be here under its new owner: one message says both.
            if self._lost_by.get(cell.id) == cell.rep:
                del self.lost_deals[cell.id], self._lost_by[cell.id]
            return self._heard_anew(cell)
        else:
            self.records.pop(cell.rep, None)
        return (cell.rep,)

    def _heard_anew(self, deal: ItemCell) -> Iterable[str]:
        """The reps whose figures change with a lost deal: its own, and those with a recording on it."""
        heard = self._heard_on.get(deal.id, ())
        for rep in heard:
            self.recordings[rep].version += 1
        return (deal.rep, *heard)

    def _forget_recording(self, cell: ItemCell) -> None:
        recordings = self.recordings.get(cell.rep)
        known = None if recordings is None else recordings.get(cell.id)
        if recordings is None or known is None:
            return
        recordings.version += 1
        _forget(self.recordings, cell)
        if known.deal_id is not None:
            heard = self._heard_on[known.deal_id]
            heard[cell.rep].discard(cell.id)
            if not heard[cell.rep]:
                del heard[cell.rep]
            if not heard:
                del self._heard_on[known.deal_id]


def _forget(items: dict[str, Any], cell: ItemCell) -> Any:
    own = items.get(cell.rep)
    item = None if own is None else own.pop(cell.id, None)
    if item is not None and not own:
        del items[cell.rep]
    return item
