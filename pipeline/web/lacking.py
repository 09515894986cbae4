"""What a Space still needs before it can work, told from what went wrong when it opened."""

from __future__ import annotations

from typing import Literal

from pipeline.core.errors import NotAllowed, NotSignedIn, ProjectNotFound, SeedbedError
from pipeline.core.settings import Settings

Lack = Literal["project", "sight", "token"]


def lack_of(settings: Settings, error: SeedbedError) -> Lack | None:
    """What is missing; None when it is no setting that is wrong.

    ``project``: its name; ``sight``: it is not there, or hidden; ``token``: the Hub does not accept
    the one there is.
    """
    if not settings.project:
        return "project"
    match error:
        case ProjectNotFound() | NotAllowed():
            return "sight"
        case NotSignedIn():
            return "sight" if settings.hf_token is None else "token"
        case _:
            return None
