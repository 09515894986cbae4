"""The command line: ``python -m pipeline <command> PROJECT``.

A command does one thing, shows progress when it takes long, and ends with 0, or with 1 and one
line that says why and what to do next.
"""

from __future__ import annotations

import logging
import math
import os
import re
import signal
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final, NoReturn, TypeVar, get_args

import typer
from huggingface_hub import get_token
from pydantic import ValidationError

from pipeline import __version__
from pipeline.core import invitations, layout
from pipeline.core.documents import kept
from pipeline.core.documents.adding import add_files
from pipeline.core.documents.limits import MOST_BYTES, Refused
from pipeline.core.errors import InvalidInput, ModelUnavailable, SeedbedError
from pipeline.core.layout import ExportFormat, Form
from pipeline.core.projects import (
    is_folder,
    load_project,
    load_seed,
    make_project,
    open_store,
    require_project,
    save_seed,
    work_folder,
)
from pipeline.core.schema import (
    STAND_INS,
    ExamSettings,
    GenerationSettings,
    JudgeSettings,
    Method,
    ModelChoice,
    Project,
    Seed,
    describe,
)
from pipeline.core.settings import Settings
from pipeline.core.store import Store
from pipeline.core.store_folder import FolderStore
from pipeline.deploy import ByHand, annotate_address, copy_project, deploy_spaces, require_target
from pipeline.generation.access import ModelAccess, host_of
from pipeline.local import LocalSpaces, Port
from pipeline.places import export_place, move_exports
from pipeline.terminal import (
    documents_line,
    fail,
    growing,
    print_json,
    quiet_libraries,
    reading,
    say,
    show_documents,
    show_estimate,
    show_exam,
    show_export,
    show_invitations,
    show_run,
    show_status,
    show_task,
    show_trial,
)

if TYPE_CHECKING:
    from pipeline.core.rounds import Round
    from pipeline.core.runs import RunRecord
    from pipeline.generation.estimate import Estimate

