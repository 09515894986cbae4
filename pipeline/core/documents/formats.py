"""Each kind of document as text; called in a process of its own, since files may be hostile."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final, Literal

from pipeline.core import packed
from pipeline.core.documents.cleaning import clean, decode
from pipeline.core.documents.limits import MOST_CHARACTERS, Refused

Kind = Literal["pdf", "docx", "html", "md", "txt"]

_UNPACKED: Final = 200_000_000
"""Bytes that all parts of a Word file may have; it is packed about ten times smaller."""
_XML: Final = 50_000_000
"""Bytes that one part of it may have that is parsed."""
_LONGEST_TITLE: Final = 200
_HTML: Final = re.compile(rb"<!doctype\s+html|<html[\s>]|<body[\s>]|<head[\s>]", re.IGNORECASE)
_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.I)
_HEADING: Final = re.compile(r"^#{1,6} +(\S.*)$", re.MULTILINE)
_FOREIGN: Final = (
    b"{\\rtf", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf",
    b"\x7fELF", b"MZ", b"%!PS", b"II*\x00", b"MM\x00*", b"RIFF", b"ID3", b"BZh",
)  # fmt: skip
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PROTECTED: Final = "EncryptedPackage".encode("utf-16-le")


@dataclass(frozen=True, slots=True)
class Extracted:
    """What is in a document.

    Attributes:
        kind: Told from its content, whatever it is called.
        title: As it says itself; empty if it does not.
        text: Clean, in reading order.
        pages: Where it has any.
        extracted_with: The libraries that read it, with their versions.
    """

    kind: Kind
    title: str
    text: str
    pages: int | None
    extracted_with: str


def read(data: bytes, name: str) -> Extracted:
    """The text of a document; ``name`` matters only where content does not tell Markdown from text.

    Raises:
        Refused: There is no text to be had from it.
    """
    kind = kind_of(data, name)
    found = _READERS[kind](data, name)
    text = clean(found.text)
    if not text:
        raise Refused("no_text" if kind in ("pdf", "docx") else "empty", name)
    if len(text) > MOST_CHARACTERS:
        raise Refused("too_long", name, f"{MOST_CHARACTERS:,}")
    title = " ".join(clean(found.title).split())[:_LONGEST_TITLE]
    if not title and (heading := _HEADING.search(text[:2_000])):
        title = heading[1].strip()[:_LONGEST_TITLE]
    return Extracted(kind, title, text, found.pages, " ".join(_with(name) for name in _USED[kind]))


def kind_of(data: bytes, name: str) -> Kind:
    """What a file is, by its content.

    Raises:
        Refused: It is nothing that can be read.
    """
    if not data.strip(b"\0 \t\r\n"):
        raise Refused("empty", name)
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        return _kind_of_zip(data, name)
    if data.startswith(_OLE):  # a Word file of before 2007, or one that is protected
        raise Refused("encrypted" if _PROTECTED in data else "kind", name)
    if data.startswith(_FOREIGN) or _is_binary(data):
        raise Refused("kind", name)
    ending = name.rpartition(".")[2].lower()
    if ending in ("html", "htm", "xhtml") or _HTML.search(data[:4096].replace(b"\0", b"")):
        return "html"
    return "md" if ending in ("md", "markdown") else "txt"


@dataclass(frozen=True, slots=True)
class _Raw:
    text: str
    title: str = ""
    pages: int | None = None


def _kind_of_zip(data: bytes, name: str) -> Kind:
    try:
        if "word/document.xml" in packed.names(data):
            return "docx"
    except packed.Damaged as error:
        raise Refused("broken", name) from error
    raise Refused("kind", name)


def _is_binary(data: bytes) -> bool:
    """Whether it is no text in any encoding: zeros without a byte order mark, or many controls."""
    start = data[:8192]
    if start.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return False
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in start)
    return b"\0" in start or controls > len(start) / 50


def _read_text(data: bytes, name: str) -> _Raw:
    del name
    return _Raw(decode(data))


def _read_html(data: bytes, name: str) -> _Raw:
    from pipeline.core.documents.markup import read_html  # noqa: PLC0415 - with its library

    del name
    declared = _CHARSET.search(data[:4096])
    text, title = read_html(decode(data, declared[1].decode("ascii") if declared else ""))
    return _Raw(text, title)


def _read_pdf(data: bytes, name: str) -> _Raw:
    from pypdf import PdfReader  # noqa: PLC0415 - only where documents are read
    from pypdf.errors import DependencyError, PyPdfError  # noqa: PLC0415

    try:
        reader = PdfReader(io.BytesIO(data))
        # Many are encrypted with an empty password, only to forbid printing or changing them.
        if reader.is_encrypted and not reader.decrypt(""):
            raise Refused("encrypted", name)
        pages = len(reader.pages)
        texts, size = [], 0
        for page in reader.pages:
            texts.append(page.extract_text())
            size += len(texts[-1])
            if size > 2 * MOST_CHARACTERS:
                raise Refused("too_long", name, f"{MOST_CHARACTERS:,}")
        told = reader.metadata
        title = str(told.title or "") if told is not None else ""
    except Refused:
        raise
    except (DependencyError, NotImplementedError) as error:
        raise Refused("encrypted", name) from error
    except RecursionError as error:
        raise Refused("broken", name) from error
    except MemoryError as error:
        raise Refused("too_heavy", name) from error
    except (PyPdfError, ArithmeticError, LookupError, TypeError, ValueError, OSError,
            AttributeError, AssertionError) as error:  # fmt: skip
        raise Refused("broken", name) from error
    return _Raw("\n\n".join(texts), "" if _is_no_title(title) else title, pages)


def _is_no_title(title: str) -> bool:
    """Whether a PDF's title is only what a program put there."""
    return bool(re.search(r"\.\w{2,4}$|^untitled|^microsoft \w+ - ", title.strip(), re.IGNORECASE))


def _read_docx(data: bytes, name: str) -> _Raw:
    import mammoth  # noqa: PLC0415 - only where documents are read

    from pipeline.core.documents.markup import read_html  # noqa: PLC0415 - with its library

    try:
        packed.check(data, most=_UNPACKED, xml=_XML)
        found = mammoth.convert_to_html(
            io.BytesIO(data),
            include_embedded_style_map=False,
            convert_image=mammoth.images.img_element(lambda _image: {}),
        )
        text, title = read_html(found.value)
    except (packed.Swollen, MemoryError) as error:
        raise Refused("too_heavy", name) from error
    except Exception as error:  # mammoth has no errors of its own: whatever it trips over
        raise Refused("broken", name) from error
    return _Raw(text, title)


def _with(library: str) -> str:
    return f"{library} {version(library)}" if library != "seedbed" else "seedbed"


_READERS: Final[dict[Kind, Callable[[bytes, str], _Raw]]] = {
    "pdf": _read_pdf,
    "docx": _read_docx,
    "html": _read_html,
    "md": _read_text,
    "txt": _read_text,
}
_USED: Final[dict[Kind, tuple[str, ...]]] = {
    "pdf": ("pypdf",),
    "docx": ("mammoth", "selectolax"),
    "html": ("selectolax",),
    "md": ("seedbed",),
    "txt": ("seedbed",),
}
