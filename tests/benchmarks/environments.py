"""Environments for contenders that do not go together with this project, made once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TOLD: Final = 300
"""Characters of pip's complaint that are passed on."""
_DEPENDENCIES: Final = """\
import re, sys
from importlib.metadata import requires
own = [part.partition("==")[0] for part in sys.argv[2:]]
for line in (line for name in own for line in requires(name) or []):
    name = re.match(r"[\\w.-]+", line)[0]
    if "extra ==" not in line and name not in own:
        print(name if name == sys.argv[1] else line)
"""


@dataclass(frozen=True, slots=True)
class Package:
    """What one contender needs.

    Attributes:
        name: Of its folder.
        requirements: For pip.
        parts: The distributions it consists of, to be installed one by one if pip finds no
            release of ``floor`` that is as new as they ask for.
        floor: A dependency of which any release will do here.
    """

    name: str
    requirements: tuple[str, ...]
    parts: tuple[str, ...] = ()
    floor: str = ""


class NotInstalled(Exception):
    """A contender cannot be installed here; the message is pip's."""


STOCK: Final = Package("distilabel", ("distilabel[openai]==1.5.3", "requests"))
CURATOR: Final = Package("curator", ("bespokelabs-curator==0.1.31",))
DATA_DESIGNER: Final = Package(
    "data-designer",
    ("data-designer==0.9.7",),
    ("data-designer==0.9.7", "data-designer-config==0.9.7", "data-designer-engine==0.9.7"),
    "certifi",
)


def install(package: Package, home: Path) -> Path:
    """The Python of an environment in ``home`` that has ``package``.

    Raises:
        NotInstalled: It could not be made.
    """
    folder = home / package.name
    python, done = folder / "bin" / "python", folder / ".installed"
    wanted = " ".join(package.requirements)
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return python
    print(f"  installing {wanted} ...", flush=True)
    home.mkdir(parents=True, exist_ok=True)
    _run([sys.executable, "-m", "venv", str(folder)])
    try:
        _pip(python, package.requirements)
    except NotInstalled:
        if not package.parts:
            raise
        _pip(python, ["--no-deps", *package.parts])
        named = _run([str(python), "-c", _DEPENDENCIES, package.floor, *package.parts])
        _pip(python, named.split("\n")[:-1])
    done.write_text(wanted, encoding="utf-8")
    return python


def _pip(python: Path, words: Sequence[str]) -> None:
    _run([str(python), "-m", "pip", "install", "--quiet", *words])


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "WARNING" not in line]
        raise NotInstalled(" ".join(lines[-2:])[:_TOLD])
    return done.stdout
