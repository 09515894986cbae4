"""The documents of a project.

    documents.json        what there is: one entry for each document
    documents/<name>      the file as it was added
    texts/<name>.txt      its text, in which the spans of rows count characters

A text is written once and never again, so that a span stays right whatever library would read the
file another way later. A file with another text is another document under another name. A document
that is removed stays with a mark: rows that rest on it can still show their passage.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.core import layout
from pipeline.core.changing import change_file, load_file, read_file
from pipeline.core.documents.limits import MOST_DOCUMENTS, MOST_IN_ALL, Refused
from pipeline.core.errors import Conflict, FileMissing, InvalidInput, StoreUnavailable
from pipeline.core.feedback import now
from pipeline.core.schema import Span, Stored
from pipeline.core.store import ABSENT, Store

_ATTEMPTS: Final = 8
_LONGEST_STEM: Final = 60
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")


class Document(BaseModel):
    """One document.

    Attributes:
        name: What it is called in the project; unique, and safe as a file's name.
        given_name: What the file was called.
        kind: pdf, docx, html, md or txt.
        title: As it says itself, else from its name.
        size: Bytes of the file.
        digest: SHA-256 of the file.
        text_digest: SHA-256 of the text as UTF-8.
        characters: Of the text.
        pages: Where it has any.
        extracted_with: What read it.
        added_at: ISO 8601, UTC.
        added_by: Name on the Hub; empty on a laptop.
        removed_at: When it was taken out of use, if it was.
        removed_by: By whom.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")
    given_name: str = ""
    kind: str
    title: str
    size: int
    digest: str
    text_digest: str
    characters: int
    pages: int | None = None
    extracted_with: str = ""
    added_at: str
    added_by: str = ""
    removed_at: str | None = None
    removed_by: str | None = None


class Documents(Stored):
    """All documents of a project in the order in which they came, removed ones among them."""

    model_config = ConfigDict(extra="allow")

    FILE = layout.DOCUMENT_LIST
    MOST_BYTES = 4_000_000

    documents: list[Document] = Field(default_factory=list)

    def in_use(self) -> list[Document]:
        """Those that are not removed."""
        return [document for document in self.documents if document.removed_at is None]

    def find(self, name: str) -> Document:
        """The document called ``name`` in the project.

        Raises:
            InvalidInput: There is none.
        """
        for document in self.documents:
            if document.name == name:
                return document
        raise InvalidInput(f"There is no document {name!r}.", "Look at the list of documents.")


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A file that was read and is to be kept.

    Attributes:
        given_name: What it is called.
        data: The file.
        kind: What it is.
        title: As it says itself, or empty.
        text: What is in it.
        pages: Where it has any.
        extracted_with: What read it.
    """

    given_name: str
    data: bytes
    kind: str
    title: str
    text: str
    pages: int | None
    extracted_with: str


Outcome = Literal["added", "there", "again"]


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a new document.

    Attributes:
        outcome: ``added``, ``there`` (the same is in use already) or ``again`` (it was removed).
        document: As it is kept.
        beside: An older one in use with the same name and another text, which stays as it is.
    """

    outcome: Outcome
    document: Document
    beside: str | None = None


def load_documents(store: Store) -> Documents:
    """What documents there are.

    Raises:
        InvalidInput: The list cannot be read.
    """
    return load_file(store, Documents, layout.DOCUMENT_LIST)


