"""The error tree.

Every failure a person can meet is a ``SeedbedError`` with two sentences: what is wrong (with the
value that is wrong) and what to do next. Third-party errors are wrapped where they enter, with
``from``. The faces (the command line, the Spaces) catch ``SeedbedError`` and nothing wider.

    SeedbedError
    |-- InvalidInput         what a person or a file gave cannot be used
    |-- ProjectNotFound      no such project, or it is hidden from this token
    |-- FileMissing          the project exists, the file does not
    |-- Conflict             somebody else changed the file since it was read
    |-- NotSignedIn          no credentials, or the Hub does not accept them
    |-- NotAllowed           the credentials are good but may not do this
    |-- InvitationNeeded     no invitation was shown, or it is not good any more
    |-- StoreUnavailable     the Hub or the disk cannot be reached now; trying again may help
    |   `-- RateLimited      the Hub asks to wait
    |-- ModelUnavailable     a model endpoint did not answer as one
    |-- BudgetSpent          a run may not cost more
    `-- ClusterUnavailable   a Ray cluster cannot be reached or used
"""

from __future__ import annotations

from typing import Any


class SeedbedError(Exception):
    """Base of everything Seedbed raises on purpose.

    Attributes:
        problem: One sentence that says what is wrong.
        next_step: One sentence that says what to do about it.
    """

    def __init__(self, problem: str, next_step: str) -> None:
        super().__init__(f"{problem} {next_step}")
        self.problem = problem
        self.next_step = next_step

    def __reduce__(self) -> tuple[Any, ...]:
        # As pickled for another process: what a kind of error is made from differs.
        return _again, (type(self), self.args), self.__dict__


def _again(kind: type[SeedbedError], args: tuple[Any, ...]) -> SeedbedError:
    return kind.__new__(kind, *args)


class InvalidInput(SeedbedError):
    """What a person or a file gave cannot be used."""


class ProjectNotFound(SeedbedError):
    """No such project, or it is hidden from these credentials."""


class FileMissing(SeedbedError):
    """The project exists but does not hold this file."""


class Conflict(SeedbedError):
    """A guarded file is no longer what the writer had read.

    Attributes:
        path: The file in the project that changed meanwhile.
    """

    def __init__(self, path: str) -> None:
        super().__init__(
            f"Somebody else changed {path} after you opened it.",
            "Nothing was overwritten: compare both versions and save again.",
        )
        self.path = path


class NotSignedIn(SeedbedError):
    """No credentials were given, or the Hub does not accept them."""


class NotAllowed(SeedbedError):
    """The credentials are good but may not do this."""


class InvitationNeeded(SeedbedError):
    """No invitation was shown where one is needed, or it is not good any more."""


class StoreUnavailable(SeedbedError):
    """The Hub or the disk cannot be reached now; trying again may help."""


class RateLimited(StoreUnavailable):
    """The Hub asks to wait.

    Attributes:
        retry_after: Seconds to wait, or None when the Hub did not say.
    """

    def __init__(self, problem: str, retry_after: float | None) -> None:
        wait = "in about an hour" if retry_after is None else f"in {retry_after:.0f} seconds"
        super().__init__(problem, f"It can be tried again {wait}; nothing is lost meanwhile.")
        self.retry_after = retry_after


class ModelUnavailable(SeedbedError):
    """A model endpoint could not be reached or did not answer as a chat model."""


class BudgetSpent(SeedbedError):
    """The next call might cost more than the run may."""


class ClusterUnavailable(SeedbedError):
    """A Ray cluster cannot be reached, or nothing can be started there."""
