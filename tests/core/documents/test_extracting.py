"""Files of every kind, and files that were made to do harm, read in a process of their own."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.documents.cleaning import clean, decode
from pipeline.core.documents.extracting import extract
from pipeline.core.documents.formats import Extracted, read
from pipeline.core.documents.limits import MOST_BYTES, MOST_CHARACTERS, Refused
from pipeline.core.documents.markup import read_html
from tests.documents import COVER_CROPS, a_docx, a_pdf, paragraph, table

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
PAGE = """<!doctype html><html><head><title>Cover  crops</title>
<style>p { color: red }</style></head>
<body><nav>Home</nav><h1>Cover <b>crops</b></h1><p>Sow in<br>autumn. <a href="x">Rye</a> is
<i>hardy</i>.</p><ul><li>one<ul><li>deep</li></ul></li><li><p>two</p></li><li></li></ul>
<ol><li>first</li><li>second</li></ol>
<table><tr><th>Crop</th> <th>Rate</th></tr><tr><td><p>Rye</p></td> <td>120 kg</td></tr></table>
<script>document.write("never")</script>
<div style="display: none">never</div><p hidden>never</p>
<svg><text>never</text></svg><iframe src="http://127.0.0.1:9/"></iframe><p>5 &lt; 6</p>
</body></html>
"""


def _reason(data: bytes, name: str) -> str:
    with pytest.raises(Refused) as caught:
        read(data, name)
    assert name.rpartition("/")[2] in str(caught.value)
    return caught.value.reason


def test_a_pdf_is_read_page_by_page() -> None:
    found = extract(a_pdf(COVER_CROPS, title="Cover crops"), "guide.pdf")
    assert found.kind == "pdf"
    assert found.text == "\n\n".join(COVER_CROPS)
    assert (found.title, found.pages) == ("Cover crops", 2)
    assert found.extracted_with.startswith("pypdf ")


def test_a_word_file_keeps_headings_lists_and_tables() -> None:
    body = paragraph("Cover crops", 1) + paragraph("Rye & clover.") + paragraph("Rates", 2)
    found = extract(a_docx(body + table(["Crop", "Rate"], ["Rye", "120 kg"])), "guide.docx")
    assert found == Extracted(
        "docx",
        "Cover crops",
        "# Cover crops\n\nRye & clover.\n\n## Rates\n\nCrop | Rate\nRye | 120 kg",
        None,
        found.extracted_with,
    )


def test_a_page_is_read_as_somebody_sees_it() -> None:
    found = extract(PAGE.encode(), "page.html")
    assert found.title == "Cover crops"
    assert found.text == (
        "# Cover crops\n\nSow in\nautumn. Rye is hardy.\n\n- one\n  - deep\n- two\n\n"
        "1. first\n2. second\n\nCrop | Rate\nRye | 120 kg\n\n5 < 6"
    )


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (a_pdf(["text"]), "guide.docx", "pdf"),
        (a_docx(paragraph("text")), "guide.pdf", "docx"),
        (b"<!DOCTYPE html><p>text</p>", "guide.txt", "html"),
        (b"# text\n", "guide.md", "md"),
        (b"text", "guide.pdf", "txt"),
        (b"<p>text</p>", "guide.htm", "html"),
        ("text".encode("utf-16"), "guide.txt", "txt"),
    ],
)
def test_the_content_tells_what_a_file_is(data: bytes, name: str, kind: str) -> None:
    found = read(data, name)
    assert (found.kind, found.text.strip("# ")) == (kind, "text")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("El año pasado, la cosecha de maíz fue pequeña: ¿por qué?", "cp1252"),
        ("Ação", "latin-1"),
        ("Größe der Böden: „Ton“", "cp1252"),
        ("Урожай пшеницы в этом году был большим, и земля отдыхала.", "cp1251"),
        ("今年の小麦の収穫は多かった。土地は休んでいた。", "shift_jis"),
        ("今年的小麦收成很好。土地正在休息。", "utf-16"),
        ("Größe 麦", "utf-8-sig"),
    ],
)
def test_old_encodings_are_recognised(text: str, encoding: str) -> None:
    assert clean(decode(text.encode(encoding))) == text


def test_a_page_says_its_own_encoding() -> None:
    page = '<meta charset="koi8-r"><p>Урожай</p>'
    assert read(page.encode("koi8-r"), "page.html").text == "Урожай"


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "a.txt", "empty"),
        (b" \n\t\0 ", "a.txt", "empty"),
        (a_pdf(["secret"], password="long"), "a.pdf", "encrypted"),
        (OLE + "EncryptedPackage".encode("utf-16-le"), "a.docx", "encrypted"),
        (OLE + b"old", "a.doc", "kind"),
        (a_pdf(["", ""]), "scan.pdf", "no_text"),
        (a_docx(""), "a.docx", "no_text"),
        (b"%PDF-1.7 and nothing more", "a.pdf", "broken"),
        (a_pdf(["x" * 500])[:400], "a.pdf", "broken"),
        (a_docx(paragraph("x"))[:300], "a.docx", "broken"),
        (b"PK\x03\x04", "a.zip", "broken"),
        (b"\x89PNG\r\n\x1a\n", "a.txt", "kind"),
        (bytes(range(256)) * 20, "a.txt", "kind"),
        (b"{\\rtf1 text}", "a.rtf", "kind"),
        (b"a" * (MOST_CHARACTERS + 1), "a.txt", "too_long"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_for_its_reason(data: bytes, name: str, reason: str) -> None:
    assert _reason(data, name) == reason


def test_a_pdf_that_only_forbids_printing_is_read() -> None:
    assert read(a_pdf(["open to all"], password=""), "a.pdf").text == "open to all"


def test_a_bomb_is_not_unpacked() -> None:
    bomb = a_docx("", {"word/document.xml": b"<w>" + b" " * 60_000_000})
    assert len(bomb) < 100_000
    assert _reason(bomb, "bomb.docx") == "too_heavy"
    pictures = a_docx(paragraph("x"), {f"word/media/{n}.png": b"\0" * 60_000_000 for n in range(4)})
    assert _reason(pictures, "pictures.docx") == "too_heavy"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_in_a_word_file_are_refused(encoding: str) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    xml = f'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY l0 "ha">{laughs}]><w>&l9;</w>'
    data = a_docx("", {"word/document.xml": xml.encode(encoding)})
    assert _reason(data, "laughs.docx") == "broken"


def test_entities_in_a_page_stay_as_they_are() -> None:
    page = '<!DOCTYPE html [<!ENTITY a "haha">]><p>&a;&a; end</p>'
    assert "haha haha" not in read(page.encode(), "a.html").text


def test_a_file_on_which_a_library_never_ends_is_given_up() -> None:
    data = b"<div>" * 150_000 + b"x"
    began = time.monotonic()
    with pytest.raises(Refused) as caught:
        extract(data, "deep.html", seconds=1)
    assert caught.value.reason == "too_slow"
    assert time.monotonic() - began < 8


def test_a_file_that_is_too_large_is_not_looked_at() -> None:
    with pytest.raises(Refused, match="20 MB"):
        extract(b"a" * (MOST_BYTES + 1), "large.txt")


def test_whoever_reads_knows_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def run(*_: object, **options: object) -> None:
        seen.update(options)
        raise RuntimeError

    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr("pipeline.core.documents.extracting.subprocess.run", run)
    with pytest.raises(RuntimeError):
        extract(b"text", "a.txt")
    assert "hf_secret" not in str(seen)
    assert os.environ["HF_TOKEN"] == "hf_secret"


def test_names_are_no_paths_and_no_options() -> None:
    for name in ("../../x.txt", "-c", "--help", "a\0b.txt", "n" * 5_000, "\ud800.txt"):
        assert extract(b"text", name).text == "text"


@given(st.text(max_size=200))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert not any(ord(letter) < 32 and letter != "\n" for letter in once)
    assert once == once.strip("\n")
    once.encode()


@given(st.text(alphabet=st.sampled_from(list('<>/abhtdlirpu=" &;\n')), max_size=120))
def test_any_page_can_be_read(html: str) -> None:
    clean(read_html(html)[0])


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for name in ("a.txt", "a.html", "a.docx"):
        try:
            assert read(data, name).text
        except Refused as refused:
            assert refused.reason in ("empty", "kind", "broken", "no_text", "encrypted")
