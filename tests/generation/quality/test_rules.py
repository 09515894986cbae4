from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.flags import FLAGS, Flag
from pipeline.core.schema import QualitySettings, Sample, Seed
from pipeline.generation.quality.rules import Rules
from tests.factories import a_sample, a_seed

GOOD = "Roll a handful of soil between your palms. If it crumbles you may plough; if not, wait."


def flags_of(
    sample: Sample, seed: Seed, settings: QualitySettings, source: str = ""
) -> tuple[Flag, ...]:
    return Rules(seed, settings).flags_of(sample, source)


def names(
    text: str,
    *,
    instruction: str = "How do I know that my field is ready?",
    settings: QualitySettings | None = None,
    seed: Seed | None = None,
    source: str = "",
    finish_reason: str | None = "stop",
    system: str | None = None,
) -> set[str]:
    """The marks of one completion."""
    sample = a_sample(1, [text or " "], instruction=instruction, system=system)
    answer = sample.completions[0].model_copy(update={"text": text, "finish_reason": finish_reason})
    sample = sample.model_copy(update={"completions": (answer,)})
    found = flags_of(sample, seed or a_seed(), settings or QualitySettings(), source)
    return {flag.name for flag in found if flag.completion_id}


def of_instruction(instruction: str, **changes: object) -> set[str]:
    sample = a_sample(1, [GOOD], instruction=instruction, **changes)
    found = flags_of(sample, a_seed(), QualitySettings())
    return {flag.name for flag in found if flag.completion_id is None}


def in_(language: str) -> Seed:
    return a_seed().model_copy(update={"language": language})


def test_a_good_sample_has_no_marks() -> None:
    assert flags_of(a_sample(1, [GOOD, GOOD]), a_seed(), QualitySettings()) == ()


def test_a_mark_names_the_completion_it_is_about() -> None:
    sample = a_sample(1, [GOOD, "I'm sorry, but I can't help with that."])
    assert flags_of(sample, a_seed(), QualitySettings()) == (
        Flag("refusal", sample.completions[1].completion_id),
    )


class TestRefusal:
    @pytest.mark.parametrize(
        "text",
        [
            "I'm sorry, but I can't help with that request.",
            "I’m sorry, but I cannot give advice on dosing livestock medicine.",  # noqa: RUF001
            "Sorry, I can't do that.",
            "Thank you for asking. I cannot assist with this.",
            "**I'm unable to provide** medical advice for your animals.",
            "As an AI language model, I have never ploughed a field, but here is what I know.",
            "Plough when it is dry. As an AI, I have no hands to roll the soil with.",
            "Lo siento, pero no puedo ayudarte con eso.",
            "Como modelo de lenguaje, no tengo experiencia en el campo.",
            "Desculpe, mas não posso ajudar com esse pedido.",
            "Como um modelo de linguagem, não posso visitar a sua lavoura.",
            "Je suis désolé, mais je ne peux pas répondre à cette demande.",
            "En tant qu'IA, je n'ai pas d'expérience du terrain.",
            "Es tut mir leid, aber ich kann dabei nicht helfen.",
            "Als KI-Sprachmodell habe ich keine Erfahrung auf dem Acker.",
        ],
    )
    def test_is_found(self, text: str) -> None:
        assert "refusal" in names(text)

    @pytest.mark.parametrize(
        "text",
        [
            "A cow that is refusing feed may have a displaced abomasum; call a vet.",
            "The buyer may refuse the goods if they do not match the sample.",
            "You can refuse the grain at the gate. I cannot stress this enough: weigh it first.",
            "Tell the dealer: 'I'm sorry, but I can't accept this load.' Then note the time.",
            'Answers that begin with "As an AI language model" should be taken out of the data.',
            "As an AIS operator, you report the position of the vessel every hour.",
            "My vet is sorry, but I can tell you that the calf will live.",
            "Como modelo de negocio, la cooperativa reparte los beneficios cada año.",
            "Als Modell dient der Boden einer Wiese, die nie gepflügt wurde.",
            "Many farmers cannot help with the harvest and hire hands in June.",
            GOOD * 20 + " Where the soil is unknown, I cannot provide a date.",
        ],
    )
    def test_leaves_talk_about_refusing_alone(self, text: str) -> None:
        assert "refusal" not in names(text)


