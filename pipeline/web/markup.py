"""Text from models, documents and people, made safe to show in a page."""

from __future__ import annotations

from typing import Final

import nh3
from markdown_it import MarkdownIt

# Raw HTML is text here, and images are left out: fetching one tells its server who is reading.
_MARKDOWN: Final = (
    MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
)
# fmt: off
_TAGS: Final = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li",
    "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}
# fmt: on
_ATTRIBUTES: Final = {"a": {"href", "title"}, "ol": {"start"}, "code": {"class"}}
_SCHEMES: Final = {"http", "https", "mailto"}


def to_html(text: str) -> str:
    """Render Markdown as HTML that can do nothing but be read.

    Raw HTML in ``text`` is shown as it is written. The result passes a sanitizer as well, so that
    a fault in the renderer alone lets nothing through.
    """
    return nh3.clean(
        _MARKDOWN.render(text),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
