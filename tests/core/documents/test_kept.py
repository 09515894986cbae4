"""Documents in a project: added once, never rewritten, their texts good for spans for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.core import layout
from pipeline.core.documents import kept
from pipeline.core.documents.kept import (
    Kept,
    NewDocument,
    keep_documents,
    load_documents,
    read_passage,
    read_text,
    read_texts,
    remove_document,
    restore_document,
)
from pipeline.core.documents.limits import Refused
from pipeline.core.errors import InvalidInput
from pipeline.core.projects import make_project
from pipeline.core.schema import Project, Span
from pipeline.core.store import Store
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from pipeline.deploy import ANNOTATE_SPACE, SEED_SPACE, assemble, copy_project
from tests.factories import a_seed
from tests.hub_server import HubServer


@pytest.fixture(params=["folder", "hub"])
def store(request: pytest.FixtureRequest, folder: Path) -> Iterator[Store]:
    if request.param == "folder":
        made: Store = FolderStore(folder)
        make_project(made, a_seed(), Project())
        yield made
        return
    with HubServer() as hub:
        token = hub.add_user("ana")
        made = HubStore("ana/farming", token=token, hub=hub.url)
        make_project(made, a_seed(), Project())
        yield made


def a_document(name: str = "guide.txt", text: str = "Sow rye.", data: bytes = b"") -> NewDocument:
    return NewDocument(name, data or text.encode(), "txt", "", text, None, "seedbed")


def _add(store: Store, name: str = "guide.txt", text: str = "Sow rye.", data: bytes = b"") -> Kept:
    (outcome,) = keep_documents(store, [a_document(name, text, data)], by="ana")
    assert isinstance(outcome, Kept)
    return outcome


def test_a_document_is_kept_with_its_text_and_where_it_comes_from(store: Store) -> None:
    added = _add(store, "Soil guide.txt", "Größe 土.", data=b"\xff\x00original").document
    assert added.name == "Soil-guide.txt"
    assert (added.title, added.given_name, added.added_by) == (
        "Soil guide",
        "Soil guide.txt",
        "ana",
    )
    assert added.digest == hashlib.sha256(b"\xff\x00original").hexdigest()
    assert load_documents(store).in_use() == [added]
    assert store.read("documents/Soil-guide.txt").data == b"\xff\x00original"
    assert read_text(store, added) == "Größe 土."
    assert read_texts(store, [added]) == ["Größe 土."]
    assert read_passage(store, added.name, Span(start=6, end=7)) == "土"


def test_the_same_content_changes_nothing(store: Store) -> None:
    first = _add(store)
    before = store.version()
    assert _add(store) == Kept("there", first.document)
    assert _add(store, "other name.md") == Kept("there", first.document)
    assert _add(store, data=b"saved anew, the same text") == Kept("there", first.document)
    assert store.version() == before


def test_another_text_under_the_same_name_is_another_document(store: Store) -> None:
    first = _add(store).document
    second = _add(store, "guide.txt", "Sow rye in September.")
    assert (second.outcome, second.document.name) == ("added", "guide-2.txt")
    assert second.beside == "guide.txt"
    assert read_text(store, first) == "Sow rye."
    third = _add(store, "GUIDE.TXT", "Yet another.").document
    assert third.name.casefold() == "guide-3.txt"


def test_a_removed_document_keeps_its_text_and_can_come_back(store: Store) -> None:
    added = _add(store).document
    removed = remove_document(store, "guide.txt", by="ben").find("guide.txt")
    assert removed.removed_by == "ben"
    assert load_documents(store).in_use() == []
    assert remove_document(store, "guide.txt", by="eve").find("guide.txt") == removed
    assert read_passage(store, "guide.txt", Span(start=0, end=3)) == "Sow"
    assert restore_document(store, "guide.txt").in_use() == [added]
    remove_document(store, "guide.txt")
    assert _add(store) == Kept("again", added)
    for change in (remove_document, restore_document):
        with pytest.raises(InvalidInput, match="no document"):
            change(store, "other.txt")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../x.txt", "x.txt"),
        ("C:\\Users\\ana\\x.txt", "x.txt"),
        ("n" * 500 + ".pdf", "n" * 60 + ".txt"),
        ("手册.pdf", "document.txt"),
        ("Größe & Böden.pdf", "Gro-e-Boden.txt"),
        (".seedbed", "seedbed.txt"),
        ("", "document.txt"),
        ("\u202egpj.exe", "gpj.txt"),
    ],
)
def test_a_name_is_never_a_path(folder: Path, given: str, name: str) -> None:
    store = FolderStore(folder)
    make_project(store, a_seed(), Project())
    added = _add(store, given).document
    assert added.name == name
    assert (folder / "documents" / name).is_file()
    assert "/" not in added.given_name


def test_a_file_that_lies_in_the_folder_already_is_listed_where_it_is(folder: Path) -> None:
    store = FolderStore(folder)
    make_project(store, a_seed(), Project())
    (folder / "documents").mkdir()
    (folder / "documents" / "guide.txt").write_bytes(b"Sow rye.")
    (folder / "documents" / "notes.txt").write_bytes(b"Something else.")
    assert _add(store).document.name == "guide.txt"
    assert _add(store, "notes.txt", "My notes.").document.name == "notes-2.txt"
    assert (folder / "documents" / "notes.txt").read_bytes() == b"Something else."


def test_several_are_added_in_one_commit_each_judged_on_its_own(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST_DOCUMENTS", 2)
    new = [a_document(f"{n}.txt", f"Text {n}.") for n in (1, 2, 1, 3)]
    one, two, again, refused = keep_documents(store, new)
    assert isinstance(one, Kept)
    assert isinstance(two, Kept)
    assert again == Kept("there", one.document)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.most) == ("too_many", "2")
    assert [d.name for d in load_documents(store).in_use()] == ["1.txt", "2.txt"]
    remove_document(store, "1.txt")
    assert isinstance(keep_documents(store, [new[3]])[0], Kept)
    with pytest.raises(Refused):
        restore_document(store, "1.txt")


def test_all_texts_together_have_a_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(folder)
    make_project(store, a_seed(), Project())
    monkeypatch.setattr(kept, "MOST_IN_ALL", 10)
    _add(store)
    (refused,) = keep_documents(store, [a_document("b.txt", "Too much.")])
    assert isinstance(refused, Refused)
    assert refused.reason == "too_much"


def test_people_who_add_at_once_lose_nothing(folder: Path) -> None:
    store = FolderStore(folder)
    make_project(store, a_seed(), Project())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: _add(FolderStore(folder), "same.txt", f"Text {n}."), range(4)))
    found = load_documents(store).in_use()
    assert len({d.name for d in found}) == 4
    assert {read_text(store, d) for d in found} == {f"Text {n}." for n in range(4)}


def test_a_text_that_somebody_changed_is_not_used(folder: Path) -> None:
    store = FolderStore(folder)
    make_project(store, a_seed(), Project())
    added = _add(store).document
    (folder / layout.document_text(added.name)).write_bytes(b"Sow barley.")
    with pytest.raises(InvalidInput, match="not what it was"):
        read_text(store, added)
    (folder / layout.document_text(added.name)).unlink()
    with pytest.raises(InvalidInput, match="missing"):
        read_texts(store, [added])


def test_documents_go_along_when_a_project_is_copied(folder: Path, tmp_path: Path) -> None:
    source, target = FolderStore(folder), FolderStore(tmp_path / "copy")
    make_project(source, a_seed(), Project())
    added = _add(source).document
    copy_project(source, target)
    assert load_documents(target).in_use() == [added]
    assert read_text(target, added) == "Sow rye."
    assert target.read("documents/guide.txt").data == b"Sow rye."


def test_only_the_seed_space_carries_what_reads_files() -> None:
    reading = {f"pipeline/core/documents/{name}.py" for name in ("extracting", "formats", "worker")}
    seed, annotate = assemble(SEED_SPACE), assemble(ANNOTATE_SPACE)
    assert reading < set(seed)
    assert "pipeline/generation/prompts/grounded/answer.jinja2" in seed
    assert not reading & set(annotate)
    assert "pipeline/core/documents/kept.py" in annotate
    for library in (b"pypdf", b"mammoth", b"selectolax", b"charset-normalizer"):
        assert library in seed["requirements.txt"]
        assert library not in annotate["requirements.txt"]
