"""One partition folded twice, by the compiled fold (with the twin for what that leaves) and by the twin alone."""

from __future__ import annotations

import os
import shutil

import pytest

from funnelwatch.agents.engine.chunk_fold import Tally
from funnelwatch.agents.engine.kind_fold import KindFold, read_all_links
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.schemas.codec import UNLIMITED
from funnelwatch.schemas.events import Kind
from funnelwatch.streams import compiled
from funnelwatch.streams.cells import REMOVED
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.links import encode as encode_link
from support.messages import Record
from support.read_cells import as_read, cells_of


def need_compiled():
    """Skip where nothing was compiled; where a change is judged it has to be, if there is a compiler."""
    if compiled.is_installed():
        return
    if os.environ.get("CI") == "true" and shutil.which("cargo"):
        pytest.fail("there is a Rust compiler, and no compiled fold that knows rows and members as they are now")
    pytest.skip("the compiled fold is not installed: there was no Rust compiler (cargo) when this was")


class Side:
    """One of the two: rows, cells, what was published, and what was told others."""

    def __init__(self, kind, context, *, is_compiled, home=None, recordings_days=30):
        self.kind = kind
        self.fold = KindFold(FOLDS[kind], context, compiled=is_compiled)
        self.cells = cells_of(context, recordings_days, is_compiled=is_compiled)
        self.is_compiled = is_compiled
        self.rows: dict[bytes, bytes] = {}
        self.published: dict = {}
        self.home = home
        self.compiled_items = 0

    def take(self, records, limits=UNLIMITED, *, redelivered_through=-1, of_links=False):
        """Fold a chunk; gives everything that anybody sees of it."""
        if of_links:
            by_kind, refused = read_all_links(records, is_compiled=self.is_compiled)
            works = [by_kind[self.kind]] if self.kind in by_kind else []
        else:
            work, refused = self.fold.read_events(records, limits)
            works = [work]
        tally = Tally(refused=list(refused))
        seen = []
        for work in works:
            summary = None if of_links else work.summary(PUNCTUAL_US)
            rows = [self.rows.get(key) for key in work.keys]
            outcome = self.fold.apply(
                work,
                rows,
                tally,
                seen_before=lambda record: record.offset <= redelivered_through,
                home=self.home,
            )
            if outcome.folded is not None:
                self.compiled_items += outcome.folded.applied + outcome.folded.unchanged
            before = self.cells.newest
            outcome.add_to(self.cells)
            self.rows.update(outcome.rows)
            self._publish()
            seen.append(
                {
                    "summary": summary,
                    "rows": outcome.rows,
                    "links": self._links(outcome),
                    "strays": sorted((one.record.offset, one.index or 0) for one in outcome.strays),
                    "newest": (before, self.cells.newest),
                }
            )
        return {
            "works": seen,
            "applied": tally.applied,
            "unchanged": tally.unchanged,
            "refused": sorted(
                (one.record.offset, one.index or -1, one.refusal.reason, one.refusal.detail) for one in tally.refused
            ),
            "cells": as_read(self.cells.all_published()),
        }

    def _links(self, outcome):
        partitions = 1 if self.home is None else self.home[1]
        told = [
            (partition_of(link.target_id, partitions), link.target_id.encode(), encode_link(link))
            for link in outcome.links
        ]
        told += [(home, *record) for home, records in outcome.link_records.items() for record in records]
        return sorted(told)

    def _publish(self):
        for cell, value in self.cells.take_published().items():
            if value == REMOVED:
                self.published.pop(cell, None)
            else:
                self.published[cell] = value
        assert as_read(self.published) == as_read(self.cells.all_published())


PUNCTUAL_US = 1_793_100_000_000_000


class Both:
    """Both sides, held to be the same after every chunk."""

    def __init__(self, kind: Kind, context, **named):
        need_compiled()
        self.compiled = Side(kind, context, is_compiled=True, **named)
        self.twin = Side(kind, context, is_compiled=False, **named)
        self.offset = 0

    def take(self, values, limits=UNLIMITED, *, headers=(), again=False, of_links=False):
        """Fold a chunk of these messages by both. ``again``: the disk may have seen them before."""
        records = []
        for value in values:
            records.append(Record("topic", 0, self.offset, None, value, headers))
            self.offset += 1
        through = self.offset - 1 - len(records) // 2 if again else -1
        sides = [
            side.take(records, limits, redelivered_through=through, of_links=of_links)
            for side in (self.compiled, self.twin)
        ]
        assert sides[0] == sides[1]
        assert self.compiled.rows == self.twin.rows
        return sides[0]

    def age(self, now_us):
        """Let expire what is too old."""
        for side in (self.compiled, self.twin):
            side.cells.advance_to(now_us)
            side._publish()
