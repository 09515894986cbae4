"""A project in a dataset repository on the Hub: the one module that talks to the Hub's storage.

What its client does not do by itself, and this module does: it never falls back on a cached copy
or on a login of the machine, it bounds every wait, it re-reads the head after an error before
deciding whether a commit was applied, and it guards single files rather than the whole branch.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Final

from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from huggingface_hub.constants import HF_HUB_CACHE
from huggingface_hub.errors import EntryNotFoundError
from huggingface_hub.hf_api import RepoFile

from pipeline.core import hub as hub_client
from pipeline.core import layout
from pipeline.core.errors import (
    Conflict,
    FileMissing,
    InvalidInput,
    ProjectNotFound,
    RateLimited,
    StoreUnavailable,
)
from pipeline.core.hub import MovedOn
from pipeline.core.store import Content, Data, StoredFile, git_oid, lfs_oid
from pipeline.core.trees import Entries, Trees

_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_ATTEMPTS: Final = 6
_EMPTY: Final = Path(HF_HUB_CACHE) / "seedbed-empty"  # never made, so never anything in it


class HubStore:
    """A project in the dataset repository ``name``; see ``pipeline.core.store.Store``.

    Args:
        name: ``user/name``.
        token: Acts as this token's owner; None is anonymous, whoever is logged in on the machine.
        hub: Base URL of the Hub.

    Raises:
        InvalidInput: ``name`` is not of the form ``user/name``.
    """

    def __init__(self, name: str, *, token: str | None, hub: str) -> None:
        if not _NAME.fullmatch(name):
            raise InvalidInput(
                f"{name!r} names no project.",
                "Write user/name for one on the Hub, or a path that starts with ./ for a folder.",
            )
        self._name = name
        self._signed_in = token is not None
        self._api = hub_client.client(hub, token)
        self._trees = Trees(self._folder_at)

    @property
    def name(self) -> str:
        """``user/name``."""
        return self._name

    def exists(self) -> bool:
        """Tell whether this token can see the repository."""
        try:
            self._head()
        except ProjectNotFound:
            return False
        return True

    def create(self, *, private: bool = True) -> None:
        """Make the repository."""
        with self._errors():
            self._api.create_repo(self._name, repo_type="dataset", private=private, exist_ok=True)

    def can_write(self) -> bool:
        """Tell whether the token's owner may write here, as far as the Hub tells beforehand.

        Whoever may perhaps write can try: the Hub itself refuses a commit.
        """
        return self._role() in ("admin", "write", "contributor", "untold")

    def surely_writes(self) -> bool:
        """Tell whether the Hub says for sure that the token's owner may write here.

        For what is then done with other credentials than theirs. A contributor to an organisation
        writes to what they made themselves, and who made this is not told.
        """
        return self._role() in ("admin", "write")

    def _role(self) -> str | None:
        """What the token's owner is where the repository is; None: nobody who may write."""
        if not self._signed_in:
            return None
        with self._errors():
            who = self._api.whoami()
            token = (who.get("auth") or {}).get("accessToken") or {}
            owner = self._name.split("/")[0]
            orgs = {org["name"]: org.get("roleInOrg") or "untold" for org in who.get("orgs") or []}
            if token.get("role") == "read":
                return None
            return "admin" if owner == who["name"] else orgs.get(owner)

    def files(self, prefix: str = "") -> list[StoredFile]:
        """The files under ``prefix`` on the main branch now."""
        return self._files_at(self._head(), prefix)

    def paths(self, prefix: str = "") -> list[str]:
        """The paths under ``prefix``; only what changed since the last time is asked for."""
        return self._trees.paths(self._head(), layout.checked(prefix) if prefix else "")

    def version(self) -> str:
        """The newest commit."""
        return self._head()

    def commits_since(self, seconds: float) -> int:
        """Read the history, newest first, as far back as needed."""
        since = datetime.now(UTC) - timedelta(seconds=seconds)
        with self._errors(reading=True):
            dates = hub_client.commit_dates(self._api, self._name)
            return sum(1 for _ in takewhile(lambda date: date > since, dates))

    def read(self, path: str) -> Content:
        """The newest content of one file."""
        head = self._head()
        found = self._info(path, head)
        with self._errors():
            # Pinned to a commit: a cached copy of it cannot be stale.
            local = self._api.hf_hub_download(self._name, path, repo_type="dataset", revision=head)
        return Content(Path(local).read_bytes(), found.etag)

    def size(self, path: str) -> int:
        """The bytes of one file."""
        return self._info(path, self._head()).size

    def _info(self, path: str, head: str) -> StoredFile:
        with self._errors():
            found = self._api.get_paths_info(
                self._name, [layout.checked(path)], revision=head, repo_type="dataset"
            )
        if not found or not isinstance(found[0], RepoFile):
            raise FileMissing(f"{self._name} has no file {path}.", "Check the file's name.")
        return _stored(found[0])

    def checkout(self, prefix: str) -> Path:
        """A snapshot of the files under ``prefix`` at the newest commit, complete or an error."""
        head = self._head()
        wanted = self._files_at(head, layout.checked(prefix))
        if not wanted:
            return _EMPTY
        with self._errors():
            folder = Path(
                self._api.snapshot_download(
                    self._name,
                    repo_type="dataset",
                    revision=head,
                    allow_patterns=[f"{prefix}/**"],
                )
            )
        # The client answers with a partial copy when the Hub fails between two of its calls.
        if missing := [file.path for file in wanted if not (folder / file.path).exists()]:
            raise StoreUnavailable(
                f"{len(missing)} files of {self._name} could not be fetched, such as {missing[0]}.",
                "Try again in a moment.",
            )
        return folder

    def commit(
        self,
        files: Mapping[str, Data],
        *,
        message: str,
        expect: Mapping[str, str | None] | None = None,
        remove: Collection[str] = (),
    ) -> None:
        """Write all of ``files`` and remove what is in ``remove`` in one commit, or nothing."""
        for path in (*files, *remove):
            layout.checked(path)
        for attempt in range(_ATTEMPTS):
            head = self._head()
            gone = sorted(self._etags(list(remove), head)) if remove else []
            if not gone and self._holds(files, head):
                return  # already there, or an earlier attempt was applied and its reply lost
            self._check_unchanged(expect or {}, head)
            try:
                self._commit_once(files, gone, message, head if expect or gone else None)
            except MovedOn:
                continue  # somebody else committed; look again whether it was to a guarded file
            except StoreUnavailable as error:
                if isinstance(error, RateLimited) or attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(min(2**attempt / 4, 4))
            else:
                return
        raise StoreUnavailable(
            f"{self._name} is being changed by others too fast to add a commit.",
            "Try again in a moment; nothing was written.",
        )

    def _commit_once(
        self, files: Mapping[str, Data], gone: Collection[str], message: str, parent: str | None
    ) -> None:
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationAdd(path_in_repo=path, path_or_fileobj=data)
            for path, data in files.items()
        ]
        operations += [CommitOperationDelete(path_in_repo=path) for path in gone]
        with self._errors():
            self._api.create_commit(
                self._name,
                operations,
                commit_message=message,
                repo_type="dataset",
                parent_commit=parent,
            )

    def _head(self) -> str:
        with self._errors(reading=True):
            # Without expand the answer names every file of the repository.
            sha = self._api.dataset_info(self._name, expand=["sha"]).sha
        if not sha:
            raise StoreUnavailable(f"The Hub told no version of {self._name}.", "Try again.")
        return sha

    def _files_at(self, head: str, prefix: str) -> list[StoredFile]:
        entries = self._folder_at(head, layout.checked(prefix) if prefix else "", True)
        found = [_stored(entry) for entry in entries if isinstance(entry, RepoFile)]
        return sorted(found, key=lambda file: file.path)

    def _folder_at(self, head: str, folder: str, recursive: bool) -> Entries:
        """What is in a folder (the whole repository: ``""``); nothing if there is no such one."""
        with self._errors():
            try:
                return list(
                    self._api.list_repo_tree(
                        self._name,
                        folder or None,
                        recursive=recursive,
                        revision=head,
                        repo_type="dataset",
                    )
                )
            except EntryNotFoundError:
                return []

    def _etags(self, paths: list[str], head: str) -> dict[str, str]:
        found: dict[str, str] = {}
        with self._errors():
            for start in range(0, len(paths), 100):
                for entry in self._api.get_paths_info(
                    self._name, paths[start : start + 100], revision=head, repo_type="dataset"
                ):
                    if isinstance(entry, RepoFile):
                        found[entry.path] = _stored(entry).etag
        return found

    def _holds(self, files: Mapping[str, Data], head: str) -> bool:
        etags = self._etags(list(files), head)
        return all(
            etags.get(path) in (git_oid(data), lfs_oid(data)) for path, data in files.items()
        )

    def _check_unchanged(self, expect: Mapping[str, str | None], head: str) -> None:
        if expect:
            etags = self._etags(list(expect), head)
            for path, etag in expect.items():
                if etags.get(path) != etag:
                    raise Conflict(path)

    def _errors(self, *, reading: bool = False) -> AbstractContextManager[None]:
        return hub_client.errors(self._name, signed_in=self._signed_in, reading=reading)


def _stored(entry: RepoFile) -> StoredFile:
    return StoredFile(entry.path, entry.size, entry.lfs.sha256 if entry.lfs else entry.blob_id)
