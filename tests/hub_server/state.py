"""The Hub without the network: accounts, repositories, quotas, and what a test may set or ask."""

import hashlib
import hmac
import math
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.hub_server.accounts import Accounts, Caller, Role
from tests.hub_server.faults import Fault, FaultList
from tests.hub_server.repos import GITATTRIBUTES, Blob, Commit, Repo, Space
from tests.hub_server.wire import Call, HubError, repo_not_found
from tests.hub_server.xet import LocalStores

HOUR = 3600.0
RATE_WINDOW = 300


@dataclass(frozen=True, slots=True)
class Record:
    """One request as the server saw it. `status` is None when the client got no reply."""

    time: float
    method: str
    path: str
    query: str
    operation: str
    user: str | None
    status: int | None


@dataclass(slots=True)
class RateWindow:
    """Requests a caller has made since the window opened."""

    opened: float
    used: int = 0


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody who signs in has consented to, until the code for it is used."""

    user: str
    scopes: frozenset[str]
    nonce: str | None


class Hub:
    """Everything the server knows. All attributes below may be set while it is running.

    Attributes:
        page_size: Entries in one page of a listing (50 at most when expanded).
        commit_quota: Commits in an hour to one repository, no limit when None. Commits made with
            `write` neither count nor are refused.
        commit_retry_after: Whether a refusal for the quota has a Retry-After header.
        rate_limits: Requests a caller may make in five minutes, by bucket, as told in the RateLimit
            headers.
        enforce_rate_limits: Whether going beyond them is refused with 429.
        lfs_part_size: Bytes; larger files go up in parts when sent without hf_xet.
        clock: Seconds since the epoch, for dates and quotas; `advance` adds to it.
        signing_in: Who presses “Authorize” when a Space sends its visitor here to sign in.
        withheld: Scopes that they do not grant.
    """

    def __init__(
        self,
        *,
        page_size: int = 1000,
        commit_quota: int | None = 128,
        commit_retry_after: bool = False,
        lfs_part_size: int = 16 * 1024 * 1024,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Start without users and repositories."""
        self.page_size = page_size
        self.commit_quota = commit_quota
        self.commit_retry_after = commit_retry_after
        self.rate_limits = {"api": 1000, "resolvers": 5000, "pages": 200}
        self.enforce_rate_limits = False
        self.lfs_part_size = lfs_part_size
        self.clock = clock

        self.signing_in: str | None = None
        self.withheld: frozenset[str] = frozenset()
        self.grants: dict[str, Grant] = {}

        self.lock = threading.RLock()
        self.accounts = Accounts()
        self.repos: dict[tuple[str, str], Repo] = {}
        self.moved: dict[tuple[str, str], str] = {}
        self._advanced = 0.0
        self._faults = FaultList()
        self._records: list[Record] = []
        self._rates: dict[tuple[str, str], RateWindow] = {}
        self._key = secrets.token_bytes(32)
        self._directory = tempfile.TemporaryDirectory(prefix="hub-", ignore_cleanup_errors=True)
        self.directory = Path(self._directory.name)
        self.stores = LocalStores(self.directory)

    # Accounts

    def add_user(
        self,
        name: str,
        token: str | None = None,
        role: Role = "write",
        orgs: Iterable[str] = (),
        org_role: str | None = "write",
    ) -> str:
        """Register a user, a member of these organisations, and return a token.

        ``org_role`` is what ``whoami`` tells of them in these; None: nothing.
        """
        with self.lock:
            self.accounts.add_user(name, orgs, org_role)
            return self.accounts.add_token(name, role, token)

    def add_token(self, user: str, role: Role = "read", token: str | None = None) -> str:
        """Give a user one more token."""
        with self.lock:
            return self.accounts.add_token(user, role, token)

    # Time

    def now(self) -> float:
        """The time on this Hub."""
        return self.clock() + self._advanced

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._advanced += seconds

    # Faults

    def fail(self, fault: Fault) -> Fault:
        """Put a fault in force, and return it for its `hits`."""
        with self.lock:
            self._faults.faults.append(fault)
        return fault

    def clear_faults(self) -> None:
        """Lift all faults."""
        with self.lock:
            self._faults.faults.clear()

    def strike(self, operation: str, method: str, path: str) -> list[Fault]:
        """The faults that hit a request now."""
        with self.lock:
            return self._faults.strike(operation, method, path)

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Close every connection without an answer until the end of the block."""
        fault = Fault("any", drop=True, times=None)
        with self.lock:
            self._faults.faults.insert(0, fault)
        try:
            yield
        finally:
            with self.lock:
                self._faults.faults = [other for other in self._faults.faults if other is not fault]

    # Looking in

    @property
    def requests(self) -> list[Record]:
        """All requests so far, in the order they were answered."""
        with self.lock:
            return list(self._records)

    def clear_requests(self) -> None:
        """Forget the requests so far."""
        with self.lock:
            self._records.clear()

    def record(self, record: Record) -> None:
        """Note a request."""
        with self.lock:
            self._records.append(record)

    def repo(self, repo_id: str, repo_type: str = "dataset") -> Repo:
        """A repository, whoever may see it."""
        try:
            return self.repos[repo_type, repo_id]
        except KeyError:
            raise KeyError(f"no {repo_type} {repo_id!r}; there are {list(self.repos)}") from None

    def commits(
        self, repo_id: str, repo_type: str = "dataset", revision: str = "main"
    ) -> list[Commit]:
        """The commits of a branch, newest first, the initial one included."""
        with self.lock:
            repo = self.repo(repo_id, repo_type)
            return list(repo.ancestry(repo.resolve(revision)))

    def head(self, repo_id: str, repo_type: str = "dataset", revision: str = "main") -> str:
        """The hash of the newest commit."""
        return self.commits(repo_id, repo_type, revision)[0].sha

    def files(
        self, repo_id: str, repo_type: str = "dataset", revision: str = "main"
    ) -> dict[str, bytes]:
        """The content of all files, `.gitattributes` included, large files in full."""
        with self.lock:
            commit = self.repo(repo_id, repo_type).resolve(revision)
            return {path: blob.data for path, blob in commit.files.items()}

    def secrets(self, repo_id: str) -> dict[str, str]:
        """The secrets of a Space with their values, which no client can read."""
        with self.lock:
            return {key: entry.value for key, entry in self.space(repo_id).secrets.items()}

    def variables(self, repo_id: str) -> dict[str, str]:
        """The variables of a Space."""
        with self.lock:
            return {key: entry.value for key, entry in self.space(repo_id).variables.items()}

    def space(self, repo_id: str) -> Space:
        """A Space's settings; set `stage` to make its runtime say so."""
        space = self.repo(repo_id, "space").space
        if space is None:
            raise TypeError(f"{repo_id!r} has no Space settings")
        return space

    # Acting behind the clients' backs

    def create_repo(
        self,
        repo_id: str,
        repo_type: str = "dataset",
        *,
        private: bool = False,
        sdk: str = "gradio",
    ) -> Repo:
        """Make a repository with the initial commit the real Hub makes."""
        with self.lock:
            space = Space(sdk) if repo_type == "space" else None
            visibility = "private" if private else "public"
            repo = Repo(repo_type, repo_id, self.now(), visibility=visibility, space=space)
            files = {".gitattributes": Blob.regular(GITATTRIBUTES)}
            if space is not None:
                card = f"---\ntitle: {repo_id.split('/')[1]}\nsdk: {sdk}\n---\n"
                files["README.md"] = Blob.regular(card.encode())
            commit = repo.record(
                files, parent=None, title="initial commit", author=repo.namespace, date=self.now()
            )
            repo.branches["main"] = commit.sha
            self.repos[repo.key] = repo
            self.moved.pop(repo.key, None)
            return repo

    def write(
        self,
        repo_id: str,
        files: Mapping[str, bytes | None],
        *,
        repo_type: str = "dataset",
        user: str = "somebody",
        message: str = "Written on the server",
        branch: str = "main",
    ) -> str:
        """Commit as somebody else would, None deleting a file, and return the new head."""
        with self.lock:
            repo = self.repo(repo_id, repo_type)
            head = repo.resolve(branch)
            tree = dict(head.files)
            for path, data in files.items():
                if data is None:
                    del tree[path]
                else:
                    tree[path] = repo.blob(head, path, data)
            commit = repo.record(tree, parent=head.sha, title=message, author=user, date=self.now())
            repo.branches[branch] = commit.sha
            return commit.sha

    # What the handlers ask

    def readable(self, call: Call) -> Repo:
        """The repository a call is about, or the error that hides it."""
        key = (call.kind, call.repo_id)
        if key in self.moved:
            path = call.path.replace(f"/{call.repo_id}", f"/{self.moved[key]}", 1)
            raise HubError(307, "Moved", headers={"Location": call.base + path})
        repo = self.repos.get(key)
        if repo is None or not self.can_read(call.caller, repo):
            raise repo_not_found(call.caller)
        return repo

    def can_read(self, caller: Caller | None, repo: Repo) -> bool:
        """Whether the repository is visible; a protected Space's files are as hidden as private."""
        return repo.visibility == "public" or (
            caller is not None and caller.belongs_to(repo.namespace)
        )

    def writable(self, call: Call, *, propose: bool = False) -> Repo:
        """The same for a call that writes; anybody who can write at all may `propose` a change."""
        repo = self.readable(call)
        if call.caller is None:
            raise HubError(401, "Invalid username or password.")
        if not call.caller.can_write:
            raise HubError(403, "Forbidden: you must use a write token to upload to a repository.")
        if not propose and not call.caller.belongs_to(repo.namespace):
            raise HubError(403, "Authorization error.")
        return repo

    def check_quota(self, repo: Repo) -> None:
        """Refuse a commit beyond the hour's quota."""
        while repo.commit_times and repo.commit_times[0] <= self.now() - HOUR:
            repo.commit_times.popleft()
        if self.commit_quota is None or len(repo.commit_times) < self.commit_quota:
            return
        oldest = repo.commit_times[0] if repo.commit_times else self.now()
        wait = math.ceil(oldest + HOUR - self.now())
        minutes = round(wait / 60)
        when = "about 1 hour" if minutes >= 45 else f"{minutes} minutes"
        raise HubError(
            429,
            "You have exceeded the rate limit for repository commits "
            f"({self.commit_quota} per hour). You can retry this action in {when}. If you're a new "
            "user, your limits will raise over time.",
            headers={"Retry-After": str(wait)} if self.commit_retry_after else {},
        )

    def rate_headers(self, caller: Caller | None, bucket: str) -> dict[str, str]:
        """Count a request, and return the headers that tell what is left."""
        with self.lock:
            who = caller.name if caller else "anonymous"
            window = self._rates.setdefault((who, bucket), RateWindow(self.now()))
            if self.now() - window.opened >= RATE_WINDOW:
                window.opened, window.used = self.now(), 0
            window.used += 1
            quota = self.rate_limits[bucket]
            left = quota - window.used
            shown = max(left, 0 if self.enforce_rate_limits else 1)
            reset = max(1, math.ceil(window.opened + RATE_WINDOW - self.now()))
        headers = {
            "RateLimit": f'"{bucket}";r={shown};t={reset}',
            "RateLimit-Policy": f'"fixed window";"{bucket}";q={quota};w={RATE_WINDOW}',
        }
        if self.enforce_rate_limits and left < 0:
            raise HubError(429, "Too Many Requests", headers=headers)
        return headers

    def sign(self, path: str) -> str:
        """The query that lets anybody use a link to large-file storage, which knows no tokens."""
        digest = hmac.new(self._key, path.encode(), hashlib.sha256).hexdigest()
        return f"signature={digest}"

    def check_signature(self, call: Call) -> None:
        """Refuse a link this server did not give out."""
        given = call.query.get("signature", [""])[0]
        if not hmac.compare_digest(self.sign(call.path), f"signature={given}"):
            raise HubError(403, "Invalid signature")
