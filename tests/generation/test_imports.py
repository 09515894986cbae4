"""What importing costs and prints."""

from __future__ import annotations

import subprocess
import sys


def _python(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", code], capture_output=True, text=True, check=True
    )


def test_planning_and_running_do_not_import_distilabel_until_needed() -> None:
    code = (
        "import sys, pipeline.demo, pipeline.generation.run, pipeline.generation.planning;"
        "import pipeline.generation.access, pipeline.generation.prompting;"
        "print('distilabel' in sys.modules)"
    )
    assert _python(code).stdout == "False\n"


def test_distilabel_is_imported_and_used_without_a_word() -> None:
    code = (
        "import pipeline.generation.step;"
        "from pipeline.core.schema import GenerationSettings as G;"
        "from pipeline.generation.chain import Chain, Job;"
        "from pipeline.generation.access import ModelAccess;"
        "from tests.factories import a_seed;"
        "from tests.generation.conftest import shared_for;"
        "Chain(Job(a_seed(), G(), 'run'), ModelAccess(), shared_for(G()))"
    )
    done = _python(code, "-W", "default::UserWarning", "-W", "default::RuntimeWarning")
    assert (done.stdout, done.stderr) == ("", "")
