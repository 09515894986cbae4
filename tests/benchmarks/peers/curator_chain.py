"""The chains by curator: a stage for the questions, one for all answers, one for the judge.

    python curator_chain.py ORDER FOLDER

Run again with the same folder it goes on where it was, which is how it resumes.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

# It counts tokens with a table that is fetched from the network, or found in LiteLLM's package.
_found = importlib.util.find_spec("litellm")
for _folder in (_found and _found.submodule_search_locations) or ():
    _tables = Path(_folder) / "litellm_core_utils" / "tokenizers"
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(_tables))
os.environ["TELEMETRY_ENABLED"] = "false"
os.environ["CURATOR_DISABLE_RICH_DISPLAY"] = "1"

from bespokelabs import curator  # noqa: E402

Row = dict[str, Any]


class Write(curator.LLM):  # type: ignore[misc]
    """Writes the question of a row."""

    def prompt(self, input: Row) -> Any:  # noqa: ANN401 - curator's
        """The messages, as the row has them."""
        return _conversation(input["instruction_system"], input["instruction_user"])

    def parse(self, input: Row, response: str) -> Row:
        """The row with its question."""
        return {**input, "question": response.splitlines()[-1].partition(". ")[2]}


class Answer(curator.LLM):  # type: ignore[misc]
    """Answers the question of a row."""

    def prompt(self, input: Row) -> Any:  # noqa: ANN401 - curator's
        """The expert's prompt and the question."""
        return _conversation(input["answer_system"], input["question"])

    def parse(self, input: Row, response: str) -> Row:
        """The row with an answer."""
        return {**input, "answer": response}


class Judge(curator.LLM):  # type: ignore[misc]
    """Rates the answers of a row."""

    def prompt(self, input: Row) -> Any:  # noqa: ANN401 - curator's
        """The judge's prompt, made beforehand."""
        return _conversation("You are a fair judge.", input["judge_prompt"])

    def parse(self, input: Row, response: str) -> Row:
        """The row with its ratings."""
        return {"question": input["question"], "ratings": response}


def main() -> None:
    """Run the order's rows and print how many came out whole."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder = sys.argv[2]

    def options(model: str) -> dict[str, Any]:
        # By the minute far more than the server gives, so that only what is under way counts.
        backend = {
            "base_url": order["url"],
            "api_key": "none",
            "max_concurrent_requests": order["in_flight"],
            "max_requests_per_minute": 1_000_000,
            "max_tokens_per_minute": 1_000_000_000,
        }
        sampling = {"temperature": order["temperature"], "max_tokens": order["max_tokens"]}
        return {
            "model_name": model,
            "backend": "openai",
            "backend_params": backend,
            "generation_params": sampling,
        }

    written = Write(**options(order["writer"]))(order["rows"], working_dir=folder).dataset
    copies = range(len(order["answerers"]))
    asked = [{**row, "copy": copy} for row in written for copy in copies]
    answered = Answer(**options(order["answerers"][0]))(asked, working_dir=folder).dataset
    by_question: dict[str, list[str]] = {}
    for row in answered:
        by_question.setdefault(row["question"], []).append(row["answer"])
    rows = [_to_judge(order, question, found) for question, found in by_question.items()]
    judged = Judge(**options(order["judge"]))(rows, working_dir=folder).dataset
    print(json.dumps({"rows": len(judged)}))


def _to_judge(order: Row, question: str, answers: list[str]) -> Row:
    labelled = (f"Answer {chr(65 + i)}:\n{text}" for i, text in enumerate(answers))
    prompt = order["judge_prompt"].format(
        count=len(answers), domain="farming", question=question, answers="\n\n".join(labelled)
    )
    return {"question": question, "judge_prompt": prompt}


def _conversation(system: str, user: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


if __name__ == "__main__":
    main()
