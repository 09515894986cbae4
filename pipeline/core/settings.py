"""What is configured from outside, and the one place that looks into this process's environment.

``Settings`` are read once, where a Space or a command starts, and handed on.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pipeline.core.errors import InvalidInput

HUB: Final = "https://huggingface.co"
_COMMIT_SECONDS: Final = 60.0
_MOST_SAMPLES: Final = 100_000

_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[\w.-]+)(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is configured from outside.

    Attributes:
        project: ``user/name`` on the Hub or a folder; empty when the Space is not set up yet.
        hf_token: The owner's token: a Space secret, or the one of a person on their own laptop.
        hub: Base URL of the Hub.
        api_key: Sent to the ``base_url`` of a model, never to the Hub.
        api_hosts: Where ``api_key`` may be sent: ``host``, or ``host:port`` for that port alone.
        work_dir: Working files of projects on the Hub: votes not yet there, answers that were paid
            for.
        secret: Signs what the Annotate Space hands out; None derives it from ``hf_token`` or, for a
            folder, keeps one among its working files.
        commit_seconds: Least time between two commits of feedback to the Hub.
        on_space: Running as a Hugging Face Space, so visitors sign in for themselves.
        space_id: ``user/name`` of that Space.
        visitor_samples: Samples a day that the owner pays for each visitor of a Space.
        visitor_samples_total: Samples a day that the owner pays for all visitors together.
    """

    project: str = ""
    hf_token: str | None = field(default=None, repr=False)
    hub: str = HUB
    api_key: str | None = field(default=None, repr=False)
    api_hosts: frozenset[str] = frozenset()
    work_dir: Path = Path("~/.cache/seedbed")
    secret: str | None = field(default=None, repr=False)
    commit_seconds: float = _COMMIT_SECONDS
    on_space: bool = False
    space_id: str | None = None
    visitor_samples: int = 0
    visitor_samples_total: int = 0

    @property
    def space_settings(self) -> str | None:
        """Where the owner of this Space sets its variables and secrets."""
        return f"{self.hub}/spaces/{self.space_id}/settings" if self.space_id else None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Read the variables that start with ``SEEDBED_`` and the Hub's own.

        Ours are ``SEEDBED_PROJECT``, ``SEEDBED_API_KEY``, ``SEEDBED_API_HOST``,
        ``SEEDBED_WORK_DIR``, ``SEEDBED_SECRET``, ``SEEDBED_COMMIT_SECONDS``,
        ``SEEDBED_VISITOR_SAMPLES`` and ``SEEDBED_VISITOR_SAMPLES_TOTAL`` (ten times as many by
        default); the Hub's are ``HF_TOKEN``, ``HF_ENDPOINT`` and, on a Space, ``SYSTEM=spaces``
        and ``SPACE_ID``.

        Raises:
            InvalidInput: ``HF_ENDPOINT`` is not a web address, ``SEEDBED_API_HOST`` no host,
                ``SEEDBED_COMMIT_SECONDS`` no time, or a number of samples no number.
        """
        each = _samples(env, "SEEDBED_VISITOR_SAMPLES", 0)
        hub = env.get("HF_ENDPOINT", "").rstrip("/") or HUB
        if not hub.startswith(("http://", "https://")):
            raise InvalidInput(
                f"HF_ENDPOINT is {hub!r}, which is not a web address.",
                "Unset it, or use one that starts with https://.",
            )
        return cls(
            project=env.get("SEEDBED_PROJECT", "").strip(),
            hf_token=env.get("HF_TOKEN", "").strip() or None,
            hub=hub,
            api_key=env.get("SEEDBED_API_KEY", "").strip() or None,
            api_hosts=_hosts(env.get("SEEDBED_API_HOST", "")),
            work_dir=Path(env.get("SEEDBED_WORK_DIR") or "~/.cache/seedbed").expanduser(),
            secret=env.get("SEEDBED_SECRET", "").strip() or None,
            commit_seconds=_seconds(env.get("SEEDBED_COMMIT_SECONDS", "")),
            on_space=env.get("SYSTEM") == "spaces",
            space_id=env.get("SPACE_ID", "").strip() or None,
            visitor_samples=each,
            visitor_samples_total=_samples(env, "SEEDBED_VISITOR_SAMPLES_TOTAL", 10 * each),
        )


def inherited(only: Collection[str] | None = None) -> dict[str, str]:
    """This process's variables, for a process that it starts: all of them, or ``only`` some."""
    return {name: value for name, value in os.environ.items() if only is None or name in only}


def preset(name: str, value: str) -> None:
    """Set a variable by which a library in this process is told, unless somebody set it."""
    os.environ.setdefault(name, value)


def _seconds(text: str) -> float:
    if not text.strip():
        return _COMMIT_SECONDS
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 1 <= seconds <= 3_600:
        raise InvalidInput(
            f"SEEDBED_COMMIT_SECONDS is {text!r}, which is no time between two commits.",
            "Write a number of seconds from 1 to 3600, or unset it.",
        )
    return seconds


def _samples(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and int(text) <= _MOST_SAMPLES):
        raise InvalidInput(
            f"{name} is {text!r}, which is no number of samples.",
            f"Write a whole number from 0 to {_MOST_SAMPLES}, or unset it.",
        )
    return int(text)


def _hosts(text: str) -> frozenset[str]:
    hosts = frozenset(host.strip().lower() for host in text.split(",") if host.strip())
    for host in sorted(hosts):
        if not _HOST.fullmatch(host):
            raise InvalidInput(
                f"SEEDBED_API_HOST names {host!r}, which is not a host.",
                "Write the host alone or with its port, such as models.example.org:8000; "
                "several with commas between them.",
            )
    return hosts
