"""``init`` and ``status``: a project is made, and looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.opening import opened, settings_for, update_card
from pipeline.commands.options import AsJson, ProjectName
from pipeline.core.errors import InvalidInput
from pipeline.core.projects import load_seed, make_project, open_store, save_seed
from pipeline.core.schema import Project, Seed
from pipeline.core.store import Store
from pipeline.terminal import print_json, say, show_status


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
    store = open_store(settings_for(project))
    given = _read_seed(seed) if seed else Seed()
    changed = _fill_seed(store, given) if seed is not None and store.exists() else False
    changed = bool(make_project(store, given, Project())) or changed
    update_card(store)
    say(
        f"{store.name} is ready."
        if changed
        else f"{store.name} exists already; its seed and settings were left as they are.",
        "Next:",
        f"  python -m pipeline serve {store.name}      describe the domain in the Seed Space",
        f"  python -m pipeline generate {store.name}   grow samples from it",
    )


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

    store = opened(project).store
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
