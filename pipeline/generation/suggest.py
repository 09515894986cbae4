"""Suggests topics and perspectives that a seed does not have yet; a person takes or leaves each.

The prompts are in ``suggesting/`` and not among those of samples: what is suggested decides
nothing about a batch, so they are no part of its fingerprint.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from functools import cache, partial
from typing import Any, Final, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.core.errors import InvalidInput, ModelUnavailable
from pipeline.core.likeness import unlike
from pipeline.core.schema import STAND_INS, GenerationSettings, ModelChoice, Seed, unique
from pipeline.generation.access import ModelAccess, find_endpoint
from pipeline.generation.chat import ChatClient, Patience
from pipeline.generation.ledger import Ledger, prompt_bound
from pipeline.generation.parsing import json_values, without_thinking
from pipeline.generation.prompting import Messages, mend_messages
from pipeline.generation.traffic import Traffic

Kind = Literal["topics", "perspectives"]

COUNT: Final = 8
"""Suggestions at a time."""
FIRST_WAIT = 0.5
"""Seconds before the first retry of a call."""

_LONGEST: Final = 80
"""Characters of a suggestion; what is longer is no name."""
_MOST_WORDS: Final = 10
_SHOWN: Final = 150
"""Entries of a list in the prompt, and names already suggested, the newest."""
_MOST_TOKENS: Final = 600
_THINKING_ROOM: Final = 4_000
"""Tokens for models that think before they answer, if the settings leave as many."""
_PATIENCE: Final = 15.0
"""Seconds that a server may ask to wait; a person at a screen waits no longer."""

_MARKED = re.compile(r"^\s*(?:[-*•–‣]|[(\[]?\d{1,2}[.):\]])\s+(?P<text>\S.*)$")  # noqa: RUF001
_STRIPPED: Final = " \t\"'“”„«»*_`.,;:"
_KEYS: Final = ("name", "topic", "perspective", "text", "title", "entry")
_ADDRESS = re.compile(r"https?:|www\.|<[/a-z!]", re.IGNORECASE)


def needs_model(settings: GenerationSettings) -> bool:
    """Tell whether there is only the stand-in, which knows nothing to suggest."""
    return settings.for_instructions().model in STAND_INS


async def suggest(
    kind: Kind,
    seed: Seed,
    settings: GenerationSettings,
    access: ModelAccess,
    *,
    avoid: Sequence[str] = (),
    documents: Sequence[str] = (),
) -> list[str]:
    """New entries for one list of a seed, in its language; cancelling hangs up on the model.

    Args:
        kind: For which list.
        seed: What the expert has written so far.
        settings: Names the model: the one that writes instructions.
        access: Whose credentials.
        avoid: What was suggested before.
        documents: Names of the project's documents.

    Returns:
        At most ``COUNT``, none of them like one that is there or is to be avoided; none at all if
        the model has no more.

    Raises:
        ModelUnavailable: The model did not answer, or not with a list.
        NotSignedIn: A credential is missing or unusable.
        InvalidInput: There is only the stand-in, or nothing to suggest from.
    """
    if needs_model(settings):
        raise InvalidInput(
            "Suggestions need a language model, and this project has none.",
            "Name one in project.json, under generation, models.",
        )
    if not seed.domain.strip():
        raise InvalidInput(
            "Without a name of the domain there is nothing to suggest from.",
            "Name the domain first.",
        )
    choice = settings.for_instructions()
    messages = prompt(kind, seed, avoid=avoid, documents=documents)
    found = await _ask(choice, messages, access, settings.timeout)
    return unlike(found, [*getattr(seed, kind), *avoid])[:COUNT]


def prompt(
    kind: Kind, seed: Seed, *, avoid: Sequence[str] = (), documents: Sequence[str] = ()
) -> Messages:
    """The messages that are sent."""
    facts = {
        "kind": kind,
        "count": COUNT,
        "language": seed.language_name(),
        "domain": _line(seed.domain),
        "description": _fenced(seed.description),
        "expert": _fenced(seed.domain_expert_prompt[:4_000]),
        "topics": [_line(text) for text in unique(seed.topics)[:_SHOWN]],
        "perspectives": [_line(text) for text in unique(seed.perspectives)[:_SHOWN]],
        "documents": [_line(name) for name in documents[:_SHOWN]],
        "avoid": [_line(text) for text in avoid[-_SHOWN:]],
    }
    return [
        {"role": "system", "content": _render("system", facts)},
        {"role": "user", "content": _render("user", facts)},
    ]


def parse(text: str) -> list[str] | None:
    """The names in a reply, each once; None if it holds no list."""
    text = without_thinking(text)
    for candidate in _json_lists(text):
        return _kept(candidate)
    marked = [match["text"] for line in text.splitlines() if (match := _MARKED.match(line))]
    return _kept(marked) if len(marked) > 1 else None


async def _ask(
    choice: ModelChoice, messages: Messages, access: ModelAccess, timeout: float
) -> list[str]:
    patience = Patience(timeout, first_wait=FIRST_WAIT, longest_wait=2.0, longest_asked=_PATIENCE)
    ledger = Ledger()
    lane = Traffic(1).lane(
        choice.base_url or "", choice.model, requests_per_minute=None, tokens_per_minute=None
    )
    parameters: dict[str, Any] = {
        "temperature": choice.temperature,
        "max_tokens": max(_MOST_TOKENS, min(choice.max_tokens, _THINKING_ROOM)),
    }
    if choice.top_p is not None:
        parameters["top_p"] = choice.top_p
    async with aclosing(ChatClient(find_endpoint(choice, access), patience, lane)) as client:
        for last in (False, True):
            account = partial(ledger.bill, "suggestion", choice, messages)
            reply = await client.ask(messages, parameters, account, prompt_bound(messages) // 4)
            found = parse(reply.text)
            if found:
                return found
            if not last:
                messages = mend_messages(messages, reply.text[:4_000], "there is no list in it")
    raise ModelUnavailable(
        f"{choice.model} answered, but not with a list of names.",
        "Try again; if it persists, choose another model in project.json.",
    )


def _json_lists(text: str) -> Iterator[list[Any]]:
    for value in json_values(text, "[]"):
        inside = value.values() if isinstance(value, dict) else [value]
        found = next((inner for inner in inside if isinstance(inner, list)), None)
        if found is not None:
            yield found


def _kept(items: Iterable[Any]) -> list[str]:
    texts = (_name(item) for item in items)
    return unique(text for text in texts if text is not None)


def _name(item: object) -> str | None:
    """A name as a person would write it; None for what is none."""
    if isinstance(item, dict):
        item = next((item[key] for key in _KEYS if isinstance(item.get(key), str)), None)
    if not isinstance(item, str):
        return None
    # Signs that cannot be seen can turn a text around or hide in it.
    text = "".join(c for c in item if unicodedata.category(c) not in ("Cf", "Cs", "Co", "Cn"))
    match = _MARKED.match(text)
    text = " ".join((match["text"] if match else text).split()).strip(_STRIPPED)
    sensible = 0 < len(text) <= _LONGEST and len(text.split()) <= _MOST_WORDS
    if not sensible or not any(map(str.isalpha, text)) or _ADDRESS.search(text):
        return None
    return text


def _fenced(text: str) -> str:
    """Text that cannot end the tags it is put between."""
    return re.sub(r"<(/?\s*field)", r"&lt;\1", text.strip(), flags=re.IGNORECASE)


def _line(text: str) -> str:
    return _fenced(" ".join(text.split())[:300])


def _render(name: str, facts: dict[str, Any]) -> str:
    return _environment().get_template(f"{name}.jinja2").render(facts).strip()


@cache
def _environment() -> Environment:
    return Environment(  # noqa: S701 - plain text for a model, where escaping would do harm
        loader=PackageLoader("pipeline.generation", "suggesting"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
