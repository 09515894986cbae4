"""Opening, making, reading and saving a project."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.core import checks, hub, layout, versions
from pipeline.core.changing import load_file, read_file, read_if_there
from pipeline.core.errors import Conflict, FileMissing, ProjectNotFound
from pipeline.core.feedback import Feedback, Parsed, parse_lines
from pipeline.core.schema import Project, Seed, stable_id
from pipeline.core.settings import Settings
from pipeline.core.store import ABSENT, Store, git_oid
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore


@dataclass(frozen=True, slots=True)
class SavedSeed:
    """A seed with the etag that guards the next save; ``ABSENT`` when nothing was saved yet."""

    seed: Seed
    etag: str | None


def open_store(settings: Settings, *, token: str | None = None) -> Store:
    """The store of ``settings.project``, acting with ``token`` or else with the owner's.

    Does no I/O.

    Raises:
        InvalidInput: The name is neither ``user/name`` nor a path.
    """
    if is_folder(settings.project):
        return FolderStore(settings.project)
    return HubStore(settings.project, token=token or settings.hf_token, hub=settings.hub)


def work_folder(store: Store, settings: Settings) -> Path:
    """Where working files of a project go on this machine; never part of the dataset."""
    if isinstance(store, FolderStore):
        return store.work_folder
    # The digest keeps apart projects whose names differ only in what a file name cannot hold.
    name = f"{layout.safe_name(store.name)}-{stable_id(settings.hub, store.name)}"
    return settings.work_dir / name


def is_folder(project: str) -> bool:
    """Tell whether a project's name is a path; other names are meant for the Hub."""
    return project.startswith((".", "/", "~"))


def require_project(store: Store) -> None:
    """Refuse a project that is not there, as far as these credentials can tell.

    Raises:
        ProjectNotFound: With how to make one; on the Hub, also with how to see a private one.
    """
    if store.exists():
        return
    if not is_folder(store.name):
        raise hub.not_found(store.name)
    raise ProjectNotFound(
        f"There is no project {store.name}.",
        f"Make it with: python -m pipeline init {store.name}",
    )


def load_seed(store: Store) -> SavedSeed:
    """The seed as last saved; an empty one if there is none yet."""
    return SavedSeed(*read_file(store, Seed, layout.SEED))


def save_seed(
    store: Store,
    seed: Seed,
    *,
    expect: str | None,
    message: str,
    by: str = "",
    restored_from: str = "",
) -> SavedSeed:
    """Save a seed over the version whose etag is ``expect``, and keep it as a version for ever.

    Saving what is there already writes nothing.

    Args:
        store: The project.
        seed: What to save.
        expect: Etag of the version it replaces; ``ABSENT`` if there is none.
        message: Of the commit.
        by: Hugging Face name of who saves; empty for whoever runs Seedbed.
        restored_from: The version whose words these are again, if they are.

    Raises:
        InvalidInput: The seed has a problem that must be solved before it can be kept.
        Conflict: Somebody saved another version meanwhile; nothing was written.
    """
    checks.require(seed, checks.Level.BLOCKS_SAVING)
    data = seed.to_json()
    there = read_if_there(store, layout.SEED)
    if there is not None and there.data == data:
        return SavedSeed(seed, there.etag)
    if (there.etag if there is not None else ABSENT) != expect:
        raise Conflict(layout.SEED)
    before = Seed.from_json(there.data) if there is not None else Seed()
    kept = versions.files(store, before, seed, by=by, restored_from=restored_from)
    store.commit({layout.SEED: data, **kept}, message=message, expect={layout.SEED: expect})
    saved = store.read(layout.SEED)
    # Had somebody saved again at once, our own etag makes the next save a conflict, as it must.
    return SavedSeed(seed, saved.etag if saved.data == data else git_oid(data))


def load_project(store: Store) -> Project:
    """The project's settings; the defaults if there is no file."""
    return load_file(store, Project, layout.PROJECT)


def read_feedback(store: Store) -> Iterator[Parsed]:
    """Every event in the order of the files' paths, and every line that is none."""
    for path, file in feedback_files(store):
        with file.open("rb") as lines:
            yield from parse_lines(lines, path)


def feedback_files(store: Store) -> Iterator[tuple[str, Path]]:
    """Path in the project and on this machine of each file of feedback, in the order of paths.

    A folder may have a name that ends like one.
    """
    root = store.checkout(layout.FEEDBACK)
    for file in sorted((root / layout.FEEDBACK).rglob("*.jsonl")):
        if file.is_file():
            yield file.relative_to(root).as_posix(), file


def load_feedback(store: Store) -> Feedback:
    """All feedback of a project, folded."""
    feedback = Feedback()
    feedback.add(read_feedback(store))
    return feedback


def make_project(store: Store, seed: Seed, project: Project, *, private: bool = True) -> list[str]:
    """Make a project with its first files; what already exists stays as it is.

    Returns:
        The files that were added; none if the project was there.
    """
    store.create(private=private)
    added = []
    files = {layout.SEED: seed.to_json(), layout.PROJECT: project.to_json()}
    for path, data in files.items():
        try:
            store.read(path)
        except FileMissing:
            kept = versions.files(store, Seed(), seed) if path == layout.SEED else {}
            try:
                store.commit({path: data, **kept}, message=f"Add {path}", expect={path: ABSENT})
            except Conflict:
                continue  # somebody else added it meanwhile, and it is not ours to replace
            added.append(path)
    return added
