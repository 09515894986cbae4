"""Processes of their own that do not import everything anew.

Importing Gradio and distilabel takes seconds. So where a test sets only our own variables and the
Hub's, its process is forked from one that has imported everything and has read none of ours.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import re
import runpy
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import gradio.http_server
from huggingface_hub import constants, hf_api

_FORKS: Final = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "tests.forks",
        "annotate_space.ui",
        "seed_space.ui",
        "pipeline.cli",
        "pipeline.curation.exports",
        "pipeline.generation.chain",
        "pipeline.generation.run",
    ]
)
_READ_LATE: Final = re.compile(
    "SEEDBED_.*|HF_.*|SYSTEM|TQDM_.*|(http|https|no)_proxy", re.IGNORECASE
)


def possible(env: Mapping[str, str]) -> bool:
    """Whether ``env`` holds nothing that libraries read when imported, but for the Hub's client."""
    return all(_READ_LATE.fullmatch(name) for name in env)


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
    given = (module, words, {**os.environ, **env}, str(folder), str(out), str(err or out))
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
    os.environ.clear()
    os.environ.update(env)
    _read_anew()
    if port := env.get("SEEDBED_TEST_PORT"):
        gradio.http_server.INITIAL_PORT_VALUE = int(port)  # it read the environment when imported
    os.chdir(folder)
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__")


def _read_anew() -> None:
    """Let the Hub's client and datasets see the environment as if they were imported now."""
    _reload(constants)
    hf_api.api.endpoint = constants.ENDPOINT
    if datasets := sys.modules.get("datasets.config"):
        _reload(datasets)


def _reload(module: ModuleType) -> None:
    """Read a module of constants again, also where others hold them by name."""
    before: dict[str, Any] = dict(vars(module))
    importlib.reload(module)
    for name, value in vars(module).items():
        if name.isupper() and name in before and value != before[name]:
            for other in list(sys.modules.values()):
                if vars(other).get(name) is before[name]:
                    setattr(other, name, value)
