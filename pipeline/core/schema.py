"""What is stored: the seed, the project's settings and the samples.

A seed keeps the keys of the Domain Data Grower, so its projects open as they are, and carries
unknown keys through a round trip. Settings refuse unknown keys: a typing error must not pass for
a setting.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Annotated, Any, ClassVar, Final, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json

from pipeline.core.errors import InvalidInput
from pipeline.core.flags import FlagName

SCHEMA_VERSION: Final = 1
MAX_SEED_BYTES: Final = 2_000_000

Model = TypeVar("Model", bound=BaseModel)

_MOST_TERMS: Final = 1_000
"""Seed terms written for old readers; all of a large seed's would fill its file."""

_DERIVED: Final = frozenset({"application_instruction", "seed_terms"})

LANGUAGES: Final[dict[str, str]] = {
    "en": "English",
    "es": "Spanish",
    "pt": "Portuguese",
    "fr": "French",
    "de": "German",
    "it": "Italian",
    "nl": "Dutch",
    "pl": "Polish",
    "tr": "Turkish",
    "ar": "Arabic",
    "hi": "Hindi",
    "id": "Indonesian",
    "ja": "Japanese",
    "ko": "Korean",
    "ru": "Russian",
    "sw": "Swahili",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
"""Languages offered by name; any other BCP 47 tag is accepted and passed on as it is."""


ShortText = Annotated[str, Field(max_length=300)]
Rule = Annotated[str, Field(max_length=1_000)]


class Example(BaseModel):
    """A question with the answer an expert would give, optionally tied to one cell."""

    model_config = ConfigDict(extra="allow", strict=True)

    question: str = Field(max_length=4_000)
    answer: str = Field(max_length=20_000)
    topic: str = Field(default="", max_length=300)
    perspective: str = Field(default="", max_length=300)


class Stored(BaseModel):
    """What is kept as one JSON file of a project, with the version of its form."""

    FILE: ClassVar[str]
    """What it is called in messages."""
    MOST_BYTES: ClassVar[int] = 2_000_000

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1, le=SCHEMA_VERSION)

    @classmethod
    def from_json(cls, data: bytes, name: str = "") -> Self:
        """Read the file; ``name`` tells it from others of its kind.

        Raises:
            InvalidInput: Names every field that is wrong, in one message.
        """
        return parse_json(cls, data, name or cls.FILE, cls.MOST_BYTES)

    def to_json(self) -> bytes:
        """Write the file, defaults included, so that it documents itself."""
        return _dump(self.model_dump(mode="json"))


class Quota(BaseModel):
    """How many samples one cell shall have; 0 switches it off."""

    model_config = ConfigDict(extra="forbid", strict=True)

    topic: str = Field(max_length=300)
    perspective: str = Field(max_length=300)
    rows: int = Field(ge=0, le=1_000_000)


