"""Files become documents of a project."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.core.documents.extracting import extract
from pipeline.core.documents.kept import Kept, NewDocument, keep_documents
from pipeline.core.documents.limits import Refused
from pipeline.core.store import Store

File = tuple[str, bytes]
"""What a file is called, and what is in it."""


def add_files(
    store: Store,
    files: Sequence[File],
    by: str = "",
    on_read: Callable[[str], None] = lambda _: None,
) -> list[Kept | Refused]:
    """Read files one after the other and add those that can be read, in one commit.

    Args:
        store: The project, with the rights of whoever adds them.
        files: Names are shown and never used as paths.
        by: Who adds them.
        on_read: Told the name of each file that was looked at.

    Returns:
        What became of each, in order.

    Raises:
        NotAllowed: The project cannot be written.
        StoreUnavailable: The project cannot be reached.
    """
    outcomes: list[Kept | Refused | None] = []
    new: list[NewDocument] = []
    for name, data in files:
        try:
            found = extract(data, name)
        except Refused as refused:
            outcomes.append(refused)
        else:
            outcomes.append(None)
            new.append(
                NewDocument(
                    given_name=name,
                    data=data,
                    kind=found.kind,
                    title=found.title,
                    text=found.text,
                    pages=found.pages,
                    extracted_with=found.extracted_with,
                )
            )
        on_read(name)
    kept = iter(keep_documents(store, new, by) if new else ())
    return [next(kept) if outcome is None else outcome for outcome in outcomes]
