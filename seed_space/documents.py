"""What a visitor does with documents; free of Gradio's wiring: plain replies, words by key.

A reply that begins with ``error`` says why nothing was done: ``sign_in``, ``not_allowed``, ``away``
or ``other`` with a ``text``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pipeline.core.documents.adding import add_files
from pipeline.core.documents.kept import (
    Document,
    Documents,
    Kept,
    load_documents,
    read_text,
    remove_document,
    restore_document,
)
from pipeline.core.documents.limits import MOST_BYTES, MOST_DOCUMENTS, Refused
from pipeline.core.documents.passages import passages
from pipeline.core.errors import (
    InvalidInput,
    NotAllowed,
    NotSignedIn,
    SeedbedError,
    StoreUnavailable,
)
from pipeline.core.settings import Settings
from pipeline.core.store import Store
from pipeline.web.visitor import Visitor, writing_store
from seed_space.session import open_for
from seed_space.telling import told

Reply = dict[str, Any]

PAGE: Final = 20
"""Passages shown at a time."""
AT_ONCE: Final = 5
"""Files that one request may add."""
_PASSAGE: Final = 1_100
"""Characters that a passage has on average, for telling about how many there are."""


def listed(settings: Settings, store: Store | None, who: Visitor) -> Reply:
    """The documents, and what this visitor may do with them."""

    def read() -> Reply:
        project = store or open_for(settings, who)
        return {"documents": _shown(load_documents(project)), **_rights(settings, who)}

    return _told(who, read)


def add(settings: Settings, who: Visitor, files: object, folder: Path) -> Reply:
    """Add files that were uploaded; each has its result, in order.

    Args:
        settings: Names the project.
        who: With whose rights.
        files: ``{"path", "name"}`` of each, as a browser says.
        folder: Where uploads are; nothing elsewhere is read. They are removed from there.
    """

    def write() -> Reply:
        project = writing_store(settings, who)
        chosen = [_uploaded(file, folder) for file in _few(files)]
        try:
            _require_rights(project)
            found = add_files(
                project, [_content(name, path) for name, path in chosen], who.name or ""
            )
        finally:
            for _, path in chosen:
                path.unlink(missing_ok=True)
        return {
            "results": [_result(outcome) for outcome in found],
            "documents": _shown(load_documents(project)),
        }

    return _told(who, write)


def opened(
    settings: Settings, store: Store | None, who: Visitor, name: object, at: object
) -> Reply:
    """Up to ``PAGE`` passages of a document, from passage ``at`` on."""

    def read() -> Reply:
        project = store or open_for(settings, who)
        document = load_documents(project).find(str(name))
        text = read_text(project, document)
        spans = passages(text)
        first = at if isinstance(at, int) and 0 <= at < len(spans) else 0
        return {
            "name": document.name,
            "title": document.title,
            "at": first,
            "of": len(spans),
            "passages": [text[span.start : span.end] for span in spans[first : first + PAGE]],
        }

    return _told(who, read)


def removed(settings: Settings, who: Visitor, name: object) -> Reply:
    """Take a document out of use."""
    return _changed(settings, who, lambda store: remove_document(store, str(name), who.name or ""))


def restored(settings: Settings, who: Visitor, name: object) -> Reply:
    """Use a removed document again."""
    return _changed(settings, who, lambda store: restore_document(store, str(name)))


def _changed(settings: Settings, who: Visitor, change: Callable[[Store], Documents]) -> Reply:
    def write() -> Reply:
        project = writing_store(settings, who)
        _require_rights(project)
        return {"documents": _shown(change(project))}

    return _told(who, write)


def _told(who: Visitor, act: Callable[[], Reply]) -> Reply:
    """What ``act`` replies, or why it could not."""
    try:
        return act()
    except Refused as refused:
        return {"error": "refused", **_refusal(refused)}
    except NotSignedIn:
        return {"error": "sign_in"}
    except NotAllowed:
        return {"error": "not_allowed"}
    except StoreUnavailable:
        return {"error": "away"}
    except SeedbedError as error:
        return {"error": "other", "text": told(who.language, error).text}


def _rights(settings: Settings, who: Visitor) -> Reply:
    """Whether this visitor may add, and if not why; asking the Hub may fail, listing must not."""
    try:
        return {"may": "write" if writing_store(settings, who).can_write() else "read"}
    except NotSignedIn:
        return {"may": "sign_in"}
    except SeedbedError:
        return {"may": "read"}


def _require_rights(store: Store) -> None:
    """Refuse before anything is read, rather than after it."""
    if not store.can_write():
        raise NotAllowed(f"You may not write to {store.name}.", "Ask its owner for access.")


def _few(files: object) -> Sequence[Mapping[str, object]]:
    if (
        not isinstance(files, list)
        or not 0 < len(files) <= AT_ONCE
        or not all(isinstance(file, dict) for file in files)
    ):
        raise InvalidInput("The files did not arrive.", "Reload the page and choose them again.")
    return files


def _uploaded(file: Mapping[str, object], folder: Path) -> tuple[str, Path]:
    """What a file is called, and where it is; a browser may say anything."""
    root = folder.resolve()
    path = Path(str(file.get("path") or "\0").replace("\0", "?")).resolve()
    if not path.is_relative_to(root) or path == root or not path.is_file():
        raise InvalidInput("The files did not arrive.", "Reload the page and choose them again.")
    return str(file.get("name") or path.name)[:1_000], path


def _content(name: str, path: Path) -> tuple[str, bytes]:
    with path.open("rb") as file:
        return name, file.read(MOST_BYTES + 1)


def _result(outcome: Kept | Refused) -> Reply:
    if isinstance(outcome, Refused):
        return _refusal(outcome)
    return {
        "outcome": outcome.outcome,
        "document": _row(outcome.document),
        "beside": outcome.beside,
    }


def _refusal(refused: Refused) -> Reply:
    return {"outcome": "refused", "reason": refused.reason, "most": refused.most}


def _shown(documents: Documents) -> list[Reply]:
    return [_row(document) for document in documents.documents]


def _row(document: Document) -> Reply:
    return {
        "name": document.name,
        "title": document.title,
        "kind": document.kind,
        "pages": document.pages,
        "characters": document.characters,
        "passages": max(1, round(document.characters / _PASSAGE)),
        "added_at": document.added_at,
        "added_by": document.added_by,
        "removed": document.removed_at is not None,
    }


LIMITS: Final = {"bytes": MOST_BYTES, "documents": MOST_DOCUMENTS, "at_once": AT_ONCE}
"""What a page needs to know beforehand."""