class Seed(Stored):
    """What the expert wrote. An empty seed is valid to keep; see ``pipeline.core.checks``."""

    model_config = ConfigDict(extra="allow", strict=True)

    FILE = "seed_data.json"
    MOST_BYTES = MAX_SEED_BYTES

    domain: str = Field(default="", max_length=200)
    description: str = Field(default="", max_length=4_000)
    language: str = Field(default="en", pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    domain_expert_prompt: str = Field(default="", max_length=20_000)
    topics: list[ShortText] = Field(default_factory=list, max_length=500)
    perspectives: list[ShortText] = Field(default_factory=list, max_length=200)
    examples: list[Example] = Field(default_factory=list, max_length=500)
    rules: list[Rule] = Field(default_factory=list, max_length=100)
    """What every answer must do or avoid, one sentence each, beside the expert's description."""
    quotas: list[Quota] = Field(default_factory=list, max_length=2_000)
    """How many samples single cells shall have, for cells that shall not have an even share."""

    @model_validator(mode="before")
    @classmethod
    def _without_derived(cls, fields: object) -> object:
        # They are written for readers of the old format and made anew at each write.
        if isinstance(fields, dict):
            return {name: value for name, value in fields.items() if name not in _DERIVED}
        return fields

    def to_json(self) -> bytes:
        """Write the seed, with the two keys derived for readers of the old format."""
        fields = self.model_dump()
        fields["application_instruction"] = self.application_instruction()
        terms = (
            f"{topic} from a {perspective} perspective"
            for topic in self.topics
            for perspective in self.perspectives
        )
        fields["seed_terms"] = list(islice(terms, _MOST_TERMS))
        return _dump(fields)

    def application_instruction(self) -> str:
        """One text that describes the expert and shows the examples."""
        shown = "\n\n".join(f"Question: {e.question}\nAnswer: {e.answer}" for e in self.examples)
        return f"{self.domain_expert_prompt}\n\n{shown}".strip()

    def language_name(self) -> str:
        """The language in English words, for use inside a prompt."""
        return LANGUAGES.get(self.language, self.language)

    def cells(self) -> list[Cell]:
        """Every topic with every perspective, topics first, each pair once."""
        return [
            Cell(topic=topic, perspective=perspective)
            for topic in unique(self.topics)
            for perspective in unique(self.perspectives)
        ]


class Cell(BaseModel):
    """One topic seen from one perspective: the unit that generation fills."""

    model_config = ConfigDict(frozen=True)

    topic: str
    perspective: str


class ModelChoice(BaseModel):
    """A model and how to sample from it.

    Without ``base_url`` the model is called through Hugging Face Inference Providers. The names in
    ``STAND_INS`` call no model: they compose text from the seed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(min_length=1, max_length=300)
    base_url: str | None = Field(default=None, pattern=r"^https?://")
    temperature: float = Field(default=0.8, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int = Field(default=1024, ge=1, le=131_072)
    price_in: float | None = Field(default=None, ge=0)
    """Dollars for a million tokens of prompt; None is unknown, which is not free."""
    price_out: float | None = Field(default=None, ge=0)
    """Dollars for a million tokens of answer."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)


STAND_INS: Final = ("seedbed/stand-in-careful", "seedbed/stand-in-hasty")
"""Names under which the offline stand-in composes text; neither is a language model."""


class JudgeSettings(BaseModel):
    """Who rates completions before people do.

    ``overall`` asks for one rating with its reason in one call for all completions of a sample;
    ``ultrafeedback`` asks once for each of four aspects, and the rating is their mean.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: ModelChoice
    aspects: Literal["overall", "ultrafeedback"] = "overall"


class QualitySettings(BaseModel):
    """What is marked on samples, and which marked ones are not kept.

    Attributes:
        minhash_similarity: Jaccard similarity of words from which an instruction is a near
            duplicate; None looks for exact duplicates only.
        embedding_model: A static embedding model of model2vec, on the Hub or in a folder.
        embedding_similarity: Cosine similarity from which an instruction means the same.
        overused_phrases: Phrases to mark besides the usual ones of the language.
        shortest_answer: Characters below which a completion is marked.
        longest_answer: Characters above which a completion is marked.
        drop: Flags whose samples or completions are not kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    minhash_similarity: float | None = Field(default=0.8, gt=0, le=1)
    embedding_model: str | None = Field(default=None, min_length=1, max_length=300)
    embedding_similarity: float = Field(default=0.95, gt=0, le=1)
    overused_phrases: list[ShortText] = Field(default_factory=list, max_length=200)
    shortest_answer: int = Field(default=20, ge=0, le=20_000)
    longest_answer: int = Field(default=12_000, ge=1, le=200_000)
    drop: list[FlagName] = Field(default_factory=list)


class GenerationSettings(BaseModel):
    """How seeds grow into samples."""

    model_config = ConfigDict(extra="forbid")

    rows: int = Field(default=48, ge=1, le=10_000_000)
    instructions_per_call: int = Field(default=4, ge=1, le=50)
    completions: int = Field(default=2, ge=1, le=8)
    models: list[ModelChoice] = Field(
        default_factory=lambda: [ModelChoice(model=name) for name in STAND_INS],
        min_length=1,
        max_length=8,
    )
    instruction_model: ModelChoice | None = None
    evolve_instructions: int = Field(default=0, ge=0, le=4)
    evolve_completions: int = Field(default=0, ge=0, le=2)
    judge: JudgeSettings | None = None
    quality: QualitySettings = Field(default_factory=QualitySettings)
    grounding: float = Field(default=0.5, ge=0, le=1)
    """Share of the calls for instructions that get a passage of the project's documents."""
    concurrency: int = Field(default=8, ge=1, le=1_000)
    timeout: float = Field(default=120, gt=0, le=3_600)

    def for_instructions(self) -> ModelChoice:
        """The model that writes instructions: its own, else the first of ``models``."""
        return self.instruction_model or self.models[0]

    def for_completion(self, index: int) -> ModelChoice:
        """The model that writes completion ``index``; models take turns."""
        return self.models[index % len(self.models)]

    def all_models(self) -> list[ModelChoice]:
        """Every model that is called, each choice once."""
        answering = [self.for_completion(index) for index in range(self.completions)]
        judging = [self.judge.model] if self.judge else []
        return list(dict.fromkeys([self.for_instructions(), *answering, *judging]))


class ExamSettings(BaseModel):
    """How questions are made out of documents.

    Attributes:
        questions: How many there shall be.
        model: Who writes them; None is the model that writes instructions.
        checker: Who is asked what only a model can tell; None is who writes them.
        improve: Whether each question is rewritten once for clarity and closer wrong options.
        check_support: Whether ``checker`` is asked which options the passage makes right.
        closed_book: How many times ``checker`` is asked each question without the passage; one
            that it gets right every time is marked.
    """

    model_config = ConfigDict(extra="forbid")

    questions: int = Field(default=40, ge=1, le=100_000)
    model: ModelChoice | None = None
    checker: ModelChoice | None = None
    improve: bool = False
    check_support: bool = False
    closed_book: int = Field(default=0, ge=0, le=8)


Task = Literal["thumbs", "pairwise", "rate", "edit", "instruction", "exam"]
TASKS: Final[tuple[Task, ...]] = get_args(Task)


class AnnotationSettings(BaseModel):
    """What annotators are asked, and how.

    Attributes:
        tasks: What is asked for.
        mix: How much of each task, by weight; a task that is not named weighs 1.
        guidelines: Markdown that annotators see first, and again when it changed.
        overlap: How many people shall judge each question; may be changed at any time.
        instructions: How many instructions people shall write for each cell.
        repeats: Share of cards that show an answered question again, to see who agrees with
            themselves.
        controls: Share of cards whose answer is known, from ``controls.json``.
        show_topic: Whether annotators see topic and perspective.
        show_source: Whether annotators see which document a sample comes from.
        show_models: Whether annotators learn who wrote an answer, after they have voted.
        blind_exam: Whether reviewers of exam questions choose the right option themselves, without
            being shown which one is marked.
    """

    model_config = ConfigDict(extra="forbid")

    tasks: list[Task] = Field(default=["thumbs", "pairwise"], min_length=1)
    mix: dict[Task, Annotated[float, Field(gt=0, le=100)]] = Field(default_factory=dict)
    guidelines: str = Field(default="", max_length=50_000)
    overlap: int = Field(default=1, ge=1, le=100)
    instructions: int = Field(default=3, ge=1, le=100)
    repeats: float = Field(default=0, ge=0, le=0.5)
    controls: float = Field(default=0, ge=0, le=0.5)
    show_topic: bool = True
    show_source: bool = True
    show_models: bool = True
    blind_exam: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError("a task is named twice")
        if unasked := set(self.mix) - set(self.tasks):
            raise ValueError(f"mix weighs {', '.join(sorted(unasked))}, not among the tasks")
        return self

    def guidelines_version(self) -> str:
        """A short digest of the guidelines: it changes when, and only when, they change."""
        return hashlib.sha256(self.guidelines.encode()).hexdigest()[:12]


HubName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]{0,95}$")]