app = typer.Typer(
    help="Grow a training dataset with domain experts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
T = TypeVar("T")

_RAY_ADDRESS: Final = re.compile(r"auto|local|ray://\S+|[\w.-]+:\d+")
_INTERRUPTED: Final = 130  # how Typer ends when a command raised KeyboardInterrupt

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


def _version(wanted: bool) -> None:
    if wanted:
        say(f"seedbed {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; the only place that turns errors into exit codes."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    quiet_libraries()
    signal.signal(signal.SIGTERM, _stop)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, _stop)  # the terminal was closed
    try:
        app(_words(sys.argv[1:]))
    except SeedbedError as error:
        fail(str(error))
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            fail("Stopped. What was finished is kept; the same command goes on from there.")
        sys.exit(1 if end.code else 0)


@app.callback()
def seedbed(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """What comes before a command."""


@app.command()
def demo(
    project: Annotated[
        str, typer.Argument(metavar="FOLDER", help="Where to make the project.")
    ] = "./projects/farming",
    rows: Annotated[
        int | None, typer.Option(help="How many samples there shall be in all.", min=1)
    ] = None,
    serve_: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Open both Spaces afterwards.")
    ] = True,
    seed_port: SeedPort = None,
    annotate_port: AnnotatePort = None,
) -> None:
    """Make a ready farming project and open both Spaces.

    Needs no account, key or network. Samples that are there already stay, and so does the seed.
    """
    from pipeline.demo import farming  # noqa: PLC0415 - only this command needs it

    settings = _settings(_as_folder(project))
    store = open_store(settings)
    make_project(store, farming(), Project())
    chosen = load_project(store).generation
    show_run(store.name, _generate(store, settings, _Asked(chosen, rows or chosen.rows)))
    if serve_:
        _serve(settings, seed_port, annotate_port)
        return
    say(
        "Next:",
        f"  python -m pipeline serve {project}     open both Spaces",
        f"  python -m pipeline status {project}    see where it stands",
        f"  python -m pipeline export {project}    make training data out of votes",
    )


@app.command()
def init(
    project: ProjectName,
    seed: Annotated[
        Path | None,
        typer.Option(
            help="A file to start from: a seed_data.json, a spreadsheet, CSV or JSON.",
            metavar="FILE",
        ),
    ] = None,
) -> None:
    """Make a project, empty or from a seed file.

    An existing one is left as it is; only an empty seed is filled from the file.
    """
    store = open_store(_settings(project))
    given = _read_seed(seed) if seed else Seed()
    changed = _fill_seed(store, given) if seed is not None and store.exists() else False
    changed = bool(make_project(store, given, Project())) or changed
    _update_card(store)
    say(
        f"{store.name} is ready."
        if changed
        else f"{store.name} exists already; its seed and settings were left as they are.",
        "Next:",
        f"  python -m pipeline serve {store.name}      describe the domain in the Seed Space",
        f"  python -m pipeline generate {store.name}   grow samples from it",
    )


@app.command()
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
    base_url: Annotated[
        str | None,
        typer.Option(help="An OpenAI-compatible server, such as http://localhost:8000/v1."),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(help="A model that rates completions, better not the same."),
    ] = None,
    concurrency: Annotated[int | None, typer.Option(help="Calls under way at once.", min=1)] = None,
    budget: Annotated[
        float | None,
        typer.Option(help="Dollars that this run may cost; it stops before that.", min=0),
    ] = None,
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
    settings = _settings(project)
    store = open_store(settings)
    require_project(store)
    chosen = _chosen(load_project(store).generation, model or [], base_url, judge)
    if concurrency is not None:
        chosen = chosen.model_copy(update={"concurrency": concurrency})
    if budget is not None and not math.isfinite(budget):
        raise InvalidInput(f"A budget of {budget} is no sum.", "Give dollars, such as 2.50.")
    asked = _Asked(
        chosen, rows or chosen.rows, base_url, budget, _round(store, number, dry_run), ray
    )
    if dry_run:
        expected = _estimate(store, settings, asked)
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
    record = _generate(store, settings, asked, quiet=as_json)
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


@app.command()
def status(
    project: ProjectName,
    report: Annotated[
        Path | None,
        typer.Option(help="Save all figures as one page that any browser opens.", metavar="FILE"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show coverage, rows, votes, runs and rounds."""
    from pipeline.curation.coverage import status as read  # noqa: PLC0415 - slow import
    from pipeline.curation.report import check_place, save_report  # noqa: PLC0415 - slow import

    store = open_store(_settings(project))
    require_project(store)
    if report is not None:
        check_place(report)
    state = read(store)
    if report is not None:
        save_report(report, store.name, state)
    if as_json:
        print_json(state.as_json())
        return
    show_status(store.name, state)
    if report is not None:
        say(f"The report is in {report}; open it in a browser.")


@app.command()
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

    settings = _settings(project)
    store = open_store(settings)
    require_project(store)
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
        form=_one_of("form", form, get_args(Form)),
        method=_one_of("consensus", consensus or chosen.method, get_args(Method)),
        test_share=chosen.test_share if test_share is None else test_share,
        filters=filters,
    )
    with export_place(work_folder(store, settings), to) as folder:
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


@app.command()
def serve(
    project: ProjectName, seed_port: SeedPort = None, annotate_port: AnnotatePort = None
) -> None:
    """Open both Spaces on this machine, until Ctrl-C."""
    settings = _settings(project)
    store = open_store(settings)
    require_project(store)
    # Either Space would start all the same, and show the trouble to whoever opens it.
    load_seed(store)
    load_project(store)
    _serve(settings, seed_port, annotate_port)


@app.command()
def invite(
    project: ProjectName,
    *,
    name: Annotated[str | None, typer.Option(help="Who it is for.")] = None,
    expires: Annotated[
        str, typer.Option(metavar="TIME", help="How long it is good: 30m, 12h, 7d, 2w.")
    ] = "7d",
    url: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Where the Annotate Space is, if not where deployed."),
    ] = None,
    revoke: Annotated[
        str | None, typer.Option(metavar="ID", help="Take this invitation back instead.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Show all invitations instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a link with which somebody can annotate without an account."""
    settings = _settings(project)
    store = open_store(settings)
    require_project(store)
    if listed:
        everyone = invitations.load(store).invitations
        if as_json:
            print_json({"invitations": [one.model_dump(exclude={"digest"}) for one in everyone]})
        else:
            show_invitations(everyone)
        return
    if revoke is not None:
        gone = invitations.revoke(store, revoke)
        if as_json:
            print_json(gone.model_dump(exclude={"digest"}))
        else:
            say(f"Invitation {gone.id} lets nobody in any more.")
        return
    if name is None:
        raise InvalidInput("An invitation is for somebody.", 'Say for whom: --name "Ana".')
    address = _address(url or annotate_address(settings))
    made = invitations.make(
        store,
        name,
        invitations.parse_duration(expires),
        pseudonyms=load_project(store).access.pseudonyms,
        made_by="the command line",
    )
    link = f"{address}/?invite={made.token}"
    if as_json:
        print_json({"link": link, **made.invitation.model_dump(exclude={"digest"})})
        return
    say(
        link,
        "",
        f"Good until {made.invitation.expires_at[:16].replace('T', ' ')} UTC. Whoever has this "
        "link annotates with it; it is not shown again.",
        f"Take it back: python -m pipeline invite {store.name} --revoke {made.invitation.id}",
    )
    if is_folder(store.name) and url is None:
        say("If your Annotate Space is not on this port of this machine, say where with --url.")
    elif not is_folder(store.name):
        say("Somebody without an account can open it once the Annotate Space is public.")


@app.command()
def documents(
    project: ProjectName,
    *,
    add: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Add a PDF, Word, HTML, Markdown or text file; repeat for several."
        ),
    ] = None,
    remove: Annotated[
        str | None, typer.Option(metavar="NAME", help="Take a document out of use; it is kept.")
    ] = None,
    restore: Annotated[
        str | None, typer.Option(metavar="NAME", help="Use a removed document again.")
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Show all documents, as without any option.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add, list or remove documents that samples rest on."""
    store = open_store(_settings(project))
    require_project(store)
    del listed
    chosen = [name for name, given in (("--add", add), ("--remove", remove),
                                       ("--restore", restore)) if given]  # fmt: skip
    if len(chosen) > 1:
        raise InvalidInput(f"{' and '.join(chosen)} cannot be used together.", "Use one at a time.")
    if add:
        _add_documents(store, add, as_json=as_json)
        return
    if remove or restore:
        changed = (
            kept.remove_document(store, remove)
            if remove
            else kept.restore_document(store, restore or "")
        )
        name = remove or restore or ""
        if as_json:
            print_json(changed.find(name).model_dump())
        else:
            say(
                f"{name} is {'no longer used' if remove else 'used again'}."
                + (" Rows that rest on it keep their passage." if remove else "")
            )
        return
    there = kept.load_documents(store)
    if as_json:
        print_json({"documents": [one.model_dump() for one in there.documents]})
    else:
        show_documents(store.name, there)


@app.command()
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
    base_url: Annotated[
        str | None,
        typer.Option(help="An OpenAI-compatible server, such as http://localhost:8000/v1."),
    ] = None,
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
    concurrency: Annotated[int | None, typer.Option(help="Calls under way at once.", min=1)] = None,
    budget: Annotated[
        float | None,
        typer.Option(help="Dollars that this run may cost; it stops before that.", min=0),
    ] = None,
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
    settings = _settings(project)
    store = open_store(settings)
    require_project(store)
    if task:
        _write_task(store, as_json=as_json)
        return
    if budget is not None and not math.isfinite(budget):
        raise InvalidInput(f"A budget of {budget} is no sum.", "Give dollars, such as 2.50.")
    from pipeline.generation.exams.run import make_exam, try_exam  # noqa: PLC0415 - slow import

    saved = load_project(store)
    chosen = saved.generation
    if concurrency is not None:
        chosen = chosen.model_copy(update={"concurrency": concurrency})
    asked = _exam_settings(saved, model, checker, base_url)
    given = {
        "questions": questions,
        "improve": improve,
        "check_support": check_support,
        "closed_book": closed_book,
    }
    asked = asked.model_copy(update={k: v for k, v in given.items() if v is not None})
    seed, work = load_seed(store).seed, work_folder(store, settings)
    access = _access(settings, base_url)
    if dry_run:
        trial = try_exam(store, seed, asked, chosen, access, work=work, budget=budget)
        if as_json:
            print_json(asdict(trial))
        else:
            show_trial(store.name, trial)
        return
    with growing(quiet=as_json) as show:
        record = make_exam(
            store, seed, asked, chosen, access, work=work, budget=budget, on_progress=show
        )
    _update_card(store)
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        show_exam(store.name, record)
        if record.samples:
            _say_review(store, saved)
    faults = [failure for failure in record.failures if failure.kind != "no more room"]
    if record.missing and not record.samples and faults:
        raise ModelUnavailable(
            f"No question could be kept: {faults[0].example}",
            "Correct that, or try another model.",
        )


@app.command()
def deploy(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="user/name on the Hub")],
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="FOLDER", help="A folder project to copy to the Hub first."),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public/--private", help="Who sees what is made now.")
    ] = False,
) -> None:
    """Create or update the dataset and both Spaces on the Hub.

    Needs a token that may write: hf auth login, or HF_TOKEN. What is made is private unless you say
    otherwise; what is there already stays as visible as it is.
    """
    settings = _settings(project, on_hub=source is not None)
    require_target(settings)
    store = open_store(settings)
    if source is not None:
        origin = open_store(_settings(_as_folder(source)))
        require_project(origin)
        say(f"Copied {copy_project(origin, store, private=not public)} files from {source}.")
    else:
        make_project(store, Seed(), Project(), private=not public)
    _update_card(store)
    by_hand: list[ByHand] = []
    for done in deploy_spaces(settings, private=not public):
        say(f"{'Made' if done.made else 'Updated'} {done.url}")
        by_hand += done.by_hand
    say("What only you can do, once:", *(f"  {step.say()}\n    {step.url}" for step in by_hand))


def _words(words: list[str]) -> list[str]:
    """The words of the command line, with the address that ``--ray`` alone means."""
    for place, word in enumerate(words):
        after = words[place + 1] if place + 1 < len(words) else ""
        if word == "--ray" and not _RAY_ADDRESS.fullmatch(after):
            return [*words[: place + 1], "local", *words[place + 1 :]]
    return words


def _settings(project: str, *, on_hub: bool = False) -> Settings:
    """What is configured, for ``project``.

    Raises:
        InvalidInput: A folder here seems to be meant, unless it is said to be ``on_hub``.
    """
    settings = Settings.from_env(os.environ)
    if not on_hub and not is_folder(project) and FolderStore(project).exists():
        raise InvalidInput(
            f"{project} is a name on the Hub, and also a folder here that holds a project.",
            f"Did you mean ./{project}? If not, run this where there is no such folder.",
        )
    return replace(settings, project=project, hf_token=settings.hf_token or get_token())


def _address(url: str) -> str:
    """The address of a page, without what follows it."""
    if not re.fullmatch(r"https?://[^\s?#]+/?", url):
        raise InvalidInput(
            f"{url!r} is no address of a page.",
            "Write it as https://ana-farming-annotate.hf.space.",
        )
    return url.rstrip("/")


def _add_documents(store: Store, paths: list[Path], *, as_json: bool) -> None:
    """Add files and tell what became of each.

    Raises:
        InvalidInput: One could not be added; the others were.
    """
    files = []
    for path in paths:
        try:
            if path.stat().st_size > MOST_BYTES:
                raise Refused("too_large", path.name, f"{MOST_BYTES // 1_000_000} MB")
            files.append((path.name, path.read_bytes()))
        except OSError as error:
            raise InvalidInput(
                f"{path} cannot be read: {error.strerror}.", "Nothing was added; check its name."
            ) from error
    with reading(len(files), quiet=as_json) as step:
        found = add_files(store, files, on_read=step)
    refused = [one for one in found if isinstance(one, Refused)]
    if as_json:
        print_json(
            {
                "added": [
                    {"outcome": one.outcome, **one.document.model_dump()}
                    for one in found
                    if not isinstance(one, Refused)
                ],
                "refused": [{"name": one.name, "reason": one.reason} for one in refused],
            }
        )
    else:
        for one in found:
            if not isinstance(one, Refused):
                say(documents_line(one))
    if refused:
        others = len(refused) - 1
        more = f" {others} more {'was' if others == 1 else 'were'} refused." if others else ""
        raise InvalidInput(refused[0].problem, f"{refused[0].next_step}{more}")


def _as_folder(path: str) -> str:
    return path if is_folder(path) else f"./{path}"


def _fill_seed(store: Store, given: Seed) -> bool:
    """Put a seed in the place of an empty one; tell whether anything was changed.

    Raises:
        InvalidInput: There is another seed.
    """
    saved = load_seed(store)
    if saved.etag is None or saved.seed == given:
        return False
    if saved.seed != Seed():
        raise InvalidInput(
            f"{store.name} has a seed already, which is not replaced.",
            "Change it in the Seed Space, or choose another name.",
        )
    save_seed(store, given, expect=saved.etag, message="Add a seed")
    return True


def _read_seed(path: Path) -> Seed:
    from pipeline.core.importing import seed_from_file  # noqa: PLC0415 - only for init
    from pipeline.core.sheets import MOST_BYTES  # noqa: PLC0415

    try:
        if path.stat().st_size > MOST_BYTES:
            raise InvalidInput(
                f"{path} is {path.stat().st_size / 1e6:.1f} MB; at most "
                f"{MOST_BYTES / 1e6:.0f} MB can be read.",
                "Nothing was made; shorten it first.",
            )
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read: {error.strerror}.", "Check the file's name."
        ) from error
    try:
        return seed_from_file(data, str(path))
    except InvalidInput as error:
        # What a file is said to be elsewhere does not name it.
        named = error.problem if str(path) in error.problem else f"{path}: {error.problem}"
        raise InvalidInput(named, f"{error.next_step} Nothing was made.") from error


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a run is asked for."""

    settings: GenerationSettings
    rows: int
    base_url: str | None = None
    budget: float | None = None
    after: Round | None = None
    ray: str | None = None


def _chosen(
    settings: GenerationSettings, names: list[str], base_url: str | None, judge: str | None
) -> GenerationSettings:
    """The project's settings with the models of the command line, if any."""
    named = [*settings.all_models(), *settings.models]
    changes: dict[str, object] = {}
    if judge is not None:
        aspects = settings.judge.aspects if settings.judge else "overall"
        changes["judge"] = JudgeSettings(model=_choice(judge, named, base_url), aspects=aspects)
    if names or base_url is not None:
        called = names or [m.model for m in settings.models if m.model not in STAND_INS]
        if not called:
            raise InvalidInput(
                f"{base_url} was given but no model.", "Name one with --model, as its server does."
            )
        changes |= {
            "models": [_choice(name, named, base_url) for name in called],
            "instruction_model": None,
        }
    return settings.model_copy(update=changes)


def _exam_settings(
    project: Project, model: str | None, checker: str | None, base_url: str | None
) -> ExamSettings:
    """The project's exam settings with the models of the command line, if any."""
    exam = project.exam
    own = [choice for choice in (exam.model, exam.checker) if choice is not None]
    known = [*own, *project.generation.all_models(), *project.generation.models]
    changes: dict[str, object] = {}
    writer = model
    if writer is None and base_url is not None:
        usual = exam.model or project.generation.for_instructions()
        if usual.model in STAND_INS:
            raise InvalidInput(
                f"{base_url} was given but no model.", "Name one with --model, as its server does."
            )
        writer = usual.model
    if writer is not None:
        changes["model"] = _choice(writer, known, base_url)
    if checker is not None:
        changes["checker"] = _choice(checker, known, base_url)
    return exam.model_copy(update=changes)


def _choice(name: str, known: Iterable[ModelChoice], base_url: str | None) -> ModelChoice:
    """The model called ``name``, as the project has it, at the address that was given."""
    found = next((choice for choice in known if choice.model == name), None)
    try:
        found = found or ModelChoice(model=name)
        address = base_url or found.base_url
        return ModelChoice.model_validate(found.model_dump() | {"base_url": address})
    except ValidationError as error:
        raise InvalidInput(
            f"That model cannot be used: {describe(error)}.",
            "An address starts with http:// or https://, such as http://localhost:8000/v1.",
        ) from error


def _say_review(store: Store, project: Project) -> None:
    if "exam" not in project.annotation.tasks:
        say(
            "Nobody is asked to review them yet: add exam to the tasks, in the lead's view of the "
            "Annotate Space."
        )
    say(f"Review them with: python -m pipeline serve {store.name}")


def _write_task(store: Store, *, as_json: bool) -> None:
    from pipeline.curation.lighteval import write_task  # noqa: PLC0415 - slow import

    made = write_task(store)
    if as_json:
        print_json(asdict(made))
    else:
        show_task(made)


def _round(store: Store, number: int | None, dry_run: bool) -> Round | None:
    """The round as it was frozen; a trial looks at what it would build on and freezes nothing."""
    if number is None:
        return None
    from pipeline.curation.rounds import make_round, open_round, round_numbers  # noqa: PLC0415

    if dry_run and number not in round_numbers(store):
        return make_round(store, number)
    return open_round(store, number)


def _estimate(store: Store, settings: Settings, asked: _Asked) -> Estimate:
    from pipeline.generation.estimate import estimate  # noqa: PLC0415 - slow import

    return estimate(
        store,
        load_seed(store).seed,
        asked.settings,
        _access(settings, asked.base_url),
        rows=asked.rows,
        work=work_folder(store, settings),
        budget=asked.budget,
        after=asked.after,
    )


def _generate(store: Store, settings: Settings, asked: _Asked, *, quiet: bool = False) -> RunRecord:
    """Grow the project as asked with a progress display, and bring its card up to date."""
    from pipeline.generation.planning import warnings  # noqa: PLC0415 - slow import
    from pipeline.generation.run import generate as grow  # noqa: PLC0415 - slow import

    if not quiet:
        say(*(f"Note: {warning}" for warning in warnings(asked.settings)))
    with growing(quiet=quiet) as show:
        record = grow(
            store,
            load_seed(store).seed,
            asked.settings,
            _access(settings, asked.base_url),
            rows=asked.rows,
            work=work_folder(store, settings),
            budget=asked.budget,
            after=asked.after,
            ray=asked.ray,
            on_progress=show,
        )
    _update_card(store)
    return record


def _access(settings: Settings, base_url: str | None) -> ModelAccess:
    """Credentials of whoever runs the command; an address they typed may have their key."""
    typed = {host_of(base_url)} if base_url is not None else set()
    return ModelAccess(
        hf_token=settings.hf_token,
        api_key=settings.api_key,
        api_hosts=settings.api_hosts | typed,
    )


def _meaning_note(settings: GenerationSettings) -> str | None:
    from pipeline.generation.quality import meaning_note  # noqa: PLC0415 - slow import

    return meaning_note(settings.quality)


def _update_card(store: Store) -> None:
    from pipeline.curation.card import update_card  # noqa: PLC0415 - slow import

    update_card(store)


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


def _one_of(what: str, name: str, known: tuple[T, ...]) -> T:
    for one in known:
        if one == name:
            return one
    raise InvalidInput(
        f"There is no {what} {name!r}.", f"Choose from {', '.join(map(str, known))}."
    )


def _serve(settings: Settings, seed_port: int | None, annotate_port: int | None) -> None:
    env = dict(os.environ) | {"SEEDBED_PROJECT": settings.project}
    env.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    if settings.hf_token:
        env["HF_TOKEN"] = settings.hf_token
    ports = {
        "seed_space": Port(seed_port or 7860, fixed=seed_port is not None),
        "annotate_space": Port(annotate_port or 7861, fixed=annotate_port is not None),
    }
    with LocalSpaces(ports, env) as spaces:
        seed, annotate = spaces.start()
        for name, space in (("Seed", seed), ("Annotate", annotate)):
            if space.port != space.wanted:
                say(f"Port {space.wanted} is in use, so the {name} Space is on {space.port}.")
        say(
            "",
            f"  Seed      {seed.url}      describe the domain, preview samples",
            f"  Annotate  {annotate.url}      judge samples",
            "",
            f"  Then: python -m pipeline export {settings.project}",
            "  Press Ctrl-C to stop; votes are kept.",
        )
        spaces.wait()


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
