"""``documents``: what samples and questions rest on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.opening import opened
from pipeline.commands.options import AsJson, ProjectName
from pipeline.core.documents import kept
from pipeline.core.documents.adding import add_files
from pipeline.core.documents.limits import MOST_BYTES, Refused
from pipeline.core.errors import InvalidInput
from pipeline.core.store import Store
from pipeline.terminal import documents_line, print_json, reading, say, show_documents


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
    store = opened(project).store
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
