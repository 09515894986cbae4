"""The one place that reads the environment, called by ``app.py`` and ``cli.py`` only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pipeline.core.errors import InvalidInput

HUB: Final = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is configured from outside.

    Attributes:
        project: ``user/name`` on the Hub or a folder; empty when the Space is not set up yet.
        hf_token: The owner's token: a Space secret, or the one of a person on their own laptop.
        hub: Base URL of the Hub.
        api_key: Sent to the ``base_url`` of a model, never to the Hub.
        work_dir: Where the annotate Space keeps its journal.
        on_space: Running as a Hugging Face Space, so visitors sign in for themselves.
    """

    project: str = ""
    hf_token: str | None = field(default=None, repr=False)
    hub: str = HUB
    api_key: str | None = field(default=None, repr=False)
    work_dir: Path = Path("~/.cache/seedbed")
    on_space: bool = False

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Read ``SEEDBED_PROJECT``, ``SEEDBED_API_KEY``, ``SEEDBED_WORK_DIR`` and the Hub's own.

        The Hub's are ``HF_TOKEN``, ``HF_ENDPOINT`` and, on a Space, ``SYSTEM=spaces``.

        Raises:
            InvalidInput: ``HF_ENDPOINT`` is not a web address.
        """
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
            work_dir=Path(env.get("SEEDBED_WORK_DIR") or "~/.cache/seedbed").expanduser(),
            on_space=env.get("SYSTEM") == "spaces",
        )
