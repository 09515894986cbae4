"""The models behind distilabel's interface: any chat endpoint, or the stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pydantic import Field, PrivateAttr, SecretStr

from pipeline.core.schema import STAND_INS, ModelChoice, Seed
from pipeline.generation.access import Endpoint, ModelAccess, find_endpoint
from pipeline.generation.bases import AsyncLLM
from pipeline.generation.cache import CallCache, Reply, request_key
from pipeline.generation.chat import ChatClient, Patience
from pipeline.generation.ledger import Ledger, prompt_bound
from pipeline.generation.prompting import Messages
from pipeline.generation.standin import StandIn
from pipeline.generation.traffic import Traffic

FIRST_WAIT = 0.5
"""Seconds before the first retry of a call."""

_USUAL: Final = {"judge": 0}
"""Which calls go first when calls wait, by stage: those that finish a sample; else in turn."""
_AT_THE_END: Final = {"instruction": -3, "evolution": -2, "completion": -1, "judge": 0}
"""When no more rows are to come, those that more calls depend on go first, so that a run ends with
single calls and not with chains of calls that wait for each other."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all models of a run have in common.

    Attributes:
        traffic: The calls under way.
        ledger: What they cost.
        cache: Answers that were paid for; None pays for every one.
        watched: Somebody waits at a screen: trouble is told soon instead of being sat out.
    """

    traffic: Traffic
    ledger: Ledger
    cache: CallCache | None = None
    watched: bool = False


class ChatLLM(AsyncLLM):
    """A model behind an OpenAI-compatible endpoint; Inference Providers are one.

    The key is left out of every dump, so that no pipeline file ever holds it.
    """

    choice: ModelChoice
    url: str
    name: str
    through_hub: bool = False
    key: SecretStr | None = Field(default=None, exclude=True, repr=False)
    timeout: float = 120.0
    first_wait: float = FIRST_WAIT

    _shared: Shared = PrivateAttr()
    _client: ChatClient | None = PrivateAttr(default=None)

    def share(self, shared: Shared) -> None:
        """Take part in a run; needed before the first call."""
        self._shared = shared

    @property
    def model_name(self) -> str:
        """The name on its rows."""
        return self.choice.model

    async def agenerate(
        self,
        input: Messages,
        num_generations: int = 1,
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        seed: int | None = None,
        stage: str = "call",
    ) -> dict[str, Any]:
        """Ask ``num_generations`` times; parameters that are None are not sent.

        Args:
            input: The messages.
            num_generations: How many answers.
            temperature: Sampling temperature.
            top_p: Nucleus sampling.
            max_tokens: Limit of the answer.
            seed: For servers that can repeat an answer.
            stage: Under which the ledger counts it.

        Raises:
            CallFailed: No answer worth keeping came.
            BudgetSpent: The budget does not allow the call.
            StoreUnavailable: The kept answers cannot be read or written.
        """
        named = {
            "temperature": temperature,
            "top_p": top_p,
            "max_tokens": max_tokens,
            "seed": seed,
        }
        parameters = {name: value for name, value in named.items() if value is not None}
        replies = [
            await self._reply(input, parameters, turn, stage) for turn in range(num_generations)
        ]
        return {
            "generations": [reply.text for reply in replies],
            "statistics": {
                "input_tokens": [reply.tokens_in for reply in replies],
                "output_tokens": [reply.tokens_out for reply in replies],
            },
            "finish_reason": [reply.finish_reason for reply in replies],
        }

    def knows(self, messages: Messages, parameters: Mapping[str, Any]) -> bool:
        """Tell whether the answer to this request is there already."""
        cache = self._shared.cache
        return cache is not None and cache.get(self._key(messages, parameters)) is not None

    def forget(self, messages: Messages, parameters: Mapping[str, Any]) -> None:
        """Drop the kept answer to this request, which was of no use."""
        if self._shared.cache is not None:
            self._shared.cache.forget(self._key(messages, parameters))

    def _key(self, messages: Messages, parameters: Mapping[str, Any], turn: int = 0) -> bytes:
        return request_key(self.url, self.choice.model, messages, parameters, turn)

    async def _reply(
        self, messages: Messages, parameters: dict[str, Any], turn: int, stage: str
    ) -> Reply:
        cache, ledger = self._shared.cache, self._shared.ledger
        key = self._key(messages, parameters, turn)
        if cache is not None and (kept := cache.get(key)):
            ledger.from_cache(stage, self.choice, kept)
            return kept
        account = partial(ledger.bill, stage, self.choice, messages)
        tokens = prompt_bound(messages) // 4 + self.choice.max_tokens // 4
        rank = (_AT_THE_END if self._shared.traffic.ending else _USUAL).get(stage, 1)
        reply = await self._open().ask(messages, parameters, account, tokens, rank)
        if cache is not None:
            cache.put(key, reply)
        return reply

    def _open(self) -> ChatClient:
        if self._client is None:
            choice = self.choice
            key = self.key.get_secret_value() if self.key else None
            self._client = ChatClient(
                Endpoint(choice.model, self.url, self.name, key, self.through_hub),
                Patience.of_somebody_who_watches(self.timeout, self.first_wait)
                if self._shared.watched
                else Patience(timeout=self.timeout, first_wait=self.first_wait),
                self._shared.traffic.lane(
                    self.url,
                    choice.model,
                    requests_per_minute=choice.requests_per_minute,
                    tokens_per_minute=choice.tokens_per_minute,
                ),
            )
        return self._client

    async def aclose(self) -> None:
        """Close the connections; the next call opens new ones."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def open_llm(
    choice: ModelChoice, seed: Seed, access: ModelAccess, timeout: float, shared: Shared
) -> ChatLLM | StandIn:
    """The model of ``choice``; opens no connection yet.

    Raises:
        NotSignedIn: A credential is missing or unusable.
        InvalidInput: The address is not one.
    """
    if choice.model in STAND_INS:
        return StandIn(model=choice.model, seed=seed)
    end = find_endpoint(choice, access)
    llm = ChatLLM(
        choice=choice,
        url=end.url,
        name=end.name,
        through_hub=end.through_hub,
        key=SecretStr(end.key) if end.key else None,
        timeout=timeout,
        first_wait=FIRST_WAIT,
    )
    llm.share(shared)
    return llm
