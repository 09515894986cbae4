"""What several commands are given, each defined once."""

from __future__ import annotations

import math
from typing import Annotated, TypeVar

import typer

from pipeline.core.errors import InvalidInput

T = TypeVar("T")


def _sum(budget: float | None) -> float | None:
    if budget is not None and not math.isfinite(budget):
        raise InvalidInput(f"A budget of {budget} is no sum.", "Give dollars, such as 2.50.")
    return budget


ProjectName = Annotated[
    str,
    typer.Argument(
        metavar="PROJECT", help="user/name on the Hub, or a folder that starts with ./ / or ~"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for scripts.")]
SeedPort = Annotated[
    int | None,
    typer.Option(
        metavar="PORT",
        help="Port of the Seed Space; by default 7860, or the next free one.",
        min=1,
        max=65_000,
    ),
]
AnnotatePort = Annotated[
    int | None,
    typer.Option(
        metavar="PORT",
        help="Port of the Annotate Space; by default 7861, or the next free one.",
        min=1,
        max=65_000,
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(help="An OpenAI-compatible server, such as http://localhost:8000/v1."),
]
Concurrency = Annotated[int | None, typer.Option(help="Calls under way at once.", min=1)]
Budget = Annotated[
    float | None,
    typer.Option(
        help="Dollars that this run may cost; it stops before that.", min=0, callback=_sum
    ),
]


def one_of(what: str, name: str, known: tuple[T, ...]) -> T:
    """The one of ``known`` that is called ``name``.

    Raises:
        InvalidInput: There is none.
    """
    for one in known:
        if one == name:
            return one
    raise InvalidInput(
        f"There is no {what} {name!r}.", f"Choose from {', '.join(map(str, known))}."
    )
