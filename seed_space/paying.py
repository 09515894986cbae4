"""Whose credentials a visitor's samples and suggestions are made with."""

from __future__ import annotations

from pipeline.core.schema import GenerationSettings
from pipeline.core.settings import Settings
from pipeline.generation.access import ModelAccess
from pipeline.web.visitor import Visitor, writing_store


def access_for(
    settings: Settings, who: Visitor, generation: GenerationSettings, *, samples: int
) -> ModelAccess:
    """The credentials for ``samples`` samples, or as many calls of another kind.

    Does I/O: on a Space the Hub is asked what the visitor may do.

    Raises:
        SeedbedError: The visitor may not have them made, or the Hub cannot be reached.
    """
    del samples
    return ModelAccess(who.token, _key(settings, who, generation), api_hosts=settings.api_hosts)


def _key(settings: Settings, who: Visitor, generation: GenerationSettings) -> str | None:
    """The key of the project's own model server, which the owner pays for.

    On a Space only those may use it who may write to the project.
    """
    if settings.api_key is None or not any(choice.base_url for choice in generation.all_models()):
        return None
    if settings.on_space and (who.token is None or not writing_store(settings, who).can_write()):
        return None
    return settings.api_key
