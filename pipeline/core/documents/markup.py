"""HTML as text in reading order: headings and lists as in Markdown, tables row by row.

What a reader of the page would not see is left out: scripts, styles, what is hidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

# fmt: off
_LEFT_OUT: Final = {
    "audio", "button", "canvas", "datalist", "dialog", "embed", "head", "iframe", "input", "map",
    "math", "nav", "noscript", "object", "option", "script", "select", "style", "svg", "template",
    "textarea", "video",
}
_BLOCKS: Final = {
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details",
    "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3",
    "h4", "h5", "h6", "header", "hr", "legend", "li", "main", "ol", "p", "pre", "section",
    "summary", "table", "ul",
}
# fmt: on
_HEADINGS: Final = {f"h{level}": "#" * level for level in range(1, 7)}
_LISTS: Final = {"ul", "ol"}
_TIGHT: Final = {"li", "dd", "dt", "ul", "ol"}
_DEEPEST: Final = 8
_HIDDEN: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_BLANK: Final = re.compile(r"\s+")


def read_html(html: str) -> tuple[str, str]:
    """The text of a page, and its title or an empty string."""
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 - only where documents are read

    tree = LexborHTMLParser(html)
    found = tree.css_first("title")
    title = found.text(deep=True) if found is not None else ""
    page = _Page()
    if tree.body is not None:
        page.read(tree.body)
    return page.text(), _BLANK.sub(" ", title).strip()


class _Page:
    """Collects what a page says; goes through it without recursion, however deep it is nested."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._lists: list[int | None] = []
        self._quiet = self._pre = self._cell = 0
        self._ends = 0
        """Line ends that come before the next text."""
        self._bare = True
        """Whether a space would be one too many, as at the start of a line."""
        self._bullet = ""
        self._first_cell = True

    def text(self) -> str:
        """All of it."""
        return "".join(self._parts)

    def read(self, top: LexborNode) -> None:
        """Go through ``top`` and all that is in it, in order."""
        for node, entering in _walk(top):
            tag = node.tag or ""
            if tag == "-text":
                if entering and not self._quiet:
                    self._say(node.text_content or "")
            elif _left_out(node, tag):
                self._quiet += 1 if entering else -1
            elif not self._quiet:
                self._tag(tag, entering)

    def _tag(self, tag: str, entering: bool) -> None:
        if tag in ("td", "th"):
            self._cell_of_row(entering)
        elif self._cell:
            if tag in _BLOCKS or tag == "br":
                self._say(" ")
        elif tag == "br":
            if entering:
                self._end(min(self._ends + 1, 2))
        elif tag == "tr":
            self._end(1)
            self._first_cell = True
        elif tag in _BLOCKS:
            self._block(tag, entering)

    def _block(self, tag: str, entering: bool) -> None:
        self._end(1 if tag in _TIGHT and (self._lists or tag not in _LISTS) else 2)
        if tag in _LISTS:
            if entering:
                self._lists.append(1 if tag == "ol" else None)
            else:
                self._lists.pop()
        elif tag == "pre":
            self._pre += 1 if entering else -1
        elif tag == "li":
            self._bullet = self._next_bullet() if entering else ""
        elif tag in _HEADINGS:
            self._bullet = f"{_HEADINGS[tag]} " if entering else ""

    def _next_bullet(self) -> str:
        indent = "  " * min(max(len(self._lists) - 1, 0), _DEEPEST)
        number = self._lists[-1] if self._lists else None
        if number is None:
            return f"{indent}- "
        self._lists[-1] = number + 1
        return f"{indent}{number}. "

    def _cell_of_row(self, entering: bool) -> None:
        if entering:
            if not self._first_cell:
                self._put(" | ")
            self._first_cell = False
            self._bare = True
        self._cell += 1 if entering else -1

    def _say(self, text: str) -> None:
        if self._pre and not self._cell:
            self._put(text)
            return
        text = _BLANK.sub(" ", text)
        if self._bare or self._ends:
            text = text.lstrip(" ")
        if text:
            self._put(text)
            self._bare = text.endswith(" ")

    def _put(self, text: str) -> None:
        if self._parts:
            self._parts.append("\n" * self._ends)
        self._parts.append(self._bullet + text)
        self._ends, self._bullet = 0, ""

    def _end(self, lines: int) -> None:
        if not self._bullet:
            self._ends = max(self._ends, lines)


def _walk(top: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Each node twice: when it is entered, and when it is left."""
    stack: list[tuple[LexborNode, bool]] = [(top, True)]
    while stack:
        node, entering = stack.pop()
        yield node, entering
        if not entering:
            continue
        stack.append((node, False))
        children = []
        child = node.child
        while child is not None:
            children.append(child)
            child = child.next
        stack.extend((child, True) for child in reversed(children))


def _left_out(node: LexborNode, tag: str) -> bool:
    if tag in _LEFT_OUT:
        return True
    if tag.startswith("-"):
        return False
    given = node.attributes
    return "hidden" in given or bool(_HIDDEN.search(given.get("style") or ""))
