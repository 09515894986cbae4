"""One visitor's session, and opening the project for it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pipeline.core.documents.kept import load_documents
from pipeline.core.errors import InvalidInput
from pipeline.core.projects import SavedSeed, load_project, load_seed, require_project
from pipeline.core.schema import GenerationSettings, Seed
from pipeline.core.settings import Settings
from pipeline.core.store import ABSENT, Store
from pipeline.generation.grounding import Grounds, marks_of, read_grounds
from pipeline.generation.ledger import Usage
from pipeline.web.visitor import Visitor, reading_store, writing_store
from seed_space.importing import Import
from seed_space.paying import Saving
from seed_space.versions import Past


@dataclass(slots=True)
class Session:
    """What the server remembers of one visitor; lost when it restarts.

    Attributes:
        opened: Whether ``saved`` was read; False after a restart while the page stayed open.
        saved: The version that the screen started from.
        theirs: A newer version, saved by somebody else, that waits for a choice.
        generation: How the project grows samples, as last read.
        previewed: Fingerprint of the last preview that brought samples.
        documents: Marks of the documents that samples rest on, as last read.
        usage: What each sample of that preview took, by stage of the chain.
        instructions: The project's samples by fingerprint and cell; None until they are counted.
        language: Of the visitor's browser, one of ``pipeline.web.words.LANGUAGES``.
        saving: Whether the visitor may save, as far as it is known.
        bringing: What the visitor brings from elsewhere, before it is on the screen.
        suggested: What was suggested for each list.
        past: What was looked at of the history, and what was restored.
    """

    opened: bool = False
    saved: SavedSeed = field(default_factory=lambda: SavedSeed(Seed(), ABSENT))
    theirs: SavedSeed | None = None
    generation: GenerationSettings = field(default_factory=GenerationSettings)
    previewed: str | None = None
    documents: tuple[str, ...] = ()
    usage: tuple[Mapping[str, Usage], ...] = ()
    instructions: Mapping[str, Mapping[str, int]] | None = None
    language: str = "en"
    saving: Saving = "untold"
    bringing: Import | None = None
    suggested: dict[str, list[str]] = field(default_factory=dict)
    past: Past = field(default_factory=Past)


def open_for(settings: Settings, who: Visitor) -> Store:
    """The project as ``who`` may see it: with the owner's token if there is one, else their own.

    Does no I/O.

    Raises:
        InvalidInput: No project is configured, or its name is none.
    """
    if not settings.project:
        raise InvalidInput(
            "This Space does not know its project yet.",
            "Set the variable SEEDBED_PROJECT to the dataset, such as ana/farming, or to a "
            "folder, then restart.",
        )
    if settings.on_space and settings.hf_token is None and who.token is not None:
        return writing_store(settings, who)
    return reading_store(settings)


def open_session(store: Store, session: Session) -> None:
    """Read what was last saved into ``session``.

    Raises:
        SeedbedError: The project cannot be read now.
    """
    require_project(store)
    session.saved = load_seed(store)
    session.opened = True
    session.theirs = None
    session.previewed = None
    session.usage = ()
    session.instructions = None
    session.past = Past()


def generation_settings(store: Store) -> GenerationSettings:
    """How the project grows samples, read anew since somebody may have changed it."""
    return load_project(store).generation


def grounds_of(store: Store, generation: GenerationSettings) -> Grounds | None:
    """The documents that samples rest on; their texts are read again only when they changed.

    Raises:
        SeedbedError: They cannot be read now.
    """
    documents = load_documents(store).in_use()
    key = (store.name, generation.grounding, marks_of(documents))
    with _reading:
        if key not in _grounds:
            grounds = read_grounds(store, documents, generation)
            _grounds.clear()  # one project has one set of documents at a time
            _grounds[key] = grounds
        return _grounds[key]


_reading: Final = threading.Lock()
_grounds: Final[dict[tuple[str, float, tuple[str, ...]], Grounds | None]] = {}
