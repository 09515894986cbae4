from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate_space.study.query import MOST_TERMS, Query, plain


def marked(query: str, text: str) -> str:
    """The text with what is found in brackets."""
    found = Query.of(query)
    segments = found.excerpt(text, 1_000)
    return "".join(f"[{part}]" if hit else part for part, hit in segments)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("plough", "[Ploughing] heavy soil; ámbar [plough]-share"),
        ('"plough"', "Ploughing heavy soil; ámbar [plough]-share"),
        ('"heavy soil"', "Ploughing [heavy soil]; ámbar plough-share"),
        ("HEAVY, so", "Ploughing [heavy] [soil]; ámbar plough-share"),
        ("plough-sh", "Ploughing heavy soil; ámbar [plough-share]"),
        ("AMBAR", "Ploughing heavy soil; [ámbar] plough-share"),
        ("-heavy soil", "Ploughing heavy [soil]; ámbar plough-share"),
        ("h", "Ploughing heavy soil; ámbar plough-share"),
    ],
)
def test_what_is_found_is_marked(query: str, expected: str) -> None:
    assert marked(query, "Ploughing heavy soil; ámbar plough-share") == expected


def test_an_excerpt_is_around_what_is_found_first() -> None:
    text = "word " * 200 + "**clay** soil " + "more " * 200
    segments = Query.of("clay").excerpt(text, 120)
    whole = "".join(part for part, _ in segments)
    assert ["clay", True] in segments
    assert whole.startswith("… ")
    assert whole.endswith(" …")
    assert len(whole) <= 120 + 4
    assert Query().excerpt("short", 120) == [["short", False]]


def test_markup_is_no_part_of_an_excerpt() -> None:
    text = "If it *smears*, wait.\n\n- one\n- <b>two</b> & `three`"
    assert plain(text) == "If it smears, wait. one <b>two</b> & three"


@pytest.fixture(scope="module")
def texts() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE texts USING fts5(text, content='')")
        yield connection


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_whatever_is_typed_can_be_asked(texts: sqlite3.Connection, text: str) -> None:
    query = Query.of(text)
    for term in [*query.wanted, *query.unwanted]:
        texts.execute("SELECT rowid FROM texts WHERE texts MATCH ?", (term.in_fts(),))
    list(query.hits(text))


def test_only_so_many_words_are_looked_for() -> None:
    assert len(Query.of("word " * 500).wanted) == MOST_TERMS
