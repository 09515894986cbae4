"""What a run has asked of models and what that costs, with a limit that is not exceeded.

Before a call the most that it can cost is set aside; afterwards what it did cost takes that place.
So the sum of what was spent and what is set aside never exceeds the budget.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from pipeline.core.errors import BudgetSpent, InvalidInput
from pipeline.core.schema import STAND_INS, ModelChoice
from pipeline.generation.cache import Reply

_PER_MESSAGE: Final = 16
"""Tokens that a chat template adds to each message, at most."""
_MILLION: Final = 1_000_000
_on_account_of: ContextVar[str] = ContextVar("on_account_of", default="")


@dataclass(slots=True)
class Usage:
    """What was asked in one stage of the chain.

    Attributes:
        calls: Answers paid for.
        cached: Answers that an earlier run had paid for.
        tokens_in: Of the answers paid for.
        tokens_out: Of the answers paid for.
        all_in: Tokens in of every answer, cached ones too.
        all_out: Tokens out of every answer, cached ones too.
        all_cost: Dollars of every answer, cached ones too, as far as prices are known.
        seconds: How long all answers took when they were given.
    """

    calls: int = 0
    cached: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    all_in: int = 0
    all_out: int = 0
    all_cost: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Spent:
    """The sums of a ledger.

    Attributes:
        calls: Answers paid for.
        cached: Answers that an earlier run had paid for.
        tokens_in: Of the answers paid for.
        tokens_out: Of the answers paid for.
        cost: Dollars as far as prices are known; None if none is.
        unpriced: Models that were called and whose price is unknown.
    """

    calls: int = 0
    cached: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = 0.0
    unpriced: tuple[str, ...] = ()

    @classmethod
    def sum(cls, parts: Collection[Spent]) -> Spent:
        """What several ledgers spent together."""
        known = [part.cost for part in parts if part.cost is not None]
        return cls(
            calls=sum(part.calls for part in parts),
            cached=sum(part.cached for part in parts),
            tokens_in=sum(part.tokens_in for part in parts),
            tokens_out=sum(part.tokens_out for part in parts),
            cost=sum(known) if known or not parts else None,
            unpriced=tuple(sorted({model for part in parts for model in part.unpriced})),
        )


@dataclass(slots=True)
class Bill:
    """One attempt's place in the ledger.

    Attributes:
        most: Dollars set aside for it.
        answered: Whether an answer came, however useless.
        lost: Whether it may be billed although no answer came.
    """

    most: float
    answered: bool = False
    lost: bool = False
    tokens_in: int | None = None
    tokens_out: int | None = None
    seconds: float = 0.0

    def pay(self, tokens_in: int | None, tokens_out: int | None, seconds: float) -> None:
        """Note the answer and what the server counted."""
        self.answered = True
        self.tokens_in, self.tokens_out, self.seconds = tokens_in, tokens_out, seconds


def put_on_account(name: str) -> None:
    """Say on whose account calls are from now on, in this task and in those that it starts."""
    _on_account_of.set(name)


class Ledger:
    """The account of one run; belongs to one event loop.

    Args:
        budget: Dollars that may be spent; None is no limit.
        models: Those that are called; with a budget their prices must be known.
        shares: Whether ``shares`` tells usage by account (see ``put_on_account``), then by stage.

    Raises:
        InvalidInput: There is a budget, and a model whose price is not known.
    """

    def __init__(
        self,
        budget: float | None = None,
        models: Collection[ModelChoice] = (),
        *,
        shares: bool = False,
    ) -> None:
        self.budget = budget
        self.stages: dict[str, Usage] = {}
        self.shares: dict[str, dict[str, Usage]] | None = {} if shares else None
        self.unpriced: set[str] = set()
        self._cost = 0.0
        self._priced = False
        self._risked = 0.0
        self._reserved = 0.0
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        unknown = unpriced(models)
        if budget is not None and unknown:
            raise InvalidInput(
                f"A budget needs prices, and that of {', '.join(unknown)} is unknown.",
                "Set price_in and price_out in project.json, in dollars for a million tokens; "
                "0 for a server of your own.",
            )

    @property
    def cost(self) -> float | None:
        """Dollars spent as far as prices are known; None if none is."""
        return self._cost if self._priced or not self.unpriced else None

    def spent(self) -> Spent:
        """The sums so far."""
        return Spent(
            calls=self.total("calls"),
            cached=self.total("cached"),
            tokens_in=self.total("tokens_in"),
            tokens_out=self.total("tokens_out"),
            cost=self.cost,
            unpriced=tuple(sorted(self.unpriced)),
        )

    def total(self, name: str) -> int:
        """The sum of one figure of ``Usage`` over all stages."""
        return sum(getattr(usage, name) for usage in self.stages.values())

    def from_cache(self, stage: str, choice: ModelChoice, reply: Reply) -> None:
        """Count an answer that was there already."""
        for usage in self._usages(stage):
            usage.cached += 1
            usage.all_in += reply.tokens_in or 0
            usage.all_out += reply.tokens_out or 0
            usage.all_cost += _price(choice, reply.tokens_in or 0, reply.tokens_out or 0) or 0.0
            usage.seconds += reply.seconds

    @asynccontextmanager
    async def bill(
        self,
        stage: str,
        choice: ModelChoice,
        messages: Sequence[Mapping[str, str]],
    ) -> AsyncIterator[Bill]:
        """Set aside the most that one attempt can cost, and settle when it is over.

        Raises:
            BudgetSpent: Nothing is under way any more, and this call might exceed the budget.
        """
        bill = Bill(_price(choice, prompt_bound(messages), choice.max_tokens) or 0.0)
        await self._reserve(bill.most)
        try:
            yield bill
        finally:
            self._settle(stage, choice, bill)

    async def _reserve(self, amount: float) -> None:
        if self.budget is None:
            return
        while self._cost + self._risked + self._reserved + amount > self.budget:
            if not self._under_way:
                raise BudgetSpent(
                    f"The next call could exceed the budget of ${self.budget:g}; "
                    f"${self._cost:.4g} is spent.",
                    "What was made is kept; the same command with another budget goes on.",
                )
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self._reserved += amount
        self._under_way += 1

    def _usages(self, stage: str) -> list[Usage]:
        """Where an answer in ``stage`` is counted."""
        found = [self.stages.setdefault(stage, Usage())]
        if self.shares is not None:
            share = self.shares.setdefault(_on_account_of.get(), {})
            found.append(share.setdefault(stage, Usage()))
        return found

    def _settle(self, stage: str, choice: ModelChoice, bill: Bill) -> None:
        if bill.answered:
            tokens_in, tokens_out = bill.tokens_in or 0, bill.tokens_out or 0
            counted = bill.tokens_in is not None and bill.tokens_out is not None
            price = _price(choice, tokens_in, tokens_out) if counted else None
            for usage in self._usages(stage):
                usage.calls += 1
                usage.tokens_in += tokens_in
                usage.tokens_out += tokens_out
                usage.all_in += tokens_in
                usage.all_out += tokens_out
                usage.seconds += bill.seconds
                usage.all_cost += price or 0.0
            if price is None:
                self.unpriced.add(choice.model)
                self._risked += bill.most
            else:
                self._cost += price
                self._priced = True
        elif bill.lost:
            self._risked += bill.most
        if self.budget is not None:
            self._reserved = self._reserved - bill.most if self._under_way > 1 else 0.0
            self._under_way -= 1
            waiting, self._waiting = self._waiting, deque()
            for turn in waiting:
                if not turn.done():
                    turn.set_result(None)


def prompt_bound(messages: Sequence[Mapping[str, str]]) -> int:
    """Tokens that ``messages`` take at most: no tokenizer makes more than one of a byte."""
    return sum(_PER_MESSAGE + len(message["content"].encode()) for message in messages)


def unpriced(models: Collection[ModelChoice]) -> list[str]:
    """The models whose price is unknown."""
    unknown = {choice.model for choice in models if None in (choice.price_in, choice.price_out)}
    return sorted(unknown - set(STAND_INS))


def _price(choice: ModelChoice, tokens_in: int, tokens_out: int) -> float | None:
    if choice.price_in is None or choice.price_out is None:
        return None
    return (tokens_in * choice.price_in + tokens_out * choice.price_out) / _MILLION