def keep_documents(store: Store, new: Sequence[NewDocument], by: str = "") -> list[Kept | Refused]:
    """Add documents in one commit, each judged on its own; the same content is there only once.

    Returns:
        What became of each, in order.

    Raises:
        NotAllowed: The project cannot be written.
        StoreUnavailable: Others change the list faster than we can.
    """
    for _ in range(_ATTEMPTS):
        there, etag = read_file(store, Documents, layout.DOCUMENT_LIST)
        adding = _Adding(store, there, by)
        found = [adding.add(each) for each in new]
        if not adding.changed:
            return found
        files = {**adding.files, layout.DOCUMENT_LIST: adding.documents.to_json()}
        expect = {**dict.fromkeys(adding.files, ABSENT), layout.DOCUMENT_LIST: etag}
        try:
            store.commit(files, message=adding.message(), expect=expect)
        except Conflict:
            continue
        return found
    raise StoreUnavailable(
        f"The documents of {store.name} are being changed by others too fast.",
        "Nothing was written; try again in a moment.",
    )


def remove_document(store: Store, name: str, by: str = "") -> Documents:
    """Take a document out of use; its file and text stay for the rows that rest on it.

    Raises:
        InvalidInput: There is none of that name.
    """

    def mark(document: Document) -> Document:
        if document.removed_at is not None:
            return document
        return document.model_copy(update={"removed_at": now(), "removed_by": by})

    return change_file(
        store, Documents, layout.DOCUMENT_LIST, _changing(name, mark), f"Remove {name}"
    )


def restore_document(store: Store, name: str) -> Documents:
    """Take a removed document into use again.

    Raises:
        InvalidInput: There is none of that name.
        Refused: It would be one too many.
    """

    def unmark(document: Document) -> Document:
        return document.model_copy(update={"removed_at": None, "removed_by": None})

    def change(documents: Documents) -> Documents:
        found = documents.find(name)
        if found.removed_at is not None:
            _check_room(documents, found.characters, found.title)
        return _changing(name, unmark)(documents)

    return change_file(store, Documents, layout.DOCUMENT_LIST, change, f"Use {name} again")


def read_text(store: Store, document: Document) -> str:
    """The text of a document, exactly as it was kept.

    Raises:
        InvalidInput: Somebody changed the text, so that spans in it are wrong.
        FileMissing: It is gone.
    """
    return _checked(document, store.read(layout.document_text(document.name)).data)


def read_texts(store: Store, documents: Iterable[Document]) -> list[str]:
    """The texts of several documents, fetched together.

    Raises:
        InvalidInput: Somebody changed or removed one.
    """
    wanted = list(documents)
    if not wanted:
        return []
    folder = store.checkout(layout.TEXTS)
    texts = []
    for document in wanted:
        try:
            data = (folder / layout.document_text(document.name)).read_bytes()
        except OSError as error:
            raise InvalidInput(
                f"The text of {document.name} is missing from {store.name}.",
                f"Restore {layout.document_text(document.name)}, or remove the document.",
            ) from error
        texts.append(_checked(document, data))
    return texts


def read_passage(store: Store, name: str, span: Span) -> str:
    """What stands in the span of a document.

    Raises:
        FileMissing: There is no such document.
        InvalidInput: ``name`` is no file's name.
    """
    data = store.read(layout.document_text(name)).data
    return data.decode("utf-8", errors="replace")[span.start : span.end]


