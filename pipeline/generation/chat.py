"""One chat request over HTTP: asked, asked again where that helps, and told in plain words if not.

The client is ours because ``huggingface_hub``'s own cannot be bounded or trusted here: without a
key it sends the login saved on the machine to whatever ``base_url`` it is given, it keeps at most
twenty connections open, and it knows Inference Providers at one fixed address.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Final, Literal, Self

import httpx2

from pipeline.core.errors import ModelUnavailable
from pipeline.generation.access import Endpoint
from pipeline.generation.cache import Reply
from pipeline.generation.ledger import Bill
from pipeline.generation.traffic import Lane

Kind = Literal[
    "unreachable",
    "dropped",
    "refused",
    "no credit",
    "not found",
    "rejected",
    "rate limited",
    "server error",
    "timeout",
    "malformed",
    "empty",
    "unreadable",
]

_HOPELESS: Final[frozenset[Kind]] = frozenset({"unreachable", "refused", "no credit", "not found"})
_RETRIES: Final[dict[Kind, int]] = {
    "unreachable": 2,
    "dropped": 5,
    "rate limited": 8,
    "server error": 5,
    "malformed": 5,
    "empty": 1,
}
"""Retries by kind; none for the rest. Nobody shall wait long to hear that no server is there."""
_AWAY: Final = 10
"""Retries of a server that cannot be reached though it has answered: some minutes, to restart."""
_MOST_TOKENS: Final = 2**40
"""No answer takes so many; a server that says so has not counted."""
_LONGEST_TOLD: Final = 300
"""Characters of a server's own words that are passed on."""

_jitter: Final = secrets.SystemRandom()


