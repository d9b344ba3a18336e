"""The fold of each kind of entity."""

from __future__ import annotations

from typing import Any, Final

from funnelwatch.schemas.events import Kind
from funnelwatch.streams.entities.call import CallFold
from funnelwatch.streams.entities.deal import DealFold
from funnelwatch.streams.entities.email import EmailFold
from funnelwatch.streams.entities.lead import LeadFold
from funnelwatch.streams.entities.rep import RepFold
from funnelwatch.streams.fold import Fold

FOLDS: Final[dict[Kind, Fold[Any]]] = {
    fold.kind: fold for fold in (DealFold(), LeadFold(), CallFold(), EmailFold(), RepFold())
}
"""Every kind has one; a fold holds no data, so one of each is enough."""
