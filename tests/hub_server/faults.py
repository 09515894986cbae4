"""Faults a test switches on and off while clients are running."""

import re
from dataclasses import dataclass, field
from typing import Literal, get_args

Operation = Literal[
    "any",
    # repositories as wholes
    "whoami", "create_repo", "delete_repo", "move_repo", "list", "info", "settings", "auth_check",
    "duplicate",
    # reading
    "tree", "paths_info", "refs", "commits", "resolve", "lfs_download",
    # writing
    "validate_yaml", "preupload", "xet_token", "lfs_batch", "lfs_upload", "lfs_complete",
    "lfs_verify", "commit", "branch", "tag", "super_squash",
    # Spaces
    "secrets", "variables", "runtime", "restart", "pause", "hardware", "sleep_time",
    # signing in
    "openid",
]  # fmt: skip


@dataclass(slots=True, eq=False)
class Fault:
    """What goes wrong, with which requests, and how often.

    A fault with `status` answers that status, one with `drop` closes the connection without an
    answer, and `latency` (seconds, before anything else) may come alone or with either. With
    `applied` the request takes its effect first, so only the answer is lost or wrong::

        Fault("commit", status=503, times=2)          # refused twice, then well again
        Fault("preupload", status=429, retry_after=2)
        Fault("commit", drop=True)                    # nothing has happened
        Fault("commit", drop=True, applied=True)      # committed, the reply is lost
        Fault("commit", status=500, applied=True)     # committed, the reply says otherwise
        Fault("tree", latency=0.5, times=None)        # until it is cleared
        Fault(method="GET", path=r"/resolve/main/data", status=502)

    Args:
        on: Name of the operation, any when absent.
        method: HTTP method, any when absent.
        path: Regular expression searched for in the raw path.
        status: Status answered.
        drop: Whether the connection is closed.
        applied: Whether the request is carried out nevertheless.
        retry_after: Seconds in a Retry-After header.
        latency: Seconds to wait.
        times: How many requests are hit; no limit when None.
        skip: How many matching requests pass unharmed first.
        hits: How many requests were hit so far.
    """

    on: Operation = "any"
    method: str | None = None
    path: str | None = None
    status: int | None = None
    drop: bool = False
    applied: bool = False
    retry_after: int | None = None
    latency: float = 0.0
    times: int | None = 1
    skip: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        """Refuse a fault that would do nothing, or not what it says."""
        if self.on not in get_args(Operation):
            raise ValueError(f"unknown operation {self.on!r}: {get_args(Operation)}")
        if self.status is not None and self.drop:
            raise ValueError(f"a dropped connection carries no status: {self}")
        if self.status is None and not self.drop and not self.latency:
            raise ValueError(f"a fault needs a status, drop or latency: {self}")

    @property
    def fails(self) -> bool:
        """Whether the client does not get its answer."""
        return self.drop or self.status is not None

    def matches(self, operation: str, method: str, path: str) -> bool:
        """Whether it is about this request, however often it was hit."""
        return (
            self.on in {"any", operation}
            and self.method in {None, method}
            and (self.path is None or re.search(self.path, path) is not None)
        )

    def strike(self) -> bool:
        """Count one matching request; true when this one is hit."""
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True


@dataclass(slots=True)
class FaultList:
    """The faults in force, oldest first. A request suffers every delay but only one failure."""

    faults: list[Fault] = field(default_factory=list)

    def strike(self, operation: str, method: str, path: str) -> list[Fault]:
        """The faults that hit this request."""
        struck: list[Fault] = []
        for fault in self.faults:
            spared = fault.fails and any(other.fails for other in struck)
            if not spared and fault.matches(operation, method, path) and fault.strike():
                struck.append(fault)
        return struck