class CallFailed(ModelUnavailable):
    """One call failed, after the retries that it deserved.

    Attributes:
        kind: What went wrong, as failures are counted.
        hopeless: Every other call to this endpoint would fail in the same way.
        retry_after: Seconds the server asked to wait, if it did.
    """

    def __init__(
        self, kind: Kind, problem: str, next_step: str, retry_after: float | None = None
    ) -> None:
        super().__init__(problem, next_step)
        self.kind: Kind = kind
        self.hopeless = kind in _HOPELESS
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to keep trying, in seconds.

    Attributes:
        timeout: For one attempt, from connecting to the last byte.
        first_wait: Before the first retry; doubled each time, and jittered.
        longest_wait: What no wait of our own choice exceeds.
        longest_asked: The longest ``Retry-After`` that is waited for; a longer one is a failure.
        retries: The most there are of one call, whatever went wrong.
        shared: Whether other calls wait too where one was asked to wait for longer than that.
    """

    timeout: float = 120.0
    first_wait: float = 0.5
    longest_wait: float = 30.0
    longest_asked: float = 900.0
    retries: int = _AWAY
    shared: bool = True

    @classmethod
    def of_somebody_who_watches(cls, timeout: float, first_wait: float) -> Self:
        """Enough for a hiccup; what takes longer is told."""
        return cls(timeout, first_wait, longest_asked=10.0, retries=2, shared=False)

    def wait(self, attempt: int) -> float:
        """Seconds before retry number ``attempt``, counted from 0."""
        backoff = self.first_wait * 2.0**attempt * _jitter.uniform(0.5, 1.5)
        return min(backoff, self.longest_wait)


class ChatClient:
    """Asks one endpoint, by way of ``lane``; belongs to the event loop it is first used in."""

    def __init__(self, endpoint: Endpoint, patience: Patience, lane: Lane) -> None:
        self._endpoint = endpoint
        self._patience = patience
        self._lane = lane
        self._answered = False
        headers = {"User-Agent": "seedbed"}
        if endpoint.key is not None:
            headers["Authorization"] = f"Bearer {endpoint.key}"
        # The lane limits the calls; a second limit here would only hide the queue.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        self._http = httpx2.AsyncClient(
            headers=headers, limits=limits, timeout=patience.timeout, verify=trusted()
        )

    async def ask(
        self,
        messages: Sequence[Mapping[str, str]],
        parameters: Mapping[str, Any],
        account: Callable[[], AbstractAsyncContextManager[Bill]],
        tokens: int,
        rank: int = 0,
    ) -> Reply:
        """Send ``messages`` and wait for the answer, which is never blank.

        Args:
            messages: The conversation.
            parameters: Sampling parameters.
            account: Opens the bill of each attempt.
            tokens: What prompt and answer take together, roughly.
            rank: Calls of a smaller one go first.

        Raises:
            CallFailed: No answer worth keeping came.
            BudgetSpent: The budget does not allow another attempt.
        """
        body = {"model": self._endpoint.model, "messages": list(messages), **parameters}
        attempt = 0
        while True:
            try:
                async with account() as bill, self._lane.slot(tokens, rank):
                    return await self._attempt(body, bill, tokens)
            except CallFailed as error:
                away = error.kind == "unreachable" and self._answered
                retries = _AWAY if away else _RETRIES.get(error.kind, 0)
                if attempt >= min(retries, self._patience.retries):
                    raise
                asked = error.retry_after or 0.0
                if asked > self._patience.longest_asked:
                    raise
                if asked < self._patience.first_wait:
                    await asyncio.sleep(self._patience.wait(attempt))
                attempt += 1  # the lane is held for as long as was asked

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _attempt(self, body: dict[str, Any], bill: Bill, tokens: int) -> Reply:
        began = time.monotonic()
        try:
            reply = await self._ask_once(body, began)
        except CallFailed as error:
            bill.lost = error.kind in ("timeout", "dropped", "malformed")
            if error.kind == "rate limited":
                self._lane.refused()
            asked = error.retry_after
            if asked is not None and (
                self._patience.shared or asked <= self._patience.longest_asked
            ):
                self._lane.hold(min(asked, self._patience.longest_asked))
            raise
        self._answered = True
        bill.pay(reply.tokens_in, reply.tokens_out, reply.seconds)
        counted = reply.tokens_in is not None and reply.tokens_out is not None
        used = (reply.tokens_in or 0) + (reply.tokens_out or 0) if counted else None
        self._lane.answered(reply.seconds, tokens, used)
        if not reply.text.strip():
            end = self._endpoint
            raise CallFailed(
                "empty",
                f"{end.model} at {end.name} gave an empty answer.",
                "Raise max_tokens if the model thinks before it answers, or choose another model.",
            )
        return reply

    async def _ask_once(self, body: dict[str, Any], began: float) -> Reply:
        name = self._endpoint.name
        try:
            # The client's own time-out is for silence; this one also ends an answer that drips.
            async with asyncio.timeout(self._patience.timeout):
                response = await self._http.post(self._endpoint.url, json=body)
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise CallFailed(
                "timeout",
                f"{self._endpoint.model} at {name} did not answer within "
                f"{self._patience.timeout:g} seconds.",
                "Allow more time (timeout) or a shorter answer (max_tokens).",
            ) from error
        except (httpx2.ConnectError, httpx2.InvalidURL) as error:
            why = self._told(str(error) or type(error).__name__)
            raise CallFailed(
                "unreachable",
                f"The model server {name} cannot be reached: {why}.",
                "Check the network connection."
                if self._endpoint.through_hub
                else "Check that it is running and that base_url is right.",
            ) from error
        except httpx2.HTTPError as error:
            why = self._told(str(error) or type(error).__name__)
            raise CallFailed(
                "dropped",
                f"{name} broke off while answering for {self._endpoint.model}: {why}.",
                "Run the same command again; if it persists, look at that server's log.",
            ) from error
        if response.status_code != 200:
            raise self._refusal(response)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise CallFailed(
                "not found",
                f"{name} answers {self._endpoint.model} with a web page.",
                "Give the address of the server's API as base_url; it often ends in /v1.",
            )
        return self._read(response.content, time.monotonic() - began)

    def _refusal(self, response: httpx2.Response) -> CallFailed:
        status, end = response.status_code, self._endpoint
        told = self._told(_message(response.content))
        said = f"HTTP {status}: {told}" if told else f"HTTP {status}"
        if status == 402:
            return CallFailed(
                "no credit",
                f"{end.name} wants to be paid before it answers for {end.model} ({said}).",
                "Add credit to the account that the token belongs to, or choose another model.",
            )
        if status in (401, 403):
            advice = (
                "Sign in again, or use a token that may call Inference Providers and has credit."
                if end.through_hub
                else "Set SEEDBED_API_KEY to the key of this server."
            )
            return CallFailed("refused", f"{end.name} refuses {end.model} ({said}).", advice)
        if status == 404:
            return CallFailed(
                "not found",
                f"{end.name} has no model {end.model} ({said}).",
                f"Choose one that it lists at {end.name}/models, or correct base_url.",
            )
        if status == 429:
            return CallFailed(
                "rate limited",
                f"{end.name} asks to call {end.model} less often ({said}).",
                "Lower the concurrency, or run the same command again later.",
                _retry_after(response),
            )
        if status == 408 or status >= 500:
            return CallFailed(
                "server error",
                f"{end.name} failed to answer for {end.model} ({said}).",
                "Run the same command again; if it persists, look at that server's log.",
                _retry_after(response),
            )
        return CallFailed(
            "rejected",
            f"{end.name} did not accept the request for {end.model} ({said}).",
            "Check base_url, max_tokens and the sampling parameters of this model.",
        )

    def _read(self, content: bytes, seconds: float) -> Reply:
        end = self._endpoint
        try:
            body = json.loads(content)
            choice = body["choices"][0]
            message = choice["message"]
            text = _text(message.get("content"))
        except (ValueError, RecursionError, KeyError, IndexError, TypeError, AttributeError) as e:
            raise CallFailed(
                "malformed",
                f"{end.name} did not answer as a chat model for {end.model}: "
                f"{self._told(_message(content)) or type(e).__name__}.",
                "Check that base_url is that of an OpenAI-compatible server.",
            ) from e
        usage = body.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        reason = choice.get("finish_reason")
        return Reply(
            text,
            reason if isinstance(reason, str) else None,
            _count(usage.get("prompt_tokens")),
            _count(usage.get("completion_tokens")),
            seconds,
        )

    def _told(self, text: str) -> str:
        """A server's own words, in one line and without the key that it may echo."""
        if self._endpoint.key:
            text = text.replace(self._endpoint.key, "***")
        text = " ".join(text.split()).rstrip(".")
        return text if len(text) <= _LONGEST_TOLD else text[: _LONGEST_TOLD - 1] + "…"


@cache
def trusted() -> ssl.SSLContext:
    """Whose certificates are trusted; reading them takes longer than many a call."""
    return httpx2.create_ssl_context()


def _text(content: object) -> str:
    """Message content as storable text: parts joined, lone surrogates replaced."""
    if isinstance(content, list):
        content = "".join(
            part["text"] for part in content if isinstance(part, dict) and "text" in part
        )
    if content is None:
        return ""
    if not isinstance(content, str):
        raise TypeError("content")
    return content.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _message(content: bytes) -> str:
    """The explanation inside an error body, in any of the shapes servers use; else nothing."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or ""
    return error if isinstance(error, str) else ""


def _count(value: object) -> int | None:
    usable = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_TOKENS
    return int(value) if usable and isinstance(value, int) else None


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds from a ``Retry-After`` of either form; None if there is none that makes sense."""
    value = response.headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