class _Adding:
    """Adds documents one after the other to a list, and collects the files to write."""

    def __init__(self, store: Store, documents: Documents, by: str) -> None:
        self.documents = documents.model_copy(update={"documents": list(documents.documents)})
        self.files: dict[str, bytes] = {}
        self.changed: list[str] = []
        self._store = store
        self._by = by
        self._in_folders = {
            path.partition("/")[2].casefold()
            for folder in (layout.DOCUMENTS, layout.TEXTS)
            for path in store.paths(folder)
        }

    def message(self) -> str:
        """Of the commit."""
        if len(self.changed) == 1:
            return f"Add {self.changed[0]}"
        return f"Add {len(self.changed)} documents"

    def add(self, new: NewDocument) -> Kept | Refused:
        """Add one, unless it is there or there is no room for it."""
        digest = hashlib.sha256(new.data).hexdigest()
        text = new.text.encode()
        text_digest = hashlib.sha256(text).hexdigest()
        all_ = self.documents.documents
        same = [one for one in all_ if one.digest == digest or one.text_digest == text_digest]
        # One in use tells more than one that was removed.
        same.sort(key=lambda one: one.removed_at is not None)
        if same and same[0].removed_at is None:
            return Kept("there", same[0])
        shown = _shown(new.given_name)
        try:
            _check_room(self.documents, len(new.text), shown)
        except Refused as refused:
            return refused
        if same:
            again = same[0].model_copy(update={"removed_at": None, "removed_by": None})
            all_[all_.index(same[0])] = again
            self.changed.append(again.name)
            return Kept("again", again)
        name = self._name(new)
        document = Document(
            name=name,
            given_name=shown,
            kind=new.kind,
            title=new.title or shown.rpartition(".")[0] or shown,
            size=len(new.data),
            digest=digest,
            text_digest=text_digest,
            characters=len(new.text),
            pages=new.pages,
            extracted_with=new.extracted_with,
            added_at=now(),
            added_by=self._by,
        )
        beside = next(
            (o.name for o in all_ if o.given_name == shown and o.removed_at is None), None
        )
        if not self._lies_there(name, new.data):
            self.files[layout.document_file(name)] = new.data
        self.files[layout.document_text(name)] = text
        all_.append(document)
        self.changed.append(name)
        return Kept("added", document, beside)

    def _name(self, new: NewDocument) -> str:
        """A free name that tells where the document comes from."""
        base = new.given_name.replace("\\", "/").rpartition("/")[2]
        plain = unicodedata.normalize("NFKD", base.rpartition(".")[0] or base)
        plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
        stem = layout.safe_name(plain)[:_LONGEST_STEM].strip("-.") if plain.strip() else ""
        if not re.search(r"[A-Za-z0-9]", plain):
            stem = "document"
        taken = {document.name.casefold() for document in self.documents.documents}
        first = f"{stem}.{new.kind}"
        if first.casefold() not in taken and self._lies_there(first, new.data):
            return first
        number, name = 1, first
        while self._is_taken(name, taken):
            number += 1
            name = f"{stem}-{number}.{new.kind}"
        return name

    def _is_taken(self, name: str, taken: set[str]) -> bool:
        folded = name.casefold()
        return folded in taken or bool({folded, f"{folded}.txt"} & self._in_folders)

    def _lies_there(self, name: str, data: bytes) -> bool:
        """Whether somebody put this very file into the project's folder by hand."""
        folded = name.casefold()
        if folded not in self._in_folders or f"{folded}.txt" in self._in_folders:
            return False
        try:
            return self._store.read(layout.document_file(name)).data == data
        except FileMissing:
            return False


def _changing(
    name: str, change: Callable[[Document], Document]
) -> Callable[[Documents], Documents]:
    def changed(documents: Documents) -> Documents:
        documents.find(name)
        listed = [change(each) if each.name == name else each for each in documents.documents]
        return documents.model_copy(update={"documents": listed})

    return changed


def _check_room(documents: Documents, characters: int, name: str) -> None:
    used = documents.in_use()
    if len(used) >= MOST_DOCUMENTS:
        raise Refused("too_many", name, f"{MOST_DOCUMENTS}")
    if sum(document.characters for document in used) + characters > MOST_IN_ALL:
        raise Refused("too_much", name, f"{MOST_IN_ALL:,}")


def _checked(document: Document, data: bytes) -> str:
    if hashlib.sha256(data).hexdigest() != document.text_digest:
        raise InvalidInput(
            f"The text of {document.name} is not what it was when the document was added.",
            f"Restore {layout.document_text(document.name)} from an earlier version.",
        )
    return data.decode()


def _shown(given_name: str) -> str:
    """A file's name as it may be shown: one line, its folders left out."""
    name = _UNSEEN.sub("", given_name.replace("\\", "/").rpartition("/")[2])
    return " ".join(name.split())[:200] or "document"
