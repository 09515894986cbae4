"""How many samples each cell shall have: an even share, unless the seed says otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.core.schema import Cell, Quota, Seed, normalized


def cell_key(cell: Cell | Quota) -> str:
    """The same for spellings of a cell that differ in case or spacing only."""
    return f"{normalized(cell.topic)}\n{normalized(cell.perspective)}"


def fixed_rows(seed: Seed) -> dict[str, int]:
    """What the quotas ask for, by ``cell_key``; of two for one cell the later one counts.

    Those that name no cell of the seed are left out.
    """
    lost = {cell_key(quota) for quota in strays(seed)}
    asked = {cell_key(quota): quota.rows for quota in seed.quotas}
    return {key: rows for key, rows in asked.items() if key not in lost}


def wanted_rows(seed: Seed, rows: int) -> dict[str, int]:
    """Rows that each cell shall have if the project shall have ``rows``, by ``cell_key``.

    Cells with a quota get that; what is left of ``rows`` is spread evenly over the others, the
    first ones getting what does not divide. The sum is not ``rows`` where quotas ask for more, or
    where every cell has one.
    """
    fixed = fixed_rows(seed)
    keys = [cell_key(cell) for cell in seed.cells()]
    free = [key for key in keys if key not in fixed]
    share, more = divmod(max(0, rows - sum(fixed.values())), len(free)) if free else (0, 0)
    even = {key: share + (place < more) for place, key in enumerate(free)}
    return {key: fixed[key] if key in fixed else even[key] for key in keys}


def strays(seed: Seed) -> Iterator[Quota]:
    """Quotas that count for nothing, because the seed has no such cell."""
    # There may be 100 000 cells, and this is asked with every word that somebody types.
    topics = set(map(normalized, seed.topics)) - {""} if seed.quotas else set()
    perspectives = set(map(normalized, seed.perspectives)) - {""} if seed.quotas else set()
    for quota in seed.quotas:
        if (
            normalized(quota.topic) not in topics
            or normalized(quota.perspective) not in perspectives
        ):
            yield quota
