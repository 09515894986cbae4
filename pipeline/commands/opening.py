"""The project that a command is about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from huggingface_hub import get_token

from pipeline.core.errors import InvalidInput
from pipeline.core.projects import is_folder, open_store, require_project, work_folder
from pipeline.core.settings import Settings, inherited
from pipeline.core.store import Store
from pipeline.core.store_folder import FolderStore


@dataclass(frozen=True, slots=True)
class Opened:
    """A project that is there, and what is configured for it."""

    store: Store
    settings: Settings

    @property
    def work(self) -> Path:
        """Its working files on this machine."""
        return work_folder(self.store, self.settings)


def opened(project: str) -> Opened:
    """The project of that name.

    Raises:
        ProjectNotFound: There is none.
    """
    settings = settings_for(project)
    store = open_store(settings)
    require_project(store)
    return Opened(store, settings)


def settings_for(project: str, *, on_hub: bool = False) -> Settings:
    """What is configured, for ``project``.

    Raises:
        InvalidInput: A folder here seems to be meant, unless it is said to be ``on_hub``.
    """
    settings = Settings.from_env(inherited())
    if not on_hub and not is_folder(project) and FolderStore(project).exists():
        raise InvalidInput(
            f"{project} is a name on the Hub, and also a folder here that holds a project.",
            f"Did you mean ./{project}? If not, run this where there is no such folder.",
        )
    return replace(settings, project=project, hf_token=settings.hf_token or get_token())


def as_folder(path: str) -> str:
    """``path`` as the name of a project in a folder."""
    return path if is_folder(path) else f"./{path}"


def update_card(store: Store) -> None:
    """Bring the project's card up to date with what it holds now."""
    from pipeline.curation.card import update_card as update  # noqa: PLC0415 - slow import

    update(store)
