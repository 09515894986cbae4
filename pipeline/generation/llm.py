"""The models behind distilabel's interface: any chat endpoint, or the stand-in."""

from __future__ import annotations

from typing import Any

from pydantic import Field, PrivateAttr, SecretStr

from pipeline.core.schema import STAND_INS, ModelChoice, Seed
from pipeline.generation.access import Endpoint, ModelAccess, find_endpoint
from pipeline.generation.bases import AsyncLLM
from pipeline.generation.chat import ChatClient, Patience
from pipeline.generation.prompting import Messages
from pipeline.generation.standin import StandIn

FIRST_WAIT = 0.5
"""Seconds before the first retry of a call."""


class ChatLLM(AsyncLLM):
    """A model behind an OpenAI-compatible endpoint; Inference Providers are one.

    The key is left out of every dump, so that no pipeline file ever holds it.
    """

    model: str
    url: str
    name: str
    through_hub: bool = False
    key: SecretStr | None = Field(default=None, exclude=True, repr=False)
    timeout: float = 120.0
    first_wait: float = FIRST_WAIT

    _client: ChatClient | None = PrivateAttr(default=None)

    @property
    def model_name(self) -> str:
        """The name on its rows."""
        return self.model

    def load(self) -> None:
        """Prepare to call; loading again changes nothing."""
        super().load()
        if self._client is None:
            key = self.key.get_secret_value() if self.key else None
            endpoint = Endpoint(self.model, self.url, self.name, key, self.through_hub)
            patience = Patience(timeout=self.timeout, first_wait=self.first_wait)
            self._client = ChatClient(endpoint, patience)

    async def agenerate(
        self,
        input: Messages,
        num_generations: int = 1,
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        seed: int | None = None,
    ) -> dict[str, Any]:
        """Ask ``num_generations`` times; parameters that are None are not sent.

        Args:
            input: The messages.
            num_generations: How many answers.
            temperature: Sampling temperature.
            top_p: Nucleus sampling.
            max_tokens: Limit of the answer.
            seed: For servers that can repeat an answer.

        Raises:
            CallFailed: No answer worth keeping came.
        """
        if self._client is None:
            self.load()
        client = self._client
        if client is None:
            raise RuntimeError("load() made no client")
        named = {
            "temperature": temperature,
            "top_p": top_p,
            "max_tokens": max_tokens,
            "seed": seed,
        }
        parameters = {name: value for name, value in named.items() if value is not None}
        replies = [await client.ask(input, parameters) for _ in range(num_generations)]
        return {
            "generations": [reply.text for reply in replies],
            "statistics": {
                "input_tokens": [reply.tokens_in for reply in replies],
                "output_tokens": [reply.tokens_out for reply in replies],
            },
            "finish_reason": [reply.finish_reason for reply in replies],
        }

    def unload(self) -> None:
        """Close the connections when distilabel is done with the model."""
        if self._client is not None and not self.event_loop.is_running():
            self.event_loop.run_until_complete(self.aclose())

    async def aclose(self) -> None:
        """Close the connections; the next call opens new ones."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def open_llm(
    choice: ModelChoice,
    seed: Seed,
    access: ModelAccess,
    timeout: float,
) -> ChatLLM | StandIn:
    """The model of ``choice``; opens no connection yet.

    Raises:
        NotSignedIn: A credential is missing or unusable.
        InvalidInput: The address is not one.
    """
    if choice.model in STAND_INS:
        return StandIn(model=choice.model, seed=seed)
    end = find_endpoint(choice, access)
    return ChatLLM(
        model=end.model,
        url=end.url,
        name=end.name,
        through_hub=end.through_hub,
        key=SecretStr(end.key) if end.key else None,
        timeout=timeout,
        first_wait=FIRST_WAIT,
    )
