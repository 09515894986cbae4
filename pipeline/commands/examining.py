"""``exam``: questions out of documents, and the file that LightEval runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from pipeline.commands.asking import access_for, at_once, chosen_for_exam
from pipeline.commands.opening import opened, update_card
from pipeline.commands.options import AsJson, BaseUrl, Budget, Concurrency, ProjectName
from pipeline.core.errors import ModelUnavailable
from pipeline.core.projects import load_project, load_seed
from pipeline.core.schema import Project
from pipeline.core.store import Store
from pipeline.terminal import growing, print_json, say, show_run, show_task, show_trial


def exam(
    project: ProjectName,
    *,
    questions: Annotated[
        int | None,
        typer.Option(
            help="How many questions there shall be in all; only missing ones are made.", min=1
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model that writes the questions.")] = None,
    checker: Annotated[
        str | None, typer.Option(help="A model that is asked what only a model can tell.")
    ] = None,
    base_url: BaseUrl = None,
    improve: Annotated[
        bool | None,
        typer.Option("--improve/--no-improve", help="Rewrite each question once, to be better."),
    ] = None,
    check_support: Annotated[
        bool | None,
        typer.Option(
            "--check-support/--no-check-support",
            help="Ask a model whether the passage makes the answer right, and no other.",
        ),
    ] = None,
    closed_book: Annotated[
        int | None,
        typer.Option(
            metavar="TIMES",
            help="Ask each question this often without its passage, and mark what is known anyway.",
            min=0,
            max=8,
        ),
    ] = None,
    concurrency: Concurrency = None,
    budget: Budget = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Try a few questions, and tell tokens, cost and time."),
    ] = False,
    task: Annotated[
        bool,
        typer.Option("--task", help="Write the LightEval task file of what was exported, instead."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make exam questions out of the project's documents.

    The same command again adds only what is missing, and goes on where it was interrupted. People
    review the questions in the Annotate Space; export writes those that they kept.
    """
    at = opened(project)
    store = at.store
    if task:
        _write_task(store, as_json=as_json)
        return
    from pipeline.generation.exams.run import make_exam, try_exam  # noqa: PLC0415 - slow import

    saved = load_project(store)
    chosen = at_once(saved.generation, concurrency)
    asked = chosen_for_exam(saved, model, checker, base_url)
    given = {
        "questions": questions,
        "improve": improve,
        "check_support": check_support,
        "closed_book": closed_book,
    }
    asked = asked.model_copy(update={k: v for k, v in given.items() if v is not None})
    seed, access = load_seed(store).seed, access_for(at.settings, base_url)
    if dry_run:
        trial = try_exam(store, seed, asked, chosen, access, work=at.work, budget=budget)
        if as_json:
            print_json(asdict(trial))
        else:
            show_trial(store.name, trial)
        return
    with growing(quiet=as_json) as show:
        record = make_exam(
            store, seed, asked, chosen, access, work=at.work, budget=budget, on_progress=show
        )
    update_card(store)
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        show_run(store.name, record)
        if record.samples:
            _say_review(store, saved)
    faults = [failure for failure in record.failures if failure.kind != "no more room"]
    if record.missing and not record.samples and faults:
        raise ModelUnavailable(
            f"No question could be kept: {faults[0].example}",
            "Correct that, or try another model.",
        )


def _write_task(store: Store, *, as_json: bool) -> None:
    from pipeline.curation.lighteval import write_task  # noqa: PLC0415 - slow import

    made = write_task(store)
    if as_json:
        print_json(asdict(made))
    else:
        show_task(made)


def _say_review(store: Store, project: Project) -> None:
    if "exam" not in project.annotation.tasks:
        say(
            "Nobody is asked to review them yet: add exam to the tasks, in the lead's view of the "
            "Annotate Space."
        )
    say(f"Review them with: python -m pipeline serve {store.name}")
