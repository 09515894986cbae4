"""Asks models on behalf of a run, and gives an endpoint up when failures are all that comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pipeline.core.errors import ModelUnavailable
from pipeline.core.schema import ModelChoice, Seed
from pipeline.generation.access import ModelAccess
from pipeline.generation.chat import CallFailed
from pipeline.generation.llm import ChatLLM, Shared, open_llm
from pipeline.generation.prompting import Messages
from pipeline.generation.standin import StandIn

_HOPELESS_IN_A_ROW: Final = 3
"""Failures that will not pass, such as a refused key, until the endpoint is given up."""
_FIRST_FAILURES: Final = 12
"""Other failures before the first answer until the endpoint is given up."""
_FAILURES_IN_A_ROW: Final = 50
"""Other failures in a row, later on; at least twice the calls in flight."""
_HOTTER: Final = 0.1
"""Added to the temperature, for each time the same model is asked the same once more."""

Open = Callable[[ModelChoice, Seed, ModelAccess, float, Shared], ChatLLM | StandIn]


class Model(NamedTuple):
    """Who does one step."""

    choice: ModelChoice
    llm: ChatLLM | StandIn


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run asks.

    Attributes:
        width: Calls that may be under way.
        timeout: Seconds for one call.
    """

    width: int
    timeout: float


@dataclass(slots=True)
class _Health:
    answered: bool = False
    failed_in_a_row: int = 0
    hopeless: CallFailed | None = None


class Asker:
    """The models of one run.

    Args:
        seed: What the stand-in composes from.
        access: Credentials of whoever pays.
        shared: What all models have in common.
        manner: How a run asks.
        open_model: How a model is opened.
    """

    def __init__(
        self,
        seed: Seed,
        access: ModelAccess,
        shared: Shared,
        manner: Manner,
        open_model: Open = open_llm,
    ) -> None:
        self._seed = seed
        self._access = access
        self._shared = shared
        self._manner = manner
        self._open = open_model
        self._models: dict[ModelChoice, ChatLLM | StandIn] = {}
        self._health: dict[tuple[str, str | None], _Health] = {}

    def model(self, choice: ModelChoice) -> Model:
        """The model of ``choice``, the same each time; opens no connection yet.

        Raises:
            NotSignedIn: A credential is missing or unusable.
            InvalidInput: The address is not one.
        """
        if choice not in self._models:
            self._models[choice] = self._open(
                choice, self._seed, self._access, self._manner.timeout, self._shared
            )
            self._health.setdefault(_key(choice), _Health())
        return Model(choice, self._models[choice])

    async def call(
        self, model: Model, messages: Messages, parameters: dict[str, Any], stage: str
    ) -> dict[str, Any]:
        """One answer: ``text``, ``finish_reason``, ``tokens_in`` and ``tokens_out``.

        Raises:
            CallFailed: No answer came.
            ModelUnavailable: The endpoint is of no use at all.
        """
        health = self._health[_key(model.choice)]
        try:
            generated = await model.llm.agenerate(messages, stage=stage, **parameters)
        except CallFailed as error:
            self._note(health, error)
            raise
        health.answered, health.failed_in_a_row = True, 0
        return {
            "text": generated["generations"][0],
            "finish_reason": generated["finish_reason"][0],
            "tokens_in": generated["statistics"]["input_tokens"][0],
            "tokens_out": generated["statistics"]["output_tokens"][0],
        }

    def forget(self, model: Model, messages: Messages, parameters: dict[str, Any]) -> None:
        """Let another run ask again, because the answer was of no use."""
        if isinstance(model.llm, ChatLLM):
            model.llm.forget(messages, parameters)

    def end_soon(self) -> None:
        """Let calls that others depend on go first from now on."""
        self._shared.traffic.ending = True

    def hopeless(self) -> ModelUnavailable | None:
        """Why nothing can come of this, if an endpoint never answered for a reason that stays."""
        for health in self._health.values():
            if health.hopeless and not health.answered:
                return _final(health.hopeless)
        return None

    async def aclose(self) -> None:
        """Close the connections to all models."""
        for llm in self._models.values():
            await llm.aclose()

    def _note(self, health: _Health, error: CallFailed) -> None:
        """Count a failure; give the endpoint up when failures are all that comes from it."""
        health.failed_in_a_row += 1
        if error.hopeless:
            health.hopeless = error
        if error.hopeless and (error.kind != "unreachable" or not health.answered):
            limit = _HOPELESS_IN_A_ROW
        elif health.answered:
            limit = max(_FAILURES_IN_A_ROW, 2 * self._manner.width)
        else:
            limit = _FIRST_FAILURES
        if health.failed_in_a_row >= limit:
            raise _final(error) from error


def sampling(choice: ModelChoice, variation: int = 0) -> dict[str, Any]:
    """What is sent besides the messages.

    A model that is asked the same again gets another ``seed`` and is made a little hotter, for
    servers that do not know the parameter.
    """
    parameters: dict[str, Any] = {
        "temperature": choice.temperature,
        "max_tokens": choice.max_tokens,
    }
    if choice.top_p is not None:
        parameters["top_p"] = choice.top_p
    if variation:
        parameters["seed"] = variation
        parameters["temperature"] = round(min(2.0, choice.temperature + _HOTTER * variation), 2)
    return parameters


def _key(choice: ModelChoice) -> tuple[str, str | None]:
    return choice.model, choice.base_url


def _final(error: CallFailed) -> ModelUnavailable:
    final = ModelUnavailable(error.problem, error.next_step)
    final.__cause__ = error  # tells the kind
    return final
