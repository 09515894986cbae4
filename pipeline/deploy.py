"""Putting a project on the Hub: its dataset and its two Spaces.

A Space gets its own package, the modules of ``pipeline`` that it imports, and its three root files,
under the import paths they have here, so that it needs nothing else. The Seed Space also carries
what both Spaces are made of, because new projects are made from it.

What is there already is never taken for ours: a dataset must hold the same project, a Space must
show it.
"""

from __future__ import annotations

import ast
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError

from pipeline.core import hub, layout
from pipeline.core.errors import InvalidInput, NotSignedIn, ProjectNotFound
from pipeline.core.projects import is_folder, load_seed, make_project, open_store
from pipeline.core.schema import Project, Seed
from pipeline.core.settings import Settings
from pipeline.core.store import ABSENT, Store, git_oid

SECRET: Final = "SEEDBED_SECRET"  # noqa: S105 - its name
_ROOT: Final = Path(__file__).resolve().parent.parent
_ROOT_FILES: Final = ("app.py", "README.md", "requirements.txt")
_KINDS: Final = {".py", ".css", ".js", ".html", ".jinja2", ".json"}
_FILES_A_COMMIT: Final = 50
_LONGEST_LABEL: Final = 63
"""Characters that one part of a host name can have."""


_PROJECT: Final = "SEEDBED_PROJECT"
_TOKEN: Final = "HF_TOKEN"  # noqa: S105 - its name
_NEW: Final = {".gitattributes", "README.md"}
"""What the Hub itself puts into a new repository."""

Part = Literal["dataset", "seed", "annotate"]


class Taken(InvalidInput):
    """Something else has this name on the Hub already.

    Attributes:
        name: The repository.
        kind: ``dataset`` or ``space``.
    """

    def __init__(self, name: str, kind: Literal["dataset", "space"]) -> None:
        what = "is another dataset or project" if kind == "dataset" else "is another Space"
        super().__init__(
            f"{name} {what} already.", "Nothing in it was changed: choose another name."
        )
        self.name = name
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Space:
    """One of the two Spaces.

    Attributes:
        package: Its top-level package.
        suffix: Added to the project's name to make the Space's.
        signs: Whether it needs a secret of its own, which stays when that token is replaced.
        invites: Whether people without an account shall be able to open it.
        makes_others: Whether it carries what both Spaces are made of.
    """

    package: str
    suffix: Literal["seed", "annotate"]
    signs: bool = False
    invites: bool = False
    makes_others: bool = False


SEED_SPACE: Final = Space("seed_space", "seed", makes_others=True)
ANNOTATE_SPACE: Final = Space("annotate_space", "annotate", signs=True, invites=True)
SPACES: Final = (SEED_SPACE, ANNOTATE_SPACE)


