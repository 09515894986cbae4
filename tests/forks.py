"""Processes of their own that do not import everything anew.

Importing Gradio and distilabel takes seconds. So where a test sets only our own variables, its
process is forked from one that has imported everything and has read none of our variables.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final

import gradio.http_server

_FORKS: Final = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["tests.forks", "annotate_space.ui", "seed_space.ui", "pipeline.cli", "pipeline.generation.run"]
)


def possible(env: Mapping[str, str]) -> bool:
    """Whether ``env`` holds nothing that is read when libraries are imported."""
    return all(name.startswith("SEEDBED_") for name in env)


def start(
    module: str,
    words: tuple[str, ...],
    env: Mapping[str, str],
    folder: Path,
    out: Path,
    err: Path | None = None,
) -> ForkServerProcess:
    """Start what ``python -m module words`` would start in ``folder``.

    Standard output goes to ``out``, standard error to ``err`` or else there too.
    """
    given = (module, words, dict(env), str(folder), str(out), str(err or out))
    process = _FORKS.Process(target=_serve, args=given)
    process.start()
    return process


def place() -> Path:
    """A file for what a process prints."""
    handle, path = tempfile.mkstemp(prefix="seedbed-output-")
    os.close(handle)
    return Path(path)


def _serve(
    module: str, words: tuple[str, ...], env: dict[str, str], folder: str, out: str, err: str
) -> None:
    for stream, name in ((1, out), (2, err)):
        sink = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(sink, stream)
        os.close(sink)
    os.environ.update(env)
    if port := env.get("SEEDBED_TEST_PORT"):
        gradio.http_server.INITIAL_PORT_VALUE = int(port)  # it read the environment when imported
    os.chdir(folder)
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__")
