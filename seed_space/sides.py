"""What a preview shows side by side: two models, or two descriptions of the expert."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.core.errors import InvalidInput, NotAllowed
from pipeline.core.schema import (
    GenerationSettings,
    ModelChoice,
    Seed,
)
from pipeline.core.settings import Settings
from pipeline.generation.access import host_of
from seed_space.words import say


class Named(BaseModel):
    """A model by its name, and the address of its server if it is not on Hugging Face."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(default="", max_length=300)
    base_url: str = Field(default="", max_length=2_000)


class Choice(BaseModel):
    """What a visitor chose to see.

    Attributes:
        mode: Plain samples, two models, or two versions of the expert.
        sides: The two models.
        version: What the expert on the screen is held against: as saved, or ``text``.
        text: Another description of the expert.
    """

    model_config = ConfigDict(extra="ignore")

    mode: Literal["samples", "models", "experts"] = "samples"
    sides: list[Named] = Field(default_factory=list, max_length=2)
    version: Literal["saved", "other"] = "saved"
    text: str = Field(default="", max_length=20_000)


@dataclass(frozen=True, slots=True)
class Side:
    """One column.

    Attributes:
        label: What it shows.
        seed: What its answers are made from.
        generation: With one model, which gives one answer.
    """

    label: str
    seed: Seed
    generation: GenerationSettings


def read_choice(value: object) -> Choice:
    """What the page sent.

    Raises:
        InvalidInput: It is nothing that the page offers.
    """
    try:
        return Choice.model_validate(value or {})
    except ValidationError as error:
        raise InvalidInput(
            "The choice of what to compare did not arrive.", "Reload the page; a draft is kept."
        ) from error


def sides(
    choice: Choice,
    settings: Settings,
    seed: Seed,
    saved: Seed,
    generation: GenerationSettings,
    language: str,
) -> list[Side]:
    """The two columns; none if samples are shown as a batch makes them.

    Raises:
        InvalidInput: The sides do not differ, or a model is not named.
        NotAllowed: A Space may not call the server that was named.
    """
    if choice.mode == "models":
        models = [_model(named, settings, generation) for named in choice.sides]
        if len(models) < 2 or models[0] == models[1]:
            raise InvalidInput(
                say(language, "samples.same_models"), say(language, "samples.choose_models")
            )
        return [Side(_label(one, models), seed, _only(generation, one)) for one in models]
    if choice.mode == "experts":
        held = saved.domain_expert_prompt if choice.version == "saved" else choice.text
        if held.strip() == seed.domain_expert_prompt.strip():
            raise InvalidInput(
                say(language, "samples.same_experts"), say(language, "samples.choose_experts")
            )
        other = seed.model_copy(update={"domain_expert_prompt": held})
        only = _only(generation, generation.for_completion(0))
        named = "samples.side_saved" if choice.version == "saved" else "samples.side_other"
        return [
            Side(say(language, "samples.side_screen"), seed, only),
            Side(say(language, named), other, only),
        ]
    return []


def together(columns: Sequence[Side]) -> GenerationSettings:
    """Settings that call every model of all columns, to tell whose credentials are needed."""
    models = [side.generation.for_completion(0) for side in columns]
    return columns[0].generation.model_copy(update={"models": models, "completions": len(models)})


def _only(generation: GenerationSettings, choice: ModelChoice) -> GenerationSettings:
    """One answer by ``choice`` to what the project's own model asks; nothing is rewritten."""
    return generation.model_copy(
        update={
            "models": [choice],
            "completions": 1,
            "instruction_model": generation.for_instructions(),
            "evolve_instructions": 0,
            "evolve_completions": 0,
            "judge": None,
        }
    )


def _model(named: Named, settings: Settings, generation: GenerationSettings) -> ModelChoice:
    """The project's own choice of that model, else one with the parameters of its first."""
    name, address = named.model.strip(), named.base_url.strip() or None
    for known in generation.models:
        if (known.model, known.base_url) == (name, address):
            return known
    first = generation.models[0]
    try:
        choice = ModelChoice(
            model=name,
            base_url=address,
            temperature=first.temperature,
            top_p=first.top_p,
            max_tokens=first.max_tokens,
        )
    except ValidationError as error:
        raise InvalidInput(
            f"{name or 'A model without a name'} cannot be called.",
            "Give the name that its server knows, and an address such as "
            "http://localhost:8000/v1, or none for a model on Hugging Face.",
        ) from error
    if address is not None:
        _require_known_host(address, settings, generation)
    return choice


def _require_known_host(address: str, settings: Settings, generation: GenerationSettings) -> None:
    """Keep visitors of a Space from having it call whatever they like."""
    host = host_of(address)
    known = {host_of(one.base_url) for one in generation.all_models() if one.base_url}
    if settings.on_space and host not in known | settings.api_hosts:
        raise NotAllowed(
            f"This Space may not call a model at {host}.",
            f"Its owner can allow it with the variable SEEDBED_API_HOST={host}.",
        )


def _label(choice: ModelChoice, models: Sequence[ModelChoice]) -> str:
    """A model's name, with its server where two have the same name."""
    twins = [one for one in models if one.model == choice.model]
    if len(twins) < 2 or choice.base_url is None:
        return choice.model
    return f"{choice.model} ({host_of(choice.base_url)})"
