"""What the lead's queue of disagreements may call."""

from __future__ import annotations

from annotate_space.handlers import Caller, Opening, Payload, Reply
from annotate_space.lead_handlers import lead_service


def disputes(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """A page of the queue."""
    return lead_service(opening, caller).study.ask("disputes")


def settle(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """Keep the lead's verdict on a question."""
    lead_service(opening, caller)
    raise NotImplementedError
