"""``export``: training data out of votes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, get_args

import typer

from pipeline.commands.opening import opened
from pipeline.commands.options import AsJson, ProjectName, one_of
from pipeline.core import layout
from pipeline.core.errors import InvalidInput
from pipeline.core.layout import ExportFormat, Form
from pipeline.core.schema import Method
from pipeline.places import export_place, move_exports
from pipeline.terminal import print_json, show_export, show_task


def export(
    project: ProjectName,
    *,
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            help="sft, preference, kto, reward, spin, exam, several with commas, or all.",
        ),
    ] = "all",
    form: Annotated[
        str, typer.Option(help="conversational: lists of messages; text: plain strings.")
    ] = "conversational",
    to: Annotated[
        Path | None, typer.Option(help="Write to this folder instead of into the project.")
    ] = None,
    test_share: Annotated[
        float | None,
        typer.Option(help="Share of the instructions to keep apart as test.", min=0, max=0.9),
    ] = None,
    consensus: Annotated[
        str | None,
        typer.Option(help="majority, or weighted by how reliable annotators are found to be."),
    ] = None,
    min_votes: Annotated[
        int | None, typer.Option(help="Only what so many people judged.", min=1)
    ] = None,
    min_agreement: Annotated[
        float | None,
        typer.Option(help="Only what this share of them, such as 0.75, agree on.", min=0, max=1),
    ] = None,
    min_judge: Annotated[
        float | None, typer.Option(help="Only what the judge model rated at least so.")
    ] = None,
    without_flag: Annotated[
        list[str] | None,
        typer.Option(help="Nothing with this mark, such as truncated; repeat it for several."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Only what this model wrote, and people; repeat it for several."),
    ] = None,
    topic: Annotated[
        list[str] | None, typer.Option(help="Only this topic; repeat it for several.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make training data out of votes, as TRL reads it.

    Without options, consensus, votes, agreement and test share are as project.json says.
    """
    from pipeline.curation import exports  # noqa: PLC0415 - slow import
    from pipeline.curation.filters import Filters  # noqa: PLC0415 - slow import
    from pipeline.curation.lighteval import write_task, write_task_beside  # noqa: PLC0415

    at = opened(project)
    store = at.store
    chosen = exports.options_for(store)
    filters = Filters(
        min_votes=chosen.filters.min_votes if min_votes is None else min_votes,
        min_agreement=chosen.filters.min_agreement if min_agreement is None else min_agreement,
        min_judge=min_judge,
        without_flags=frozenset(without_flag or ()),
        models=frozenset(model or ()),
        topics=frozenset(topic or ()),
    )
    options = replace(
        chosen,
        form=one_of("form", form, get_args(Form)),
        method=one_of("consensus", consensus or chosen.method, get_args(Method)),
        test_share=chosen.test_share if test_share is None else test_share,
        filters=filters,
    )
    with export_place(at.work, to) as folder:
        made = exports.export(store, _formats(formats), options, folder)
        if to is None:
            exports.into_project(store, made)
        else:
            move_exports(made.files, to, made.record.made)
    task = None
    if made.rows().get("exam"):
        task = write_task(store) if to is None else write_task_beside(store, to)
    if as_json:
        print_json(made.as_json())
        return
    show_export(store.name, made, to)
    if task is not None:
        show_task(task)


def _formats(text: str) -> list[ExportFormat]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["all"]:
        return [*layout.TRAINING_FORMATS, "feedback"]
    chosen: list[ExportFormat] = [name for name in layout.TRAINING_FORMATS if name in names]
    if unknown := sorted(set(names) - set(chosen)):
        raise InvalidInput(
            f"There is no format {unknown[0]!r}.",
            f"Choose from {', '.join(layout.TRAINING_FORMATS)}, or all.",
        )
    if not chosen:
        raise InvalidInput("No format was named.", "Use --format all.")
    return chosen
