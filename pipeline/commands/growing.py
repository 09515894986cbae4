"""``generate``: samples out of a seed; and the growing that ``demo`` does too."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.asking import access_for, at_once, chosen_for_samples
from pipeline.commands.opening import Opened, opened, update_card
from pipeline.commands.options import AsJson, BaseUrl, Budget, Concurrency, ProjectName
from pipeline.core.errors import ModelUnavailable
from pipeline.core.projects import load_project, load_seed
from pipeline.core.schema import GenerationSettings
from pipeline.core.store import Store
from pipeline.terminal import growing, print_json, say, show_estimate, show_run

if TYPE_CHECKING:
    from pipeline.core.rounds import Round
    from pipeline.core.runs import RunRecord
    from pipeline.generation.estimate import Estimate


def generate(
    project: ProjectName,
    *,
    rows: Annotated[
        int | None,
        typer.Option(
            help="How many samples there shall be in all; only missing ones are grown.", min=1
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="A model that writes completions; repeat it for several."),
    ] = None,
    base_url: BaseUrl = None,
    judge: Annotated[
        str | None,
        typer.Option(help="A model that rates completions, better not the same."),
    ] = None,
    concurrency: Concurrency = None,
    budget: Budget = None,
    number: Annotated[
        int | None,
        typer.Option(
            "--round",
            metavar="N",
            help="Build on the votes so far, as round N: 2, then 3, and so on.",
            min=2,
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="[ADDRESS]",
            help="Grow on a Ray cluster: auto, host:6379 or ray://host:10001; alone, on this one.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Try a few samples, and tell rows, tokens, cost and time."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Grow samples from the seed.

    The same command again adds only what is missing, and goes on where it was interrupted.
    """
    at = opened(project)
    store = at.store
    saved = load_project(store).generation
    chosen = at_once(chosen_for_samples(saved, model or [], base_url, judge), concurrency)
    asked = Asked(
        chosen, rows or chosen.rows, base_url, budget, _round(store, number, dry_run), ray
    )
    if dry_run:
        expected = _estimate(at, asked)
        if as_json:
            print_json(asdict(expected))
        else:
            show_estimate(store.name, expected)
        if expected.rows and not expected.sampled and expected.failures:
            raise ModelUnavailable(
                f"No sample could be made while trying: {expected.failures[0]}",
                "Correct that and run the same command again.",
            )
        return
    record = grow(at, asked, quiet=as_json)
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        show_run(store.name, record)
        if record.calls and (note := _meaning_note(chosen)):
            say(note)
    if record.missing and not record.samples and record.failures:
        raise ModelUnavailable(
            f"No sample could be grown: {record.failures[0].example}",
            "Correct that and run the same command again.",
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run is asked for."""

    settings: GenerationSettings
    rows: int
    base_url: str | None = None
    budget: float | None = None
    after: Round | None = None
    ray: str | None = None


def grow(at: Opened, asked: Asked, *, quiet: bool = False) -> RunRecord:
    """Grow the project as asked with a progress display, and bring its card up to date."""
    from pipeline.generation.planning import warnings  # noqa: PLC0415 - slow import
    from pipeline.generation.run import generate as run  # noqa: PLC0415 - slow import

    if not quiet:
        say(*(f"Note: {warning}" for warning in warnings(asked.settings)))
    with growing(quiet=quiet) as show:
        record = run(
            at.store,
            load_seed(at.store).seed,
            asked.settings,
            access_for(at.settings, asked.base_url),
            rows=asked.rows,
            work=at.work,
            budget=asked.budget,
            after=asked.after,
            ray=asked.ray,
            on_progress=show,
        )
    update_card(at.store)
    return record


def _estimate(at: Opened, asked: Asked) -> Estimate:
    from pipeline.generation.estimate import estimate  # noqa: PLC0415 - slow import

    return estimate(
        at.store,
        load_seed(at.store).seed,
        asked.settings,
        access_for(at.settings, asked.base_url),
        rows=asked.rows,
        work=at.work,
        budget=asked.budget,
        after=asked.after,
    )


def _round(store: Store, number: int | None, dry_run: bool) -> Round | None:
    """The round as it was frozen; a trial looks at what it would build on and freezes nothing."""
    if number is None:
        return None
    from pipeline.curation.rounds import make_round, open_round, round_numbers  # noqa: PLC0415

    if dry_run and number not in round_numbers(store):
        return make_round(store, number)
    return open_round(store, number)


def _meaning_note(settings: GenerationSettings) -> str | None:
    from pipeline.generation.quality import meaning_note  # noqa: PLC0415 - slow import

    return meaning_note(settings.quality)
