"""Reads one document from standard input and writes what is in it to standard output, as JSON.

It is started by ``extracting`` with limits on time and memory, without credentials in its
environment, so that the worst a hostile file can do is to end this process.
"""

from __future__ import annotations

import json
import logging
import sys
from contextlib import suppress
from dataclasses import asdict

from pipeline.core.documents.formats import read
from pipeline.core.documents.limits import Refused


def main(name: str, seconds: int, memory: int) -> None:
    """Read, within ``seconds`` of computing and ``memory`` bytes where the system can tell."""
    _limit(seconds, memory)
    logging.disable(logging.CRITICAL)  # libraries remark on every small fault of a file
    # A document can be nested as deep as its maker likes; ours are not.
    sys.setrecursionlimit(3_000)
    try:
        answer = asdict(read(sys.stdin.buffer.read(), name))
    except Refused as refused:
        answer = {"refused": refused.reason, "most": refused.most}
    except MemoryError:
        answer = {"refused": "too_heavy", "most": ""}
    sys.stdout.buffer.write(json.dumps(answer).encode())


def _limit(seconds: int, memory: int) -> None:
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    for limit, most in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, memory)):
        with suppress(ValueError, OSError):  # some systems do not limit memory
            resource.setrlimit(limit, (most, most))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
