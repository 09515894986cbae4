"""The text of a file that anybody may have made.

It is read in a process of its own: a thread cannot be stopped, and what a PDF can make a program
do takes any time and memory. The process has a limit on both, and knows no credentials.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Final

from pipeline.core.documents import worker
from pipeline.core.documents.formats import Extracted
from pipeline.core.documents.limits import MOST_BYTES, Refused
from pipeline.core.settings import inherited

SECONDS: Final = 60
MEMORY: Final = 2 * 2**30
"""Bytes of address space, of which libraries map much that they never use."""
_ROOT: Final = Path(__file__).resolve().parents[3]
_PASSED_ON: Final = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "TMPDIR", "TEMP", "TMP", "HOME")
_AT_ONCE: Final = threading.Semaphore(2)
"""Documents that are read at the same time, whoever brings them."""


def extract(data: bytes, name: str, *, seconds: float = SECONDS) -> Extracted:
    """The text of a document, told by its content and not by its name.

    Args:
        data: The file.
        name: As the person calls it; used in messages and never as a path.
        seconds: After which it is given up.

    Raises:
        Refused: It has no text that can be read, or passes a limit.
    """
    if len(data) > MOST_BYTES:
        raise Refused("too_large", name, f"{MOST_BYTES // 1_000_000} MB")
    if not data:
        raise Refused("empty", name)
    with _AT_ONCE:
        answer = _ask_worker(data, name, seconds)
    if "refused" in answer:
        raise Refused(answer["refused"], name, answer["most"])
    return Extracted(**answer)


def _ask_worker(data: bytes, name: str, seconds: float) -> dict[str, Any]:
    limits = [str(max(1, round(seconds))), str(MEMORY)]
    called = name.replace("\0", "").encode("utf-8", "replace").decode()[:200]
    command = [sys.executable, "-m", worker.__name__, called, *limits]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            input=data,
            capture_output=True,
            timeout=seconds,
            check=False,
            env=inherited(_PASSED_ON)
            | {"PYTHONPATH": str(_ROOT), "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"},
        )
    except subprocess.TimeoutExpired as error:
        raise Refused("too_slow", name, f"{seconds:g}") from error
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        # Ended by the system: for its time, or because a library's own code broke down.
        by_time = done.returncode in (-9, -24)
        reason = Refused("too_slow", name, f"{seconds:g}") if by_time else Refused("broken", name)
        raise reason from error
    return answer
