"""Putting a project on the Hub: its dataset and its two Spaces.

A Space gets its own package, the modules of ``pipeline`` that it imports, and its three root files,
under the import paths they have here, so that it needs nothing else.
"""

from __future__ import annotations

import ast
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from huggingface_hub import CommitOperationAdd

from pipeline.core import hub, layout
from pipeline.core.errors import InvalidInput, NotSignedIn
from pipeline.core.projects import is_folder
from pipeline.core.settings import Settings
from pipeline.core.store import ABSENT, Store

SECRET: Final = "SEEDBED_SECRET"  # noqa: S105 - its name
_ROOT: Final = Path(__file__).resolve().parent.parent
_ROOT_FILES: Final = ("app.py", "README.md", "requirements.txt")
_KINDS: Final = {".py", ".css", ".js", ".html", ".jinja2", ".json"}
_FILES_A_COMMIT: Final = 50
_LONGEST_LABEL: Final = 63
"""Characters that one part of a host name can have."""


@dataclass(frozen=True, slots=True)
class Space:
    """One of the two Spaces.

    Attributes:
        package: Its top-level package.
        suffix: Added to the project's name to make the Space's.
        token_use: What the owner's token, added as a secret, must be allowed to do.
        signs: Whether it needs a secret of its own, which stays when that token is replaced.
        also: What else its owner may have to do in its settings.
    """

    package: str
    suffix: str
    token_use: str
    signs: bool = False
    also: str = ""


SEED_SPACE: Final = Space("seed_space", "seed", "read")
ANNOTATE_SPACE: Final = Space(
    "annotate_space",
    "annotate",
    "write to",
    signs=True,
    also="; make the Space public there too, or people without an account cannot open the links "
    "that invite them",
)
SPACES: Final = (SEED_SPACE, ANNOTATE_SPACE)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What there is now.

    Attributes:
        url: Address of the dataset or Space.
        made: False if it was there and was brought up to date.
        by_hand: What only a person can do.
    """

    url: str
    made: bool
    by_hand: str


def assemble(space: Space) -> dict[str, bytes]:
    """The files of ``space`` as its repository holds them."""
    package = _ROOT / space.package
    files = {name: (package / name).read_bytes() for name in _ROOT_FILES}
    modules = _imported(package)
    homes = {package, *(module.parent for module in modules)}
    for path in sorted([*package.rglob("*"), *(_ROOT / "pipeline").rglob("*")]):
        wanted = path in modules if path.suffix == ".py" else _package_of(path) in homes
        if path.suffix in _KINDS and wanted and path.name not in _left_out(path, package):
            files[path.relative_to(_ROOT).as_posix()] = path.read_bytes()
    return files


def _left_out(path: Path, package: Path) -> tuple[str, ...]:
    """The root files stand at the root and not in their package."""
    return _ROOT_FILES if path.parent == package else ()


def _imported(package: Path) -> set[Path]:
    """The package's modules, and every module of ours that one of them imports sooner or later."""
    found: set[Path] = set()
    waiting = list(package.rglob("*.py"))
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            waiting += (file for name in names for file in _files_of(name))
    return found


def _files_of(module: str) -> Iterator[Path]:
    """The file of one of our modules and the packages it is in; none for the modules of others."""
    steps = module.split(".")
    if steps[0] != "pipeline":
        return
    for count in range(1, len(steps) + 1):
        place = _ROOT.joinpath(*steps[:count])
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if file.is_file():
            yield file


def _package_of(path: Path) -> Path:
    """The innermost package that a data file belongs to."""
    return next(folder for folder in path.parents if (folder / "__init__.py").is_file())


def annotate_address(settings: Settings) -> str:
    """Where annotators open the project, as far as its name tells.

    Raises:
        InvalidInput: The Hub shortens such a long name in a way that cannot be told beforehand.
    """
    if is_folder(settings.project):
        return "http://127.0.0.1:7861"
    name = f"{settings.project}-{ANNOTATE_SPACE.suffix}".lower()
    host = re.sub("[^a-z0-9]", "-", name)
    if len(host) > _LONGEST_LABEL:
        raise InvalidInput(
            f"The address of {settings.project}-{ANNOTATE_SPACE.suffix} is too long to be known.",
            "Give it with --url; the Space's menu shows it under “Embed this Space”.",
        )
    return f"https://{host}.hf.space"


def require_target(settings: Settings) -> None:
    """Refuse, before anything is done, what could only fail half-way.

    Raises:
        InvalidInput: The project is a folder.
        NotSignedIn: There is no token.
    """
    if is_folder(settings.project):
        raise InvalidInput(
            f"{settings.project} is a folder; Spaces read a project on the Hub.",
            f"Use: python -m pipeline deploy USER/NAME --from {settings.project}",
        )
    if settings.hf_token is None:
        raise NotSignedIn(
            f"Nobody is signed in, so nothing can be put at {settings.project}.",
            "Sign in with `hf auth login`, or set HF_TOKEN to a token that may write.",
        )


def copy_project(source: Store, target: Store) -> int:
    """Add the files of one project to another and return how many were added.

    Only a project's own files are copied: a folder may hold what must not be published.

    Raises:
        InvalidInput: The target is another project.

    What the target has already stays as it is, so a copy that was cut short goes on when repeated.
    """
    target.create()
    there = {file.path for file in target.files()}
    if layout.SEED in there:
        mine, theirs = (store.read(layout.SEED).data for store in (source, target))
        if mine != theirs:
            raise InvalidInput(
                f"{target.name} already holds another seed than {source.name}.",
                "Nothing was copied: choose another name, or leave out --from.",
            )
    own = [file.path for file in source.files() if layout.belongs(file.path)]
    missing = [path for path in own if path not in there]
    for start in range(0, len(missing), _FILES_A_COMMIT):
        chosen = missing[start : start + _FILES_A_COMMIT]
        target.commit(
            {path: source.read(path).data for path in chosen},
            message=f"Copy {len(chosen)} files from {source.name}",
            expect=dict.fromkeys(chosen, ABSENT),
        )
    return len(missing)


def deploy_spaces(settings: Settings) -> Iterator[Deployed]:
    """Create or update both Spaces of a project; yields each as it is done.

    Repeating it goes on where it stopped: what is there is brought up to date.

    Raises:
        NotAllowed: The token may not create Spaces there.
    """
    for space in SPACES:
        yield _deploy(space, settings)


def _deploy(space: Space, settings: Settings) -> Deployed:
    name = f"{settings.project}-{space.suffix}"
    api = hub.client(settings.hub, settings.hf_token)
    files = assemble(space)
    with hub.errors(name, signed_in=settings.hf_token is not None):
        made = not api.repo_exists(name, repo_type="space")
        api.create_repo(name, repo_type="space", space_sdk="gradio", private=True, exist_ok=True)
        if space.signs and SECRET not in api.get_space_secrets(name):
            # Never replaced: pseudonyms are made with it.
            api.add_space_secret(name, SECRET, secrets.token_hex(32))
        api.create_commit(
            name,
            [
                CommitOperationAdd(path_in_repo=path, path_or_fileobj=data)
                for path, data in files.items()
            ],
            commit_message="Deploy Seedbed",
            repo_type="space",
        )
        api.add_space_variable(name, "SEEDBED_PROJECT", settings.project)
    by_hand = (
        f"Add the secret HF_TOKEN, a token that may {space.token_use} {settings.project}, at "
        f"{settings.hub}/spaces/{name}/settings{space.also}"
    )
    return Deployed(f"{settings.hub}/spaces/{name}", made, by_hand)
