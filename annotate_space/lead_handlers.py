"""What the lead's view may call; everybody else is refused."""

from __future__ import annotations

from annotate_space import lead
from annotate_space.handlers import Caller, Opening, Payload, Reply, enter
from annotate_space.service import AnnotateService


def overview(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """How the project stands."""
    service = lead_service(opening, caller)
    return lead.overview(
        lead.Sources(
            project=service.store.name,
            domain=service.domain,
            place=service.place,
            board=service.board,
            syncer=service.syncer,
            recent=service.recent,
            invitations=service.invitations,
            troubles=service.troubles(),
            controls=len(service.controls.controls),
        )
    )


def invite(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """Make an invitation; its token is told this once."""
    service = lead_service(opening, caller)
    pseudonyms = service.project.access.pseudonyms
    made = lead.invite(
        service.store, payload, pseudonyms=pseudonyms, made_by=service.door.annotator(caller.user)
    )
    service.reload()
    return made


def revoke(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """Take an invitation back, at once."""
    service = lead_service(opening, caller)
    gone = lead.revoke(service.store, payload)
    service.reload()
    return gone


def extend(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """Let an invitation be good for longer, also one that has expired."""
    service = lead_service(opening, caller)
    longer = lead.extend(service.store, payload)
    service.reload()
    return longer


def configure(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """Tell or change the settings that may change while people annotate."""
    service = lead_service(opening, caller)
    told = lead.configure(service.store, payload)
    if "saved" in told:
        service.reload()
    return told


def control(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """Keep the right answer to a question that was handed to the lead."""
    lead_service(opening, caller)
    service, person = enter(opening, payload, caller, "calls")
    question = service.question(person, payload.get("ticket"))
    told = lead.control(
        service.store, question, payload, made_by=service.door.annotator(caller.user)
    )
    service.reload()
    return told


def lead_service(opening: Opening, caller: Caller) -> AnnotateService:
    """The service, for a lead.

    Raises:
        SeedbedError: The caller is none, or the project cannot be used now.
    """
    service = opening.service()
    service.door.require_lead(caller.user)
    return service
