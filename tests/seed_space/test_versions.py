"""History, restoring and who may save, without a server for the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import layout, versions
from pipeline.core.errors import InvalidInput
from pipeline.core.projects import load_seed, make_project, save_seed
from pipeline.core.schema import Project, Seed
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from pipeline.web.visitor import Visitor
from seed_space import versions_pieces
from seed_space.handlers import look_over, open_page, save
from seed_space.screen import FIELDS, show
from seed_space.session import Session
from seed_space.versions import SCREEN, look, pair, put_back, restore
from seed_space.versions_diff import marked
from tests.factories import a_seed

HOSTILE = "<img src=x onerror=alert(1)>"


def changed(values: list[Any], **changes: object) -> list[Any]:
    return list({**dict(zip(FIELDS, values, strict=True)), **changes}.values())


@pytest.fixture
def store(folder: Path) -> FolderStore:
    made = FolderStore(folder)
    make_project(made, a_seed(), Project())
    return made


def opened(store: FolderStore) -> tuple[Settings, Session, list[Any]]:
    settings, session = Settings(project=store.name), Session()
    return settings, session, open_page(settings, None, session, Visitor()).values


def test_a_restored_version_is_noted_only_as_far_as_it_is_kept(store: FolderStore) -> None:
    settings, session, values = opened(store)
    first = versions.names(store)[0]
    second = changed(values, domain="Second", topics=["Other"])
    save(settings, session, Visitor("bob", None), second, [])
    back, _ = restore(store, session.saved.seed, session.past, second, first)
    assert back == values
    assert load_seed(store).seed.domain == "Second"
    save(settings, session, Visitor("bob", None), changed(back, domain="Third"), [])
    newest = versions.history(store, load_seed(store).seed).entries[0]
    assert (newest.saved_by, newest.restored_from) == ("bob", first)

    back, _ = restore(store, session.saved.seed, session.past, changed(back, domain="Third"), first)
    undone = put_back(session.past, back)
    assert undone[0] == "Third"
    save(settings, session, Visitor(), changed(undone, description="New."), [])
    assert versions.history(store, load_seed(store).seed).entries[0].restored_from == ""
    with pytest.raises(InvalidInput, match="nothing to undo"):
        put_back(session.past, back)


def test_restoring_what_is_on_the_screen_says_so(store: FolderStore) -> None:
    _, session, values = opened(store)
    with pytest.raises(InvalidInput, match="says the same"):
        restore(store, session.saved.seed, session.past, values, versions.names(store)[0])


def test_versions_are_compared_the_older_first(store: FolderStore) -> None:
    settings, session, values = opened(store)
    save(settings, session, Visitor(), changed(values, domain="Second"), [])
    new, old = versions.names(store)
    for one, two in ((new, old), (old, new)):
        pairs = pair(store, session.saved.seed, values, one, two, "en")
        assert [seed.domain for seed in pairs] == ["Farming", "Second"]
    typed = changed(values, domain="Typed")
    assert pair(store, session.saved.seed, typed, new, SCREEN, "en")[1].domain == "Typed"
    with pytest.raises(InvalidInput):
        pair(store, session.saved.seed, values, new, "../project", "en")


def test_a_comparison_marks_words_and_escapes_everything() -> None:
    old = a_seed().model_copy(update={"domain": HOSTILE, "description": "Growing crops slowly."})
    new = a_seed().model_copy(update={"topics": [HOSTILE], "description": "Growing herbs slowly."})
    text = versions_pieces.comparison("en", old, new)
    assert "<img" not in text
    assert "Growing <del>crops</del> slowly." in text
    assert "Growing <ins>herbs</ins> slowly." in text
    assert "(empty)" not in text
    assert "say the same" in versions_pieces.comparison("en", old, old)


def test_only_examples_that_differ_are_compared() -> None:
    example = a_seed().examples[0]
    other = example.model_copy(update={"question": "Other?"})
    old = a_seed().model_copy(update={"examples": [example]})
    new = a_seed().model_copy(update={"examples": [example, other]})
    text = versions_pieces.comparison("en", old, new)
    assert "Other?" in text
    assert example.question not in text


@given(st.text(max_size=60), st.text(max_size=60))
def test_marks_lose_and_add_nothing(before: str, after: str) -> None:
    import html
    import re

    for side, text in zip(marked(before, after), (before, after), strict=True):
        assert html.unescape(re.sub("</?(ins|del)>", "", side)) == text
        assert "<" not in re.sub("</?(ins|del)>", "", side)


def test_long_texts_are_compared_in_bounded_time() -> None:
    import time

    started = time.monotonic()
    marked("word " * 200_000, "other " * 200_000)
    marked("line\n" * 4_000, "other line\n" * 4_000)
    marked("a b c d " * 300, "b a d c " * 300)
    assert time.monotonic() - started < 20


def test_who_was_faster_is_named(store: FolderStore) -> None:
    settings, session, values = opened(store)
    theirs = a_seed().model_copy(update={"domain": "Theirs"})
    save_seed(store, theirs, expect=load_seed(store).etag, message="S", by="bob")
    saving = save(settings, session, Visitor(), changed(values, domain="Mine"), [])
    assert "Saved by bob" in saving.result
    by_hand = a_seed().model_copy(update={"domain": "By hand"})
    store.commit({layout.SEED: by_hand.to_json()}, message="x")
    settings, session, values = opened(store)
    store.commit({layout.SEED: Seed(domain="Again").to_json()}, message="x")
    saving = save(settings, session, Visitor(), changed(values, domain="Mine"), [])
    assert "not saved with Seedbed" in saving.result


def test_saving_is_offered_to_those_who_may(store: FolderStore) -> None:
    _, session, values = opened(store)
    assert not look_over(session, values).changed
    view = look_over(session, changed(values, domain="x"))
    assert (view.changed, view.may_save) == (True, True)
    session.saving = "reader"
    assert not look_over(session, values).may_save


def test_the_history_tells_the_part_only_texts(store: FolderStore) -> None:
    settings, session, values = opened(store)
    save(settings, session, Visitor(HOSTILE, None), changed(values, domain="Second"), [])
    look(store, session.past)
    drawn = versions_pieces.shown(session.past)
    assert [entry["by"] for entry in drawn["entries"]] == [HOSTILE, ""]  # escaped by the browser
    assert show(load_seed(store).seed)[0] == "Second"
