"""What the lead's view may call; everybody else is refused."""

from __future__ import annotations

from annotate_space import lead
from annotate_space.handlers import Opening, Payload, Reply, enter
from annotate_space.people import HubUser
from annotate_space.service import AnnotateService


def overview(opening: Opening, payload: Payload, user: HubUser | None) -> Reply:
    """How the project stands."""
    service = _service(opening, user)
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


def invite(opening: Opening, payload: Payload, user: HubUser | None) -> Reply:
    """Make an invitation; its token is told this once."""
    service = _service(opening, user)
    pseudonyms = service.project.access.pseudonyms
    made = lead.invite(service.store, payload, pseudonyms=pseudonyms, made_by=_name(user))
    service.reload()
    return made


def revoke(opening: Opening, payload: Payload, user: HubUser | None) -> Reply:
    """Take an invitation back, at once."""
    service = _service(opening, user)
    gone = lead.revoke(service.store, payload)
    service.reload()
    return gone


def configure(opening: Opening, payload: Payload, user: HubUser | None) -> Reply:
    """Tell or change the settings that may change while people annotate."""
    service = _service(opening, user)
    told = lead.configure(service.store, payload)
    if "saved" in told:
        service.reload()
    return told


def control(opening: Opening, payload: Payload, user: HubUser | None) -> Reply:
    """Keep the right answer to a question that was handed to the lead."""
    _service(opening, user)
    service, person = enter(opening, payload, user)
    question = service.question(person, payload.get("ticket"))
    told = lead.control(service.store, question, payload, made_by=_name(user))
    service.reload()
    return told


def _service(opening: Opening, user: HubUser | None) -> AnnotateService:
    service = opening.service()
    service.door.require_lead(user)
    return service


def _name(user: HubUser | None) -> str:
    return user.name if user is not None else "owner"