class TestOverusedPhrase:
    @pytest.mark.parametrize(
        ("language", "text"),
        [
            ("en", "It's important to note that soil matters. In conclusion, test it first."),
            ("en", "Let's delve into the rich tapestry of soils in today's fast-paced world."),
            ("en", "A holistic, robust and multifaceted plan keeps weeds down."),
            ("es", "Es importante destacar que el suelo juega un papel crucial en la huerta."),
            ("pt", "Vale ressaltar que o solo desempenha um papel fundamental na lavoura."),
            ("fr", "Il est important de noter que le sol joue un rôle crucial ici."),
            ("de", "Es ist wichtig zu beachten: Der Boden spielt eine entscheidende Rolle."),
            ("en-GB", "It is worth noting that rain helps. In summary, wait for rain."),
        ],
    )
    def test_is_found(self, language: str, text: str) -> None:
        assert "overused_phrase" in names(text, seed=in_(language))

    @pytest.mark.parametrize(
        "text",
        [
            "Delve with a spade to the depth of a hand and look at the roots.",
            "In conclusion, wait until the handful crumbles.",
            "The robust varieties stand the wind; the others are tied to a cane.",
            "It is important to note the date on which you sowed.",
        ],
    )
    def test_one_ordinary_use_is_not_enough(self, text: str) -> None:
        assert "overused_phrase" not in names(text)

    def test_words_of_the_subject_itself_do_not_count(self) -> None:
        text = "A tapestry of wool is robust. The intricate parts of a tapestry wear out first."
        assert "overused_phrase" in names(text)
        weaving = a_seed().model_copy(update={"topics": ["Tapestry weaving"]})
        assert "overused_phrase" not in names(text, seed=weaving, instruction="Intricate wool?")

    def test_a_long_text_may_hold_a_few(self) -> None:
        text = "It's important to note this. In conclusion, wait. "
        assert "overused_phrase" not in names(text + (GOOD + " ") * 60)

    def test_one_use_of_a_phrase_of_the_settings_is_enough(self) -> None:
        settings = QualitySettings(overused_phrases=["Happy  Farming", ""])
        assert "overused_phrase" in names("Wait for rain. Happy farming!", settings=settings)
        assert "overused_phrase" not in names("Unhappy farming is rare.", settings=settings)

    def test_instructions_are_looked_at_too(self) -> None:
        slop = "In today's fast-paced world, how do I harness the power of clay?"
        assert of_instruction(slop) == {"overused_phrase"}


class TestUnsupportedReference:
    @pytest.mark.parametrize(
        "text",
        [
            "See https://soil.org/clay-guide for the details of the test.",
            "See www.soil.org/clay for the details of the test.",
            "The result is in doi:10.1016/j.geoderma.2019.04.001, which you can read.",
            "The model is described in arXiv:2101.01234 and works on soils.",
            "Clay dries from the top (Smith et al., 2019).",
            "Clay dries from the top (Smith & Jones, 2019; Lee, 2020).",
            "Clay dries from the top (Smith, 2019, p. 12).",
            "Smith et al. (2019) found that clay dries from the top.",
            "A study by the University of Turin (2018) showed that clay dries from the top.",
            "A 2018 study published in Nature showed that clay dries from the top.",
            "Un estudio de la Universidad de Lima (2018) lo demuestra con claridad.",
            "Eine Studie der Universität Hohenheim aus dem Jahr 2018 zeigt das deutlich.",
        ],
    )
    def test_is_found(self, text: str) -> None:
        assert "unsupported_reference" in names(text)

    @pytest.mark.parametrize(
        "text",
        [
            "The wettest month on record (March, 2019) shows why clay must drain.",
            "The law was changed (see the note below) in 2019, so ask again.",
            "Open http://localhost:8000/fields or https://example.com/form in a browser.",
            "Study your soil report from 2019 before you sow.",
            "A study of your own soil costs little and tells you much.",
            "The drought of 2018 (the worst in years) killed the clover.",
            "Lime at 10.5/2 kg a plot, that is 5.25 kg.",
            "The Nile (Egypt) floods; the Po (Italy) does too.",
            "Write to the office in Turin (2 km away) or call 2018.",
        ],
    )
    def test_is_not_seen_in_ordinary_brackets_years_and_slashes(self, text: str) -> None:
        assert "unsupported_reference" not in names(text)

    def test_what_the_model_was_given_is_supported(self) -> None:
        text = "See https://soil.org/clay and (Smith et al., 2019)."
        given_text = "Sources: http://www.Soil.org/clay/. Smith, J. et al., Clay, 2019."
        assert "unsupported_reference" in names(text)
        assert "unsupported_reference" not in names(text, source=given_text)
        assert "unsupported_reference" not in names(text, system=given_text)
        assert "unsupported_reference" not in names(text, instruction=given_text)
        described = a_seed().model_copy(update={"description": given_text})
        assert "unsupported_reference" not in names(text, seed=described)
        example = a_seed().examples[0].model_copy(update={"answer": given_text})
        shown = a_seed().model_copy(update={"examples": [example]})
        assert "unsupported_reference" not in names(text, seed=shown)

    def test_a_page_is_not_supported_by_another_of_the_same_site(self) -> None:
        given_text = "See https://soil.org/clay10 and https://soil.org."
        assert "unsupported_reference" in names("See https://soil.org/clay1", source=given_text)
        assert "unsupported_reference" not in names("See https://soil.org/", source=given_text)

    def test_another_year_of_a_given_author_is_not_supported(self) -> None:
        assert "unsupported_reference" in names("So (Smith, 2020).", source="Smith, 2019")

    def test_instructions_are_looked_at_too(self) -> None:
        asked = "What does https://soil.org/clay say about drainage?"
        assert of_instruction(asked) == {"unsupported_reference"}
        assert of_instruction(asked, system="Use https://soil.org/clay only.") == set()


