"""Opening, restoring and saving, without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.core import layout
from pipeline.core.errors import InvalidInput
from pipeline.core.projects import load_seed, make_project, save_seed
from pipeline.core.schema import Project, Seed
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from pipeline.web.visitor import Visitor
from seed_space.handlers import Saving, look_over, open_page, reopen, restore, save
from seed_space.screen import FIELDS, show
from seed_space.session import Session
from tests.factories import a_seed
from tests.hub_server import HubServer

ME = Visitor()


@pytest.fixture
def settings(folder: Path) -> Settings:
    make_project(FolderStore(folder), a_seed(), Project())
    return Settings(project=str(folder))


def opened(settings: Settings, who: Visitor = ME) -> tuple[Session, list[Any]]:
    session = Session()
    page = open_page(settings, None, session, who)
    assert page.setup == ""
    return session, page.values


def changed(values: list[Any], **changes: object) -> list[Any]:
    return list({**dict(zip(FIELDS, values, strict=True)), **changes}.values())


def by_somebody_else(folder: Path, **changes: object) -> Seed:
    store = FolderStore(folder)
    now = load_seed(store)
    seed = now.seed.model_copy(update=changes)
    save_seed(store, seed, expect=now.etag, message="theirs")
    return seed


def test_saving_and_opening_again_shows_the_same(settings: Settings, folder: Path) -> None:
    session, values = opened(settings)
    values = changed(
        values,
        domain="Gärten <b>&amp;</b>",
        topics=["B", "A"],
        language="de",
        examples=[*values[6], {**values[6][0], "question": "Noch eine?"}],
    )
    saving = save(settings, session, ME, values, [])
    assert "Saved" in saving.result
    assert saving.rows == []
    assert saving.keeper is not None
    assert saving.keeper["saved"] == values
    assert opened(settings)[1] == values
    # and the old format's readers find what they know
    stored = json.loads((folder / layout.SEED).read_bytes())
    assert stored["seed_terms"][0] == "B from a Agronomist perspective"


def test_unknown_keys_survive(settings: Settings, folder: Path) -> None:
    fields = json.loads((folder / layout.SEED).read_bytes())
    fields["from_elsewhere"] = {"kept": [1, 2.0]}
    fields["examples"][0]["source"] = "page 7"
    (folder / layout.SEED).write_text(json.dumps(fields))
    session, values = opened(settings)
    save(settings, session, ME, changed(values, domain="Other"), [])
    stored = json.loads((folder / layout.SEED).read_bytes())
    assert stored["domain"] == "Other"
    assert stored["from_elsewhere"] == {"kept": [1, 2.0]}
    assert stored["examples"][0]["source"] == "page 7"


def test_saving_twice_in_a_row_needs_no_reload(settings: Settings) -> None:
    session, values = opened(settings)
    assert "Saved" in save(settings, session, ME, changed(values, domain="One"), []).result
    assert "Saved" in save(settings, session, ME, changed(values, domain="Two"), []).result
    again = save(settings, session, ME, changed(values, domain="Two"), [])
    assert "already the saved version" in again.result
    assert opened(settings)[1][0] == "Two"


def test_the_first_version_of_an_empty_project(folder: Path) -> None:
    folder.mkdir()
    (folder / layout.PROJECT).write_bytes(Project().to_json())
    settings = Settings(project=str(folder))
    session, values = opened(settings)
    assert "first version" in look_over(session, changed(values, domain="New")).summary
    assert "Saved" in save(settings, session, ME, values, []).result
    assert (folder / layout.SEED).exists()


def test_a_conflict_overwrites_nothing_and_lets_the_person_choose(
    settings: Settings, folder: Path
) -> None:
    session, values = opened(settings)
    theirs = by_somebody_else(folder, domain="Theirs", description="Their words.", extra_key=1)
    mine = changed(values, domain="Mine", topics=["Mine too"])

    first = save(settings, session, ME, mine, [])
    assert "Somebody else saved meanwhile" in first.result
    assert load_seed(FolderStore(folder)).seed == theirs
    assert first.keeper is None
    assert first.values is None
    assert {row["field"]: row["choice"] for row in first.rows} == {
        "domain": "",
        "topics": "mine",
        "description": "theirs",
    }

    unanswered = save(settings, session, ME, mine, first.rows)
    assert "Choose a version first for: Name of the domain" in unanswered.result
    assert load_seed(FolderStore(folder)).seed == theirs

    answered = [{**row, "choice": row["choice"] or "mine"} for row in unanswered.rows]
    last = save(settings, session, ME, mine, answered)
    assert "Saved" in last.result
    kept = load_seed(FolderStore(folder)).seed
    assert (kept.domain, kept.topics) == ("Mine", ["Mine too"])
    assert kept.description == "Their words."
    assert kept.model_extra == {"extra_key": 1}
    assert last.values == show(kept)


def test_a_third_version_while_choosing_is_a_conflict_again(
    settings: Settings, folder: Path
) -> None:
    session, values = opened(settings)
    by_somebody_else(folder, domain="Second")
    mine = changed(values, domain="Mine")
    rows = save(settings, session, ME, mine, []).rows
    third = by_somebody_else(folder, domain="Third")
    again = save(settings, session, ME, mine, [{**rows[0], "choice": "mine"}])
    assert "Somebody else saved meanwhile" in again.result
    assert again.rows[0]["theirs"] == "Third"
    assert load_seed(FolderStore(folder)).seed == third


def test_after_a_restart_nothing_is_overwritten_unseen(settings: Settings, folder: Path) -> None:
    _, values = opened(settings)
    theirs = by_somebody_else(folder, domain="Theirs")
    forgotten = Session()
    mine = changed(values, domain="Mine")
    first = save(settings, forgotten, ME, mine, [])
    assert [(row["field"], row["choice"]) for row in first.rows] == [("domain", "")]
    assert load_seed(FolderStore(folder)).seed == theirs
    last = save(settings, forgotten, ME, mine, [{**first.rows[0], "choice": "theirs"}])
    assert "Saved" in last.result
    assert last.values is not None
    assert last.values[0] == "Theirs"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"topics": ["Clay", "CLAY"]}, "are the same"),
        ({"description": "x" * 10_000_000}, "10,000,000 characters"),
        ({"language": "<script>"}, "&lt;script&gt;"),
        ({"examples": [1]}, "examples"),
    ],
)
def test_bad_input_is_told_and_nothing_is_written(
    settings: Settings, folder: Path, changes: dict[str, Any], message: str
) -> None:
    session, values = opened(settings)
    before = (folder / layout.SEED).read_bytes()
    saving = save(settings, session, ME, changed(values, **changes), [])
    assert message in saving.result
    assert "<script>" not in saving.result
    assert saving == Saving(saving.result, [])
    assert (folder / layout.SEED).read_bytes() == before


def test_hostile_text_is_escaped_wherever_it_is_shown(settings: Settings) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    session, values = opened(settings)
    bad = changed(
        values,
        domain=hostile,
        description=hostile * 3,
        topics=[hostile, hostile],
        examples=[{**values[6][0], "topic": hostile, "question": hostile}],
    )
    view = look_over(session, bad)
    for shown in (view.summary, view.engineer, *view.notes.values()):
        assert "<img" not in shown
        assert "<script" not in shown
    assert "&lt;img" in view.summary


@pytest.mark.parametrize(
    "draft",
    [
        None,
        {},
        [],
        ["a"] * 7,
        ["a", "b", "en", "c", [1], [], []],
        ["a", "b", "en", "c", [], [], [1]],
    ],
)
def test_a_draft_that_is_none_is_refused(draft: object) -> None:
    with pytest.raises(InvalidInput):
        restore(Session(), draft)


def test_a_draft_comes_back_as_it_was(settings: Settings) -> None:
    session, values = opened(settings)
    assert restore(session, json.loads(json.dumps(values))) == values
    assert "kann nicht gelesen werden" in str(raises_in_german())


def raises_in_german() -> InvalidInput:
    with pytest.raises(InvalidInput) as raised:
        restore(Session(language="de"), "no draft")
    return raised.value


def test_a_draft_of_an_older_version_overwrites_nobodys_work_unseen(
    settings: Settings, folder: Path
) -> None:
    base = opened(settings)[1]
    by_somebody_else(folder, description="Theirs.", topics=["Their topic"])
    session, _ = opened(settings)  # the page is loaded anew
    draft = changed(base, domain="Mine", topics=["My topic"])
    assert restore(session, draft, base) == draft
    saving = save(settings, session, ME, draft, [])
    assert {row["field"]: row["choice"] for row in saving.rows} == {
        "domain": "mine",
        "description": "theirs",
        "topics": "",
    }
    rows = [{**row, "choice": row["choice"] or "theirs"} for row in saving.rows]
    assert "Saved" in save(settings, session, ME, draft, rows).result
    kept = load_seed(FolderStore(folder)).seed
    assert (kept.domain, kept.description, kept.topics) == ("Mine", "Theirs.", ["Their topic"])


def test_a_page_that_outlived_the_server_goes_on_as_if_nothing_had_happened(
    settings: Settings, folder: Path
) -> None:
    base = opened(settings)[1]
    session = Session()
    reopen(settings, None, session, ME, base)
    assert "Saved" in save(settings, session, ME, changed(base, domain="Mine"), []).result
    assert load_seed(FolderStore(folder)).seed.domain == "Mine"


def test_a_page_that_outlived_the_server_notices_what_others_saved(
    settings: Settings, folder: Path
) -> None:
    base = opened(settings)[1]
    by_somebody_else(folder, description="Theirs.")
    session = Session()
    reopen(settings, None, session, ME, base)
    saving = save(settings, session, ME, changed(base, domain="Mine"), [])
    assert "Saved" in saving.result  # each changed another part
    kept = load_seed(FolderStore(folder)).seed
    assert (kept.domain, kept.description) == ("Mine", "Theirs.")


def test_a_project_that_cannot_be_read_after_a_restart_is_left_to_saving(
    settings: Settings, folder: Path
) -> None:
    base = opened(settings)[1]
    (folder / layout.SEED).write_text("{broken")
    session = Session()
    reopen(settings, None, session, ME, base)
    assert not session.opened
    assert "not JSON" in save(settings, session, ME, changed(base, domain="Mine"), []).result


def test_what_blocks_and_what_only_warns_is_told_apart_on_the_step(settings: Settings) -> None:
    session, values = opened(settings)
    notes = look_over(session, changed(values, topics=["A", "a", "Crop", "Crops"])).notes["topics"]
    blocks, warns = notes.split('<div class="sb-problems ">')
    assert 'class="sb-problems bad"' in blocks
    assert "Before you can save" in blocks
    assert "are the same" in blocks
    assert "Worth a look" in warns
    assert "look alike" in warns


def test_what_an_example_names_can_be_put_right_with_one_click(settings: Settings) -> None:
    session, values = opened(settings)
    example = {**values[6][0], "topic": "Bees"}
    note = look_over(session, changed(values, examples=[example])).notes["examples"]
    assert 'data-fix="add" data-kind="topic" data-number="1"' in note
    assert "Add it to your topics" in note
    assert 'data-fix="clear" data-kind="topic" data-number="1"' in note


def test_marks_follow_what_is_written(settings: Settings) -> None:
    session, values = opened(settings)
    marks = look_over(session, values).marks
    assert {step: mark["mark"] for step, mark in marks.items()} == {
        "domain": "done",
        "expert": "done",
        "topics": "done",
        "perspectives": "done",
        "examples": "done",
        "preview": "open",
        "publish": "done",
    }
    marks = look_over(session, changed(values, topics=["A", "a"], perspectives=[])).marks
    assert marks["topics"] == {"mark": "warn", "count": 2}
    assert marks["perspectives"] == {"mark": "open", "count": None}
    assert marks["publish"]["mark"] == "warn"


@pytest.mark.parametrize(
    ("project", "message"),
    [
        ("", "does not know its project yet"),
        ("./no-such-folder", "There is no project"),
        ("no project name", "no project name"),
    ],
)
def test_a_project_that_is_not_there_is_explained(project: str, message: str) -> None:
    page = open_page(Settings(project=project), None, Session(), ME)
    assert message in page.setup
    assert page.keeper == {"state": "setup"}


def test_a_broken_seed_file_is_explained_and_left_alone(settings: Settings, folder: Path) -> None:
    (folder / layout.SEED).write_text("{broken")
    page = open_page(settings, None, Session(), ME)
    assert "seed_data.json is not JSON" in page.setup
    assert (folder / layout.SEED).read_text() == "{broken"
    (folder / layout.SEED).write_bytes(a_seed().to_json())
    assert open_page(settings, None, Session(), ME).setup == ""


# ---- on a Space ----


def space(hub: HubServer) -> tuple[Settings, str]:
    """A Space on a private dataset of ana's, and ana's own token."""
    owner = hub.add_user("ana", "hf_owner")
    make_project(HubStore("ana/farm", token=owner, hub=hub.url), a_seed(), Project())
    return Settings("ana/farm", hf_token=owner, hub=hub.url, on_space=True), owner


def test_who_is_not_signed_in_may_look_but_not_save(hub: HubServer) -> None:
    settings, _ = space(hub)
    session, values = opened(settings, Visitor())
    saving = save(settings, session, Visitor(), changed(values, domain="Mine"), [])
    assert "You are not signed in" in saving.result
    assert saving.keeper is None
    assert Seed.from_json(hub.files("ana/farm")[layout.SEED]).domain == "Farming"


def test_who_may_only_read_is_told_so(hub: HubServer) -> None:
    settings, _ = space(hub)
    reader = Visitor("ana", hub.add_token("ana", "read"))
    session, values = opened(settings, reader)
    saving = save(settings, session, reader, changed(values, domain="Mine"), [])
    assert 'class="sb-note bad"' in saving.result
    assert "ana/farm" in saving.result
    assert Seed.from_json(hub.files("ana/farm")[layout.SEED]).domain == "Farming"


def test_saving_acts_with_the_visitors_own_rights(hub: HubServer) -> None:
    settings, _ = space(hub)
    writer = Visitor("ana", hub.add_token("ana", "write"))
    session, values = opened(settings, writer)
    assert "Saved" in save(settings, session, writer, changed(values, domain="Mine"), []).result
    assert opened(settings)[1][0] == "Mine"


def test_a_private_project_is_read_by_a_visitor_when_the_space_has_no_token(
    hub: HubServer,
) -> None:
    settings, owner = space(hub)
    alone = Settings("ana/farm", hub=hub.url, on_space=True)
    assert "ana/farm" in open_page(alone, None, Session(), Visitor()).setup
    assert opened(alone, Visitor("ana", owner))[1] == opened(settings)[1]


def test_a_wrong_token_is_explained(hub: HubServer) -> None:
    space(hub)
    wrong = Settings("ana/farm", hf_token="hf_wrong", hub=hub.url)
    page = open_page(wrong, None, Session(), ME)
    assert "token" in page.setup.lower()
    assert page.keeper["state"] == "setup"


def test_an_outage_while_saving_keeps_everything_and_can_be_repeated(hub: HubServer) -> None:
    settings, owner = space(hub)
    who = Visitor("ana", owner)
    session, values = opened(settings, who)
    mine = changed(values, domain="Mine")
    with hub.outage():
        saving = save(settings, session, who, mine, [])
        assert 'class="sb-note bad"' in saving.result
        assert saving.keeper is None
        assert open_page(settings, None, Session(), who).setup
    assert "Saved" in save(settings, session, who, mine, []).result


def test_a_412_shows_both_versions(hub: HubServer) -> None:
    settings, owner = space(hub)
    who = Visitor("ana", owner)
    session, values = opened(settings, who)
    theirs = a_seed().model_copy(update={"domain": "Theirs"})
    hub.write("ana/farm", {layout.SEED: theirs.to_json()})
    saving = save(settings, session, who, changed(values, domain="Mine"), [])
    assert [(row["mine"], row["theirs"]) for row in saving.rows] == [("Mine", "Theirs")]