class AccessSettings(BaseModel):
    """Who may annotate. A valid invitation always lets in.

    Attributes:
        annotate: ``open`` to everybody with the link, ``signed_in`` with Hugging Face, ``named``:
            only ``people``, or ``invitation``: only with an invitation link.
        people: User names and organisations on the Hub that may annotate where it says ``named``.
        leads: User names that see the lead's view, besides the dataset's owner.
        pseudonyms: Whether the dataset holds invented names in place of people's own.
    """

    model_config = ConfigDict(extra="forbid")

    annotate: Literal["open", "signed_in", "named", "invitation"] = "open"
    people: list[HubName] = Field(default_factory=list, max_length=1_000)
    leads: list[HubName] = Field(default_factory=list, max_length=100)
    pseudonyms: bool = False


Method = Literal["majority", "weighted"]


class CurationSettings(BaseModel):
    """How votes become training data; the command line can say otherwise for one export.

    Attributes:
        method: ``majority`` counts everybody's vote alike, ``weighted`` by how reliable they are.
        min_votes: How many people must have judged what becomes a row.
        min_agreement: Which share of them must have said the same; a majority says more than half.
        test_share: Which share of the instructions is kept apart for tests.
    """

    model_config = ConfigDict(extra="forbid")

    method: Method = "majority"
    min_votes: int = Field(default=1, ge=1, le=1_000)
    min_agreement: float = Field(default=0, ge=0, le=1)
    test_share: float = Field(default=0.1, ge=0, le=0.9)


class CardSettings(BaseModel):
    """What the lead says in the dataset's card.

    Attributes:
        licence: As the Hub names licences, such as ``cc-by-4.0``; None leaves the card's own.
    """

    model_config = ConfigDict(extra="forbid")

    licence: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9.+-]{0,99}$")


