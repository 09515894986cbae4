"""Which models a run asks, at which address and with whose key: as the command line says."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from pipeline.core.errors import InvalidInput
from pipeline.core.schema import (
    STAND_INS,
    ExamSettings,
    GenerationSettings,
    JudgeSettings,
    ModelChoice,
    Project,
    describe,
)
from pipeline.core.settings import Settings
from pipeline.generation.access import ModelAccess, host_of


def at_once(settings: GenerationSettings, calls: int | None) -> GenerationSettings:
    """The settings with so many calls under way at once, if it was said how many."""
    return settings if calls is None else settings.model_copy(update={"concurrency": calls})


def chosen_for_samples(
    settings: GenerationSettings, names: list[str], base_url: str | None, judge: str | None
) -> GenerationSettings:
    """The project's settings with the models of the command line, if any.

    Raises:
        InvalidInput: A model or its address cannot be used.
    """
    named = [*settings.all_models(), *settings.models]
    changes: dict[str, object] = {}
    if judge is not None:
        aspects = settings.judge.aspects if settings.judge else "overall"
        changes["judge"] = JudgeSettings(model=_choice(judge, named, base_url), aspects=aspects)
    if names or base_url is not None:
        called = names or [m.model for m in settings.models if m.model not in STAND_INS]
        if not called:
            raise _no_model(base_url)
        changes |= {
            "models": [_choice(name, named, base_url) for name in called],
            "instruction_model": None,
        }
    return settings.model_copy(update=changes)


def chosen_for_exam(
    project: Project, model: str | None, checker: str | None, base_url: str | None
) -> ExamSettings:
    """The project's exam settings with the models of the command line, if any.

    Raises:
        InvalidInput: A model or its address cannot be used.
    """
    exam = project.exam
    own = [choice for choice in (exam.model, exam.checker) if choice is not None]
    known = [*own, *project.generation.all_models(), *project.generation.models]
    changes: dict[str, object] = {}
    writer = model
    if writer is None and base_url is not None:
        usual = exam.model or project.generation.for_instructions()
        if usual.model in STAND_INS:
            raise _no_model(base_url)
        writer = usual.model
    if writer is not None:
        changes["model"] = _choice(writer, known, base_url)
    if checker is not None:
        changes["checker"] = _choice(checker, known, base_url)
    return exam.model_copy(update=changes)


def access_for(settings: Settings, base_url: str | None) -> ModelAccess:
    """Credentials of whoever runs the command; an address they typed may have their key."""
    typed = {host_of(base_url)} if base_url is not None else set()
    return ModelAccess(
        hf_token=settings.hf_token,
        api_key=settings.api_key,
        api_hosts=settings.api_hosts | typed,
    )


def _choice(name: str, known: Iterable[ModelChoice], base_url: str | None) -> ModelChoice:
    """The model called ``name``, as the project has it, at the address that was given."""
    found = next((choice for choice in known if choice.model == name), None)
    try:
        found = found or ModelChoice(model=name)
        address = base_url or found.base_url
        return ModelChoice.model_validate(found.model_dump() | {"base_url": address})
    except ValidationError as error:
        raise InvalidInput(
            f"That model cannot be used: {describe(error)}.",
            "An address starts with http:// or https://, such as http://localhost:8000/v1.",
        ) from error


def _no_model(base_url: str | None) -> InvalidInput:
    return InvalidInput(
        f"{base_url} was given but no model.", "Name one with --model, as its server does."
    )
