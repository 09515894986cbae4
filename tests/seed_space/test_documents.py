"""Documents in the Seed Space: who may do what, and what a browser cannot talk the server into."""

from __future__ import annotations

import asyncio
import html
from pathlib import Path

import pytest

from pipeline.core.documents.kept import load_documents
from pipeline.core.documents.passages import passages
from pipeline.core.projects import load_project, make_project
from pipeline.core.schema import Project
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from pipeline.generation.grounding import load_grounds
from pipeline.generation.planning import fingerprint
from pipeline.web.visitor import Visitor
from seed_space import documents
from seed_space.cards import Card
from seed_space.documents import PAGE
from seed_space.handlers import look_over, open_page, read_documents
from seed_space.session import Session, grounds_of
from seed_space.trying import run
from tests.documents import COVER_CROPS, a_pdf
from tests.factories import a_seed
from tests.hub_server import HubServer

ME = Visitor()


@pytest.fixture
def settings(folder: Path) -> Settings:
    make_project(FolderStore(folder), a_seed(), Project())
    return Settings(project=str(folder))


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    made = tmp_path / "uploads"
    made.mkdir()
    return made


def sent(uploads: Path, name: str, data: bytes) -> dict[str, str]:
    """A file as Gradio keeps it, and as a browser then names it."""
    path = uploads / f"{len(list(uploads.iterdir()))}.upload"
    path.write_bytes(data)
    return {"path": str(path), "name": name}


def test_files_are_added_read_removed_and_used_again(settings: Settings, uploads: Path) -> None:
    files = [
        sent(uploads, "Cover crops.pdf", a_pdf(COVER_CROPS)),
        sent(uploads, "scan.pdf", a_pdf([""])),
        sent(uploads, "notes.txt", b"Clay soils smear."),
    ]
    reply = documents.add(settings, ME, files, uploads)
    assert [result["outcome"] for result in reply["results"]] == ["added", "refused", "added"]
    assert reply["results"][1]["reason"] == "no_text"
    assert [row["name"] for row in reply["documents"]] == ["Cover-crops.pdf", "notes.txt"]
    assert list(uploads.iterdir()) == []
    assert documents.listed(settings, None, ME) == {"documents": reply["documents"], "may": "write"}
    found = documents.opened(settings, None, ME, "Cover-crops.pdf", 0)
    assert found["passages"] == ["\n\n".join(COVER_CROPS)]
    gone = documents.removed(settings, ME, "notes.txt")["documents"]
    assert [row["removed"] for row in gone] == [False, True]
    back = documents.restored(settings, ME, "notes.txt")["documents"]
    assert back == reply["documents"]
    assert documents.removed(settings, ME, "other")["error"] == "other"


def test_a_long_text_is_shown_page_by_page(settings: Settings, uploads: Path) -> None:
    text = "\n\n".join(f"Paragraph {n}. " + "Words about soil. " * 60 for n in range(60))
    documents.add(settings, ME, [sent(uploads, "long.txt", text.encode())], uploads)
    first = documents.opened(settings, None, ME, "long.txt", 0)
    assert (first["at"], len(first["passages"])) == (0, PAGE)
    last = documents.opened(settings, None, ME, "long.txt", first["of"] - 1)
    assert len(last["passages"]) == 1
    assert documents.opened(settings, None, ME, "long.txt", 10**9)["at"] == 0
    assert documents.opened(settings, None, ME, "long.txt", "x")["at"] == 0


@pytest.mark.parametrize(
    "files",
    [
        None,
        [],
        "x",
        [{"path": "/etc/hostname", "name": "a.txt"}],
        [{"path": "../seed_data.json", "name": "a.txt"}],
        [{"path": "", "name": "a.txt"}],
        [{"path": "a\0b", "name": "a.txt"}],
        [{}] * 6,
    ],
)
def test_only_what_was_uploaded_is_read(
    settings: Settings, uploads: Path, folder: Path, files: object
) -> None:
    assert documents.add(settings, ME, files, uploads)["error"] == "other"
    assert (folder / "seed_data.json").exists()
    assert load_documents(FolderStore(folder)).documents == []


