"""What the lead's search may call."""

from __future__ import annotations

from annotate_space.handlers import Caller, Opening, Payload, Reply
from annotate_space.lead_handlers import lead_service


def search(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """A page of the samples that are found."""
    return lead_service(opening, caller).study.ask("search")


def mark(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """Give the same thumb to each completion of a selection."""
    lead_service(opening, caller)
    raise NotImplementedError
