"""What the lead's insights may call."""

from __future__ import annotations

from annotate_space.handlers import Caller, Opening, Payload, Reply
from annotate_space.lead_handlers import lead_service


def figures(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """How far the votes can be trusted."""
    return lead_service(opening, caller).study.ask("figures")