@dataclass(frozen=True, slots=True)
class ByHand:
    """One thing that only a person can do.

    Attributes:
        key: Of its words in ``by_hand.json``.
        url: Where it is done.
        values: For the words.
    """

    key: str
    url: str
    values: Mapping[str, str]

    def say(self, language: str = "en") -> str:
        """What is to be done, one sentence or two."""
        return _words()[self.key][language].format_map(self.values)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What there is now.

    Attributes:
        part: Which part of the project.
        url: Address of the dataset or Space.
        made: False if it was there already.
        by_hand: What only a person can do.
    """

    part: Part
    url: str
    made: bool
    by_hand: tuple[ByHand, ...] = ()


def assemble(space: Space) -> dict[str, bytes]:
    """The files of ``space`` as its repository holds them.

    They are the same made from a checkout and from a deployed Seed Space.

    Raises:
        InvalidInput: This copy of Seedbed is not whole.
    """
    try:
        files = {name: (_ROOT / space.package / name).read_bytes() for name in _ROOT_FILES}
        for one in SPACES if space.makes_others else (space,):
            files |= _package_files(one)
        if space.makes_others:
            for path in (f"{one.package}/{name}" for one in SPACES for name in _ROOT_FILES):
                files[path] = (_ROOT / path).read_bytes()
    except FileNotFoundError as error:
        raise InvalidInput(
            f"This copy of Seedbed has no {error.filename}, which a Space is made of.",
            "Bring it up to date with: python -m pipeline deploy PROJECT",
        ) from error
    return files


def _package_files(space: Space) -> dict[str, bytes]:
    """The package of ``space`` and the parts of ``pipeline`` that it imports."""
    package = _ROOT / space.package
    modules = _imported(package)
    homes = {package, *(module.parent for module in modules)}
    files = {}
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


def copy_project(source: Store, target: Store, *, private: bool = True) -> int:
    """Add the files of one project to another and return how many were added.

    Only a project's own files are copied: a folder may hold what must not be published.

    Raises:
        InvalidInput: The target is another project.

    What the target has already stays as it is, so a copy that was cut short goes on when repeated.
    """
    target.create(private=private)
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


def survey(settings: Settings, seed: Seed) -> set[Part]:
    """Tell which parts of a new project that starts with ``seed`` are there already.

    Writes nothing.

    Raises:
        Taken: One of the names is something else's.
    """
    there: set[Part] = set()
    api = hub.client(settings.hub, settings.hf_token)
    for space in SPACES:
        name = _name(settings, space)
        with _errors(settings, name):
            if api.repo_exists(name, repo_type="space"):
                _require_ours(api, space, settings)
                there.add(space.suffix)
    with _errors(settings, settings.project):
        known = api.repo_exists(settings.project, repo_type="dataset")
    if known:
        if not there:
            _require_same(open_store(settings), seed)
        there.add("dataset")
    return there


def make_dataset(
    settings: Settings, seed: Seed, project: Project, *, private: bool = True
) -> Deployed:
    """Make the dataset of a new project; what it has already stays as it is.

    Raises:
        Taken: It is another project's, or no project's.
        NotAllowed: The token may not create it.
    """
    there = survey(settings, seed)
    try:
        make_project(open_store(settings), seed, project, private=private)
    except ProjectNotFound as error:  # it is there already, and hidden from this token
        raise Taken(settings.project, "dataset") from error
    url = f"{settings.hub}/datasets/{settings.project}"
    return Deployed("dataset", url, "dataset" not in there)


def deploy_spaces(settings: Settings, *, private: bool = True) -> Iterator[Deployed]:
    """Create or update both Spaces of a project; yields each as it is done.

    Repeating it goes on where it stopped: what is there is brought up to date.

    Raises:
        Taken: A Space of that name shows something else.
        NotAllowed: The token may not create Spaces there.
    """
    for space in SPACES:
        yield deploy_space(space, settings, private=private, update=True)


def deploy_space(
    space: Space, settings: Settings, *, private: bool = True, update: bool = False
) -> Deployed:
    """Create one Space of a project.

    Args:
        space: Which of the two.
        settings: Names the project, and the token that acts.
        private: Who sees it once it is made; one that is there stays as it is.
        update: Whether the files of one that is there are replaced by those of this Seedbed.

    Raises:
        Taken: A Space of that name shows something else.
        NotAllowed: The token may not create Spaces there.
    """
    name = _name(settings, space)
    api = hub.client(settings.hub, settings.hf_token)
    files = assemble(space)
    with _errors(settings, name):
        made = not api.repo_exists(name, repo_type="space")
        known: set[str] = set()
        if made:
            # In one request, so that there is never a Space that does not tell whose it is.
            with _unseen(name):
                api.create_repo(
                    name,
                    repo_type="space",
                    space_sdk="gradio",
                    private=private,
                    space_variables=[{"key": _PROJECT, "value": settings.project}],
                    space_secrets=[_new_secret()] if space.signs else None,
                )
        else:
            _require_ours(api, space, settings)
            api.add_space_variable(name, _PROJECT, settings.project)
            known = set(api.get_space_secrets(name))
            if space.signs and SECRET not in known:
                # Never replaced: pseudonyms are made with it.
                api.add_space_secret(name, SECRET, _new_secret()["value"])
        if made or update or not api.file_exists(name, "app.py", repo_type="space"):
            api.create_commit(
                name,
                [
                    CommitOperationAdd(path_in_repo=path, path_or_fileobj=data)
                    for path, data in files.items()
                ],
                commit_message="Deploy Seedbed",
                repo_type="space",
            )
        by_hand = tuple(_by_hand(api, space, settings, known))
    return Deployed(space.suffix, f"{settings.hub}/spaces/{name}", made, by_hand)


def _require_ours(api: HfApi, space: Space, settings: Settings) -> None:
    """Refuse a Space that shows something else.

    One without files is nobody's yet, and one with our files was left by a deploy that broke off.

    Raises:
        Taken: It is not ours.
    """
    name = _name(settings, space)
    variables = api.get_space_variables(name)
    if _PROJECT in variables:
        if variables[_PROJECT].value != settings.project:
            raise Taken(name, "space")
    else:
        found = api.get_paths_info(name, ["app.py"], repo_type="space")
        ours = git_oid((_ROOT / space.package / "app.py").read_bytes())
        if found and getattr(found[0], "blob_id", None) != ours:
            raise Taken(name, "space")


def _require_same(store: Store, seed: Seed) -> None:
    """Refuse a dataset that is not a new one and holds no project with this seed.

    Raises:
        Taken: It is something else.
    """
    there = {file.path for file in store.files()}
    same = load_seed(store).seed == seed if layout.SEED in there else there <= _NEW
    if not same:
        raise Taken(store.name, "dataset")


def _by_hand(api: HfApi, space: Space, settings: Settings, known: set[str]) -> Iterator[ByHand]:
    """What remains to be done for one Space, in the order in which it is done."""
    name = _name(settings, space)
    page = f"{settings.hub}/spaces/{name}/settings"
    values = {"project": settings.project, "space": name}
    hidden = api.dataset_info(settings.project, expand=["private"]).private
    if _TOKEN not in known and (space.invites or hidden):
        tokens = f"{settings.hub}/settings/tokens/new?tokenType=fineGrained"
        yield ByHand(f"{space.suffix}_token", tokens, values)
        yield ByHand(f"{space.suffix}_secret", page, values)
    if space.invites and api.space_info(name, expand=["private"]).private:
        yield ByHand("public", page, values)
    if space.invites:
        yield ByHand("hardware", page, values)


def _name(settings: Settings, space: Space) -> str:
    return f"{settings.project}-{space.suffix}"


def _new_secret() -> dict[str, str]:
    return {"key": SECRET, "value": secrets.token_hex(32)}


def _errors(settings: Settings, name: str) -> AbstractContextManager[None]:
    return hub.errors(name, signed_in=settings.hf_token is not None)


@contextmanager
def _unseen(name: str) -> Iterator[None]:
    """A Space cannot be made that is there already, though this token cannot see it."""
    try:
        yield
    except HfHubHTTPError as error:
        if error.response.status_code == 409:
            raise Taken(name, "space") from error
        raise


@cache
def _words() -> dict[str, dict[str, str]]:
    text = Path(__file__).with_name("by_hand.json").read_text(encoding="utf-8")
    words: dict[str, dict[str, str]] = json.loads(text)
    return words
