"""How good completions are by whom they were preferred to, when more than two were compared.

R. A. Bradley, M. E. Terry: Rank Analysis of Incomplete Block Designs. Biometrika 39 (1952),
324-345; solved as in D. R. Hunter: MM Algorithms for Generalized Bradley-Terry Models. Annals of
Statistics 32 (2004), 384-406.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

AGAINST_AVERAGE: Final = 0.1
"""Games that every completion is taken to have won, and to have lost, against one of strength 0.

Without them the strength of one that won or lost always would be infinite, and completions that
were never compared, not even through others, could not be put on one scale. With them there is
always one solution; what was never compared is compared by how each did among its own.
"""

_MOST_ROUNDS: Final = 10_000
_STILL: Final = 1e-12
_DIGITS: Final = 6
"""Strengths that differ in later digits only are equal: the sums were rounded differently."""


def strengths(wins: Mapping[tuple[str, str], float]) -> tuple[tuple[str, float], ...]:
    """Completions and their strengths, the best first; equal ones in the order of their ids.

    A completion of strength ``a`` is preferred to one of strength ``b`` with odds of
    ``exp(a - b)``; the average is 0.

    Args:
        wins: How often the first was preferred to the second. A tie, also of two bad ones, is half
            a win for each.
    """
    won: dict[str, float] = defaultdict(float)
    games: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for (winner, loser), count in sorted(wins.items()):
        won[winner] += count
        won[loser] += 0.0
        games[winner][loser] += count
        games[loser][winner] += count
    names = sorted(won)
    odds = dict.fromkeys(names, 1.0)
    for _ in range(_MOST_ROUNDS):
        before = dict(odds)
        for name in names:
            against = sum(
                count / (odds[name] + odds[other]) for other, count in games[name].items()
            )
            against += 2 * AGAINST_AVERAGE / (odds[name] + 1)
            odds[name] = (won[name] + AGAINST_AVERAGE) / against
        if all(abs(odds[name] - before[name]) <= _STILL * odds[name] for name in names):
            break
    found = {name: round(math.log(odds[name]), _DIGITS) + 0.0 for name in names}
    return tuple(sorted(found.items(), key=lambda item: (-item[1], item[0])))
