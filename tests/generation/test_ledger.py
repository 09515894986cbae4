"""What calls cost, and a budget that is not exceeded."""

from __future__ import annotations

import asyncio
import random

import pytest

from pipeline.core.errors import BudgetSpent, InvalidInput
from pipeline.core.schema import STAND_INS, ModelChoice
from pipeline.generation.cache import Reply
from pipeline.generation.ledger import Ledger, prompt_bound, unpriced

PRICED = ModelChoice(model="a/one", price_in=1.0, price_out=10.0, max_tokens=100)
FREE = ModelChoice(model="own/server", price_in=0, price_out=0)
UNKNOWN = ModelChoice(model="b/two")
MESSAGES = [{"role": "user", "content": "x" * 200}]


async def _call(
    ledger: Ledger, choice: ModelChoice, tokens_in: int | None, out: int | None
) -> None:
    async with ledger.bill("completion", choice, MESSAGES) as bill:
        await asyncio.sleep(0)
        bill.pay(tokens_in, out, 1.0)


def test_cost_is_tokens_times_price() -> None:
    ledger = Ledger()
    asyncio.run(_call(ledger, PRICED, 1_000, 500))
    assert ledger.cost == pytest.approx(0.001 + 0.005)
    assert (ledger.total("calls"), ledger.total("tokens_in")) == (1, 1_000)


def test_an_unknown_price_is_not_free() -> None:
    ledger = Ledger()
    asyncio.run(_call(ledger, UNKNOWN, 10, 10))
    assert ledger.cost is None
    assert ledger.unpriced == {"b/two"}
    asyncio.run(_call(ledger, PRICED, 1_000, 0))
    assert ledger.cost == pytest.approx(0.001)
    assert unpriced([UNKNOWN, PRICED, FREE, ModelChoice(model=STAND_INS[0])]) == ["b/two"]
    again = ModelChoice(model="a/one", temperature=0.1)
    assert unpriced([PRICED, again]) == ["a/one"]


def test_a_price_of_zero_is_known() -> None:
    ledger = Ledger(0.0, [FREE])
    asyncio.run(_call(ledger, FREE, 10, 10))
    assert ledger.cost == 0


def test_kept_answers_cost_nothing_now() -> None:
    ledger = Ledger()
    ledger.from_cache("judge", PRICED, Reply("x", "stop", 1_000, 100, 2.0))
    assert (ledger.cost, ledger.total("calls"), ledger.total("cached")) == (0, 0, 1)
    assert ledger.stages["judge"].all_cost == pytest.approx(0.002)


def test_a_budget_with_an_unknown_price_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match=r"that of b/two is unknown.*price_in"):
        Ledger(1.0, [PRICED, UNKNOWN])


@pytest.mark.parametrize("seed", range(5))
def test_a_budget_is_never_exceeded_and_nearly_used(seed: int) -> None:
    dice = random.Random(seed)
    budget = 0.02
    ledger = Ledger(budget, [PRICED])
    stopped = 0

    async def call() -> None:
        nonlocal stopped
        try:
            async with ledger.bill("completion", PRICED, MESSAGES) as bill:
                await asyncio.sleep(dice.random() / 1_000)
                bill.pay(dice.randint(20, 100), dice.randint(1, 100), 0.1)
        except BudgetSpent:
            stopped += 1

    async def run() -> None:
        await asyncio.gather(*(call() for _ in range(200)))

    asyncio.run(run())
    assert ledger.cost is not None
    most = (prompt_bound(MESSAGES) * 1.0 + 100 * 10.0) / 1e6
    assert budget - most <= ledger.cost <= budget
    assert 0 < stopped < 200


def test_an_attempt_that_may_be_billed_counts_against_the_budget_but_not_as_cost() -> None:
    ledger = Ledger(0.0025, [PRICED])

    async def lose() -> None:
        async with ledger.bill("completion", PRICED, MESSAGES) as bill:
            bill.lost = True
            raise TimeoutError

    for _ in range(2):
        with pytest.raises(TimeoutError):
            asyncio.run(lose())
    with pytest.raises(BudgetSpent, match=r"budget of \$0\.0025"):
        asyncio.run(_call(ledger, PRICED, 1, 1))
    assert ledger.cost == 0


def test_a_server_that_does_not_count_is_taken_at_the_most() -> None:
    ledger = Ledger(0.0025, [PRICED])
    for _ in range(2):
        asyncio.run(_call(ledger, PRICED, None, None))
    with pytest.raises(BudgetSpent):
        asyncio.run(_call(ledger, PRICED, None, None))
    assert ledger.unpriced == {"a/one"}


@pytest.mark.parametrize(
    "text", ["word " * 300, "Ein Wort für dich. " * 80, "土壤湿度" * 100, "🙂" * 90]
)
def test_the_bound_of_a_prompt_is_no_less_than_its_words(text: str) -> None:
    assert prompt_bound([{"role": "user", "content": text}]) >= len(text.split())
    assert prompt_bound([{"role": "user", "content": text}]) >= len(text) / 2