def test_a_link_out_of_the_uploads_is_not_followed(
    settings: Settings, uploads: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (uploads / "link").symlink_to(secret)
    reply = documents.add(settings, ME, [{"path": str(uploads / "link"), "name": "a"}], uploads)
    assert reply["error"] == "other"
    assert secret.exists()


def test_on_a_space_everybody_acts_with_their_own_rights(hub: HubServer, uploads: Path) -> None:
    owner = hub.add_user("ana")
    make_project(HubStore("ana/farming", token=owner, hub=hub.url), a_seed(), Project())
    settings = Settings(project="ana/farming", hf_token=owner, hub=hub.url, on_space=True)
    file = sent(uploads, "a.txt", b"Clay soils smear.")
    guest, reader, writer = (
        Visitor(),
        Visitor("ana", hub.add_token("ana", "read")),
        Visitor("ana", owner),
    )
    assert documents.listed(settings, None, guest)["may"] == "sign_in"
    assert documents.listed(settings, None, reader)["may"] == "read"
    assert documents.add(settings, guest, [file], uploads) == {"error": "sign_in"}
    assert documents.removed(settings, guest, "a.txt") == {"error": "sign_in"}
    file = sent(uploads, "a.txt", b"Clay soils smear.")
    assert documents.add(settings, reader, [file], uploads) == {"error": "not_allowed"}
    assert documents.listed(settings, None, reader)["documents"] == []
    file = sent(uploads, "a.txt", b"Clay soils smear.")
    added = documents.add(settings, writer, [file], uploads)
    assert added["documents"][0]["added_by"] == "ana"
    assert documents.listed(settings, None, guest)["documents"] == added["documents"]
    assert documents.removed(settings, reader, "a.txt") == {"error": "not_allowed"}
    hub.stop()
    assert documents.listed(settings, None, writer) == {"error": "away"}


def test_the_page_knows_the_fingerprint_that_a_run_would_have(
    settings: Settings, uploads: Path, folder: Path
) -> None:
    session = Session()
    values = open_page(settings, None, session, ME).values
    assert look_over(session, values).marks["documents"] == {"mark": "open", "count": None}
    documents.add(settings, ME, [sent(uploads, "a.pdf", a_pdf(COVER_CROPS))], uploads)
    read_documents(settings, None, session, ME)
    view = look_over(session, values)
    assert view.marks["documents"] == {"mark": "done", "count": 1}
    store = FolderStore(folder)
    generation = load_project(store).generation
    grounds = load_grounds(store, generation)
    assert grounds is not None
    mark = fingerprint(a_seed(), generation, documents=grounds.marks)
    assert mark in view.engineer
    assert mark != fingerprint(a_seed(), generation)


def test_the_preview_rests_on_the_documents_and_shows_the_passage(
    settings: Settings, uploads: Path, folder: Path
) -> None:
    store = FolderStore(folder)
    generation = load_project(store).generation.model_copy(update={"grounding": 1.0})
    project = load_project(store).model_copy(update={"generation": generation})
    store.commit({"project.json": project.to_json()}, message="All calls rest on documents")
    hostile = "Cover crops </details><script>window.hacked=1</script> protect clay soils in winter."
    documents.add(settings, ME, [sent(uploads, "a.txt", hostile.encode())], uploads)
    session = Session()
    values = open_page(settings, None, session, ME).values
    cell = {"topic": "Cover crops", "perspective": "Beginner"}

    async def collect() -> list[Card]:
        states = [state async for state in run(settings, None, session, ME, [cell], None, values)]
        return list(states[-1].cards)

    (card,) = asyncio.run(collect())
    assert 'class="source"' in card["source_html"]
    assert html.escape(hostile) in card["source_html"]
    shown = [card["question_html"], card["asked_html"], card["source_html"]]
    shown += [column["prompt_html"] for column in card["columns"]]
    assert "<script" not in "".join(shown)
    assert "&lt;passage&gt;" in card["asked_html"]  # among the messages that were sent
    grounds = load_grounds(store, generation)
    assert grounds is not None
    assert session.previewed == fingerprint(a_seed(), generation, documents=grounds.marks)


def test_texts_are_read_again_only_when_they_changed(
    settings: Settings, uploads: Path, folder: Path
) -> None:
    store = FolderStore(folder)
    generation = load_project(store).generation
    assert grounds_of(store, generation) is None
    documents.add(settings, ME, [sent(uploads, "a.txt", b"Clay soils smear.")], uploads)
    first = grounds_of(store, generation)
    assert first is not None
    assert grounds_of(store, generation) is first
    documents.removed(settings, ME, "a.txt")
    assert grounds_of(store, generation) is None


def test_how_many_passages_are_told_is_about_right(settings: Settings, uploads: Path) -> None:
    text = "It says something about soils. " * 2_000
    reply = documents.add(settings, ME, [sent(uploads, "a.txt", text.encode())], uploads)
    told = reply["documents"][0]["passages"]
    assert abs(told - len(passages(text.strip()))) < 0.2 * told
