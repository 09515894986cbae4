"""A project in a dataset repository on the Hub: the one module that talks to the Hub's storage.

What its client does not do by itself, and this module does: it never falls back on a cached copy
or on a login of the machine, it bounds every wait, it re-reads the head after an error before
deciding whether a commit was applied, and it guards single files rather than the whole branch.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx2
from huggingface_hub import CommitOperationAdd, HfApi, set_client_factory
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils._http import hf_request_event_hook, parse_ratelimit_headers

from pipeline.core import layout
from pipeline.core.errors import (
    Conflict,
    FileMissing,
    InvalidInput,
    NotAllowed,
    NotSignedIn,
    ProjectNotFound,
    RateLimited,
    SeedbedError,
    StoreUnavailable,
)
from pipeline.core.store import Content, StoredFile, git_oid, lfs_oid

_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_TIMEOUT: Final = httpx2.Timeout(30, connect=10)
_LONGEST_WAIT: Final = 20.0
_ATTEMPTS: Final = 6


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
        self._api = HfApi(endpoint=hub, token=token or False, library_name="seedbed")

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

    def create(self) -> None:
        """Make the repository, private."""
        with self._errors():
            self._api.create_repo(self._name, repo_type="dataset", private=True, exist_ok=True)

    def can_write(self) -> bool:
        """Tell whether the token's owner may write here, as far as the Hub tells beforehand."""
        if not self._signed_in:
            return False
        with self._errors():
            who = self._api.whoami()
        role = who.get("auth", {}).get("accessToken", {}).get("role", "write")
        owner = self._name.split("/")[0]
        orgs = {org["name"]: org.get("roleInOrg", "write") for org in who.get("orgs", [])}
        mine = owner == who["name"] or orgs.get(owner) in ("admin", "write", "contributor")
        return mine and role != "read"

    def files(self, prefix: str = "") -> list[StoredFile]:
        """The files under ``prefix`` on the main branch now."""
        return self._files_at(self._head(), prefix)

    def read(self, path: str) -> Content:
        """The newest content of one file."""
        head = self._head()
        with self._errors():
            found = self._api.get_paths_info(
                self._name, [layout.checked(path)], revision=head, repo_type="dataset"
            )
            if not found or not isinstance(found[0], RepoFile):
                raise FileMissing(f"{self._name} has no file {path}.", "Check the file's name.")
            # Pinned to a commit: a cached copy of it cannot be stale.
            local = self._api.hf_hub_download(self._name, path, repo_type="dataset", revision=head)
        return Content(Path(local).read_bytes(), _stored(found[0]).etag)

    def checkout(self, prefix: str) -> Path:
        """A snapshot of the files under ``prefix`` at the newest commit, complete or an error."""
        head = self._head()
        wanted = self._files_at(head, layout.checked(prefix))
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
        files: Mapping[str, bytes],
        *,
        message: str,
        expect: Mapping[str, str | None] | None = None,
    ) -> None:
        """Write all of ``files`` in one commit, or none."""
        for path in files:
            layout.checked(path)
        for attempt in range(_ATTEMPTS):
            head = self._head()
            if self._holds(files, head):
                return  # already there, or an earlier attempt was applied and its reply lost
            self._check_unchanged(expect or {}, head)
            try:
                self._commit_once(files, message, head if expect else None)
            except _MovedOn:
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

    def _commit_once(self, files: Mapping[str, bytes], message: str, parent: str | None) -> None:
        operations = [
            CommitOperationAdd(path_in_repo=path, path_or_fileobj=data)
            for path, data in files.items()
        ]
        with self._errors():
            self._api.create_commit(
                self._name,
                operations,
                commit_message=message,
                repo_type="dataset",
                parent_commit=parent,
            )

    def _head(self) -> str:
        with self._errors():
            sha = self._api.repo_info(self._name, repo_type="dataset").sha
        if not sha:
            raise StoreUnavailable(f"The Hub told no version of {self._name}.", "Try again.")
        return sha

    def _files_at(self, head: str, prefix: str) -> list[StoredFile]:
        with self._errors():
            try:
                entries = self._api.list_repo_tree(
                    self._name,
                    layout.checked(prefix) if prefix else None,
                    recursive=True,
                    revision=head,
                    repo_type="dataset",
                )
                found = [_stored(entry) for entry in entries if isinstance(entry, RepoFile)]
            except EntryNotFoundError:
                return []
        return sorted(found, key=lambda file: file.path)

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

    def _holds(self, files: Mapping[str, bytes], head: str) -> bool:
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

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what the client raises into what a person can act on."""
        try:
            yield
        except SeedbedError:
            raise
        except RepositoryNotFoundError as error:
            if _bad_token(error):
                raise _refused() from error
            if self._signed_in:
                why = "There is no dataset {} on the Hub, or this account may not see it."
                step = f"Make it with: python -m pipeline init {self._name}"
            else:
                why = "There is no public dataset {} on the Hub."
                step = "If it is private, sign in or set HF_TOKEN."
            raise ProjectNotFound(why.format(self._name), step) from error
        except HFValidationError as error:
            raise InvalidInput(f"{self._name}: {error}", "Use another name.") from error
        except HfHubHTTPError as error:
            raise self._http_error(error) from error
        except LocalEntryNotFoundError as error:
            raise self._away("no answer") from error
        except (httpx2.HTTPError, OSError, RuntimeError) as error:
            # Uploads of large files go through a client that raises built-in errors.
            raise self._away(str(error) or type(error).__name__) from error

    def _http_error(self, error: HfHubHTTPError) -> SeedbedError:
        status = error.response.status_code
        if status == 401:
            return _refused() if self._signed_in else _anonymous(self._name)
        if status == 403:
            return NotAllowed(
                f"This account or token may not write to {self._name}.",
                "Ask its owner for write access, or use a token with write permission.",
            )
        if status == 412:
            return _MovedOn()
        if status == 429:
            return _rate_limited(error.response)
        if status in (400, 404, 413, 422):
            return InvalidInput(
                f"The Hub did not accept this for {self._name}: {error.server_message}.",
                "Nothing was written.",
            )
        return self._away(f"it answered {status}")

    def _away(self, why: str) -> StoreUnavailable:
        return StoreUnavailable(
            f"The Hub cannot be reached for {self._name}: {why}.",
            "Nothing is lost; try again in a moment.",
        )


class _MovedOn(StoreUnavailable):
    """The branch has a newer commit than the one this commit was built on."""

    def __init__(self) -> None:
        super().__init__("Somebody else committed at the same time.", "Try again.")


def _stored(entry: RepoFile) -> StoredFile:
    return StoredFile(entry.path, entry.size, entry.lfs.sha256 if entry.lfs else entry.blob_id)


def _bad_token(error: HfHubHTTPError) -> bool:
    return "Invalid credentials" in str(error)


def _refused() -> NotSignedIn:
    return NotSignedIn(
        "The Hub does not accept this token.",
        "Sign in again, or make a new token under Settings, Access Tokens, on the Hub.",
    )


def _anonymous(name: str) -> NotSignedIn:
    return NotSignedIn(f"Nobody is signed in to use {name}.", "Sign in, or set HF_TOKEN.")


def _rate_limited(response: httpx2.Response) -> RateLimited:
    return RateLimited(
        "The Hub asks to wait: too many requests or commits within the hour.",
        _told_to_wait(response),
    )


def _told_to_wait(response: httpx2.Response) -> float | None:
    """Seconds the Hub asks to wait, by either of the headers its client obeys."""
    window = parse_ratelimit_headers(response.headers)
    if window is not None and window.remaining == 0:
        return float(window.reset_in_seconds)
    after = response.headers.get("Retry-After", "")
    return float(after) if after.isdigit() else None


def _refuse_long_waits(response: httpx2.Response) -> None:
    # The client would sleep as long as it is told to, an hour if need be.
    if response.status_code in (429, 503) and (_told_to_wait(response) or 0) > _LONGEST_WAIT:
        raise _rate_limited(response)


def _bounded_client() -> httpx2.Client:
    return httpx2.Client(
        event_hooks={"request": [hf_request_event_hook], "response": [_refuse_long_waits]},
        follow_redirects=True,
        timeout=_TIMEOUT,
    )


# One client serves the whole process; without this it waits for ever on a silent Hub.
set_client_factory(_bounded_client)