LONG = "The soil must be dry before you plough it, and it is dry when a handful of it crumbles."


class TestTruncated:
    @pytest.mark.parametrize("reason", ["length", "max_tokens"])
    def test_the_model_says_so(self, reason: str) -> None:
        assert names(GOOD, finish_reason=reason) == {"truncated"}

    @pytest.mark.parametrize(
        "text",
        [
            f"{LONG} Then you take the plough to the far end of the field and turn it where the",
            f"{LONG} Then you take the plough to the far end of the field and turn it at each ridg",
            "First you take the plough out of the shed,",
            "The field needs lime, manure and (",
            "Use this:\n\n```python\nfor field in fields:\n    print(",
            "Do this:\n\n1. Wait for rain.\n2. Roll the soil.\n3. Plough.\n4.",
            "Do this:\n\n1. Wait for rain.\n2. Roll the soil.\n3. **",
            "Do this:\n\n- Wait for rain.\n- Roll the soil.\n-",
            "| Crop | Days |\n|---|---|\n| Rye | 90 |\n| Clo",
            "Do this:\n\n1. Wait for rain.\n2. Roll the soil.\n3. Plough. Then turn the pl",
        ],
    )
    def test_is_found(self, text: str) -> None:
        assert "truncated" in names(text)

    @pytest.mark.parametrize(
        "text",
        [
            GOOD,
            "Yes",
            "About 40 kg a hectare",
            "You need:\n\n- A spade\n- A bucket\n- A scale that shows single grams and was checked",
            "Do this:\n\n1. Wait for rain\n2. Roll the soil\n3. Plough along the slope, never down",
            "Do this:\n\n1. Wait for rain.\n2. Roll the soil.\n3. Plough along the slope",
            "Use this:\n\n```python\nprint(1)\n```",
            "Use this:\n\n````md\n```\ninner\n```\n````",
            "| Crop | Days |\n|---|---|\n| Rye | 90 |",
            "Crop | Days\n--- | ---\nRye | 90",
            f"{LONG} You find the dates for your region on the page of the service: https://soil.org/a",
            f"{LONG}\n\nGood luck with the harvest, and greetings,\nMaria Lopez",
            f"Dear Sir,\n\n{LONG}\n\nYours sincerely,",
            f"{LONG} (This holds for clay only.)",
            f"{LONG} **Wait for rain.**",
            f"{LONG} 🌱",
            f"{LONG}\n\n---",
            f"{LONG}\n\n## See also",
            "The yield is\n\n$$y = 3x$$",
            "Two and two make\n4.",
            "You need:\n\n- A good spade to dig with\n- A bucket to carry the soil in",
            "Roses are red,\nviolets are blue,\nclay is for bread,\nand sand is for you",
        ],
    )
    def test_is_not_seen_in_whole_answers(self, text: str) -> None:
        assert "truncated" not in names(text)

    def test_languages_with_other_full_stops_or_none_are_whole(self) -> None:
        assert "truncated" not in names("土を丸めて崩れたら耕します。" * 9, seed=in_("ja"))
        assert "truncated" not in names("मिट्टी सूखी हो तो जुताई करें।" * 9, seed=in_("hi"))
        assert "truncated" not in names("ถ้าดินร่วนก็ไถได้ ถ้าดินเหนียวให้รอก่อน " * 9, seed=in_("th"))

    def test_a_word_that_leads_on_counts_in_its_own_language_only(self) -> None:
        assert "truncated" in names("Se ara cuando el suelo está seco y", seed=in_("es"))
        assert "truncated" not in names("In German, soil is called die", seed=in_("en"))


class TestWrongLanguage:
    def test_is_found_in_a_completion(self) -> None:
        text = "Rolle eine Handvoll Erde: Wenn sie krümelt, darfst du pflügen, sonst warte."
        assert names(text) == {"wrong_language"}
        assert names(text, seed=in_("de"), instruction="Wann darf ich den Acker pflügen?") == set()

    def test_is_found_in_an_instruction(self) -> None:
        asked = "¿Cuándo está el suelo arcilloso bastante seco para poder ararlo?"
        assert of_instruction(asked) == {"wrong_language"}

    def test_is_not_seen_in_names_of_plants(self) -> None:
        assert names("Vicia faba, Trifolium incarnatum, Lolium multiflorum.") == set()