class Project(Stored):
    """A project's settings, apart from what the expert wrote."""

    model_config = ConfigDict(extra="forbid")

    FILE = "project.json"

    generation: GenerationSettings = Field(default_factory=GenerationSettings)
    annotation: AnnotationSettings = Field(default_factory=AnnotationSettings)
    access: AccessSettings = Field(default_factory=AccessSettings)
    exam: ExamSettings = Field(default_factory=ExamSettings)
    curation: CurationSettings = Field(default_factory=CurationSettings)
    card: CardSettings = Field(default_factory=CardSettings)


class Completion(BaseModel):
    """One model's answer, with what is needed to ask for it again."""

    model_config = ConfigDict(frozen=True)

    completion_id: str
    text: str
    model: str
    parameters: str
    """The sampling parameters as a JSON object."""
    finish_reason: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    judge_rating: float | None = None
    judge_rationale: str | None = None
    evolved_from: str | None = None


class Span(BaseModel):
    """Where in a document a row comes from: characters, end exclusive."""

    model_config = ConfigDict(frozen=True)

    start: int
    end: int


class Sample(BaseModel):
    """One row of the ``samples`` config."""

    model_config = ConfigDict(frozen=True)

    sample_id: str
    kind: Literal["instruction", "exam"] = "instruction"
    system: str | None = None
    instruction: str
    completions: tuple[Completion, ...]
    topic: str
    perspective: str
    lineage: tuple[str, ...] = ()
    """How the instruction came about, oldest first, such as ``cell:clay soils|agronomist``."""
    document: str | None = None
    span: Span | None = None
    flags: tuple[str, ...] = ()
    run_id: str
    fingerprint: str
    created_at: str
    question: str | None = None
    answer: str | None = None
    distractors: tuple[str, ...] | None = None


def stable_id(*parts: object) -> str:
    """Sixteen hex digits that depend on nothing but ``parts``: same lineage, same id."""
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def unique(texts: Iterable[str]) -> list[str]:
    """The texts in order, without blanks and without repeats that differ in case or spacing."""
    kept: dict[str, str] = {}
    for text in texts:
        key = normalized(text)
        if key:
            kept.setdefault(key, text.strip())
    return list(kept.values())


def normalized(text: str) -> str:
    """The text as duplicates are recognised: case and spacing do not count."""
    return " ".join(text.casefold().split())


def _dump(fields: dict[str, Any]) -> bytes:
    return (json.dumps(fields, ensure_ascii=False, indent=2) + "\n").encode()


def parse_json(kind: type[Model], data: bytes, name: str, limit: int) -> Model:
    """Read what is stored as one JSON object; ``limit`` is in bytes.

    Raises:
        InvalidInput: Names the file ``name`` and every field that is wrong.
    """
    if len(data) > limit:
        raise InvalidInput(
            f"{name} is {len(data) / 1e6:.1f} MB; at most {limit / 1e6:.0f} MB can be read.",
            "Put long texts into documents/ and keep this file short.",
        )
    try:
        fields = from_json(data)
    except ValueError as error:
        raise InvalidInput(
            f"{name} is not JSON: {error}.", "Repair the file, or restore an earlier version."
        ) from error
    if not isinstance(fields, dict):
        raise InvalidInput(
            f"{name} holds a {type(fields).__name__}, not an object with named fields.",
            "Write it as {...}.",
        )
    version = fields.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise InvalidInput(
            f"{name} has schema version {version}; this Seedbed reads up to {SCHEMA_VERSION}.",
            "Update Seedbed, then open the project again.",
        )
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise InvalidInput(
            f"{name} cannot be used: {describe(error)}.",
            "Correct these fields; nothing was changed.",
        ) from error


def describe(error: ValidationError, at_most: int = 5) -> str:
    """Every field that failed validation, its value shortened, in one line."""
    found: Sequence[Any] = error.errors(include_url=False)
    parts = []
    for item in found[:at_most]:
        where = ".".join(str(step) for step in item["loc"])
        if item["type"] == "extra_forbidden":
            parts.append(f"there is no {where}")
            continue
        problem = item["msg"].rstrip(".").removeprefix("Value error, ")
        if not where:
            parts.append(problem)
            continue
        shown = repr(item.get("input"))
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        parts.append(f"{where}: {problem} (it is {shown})")
    if len(found) > at_most:
        parts.append(f"and {len(found) - at_most} more")
    return "; ".join(parts)
