"""``demo``, ``serve`` and ``deploy``: both Spaces opened, on this machine or on the Hub."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.commands.growing import Asked, grow
from pipeline.commands.opening import Opened, as_folder, opened, settings_for, update_card
from pipeline.commands.options import AnnotatePort, ProjectName, SeedPort
from pipeline.core.projects import load_project, load_seed, make_project, open_store
from pipeline.core.schema import Project, Seed
from pipeline.core.settings import Settings, inherited
from pipeline.deploy import ByHand, copy_project, deploy_spaces, require_target
from pipeline.local import LocalSpaces, Port
from pipeline.terminal import say, show_run


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

    settings = settings_for(as_folder(project))
    store = open_store(settings)
    make_project(store, farming(), Project())
    chosen = load_project(store).generation
    show_run(store.name, grow(Opened(store, settings), Asked(chosen, rows or chosen.rows)))
    if serve_:
        _serve(settings, seed_port, annotate_port)
        return
    say(
        "Next:",
        f"  python -m pipeline serve {project}     open both Spaces",
        f"  python -m pipeline status {project}    see where it stands",
        f"  python -m pipeline export {project}    make training data out of votes",
    )


def serve(
    project: ProjectName, seed_port: SeedPort = None, annotate_port: AnnotatePort = None
) -> None:
    """Open both Spaces on this machine, until Ctrl-C."""
    at = opened(project)
    # Either Space would start all the same, and show the trouble to whoever opens it.
    load_seed(at.store)
    load_project(at.store)
    _serve(at.settings, seed_port, annotate_port)


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
    settings = settings_for(project, on_hub=source is not None)
    require_target(settings)
    store = open_store(settings)
    if source is not None:
        origin = opened(as_folder(source)).store
        say(f"Copied {copy_project(origin, store, private=not public)} files from {source}.")
    else:
        make_project(store, Seed(), Project(), private=not public)
    update_card(store)
    by_hand: list[ByHand] = []
    for done in deploy_spaces(settings, private=not public):
        say(f"{'Made' if done.made else 'Updated'} {done.url}")
        by_hand += done.by_hand
    say("What only you can do, once:", *(f"  {step.say()}\n    {step.url}" for step in by_hand))


def _serve(settings: Settings, seed_port: int | None, annotate_port: int | None) -> None:
    env = inherited() | {"SEEDBED_PROJECT": settings.project}
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