class TestLength:
    def test_is_counted_in_characters_without_blank_ends(self) -> None:
        settings = QualitySettings(shortest_answer=5, longest_answer=8)
        assert "too_short" in names("  four  ", settings=settings)
        assert names("fives", settings=settings) == set()
        assert names("eight ok", settings=settings) == set()
        assert "too_long" in names("nine char", settings=settings)

    def test_an_empty_answer_is_too_short_and_nothing_else(self) -> None:
        assert names("") == {"too_short"}

    def test_instructions_have_no_length(self) -> None:
        assert of_instruction("Why?") == set()


class TestRepeatsQuestion:
    ASKED = "When is heavy clay dry enough to plough in spring?"

    @pytest.mark.parametrize(
        "text",
        [
            f"{ASKED} It is dry when a handful crumbles.",
            f'You asked: "{ASKED}" It is dry when a handful crumbles.',
            "When is heavy clay dry enough to plough in the spring? When it crumbles.",
            f"**{ASKED.upper()}**\n\nWhen a handful crumbles.",
        ],
    )
    def test_is_found(self, text: str) -> None:
        assert "repeats_question" in names(text, instruction=f"I farm clay. {self.ASKED}")

    def test_is_found_without_spaces_between_words(self) -> None:
        asked = "重い粘土質の土壌はいつ耕せますか。"
        text = f"{asked}ひと握り丸めて崩れたら耕せます。"
        assert "repeats_question" in names(text, instruction=asked, seed=in_("ja"))

    @pytest.mark.parametrize(
        "text",
        [
            "Heavy clay is dry enough to plough in spring when a handful of it crumbles.",
            "When a handful crumbles.",
            "In spring, heavy clay is often too wet until April; plough it in autumn instead.",
            f"When a handful crumbles. {GOOD} So much for your question: {ASKED}",
        ],
    )
    def test_is_not_seen_in_an_answer_with_the_questions_words(self, text: str) -> None:
        assert "repeats_question" not in names(text, instruction=self.ASKED)

    def test_a_short_question_may_return_by_chance(self) -> None:
        assert "repeats_question" not in names(
            "What is clay? Fine soil.", instruction="What is clay?"
        )


HOSTILE: dict[str, Callable[[int], str]] = {
    "words": lambda size: "delve " * (size // 6),
    "one word": lambda size: "a" * size,
    "brackets": lambda size: "(" * size,
    "names in brackets": lambda size: "(Smith, Jones, " * (size // 15),
    "citations": lambda size: "(Smith, 2019) " * (size // 14),
    "studies": lambda size: "study by the " * (size // 13),
    "studies of names": lambda size: "study of A by B in C " * (size // 21),
    "years": lambda size: "2019 " * (size // 5),
    "links": lambda size: "https://a.b/c " * (size // 14),
    "dots": lambda size: "10.1234/" * (size // 8),
    "fences": lambda size: "```\n" * (size // 4),
    "backticks": lambda size: "`" * size,
    "stars": lambda size: "**" * (size // 2),
    "bars": lambda size: "|" * size,
    "bullets": lambda size: "- \n" * (size // 3),
    "numbers": lambda size: "1. a\n" * (size // 5),
    "spaces": lambda size: " " * (size - 1) + "x",
    "lines": lambda size: "\n" * (size - 1) + "x",
    "sorry": lambda size: "i'm sorry, but i can't " * (size // 23),
    "quoted sorry": lambda size: "'i cannot assist " * (size // 17),
    "capitals": lambda size: "Aa Bb, Cc & " * (size // 12),
    "at signs": lambda size: "a@" * (size // 2),
    "chinese": lambda size: "土" * size,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_texts_take_no_more_than_a_moment(kind: str) -> None:
    text = HOSTILE[kind](100_000)
    started = time.process_time()
    names(text, instruction=text, source=text, settings=QualitySettings(overused_phrases=["a b"]))
    assert time.process_time() - started < 3


@given(st.text(alphabet=st.sampled_from("aA .,(`*|-1\n'\"’19&;:/。?"), max_size=200))  # noqa: RUF001
def test_any_text_can_be_looked_at_and_only_known_marks_come_out(text: str) -> None:
    assert names(text, instruction=text or "?") <= set(FLAGS)


@given(st.sampled_from([GOOD, LONG]), st.sampled_from(["\n", "  ", "\n\n", "\t"]))
def test_blank_ends_change_nothing(text: str, blank: str) -> None:
    assert names(text + blank) == names(text)
