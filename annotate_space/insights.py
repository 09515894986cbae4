"""What the lead's insights may call."""

from __future__ import annotations

from annotate_space.handlers import Caller, Opening, Payload, Reply
from annotate_space.lead_handlers import lead_service


def figures(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """How far the votes can be trusted; only ``same`` where the page ``has`` what it would be."""
    found = lead_service(opening, caller).study.ask("figures")
    return {"same": True} if payload.get("has") == found["mark"] else found
